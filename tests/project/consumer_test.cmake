# Installs convc into a folder of its own, moves that folder to show that nothing depends on where it was, and there
# configures, builds and runs the consumer project. Then a layer changes, and the kernels must be compiled again.
#
# cmake -DBUILD=build-folder -DSOURCE=consumer -DSCRATCH=folder [-DSANITIZER=address] -P consumer_test.cmake
function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(result)
    list(JOIN ARGV " " command)
    message(FATAL_ERROR "${command}\nended with ${result}:\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

file(REMOVE_RECURSE ${SCRATCH})
run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${SCRATCH}/before)
file(RENAME ${SCRATCH}/before ${SCRATCH}/prefix)

set(ENV{CONVC_CACHE_DIR} ${SCRATCH}/cache)
file(COPY ${SOURCE}/ DESTINATION ${SCRATCH}/source)
# A library under a sanitizer wants a program under it: the sanitizer's own library has to start first.
set(flags "")
if(SANITIZER)
  set(flags -DCMAKE_CXX_FLAGS=-fsanitize=${SANITIZER})
endif()
run(${CMAKE_COMMAND} -S ${SCRATCH}/source -B ${SCRATCH}/build -G Ninja -Dconvc_ROOT=${SCRATCH}/prefix ${flags})
run(${CMAKE_COMMAND} --build ${SCRATCH}/build)
run(${SCRATCH}/build/consumer_c)
message(STATUS "${output}")
run(${SCRATCH}/build/consumer_cpp)
message(STATUS "${output}")

# A wrong box filter must be noticed: by the build, which compiles it, and by the program, which checks it.
file(READ ${SCRATCH}/source/net.conv text)
string(REPLACE "[1, 1], [1, 1]" "[1, 1], [1, 2]" text "${text}")
file(WRITE ${SCRATCH}/source/net.conv "${text}")
run(${CMAKE_COMMAND} --build ${SCRATCH}/build)
execute_process(COMMAND ${SCRATCH}/build/consumer_c RESULT_VARIABLE result OUTPUT_QUIET)
if(NOT result EQUAL 1)
  message(FATAL_ERROR "the changed layer was not compiled again, or a wrong result passes")
endif()
file(REMOVE_RECURSE ${SCRATCH})
