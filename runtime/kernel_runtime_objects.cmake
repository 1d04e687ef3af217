# The kernel runtime and the GPU runtime as they go into archives, as bytes: always optimised, without sanitizers, and with
# nothing visible but the functions of convc.h and gpu.h, which a shared library made from an archive then exports.
#
# An architecture is a row of the table at the end. Its object is made by the C compiler of this build when that is the
# architecture of this machine, else by Debian's cross compiler; where there is none the bytes are empty, and convc says
# what is missing when it is asked for that architecture. Flags keep the object from needing libgcc.
set(object_options -std=c11 -O2 -g0 -fPIC -fvisibility=hidden)

# The sources in runtime/NAME as one object, embedded as NAME_ARCHITECTURE(); empty without a compiler.
function(embed_runtime name identifier compiler)
  set(object ${CMAKE_CURRENT_BINARY_DIR}/${name}_${identifier}.o)
  set(embedded ${CMAKE_CURRENT_BINARY_DIR}/${name}_${identifier}.cpp)
  set(template ${CMAKE_CURRENT_SOURCE_DIR}/kernel_runtime_bytes.cpp.in)
  target_sources(convc_kernel_runtime_objects PRIVATE ${embedded})
  if(NOT compiler)
    set(BYTES "")
    configure_file(${template} ${embedded} @ONLY)
    return()
  endif()
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.c)
  file(GLOB headers CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*/*.h ${CMAKE_CURRENT_SOURCE_DIR}/include/convc/*.h)
  add_custom_command(
    OUTPUT ${object}
    COMMAND ${compiler} ${object_options} ${ARGN} -I${CMAKE_SOURCE_DIR} -I${CMAKE_CURRENT_SOURCE_DIR}/include
            -r -nostdlib ${sources} -o ${object}
    DEPENDS ${sources} ${headers}
    VERBATIM)
  add_custom_command(
    OUTPUT ${embedded}
    COMMAND ${CMAKE_COMMAND} -D INPUT=${object} -D TEMPLATE=${template} -D OUTPUT=${embedded}
            -D name=${name} -D identifier=${identifier} -P ${CMAKE_SOURCE_DIR}/cmake/EmbedFile.cmake
    DEPENDS ${object} ${template} ${CMAKE_SOURCE_DIR}/cmake/EmbedFile.cmake
    VERBATIM)
endfunction()

function(kernel_runtime_for architecture gnu_name)
  string(REPLACE "-" "_" identifier ${architecture})
  if(CMAKE_SYSTEM_PROCESSOR STREQUAL gnu_name)
    set(compiler ${CMAKE_C_COMPILER})
  else()
    find_program(CONVC_C_COMPILER_${identifier} ${gnu_name}-linux-gnu-gcc)
    mark_as_advanced(CONVC_C_COMPILER_${identifier})
    set(compiler ${CONVC_C_COMPILER_${identifier}})
    # The C library's headers are in a package of their own.
    set(probe ${CMAKE_CURRENT_BINARY_DIR}/probe.c)
    file(WRITE ${probe} "#include <linux/futex.h>\n#include <pthread.h>\n")
    if(compiler)
      execute_process(COMMAND ${compiler} -fsyntax-only ${probe} RESULT_VARIABLE failed OUTPUT_QUIET ERROR_QUIET)
      if(failed)
        set(compiler)
      endif()
    endif()
  endif()
  if(NOT compiler)
    message(STATUS "No ${gnu_name}-linux-gnu-gcc with a C library: convc will write no archives for ${architecture}")
  endif()
  embed_runtime(kernel_runtime ${identifier} "${compiler}" ${ARGN})
  embed_runtime(gpu_runtime ${identifier} "${compiler}" ${ARGN})
endfunction()

convc_library(convc_kernel_runtime_objects kernel_runtime_objects.cpp)
target_link_libraries(convc_kernel_runtime_objects PUBLIC convc_nouns PRIVATE fmt::fmt)
kernel_runtime_for(x86-64 x86_64)
kernel_runtime_for(arm-64 aarch64 -mno-outline-atomics)
