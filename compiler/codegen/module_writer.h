// What the entry points of CPU and of GPU kernels are written with: constants, functions, early returns.
#pragma once

#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Module.h>
#include <llvm/Target/TargetMachine.h>

#include <memory>
#include <string>
#include <vector>

#include "compiler/codegen/entry_point.h"

namespace convc {

class ModuleWriter {
protected:
    ModuleWriter(const EntryPoints &entry, const Target &target, const llvm::TargetMachine &machine,
                 llvm::LLVMContext &context);

    llvm::Constant *int32(int64_t value) { return builder_.getInt32(static_cast<uint32_t>(value)); }
    llvm::Constant *int64(uint64_t value) { return builder_.getInt64(value); }
    llvm::Constant *null() { return llvm::ConstantPointerNull::get(pointer_); }

    // Constants of the object, without a name in its symbol table.
    llvm::Constant *constant(llvm::Constant *value, const char *name);
    llvm::Constant *text(const std::string &value);
    llvm::Constant *numbers(const std::vector<int64_t> &values);

    llvm::Value *at(llvm::Value *base, uint64_t offset) { return builder_.CreatePtrAdd(base, int64(offset)); }
    llvm::Value *at(llvm::Value *base, llvm::Value *offset) { return builder_.CreatePtrAdd(base, offset); }
    llvm::Value *element(llvm::Value *array, size_t index);  // of an array of pointers
    void set_field(llvm::StructType *type, llvm::Value *object, unsigned field, llvm::Value *value);

    llvm::Function *begin_function(const std::string &name, llvm::FunctionType *type,
                                   llvm::GlobalValue::LinkageTypes linkage);
    // A function of the kernel runtime or of Halide's object, which the library does not give out.
    llvm::FunctionCallee hidden_function(const std::string &name, llvm::FunctionType *type);
    void return_if(llvm::Value *condition, llvm::Value *code);
    void return_if_null(llvm::Value *pointer);
    void return_if_not_zero(llvm::Value *code) { return_if(builder_.CreateIsNotNull(code), code); }
    void return_if_not_aligned(llvm::Value *pointer, uint64_t alignment);

    // The run-time extents that a public function takes first, as an array; NULL where there are none.
    llvm::Value *extent_array(llvm::Function *function);

    // What NAME_info() gives out, of functions that take arguments of one form.
    struct InfoFunctions {
        llvm::Constant *pack, *run, *workspace, *launch;
        Size workspace_bytes;
    };
    void write_info(const InfoFunctions &functions, const std::vector<Parameter> &parameters, uint64_t packed_bytes);
    void write_size(const std::string &suffix, uint64_t bytes);

    const EntryPoints &entry_;
    const Target &target_;
    std::unique_ptr<llvm::Module> module_;
    llvm::IRBuilder<> builder_;
    llvm::PointerType *pointer_;
    llvm::IntegerType *int32_type_;
    llvm::IntegerType *int64_type_;

private:
    llvm::Constant *tensor_info(const std::vector<NamedTensor> &tensors);
    llvm::Constant *parameter_info(const std::vector<Parameter> &parameters);

    llvm::StructType *tensor_info_type_;
    llvm::StructType *parameter_info_type_;
    llvm::StructType *kernel_info_type_;
};

}  // namespace convc
