# The packages that more than one folder of ours uses.
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(LLVM 19.1 CONFIG REQUIRED)
find_package(Halide 21 CONFIG REQUIRED)

# LLVM from Debian's one shared library. Its headers are not ours: no warnings from them.
add_library(convc_llvm INTERFACE)
target_include_directories(convc_llvm SYSTEM INTERFACE ${LLVM_INCLUDE_DIRS})
target_compile_definitions(convc_llvm INTERFACE ${LLVM_DEFINITIONS_LIST})
target_link_libraries(convc_llvm INTERFACE LLVM)
target_link_directories(convc_llvm INTERFACE ${LLVM_LIBRARY_DIRS})
