# ccache, when it is installed and nobody has asked for another launcher.
find_program(CONVC_CCACHE ccache)
mark_as_advanced(CONVC_CCACHE)
foreach(language C CXX)
  if(CONVC_CCACHE AND NOT CMAKE_${language}_COMPILER_LAUNCHER)
    set(CMAKE_${language}_COMPILER_LAUNCHER ${CONVC_CCACHE})
  endif()
endforeach()
