// The LLVM module behind the entry points of a kernel for a GPU: as entry_module.h for CPUs.
#pragma once

#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/Module.h>
#include <llvm/Target/TargetMachine.h>

#include <memory>

#include "compiler/codegen/entry_point.h"

namespace convc {

std::unique_ptr<llvm::Module> build_gpu_entry_module(const EntryPoints &entry, const Target &target,
                                                     const llvm::TargetMachine &machine, llvm::LLVMContext &context);

}  // namespace convc
