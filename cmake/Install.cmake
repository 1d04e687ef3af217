# What `cmake --install` puts where, relative to the prefix:
#
#   bin/convc                    the compiler
#   include/convc/               the C and C++ interfaces
#   lib/libconvc.so              the C++ API: parse, compile or load from the cache, call
#   lib/convc/libHalide.so       as both need it; in a folder of its own, so that it meets no other Halide
#   lib/cmake/convc/             find_package(convc), convc_add_library()
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(config_folder ${CMAKE_INSTALL_LIBDIR}/cmake/convc)
set(private_folder ${CMAKE_INSTALL_LIBDIR}/convc)

# convc's own libraries are static; the one shared library holds all of them, since its users see only the public headers.
file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/convc_shared.cpp CONTENT "// CMake wants a source file.\n")
add_library(convc_shared SHARED ${CMAKE_CURRENT_BINARY_DIR}/convc_shared.cpp)
target_link_libraries(convc_shared PRIVATE convc_api convc_nouns convc_runtime)
set_target_properties(convc_shared PROPERTIES
  EXPORT_NAME api
  INSTALL_RPATH "$ORIGIN/convc"
  LINKER_LANGUAGE CXX
  LINK_LIBRARY_OVERRIDE "WHOLE_ARCHIVE,convc_api,convc_nouns,convc_runtime"
  OUTPUT_NAME convc
  SOVERSION ${PROJECT_VERSION_MAJOR}
  VERSION ${PROJECT_VERSION})
target_compile_features(convc_shared INTERFACE cxx_std_20)
target_include_directories(convc_shared INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)

set_target_properties(convc PROPERTIES
  EXPORT_NAME compiler
  INSTALL_RPATH "$ORIGIN/../${private_folder}")

install(TARGETS convc convc_shared EXPORT convcTargets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(IMPORTED_RUNTIME_ARTIFACTS Halide::Halide LIBRARY DESTINATION ${private_folder})
install(DIRECTORY runtime/include/convc DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

configure_package_config_file(cmake/convcConfig.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/convcConfig.cmake
  INSTALL_DESTINATION ${config_folder} NO_SET_AND_CHECK_MACRO NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/convcConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/convcConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/convcConfigVersion.cmake
              cmake/convcAddLibrary.cmake
  DESTINATION ${config_folder})
install(EXPORT convcTargets NAMESPACE convc:: DESTINATION ${config_folder})
