// Kernels whose machine code is written out, so that what is in their loops is known.
#pragma once

#include <string>

#include "convc/kernel.h"
#include "convc/target.h"

namespace convc::test {

// A kernel called `layer` with this assembly as its one object, in AT&T's syntax on x86. Fails the test where it cannot
// be assembled.
Kernel assemble(const std::string &assembly, const Target &target);

// The same, of one function that computes the first group.
Kernel assemble_function(const std::string &body, const Target &target);

}  // namespace convc::test
