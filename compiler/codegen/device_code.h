// The code for a GPU inside a lowered Halide module: its text, and names in it that do not depend on what the process
// compiled before.
#pragma once

#include <Halide.h>

#include <string>

#include "compiler/codegen/codegen.h"

namespace convc {

// What the driver of a GPU compiles for it, as Halide puts it into the object, and how it is started; no text without
// any.
DeviceCode device_code(const Halide::Module &module);

// The same module, its device functions called PREFIX_0, PREFIX_1 ... in the order in which they are started, and its
// PTX without comments. Halide's names count up over the life of a process, and equal kernels are to be equal bytes.
// (The names of variables in OpenCL C still do.)
Halide::Module with_stable_device_names(const Halide::Module &module, const std::string &prefix);

}  // namespace convc
