// Writes, for a kernel called NAME, the equivalent of
//
//     static int NAME.run.0(const float *const *tensors, const void *packed, float *y, void *workspace,
//                           const int64_t *extents) {
//         convc_kernel_context context = {workspace + arena_offset, workspace_bytes - arena_offset, 0,
//         task_arena_bytes}; halide_buffer_t a = {.host = tensors[0], .type = f32, .dimensions = 4, .dim = constant};
//         ... int code = HALIDE_FUNCTION(&context, &a, ...); return (unsigned)code <= CONVC_ERROR_INTERNAL ? code :
//         CONVC_ERROR_INTERNAL;
//     }
//     static int NAME.run(const int64_t *extents, const float *const *inputs, const void *packed, float *y, void
//     *workspace) {
//         check the CPU, the run-time extents, the pointers, their alignment and packed's tag; call NAME.run.0,
//         NAME.run.1, ... until one fails
//     }
//     int NAME(const float *x, ..., const void *packed, float *y, void *workspace) {
//         const float *inputs[] = {x, ...};
//         return NAME.run(NULL, inputs, packed, y, workspace);
//     }
//
// and the same for packing: NAME.pack.0, NAME.pack, NAME_pack. A dot keeps a local name apart from every name in C.
// Nothing here becomes a call of memcpy or memset: the object stands on the Halide functions and the kernel runtime
// alone.
#include "compiler/codegen/entry_module.h"

#include <fmt/format.h>

#include "compiler/codegen/entry_writer.h"
#include "compiler/codegen/gpu_entry_module.h"
#include "convc/convc.h"

namespace convc {
namespace {

using llvm::Constant;
using llvm::Function;
using llvm::FunctionType;
using llvm::GlobalValue;
using llvm::Value;

// Field numbers of convc_kernel_context.
enum ContextField { context_base, context_capacity, context_used, context_task_arena };

class EntryModule : EntryWriter {
public:
    EntryModule(const EntryPoints &entry, const Target &target, const llvm::TargetMachine &machine,
                llvm::LLVMContext &context);
    std::unique_ptr<llvm::Module> write();

private:
    Value *host(const BufferArgument &argument, Function *step, SizeCode &sizes);
    Value *kernel_context(const HalideCall &call, Function *step, SizeCode &sizes);
    Function *write_step(const HalideCall &call, const std::string &name);
    Function *write_run();
    void write_call(Function *run);

