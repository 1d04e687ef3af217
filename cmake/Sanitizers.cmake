# What the sanitizers must know of Halide and LLVM, which come compiled without them: linked into every executable, so
# that it holds for `ctest`, for a debugger and for a program started by hand alike.
if(CONVC_SANITIZER)
  target_sources(convc_options INTERFACE
    $<$<STREQUAL:$<TARGET_PROPERTY:TYPE>,EXECUTABLE>:${CMAKE_CURRENT_LIST_DIR}/sanitizer_defaults.c>)
endif()
