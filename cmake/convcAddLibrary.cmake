# convc_add_library(NAME SOURCES FILE.conv... [TARGETS TARGET...] [WEIGHTS PATH])
#
# Compiles layers as part of the build, and again when a .conv file or the compiler changes. A target that links NAME
# finds FILE.h on its include path and is linked with the kernels; it needs nothing of convc's at run time.
#
#   TARGETS   as for `convc compile --target`: of several, the library chooses the best that the CPU runs. Default: the
#             machine that compiles.
#   WEIGHTS   bakes these weights in, as for `convc compile --weights`
function(convc_add_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "WEIGHTS" "SOURCES;TARGETS")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "convc_add_library(${name}): unexpected ${arg_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT arg_SOURCES)
    message(FATAL_ERROR "convc_add_library(${name}): SOURCES names no .conv file")
  endif()

  set(options)
  set(weights)
  if(arg_TARGETS)
    list(JOIN arg_TARGETS "," targets)
    list(APPEND options --target ${targets})
  endif()
  if(arg_WEIGHTS)
    cmake_path(ABSOLUTE_PATH arg_WEIGHTS OUTPUT_VARIABLE weights)
    list(APPEND options --weights ${weights})
  endif()

  set(folder ${CMAKE_CURRENT_BINARY_DIR}/${name})
  set(archives)
  foreach(source IN LISTS arg_SOURCES)
    cmake_path(ABSOLUTE_PATH source)
    cmake_path(GET source STEM LAST_ONLY stem)
    # Schedules that `convc tune` left beside the layers are read as well.
    cmake_path(REPLACE_EXTENSION source LAST_ONLY schedules OUTPUT_VARIABLE schedules)
    if(NOT EXISTS ${schedules})
      set(schedules)
    endif()
    add_custom_command(
      OUTPUT ${folder}/lib${stem}.a ${folder}/${stem}.h
      COMMAND convc::compiler compile ${source} -o ${folder} ${options}
      DEPENDS ${source} ${schedules} ${weights} convc::compiler
      COMMENT "Compiling the layers of ${stem}.conv"
      VERBATIM)
    list(APPEND archives ${folder}/lib${stem}.a)
  endforeach()

  add_custom_target(${name}_kernels DEPENDS ${archives})
  add_library(${name} INTERFACE)
  add_dependencies(${name} ${name}_kernels)
  target_include_directories(${name} INTERFACE ${folder})
  target_link_libraries(${name} INTERFACE ${archives} Threads::Threads m ${CMAKE_DL_LIBS})
endfunction()