    FunctionType *step_type_;
    Constant *baked_ = nullptr;
};

EntryModule::EntryModule(const EntryPoints &entry, const Target &target, const llvm::TargetMachine &machine,
                         llvm::LLVMContext &context)
    : EntryWriter(entry, target, machine, context),
      step_type_(FunctionType::get(int32_type_, {pointer_, pointer_, pointer_, pointer_, pointer_}, false)) {
    if (entry.baked_packed.empty()) return;
    const auto bytes = llvm::ConstantDataArray::getString(context, entry.baked_packed, false);
    baked_ = constant(bytes, "packed");
    llvm::cast<llvm::GlobalVariable>(baked_)->setAlignment(llvm::Align(memory_alignment));
}

Value *EntryModule::host(const BufferArgument &argument, Function *step, SizeCode &sizes) {
    switch (argument.place) {
        case BufferArgument::Place::input:
        case BufferArgument::Place::parameter:
            return element(step->getArg(0), static_cast<size_t>(argument.index));
        case BufferArgument::Place::packed:
            return at(baked_ != nullptr ? baked_ : static_cast<Value *>(step->getArg(1)), sizes.value(argument.offset));
        case BufferArgument::Place::workspace:
            return at(step->getArg(3), sizes.value(argument.offset));
        case BufferArgument::Place::output:
            break;
    }
    return step->getArg(2);
}

// The arena that the kernel runtime's allocator serves the call from.
Value *EntryModule::kernel_context(const HalideCall &call, Function *step, SizeCode &sizes) {
    Value *context = builder_.CreateAlloca(context_type_);
    set_field(context_type_, context, context_base,
              entry_.arena_bytes > 0 ? at(step->getArg(3), sizes.value(entry_.arena_offset)) : null());
    set_field(context_type_, context, context_capacity, int64(entry_.arena_bytes));
    set_field(context_type_, context, context_used, int64(0));
    set_field(context_type_, context, context_task_arena, int64(call.task_arena_bytes));
    return context;
}

// A function of its own for each call, so that the buffers of a long chain do not add up on the stack.
Function *EntryModule::write_step(const HalideCall &call, const std::string &name) {
    Function *step = begin_function(name, step_type_, GlobalValue::InternalLinkage);
    SizeCode sizes(builder_, step->getArg(4));  // which NAME.run has found to be in range
    std::vector<Value *> arguments = {kernel_context(call, step, sizes)};
    for (const BufferArgument &argument : call.arguments) {
        arguments.push_back(halide_buffer(argument, {host(argument, step, sizes)}, sizes));
    }
    builder_.CreateRet(known_code(call_halide(call.function, arguments)));
    return step;
}

// The uniform function, which NAME_info() also gives out.
Function *EntryModule::write_run() {
    std::vector<Function *> steps;
    for (size_t i = 0; i < entry_.run.size(); i++) {
        steps.push_back(write_step(entry_.run[i], fmt::format("{}.run.{}", entry_.symbol, i)));
    }
    Function *run = begin_function(entry_.symbol + ".run", step_type_, GlobalValue::InternalLinkage);
    Value *inputs = run->getArg(1);
    Value *packed = run->getArg(2);
    Value *y = run->getArg(3);
    Value *workspace = run->getArg(4);
    if (!entry_.variants.empty()) {  // those of no variant do nothing else
        builder_.CreateRet(int32(CONVC_ERROR_TARGET));
        return run;
    }
    check_cpu();
    SizeCode sizes(builder_, run->getArg(0));
    check_extents(run->getArg(0), sizes, int32(CONVC_ERROR_EXTENT));
    return_for_empty_batch(sizes);
    check_tensors(inputs, entry_.layer.inputs.size());
    return_if_null(y);
    check_memory(packed, packed_bytes_);
    check_memory(workspace, entry_.workspace_bytes());
    if (packed_bytes_ > 0) {
        Value *tag = builder_.CreateLoad(int64_type_, packed);
        return_if(builder_.CreateICmpNE(tag, int64(entry_.packed_tag)), int32(CONVC_ERROR_PACKED));
    }
    call_steps(steps, {inputs, packed, y, workspace, run->getArg(0)});
    builder_.CreateRet(int32(CONVC_OK));
    return run;
}

void EntryModule::write_call(Function *run) {
    const auto extents = static_cast<size_t>(entry_.sizes.arguments);
    const size_t inputs = entry_.layer.inputs.size();
    Function *call = begin_function(entry_.symbol, function_of(inputs + 3, int32_type_), GlobalValue::ExternalLinkage);
    Value *array = builder_.CreateAlloca(llvm::ArrayType::get(pointer_, inputs));
    const auto argument = [&](size_t index) { return call->getArg(static_cast<unsigned>(extents + index)); };
    for (size_t i = 0; i < inputs; ++i) builder_.CreateStore(argument(i), at(array, i * sizeof(void *)));
    builder_.CreateRet(builder_.CreateCall(
        run, {extent_array(call), array, argument(inputs), argument(inputs + 1), argument(inputs + 2)}));
}

std::unique_ptr<llvm::Module> EntryModule::write() {
    Function *run = write_run();
    Function *pack = write_pack();
    write_call(run);
    write_pack_entry(pack);
    write_size("_packed_bytes", packed_bytes_);
    Function *workspace = write_workspace("", entry_.workspace_bytes());
    write_info({pack, run, workspace, null(), entry_.workspace_bytes()}, parameters_, packed_bytes_);
    return std::move(module_);
}

}  // namespace

std::unique_ptr<llvm::Module> build_entry_module(const EntryPoints &entry, const Target &target,
                                                 const llvm::TargetMachine &machine, llvm::LLVMContext &context) {
    if (target.on_gpu()) return build_gpu_entry_module(entry, target, machine, context);
    return EntryModule(entry, target, machine, context).write();
}

}  // namespace convc
