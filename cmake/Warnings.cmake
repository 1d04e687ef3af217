# What every target of ours is compiled with: include from the root, warnings as errors, a sanitizer when asked for.
add_library(convc_options INTERFACE)
target_include_directories(convc_options INTERFACE ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/runtime/include)
target_compile_options(convc_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow $<$<BOOL:${CONVC_WERROR}>:-Werror>)
if(CONVC_SANITIZER)
  # gcc 12 takes parts of std::regex for uninitialized where they are instrumented (gcc bug 105562).
  target_compile_options(convc_options INTERFACE -fsanitize=${CONVC_SANITIZER} -fno-omit-frame-pointer
                                                 -fno-sanitize-recover=all -Wno-maybe-uninitialized)
  target_link_options(convc_options INTERFACE -fsanitize=${CONVC_SANITIZER})
endif()

# convc_library(NAME SOURCES... ): a static library of ours.
function(convc_library name)
  add_library(${name} STATIC ${ARGN})
  target_link_libraries(${name} PUBLIC convc_options)
endfunction()
