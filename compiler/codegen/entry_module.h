// The LLVM module behind the C entry points of a kernel; entry_point.h is the interface, this file only keeps LLVM's
// headers out of it.
#pragma once

#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/Module.h>
#include <llvm/Target/TargetMachine.h>

#include <memory>

#include "compiler/codegen/entry_point.h"

namespace convc {

// `entry` has been checked: every index and offset in it is in range.
std::unique_ptr<llvm::Module> build_entry_module(const EntryPoints &entry, const Target &target,
                                                 const llvm::TargetMachine &machine, llvm::LLVMContext &context);

}  // namespace convc
