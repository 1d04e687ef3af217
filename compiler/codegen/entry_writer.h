// What the entry points of CPU and of GPU kernels have in common: they check their arguments, build Halide's buffers on
// the stack and call Halide functions; and weights are packed on the CPU for both.
#pragma once

#include "compiler/codegen/module_writer.h"
#include "compiler/codegen/size_code.h"

namespace convc {

inline constexpr uint64_t memory_alignment = 64;  // of packed and workspace

class EntryWriter : protected ModuleWriter {
protected:
    EntryWriter(const EntryPoints &entry, const Target &target, const llvm::TargetMachine &machine,
                llvm::LLVMContext &context);

    // Where a halide_buffer_t's data lie.
    struct Address {
        llvm::Value *host = nullptr;
        llvm::Value *device = nullptr;   // i64
        llvm::Value *padding = nullptr;  // which Halide leaves alone
    };

    void check_cpu();
    void check_memory(llvm::Value *pointer, const Size &bytes);
    void check_extents(llvm::Value *extents, SizeCode &sizes, llvm::Constant *code);
    void check_tensors(llvm::Value *tensors, size_t count);
    void return_for_empty_batch(SizeCode &sizes);

    llvm::Value *halide_buffer(const BufferArgument &argument, const Address &address, SizeCode &sizes);
    llvm::Value *call_halide(const std::string &function, const std::vector<llvm::Value *> &arguments);
    // A code of ours, or CONVC_ERROR_INTERNAL.
    llvm::Value *known_code(llvm::Value *code);
    void call_steps(const std::vector<llvm::Function *> &steps, const std::vector<llvm::Value *> &arguments);

    // The parameters of a public function: run-time extents, so many pointers.
    llvm::FunctionType *function_of(size_t pointers, llvm::Type *result);

    // int NAME.pack(const float *const *parameters, void *packed), and NAME_pack() on it.
    llvm::Function *write_pack();
    void write_pack_entry(llvm::Function *pack);
    // size_t NAME.workspace(const int64_t *extents), and NAME_workspace_bytes() on it; of another kind, with its
    // suffix.
    llvm::Function *write_workspace(const std::string &kind, const Size &bytes);

    llvm::StructType *context_type_;     // convc_kernel_context
    std::vector<Parameter> parameters_;  // those the caller packs: none when the weights are baked in
    uint64_t packed_bytes_;

private:
    llvm::Value *dimensions(const BufferArgument &argument, SizeCode &sizes);
    llvm::Function *write_pack_step(const HalideCall &call, const std::string &name);

    llvm::StructType *dimension_type_;    // halide_dimension_t
    llvm::StructType *halide_type_type_;  // halide_type_t
    llvm::StructType *buffer_type_;       // halide_buffer_t
};

}  // namespace convc
