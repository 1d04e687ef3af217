// Writes, for a kernel called NAME (of a layer res2 "res2_cuda"), the equivalent of
//
//     static int NAME.launch(const int64_t *extents, const float *const *inputs, const void *packed, float *y,
//                            void *workspace, void *stream, const int64_t *offsets) {
//         convc_gpu_context context = {.device_base = workspace, .device_capacity = ..., .stream = stream};
//         call NAME.run.0(&context, ...), NAME.run.1, ... until one fails; each gives its Halide function buffers on
//         the device
//     }
//     int NAME(const float *x, ..., const void *packed, float *y, void *workspace, void *stream) {
//         check the device, the run-time extents, the pointers and their alignment
//         return NAME.launch(NULL, inputs, packed, y, workspace, stream, zeros);
//     }
//     int NAME_host(const float *x, ..., const void *packed, float *y, void *workspace) {
//         the same checks, and packed's tag
//         copy the inputs into the workspace, behind what NAME needs of it; launch; copy y out of there; wait
//     }
//
// `offsets` says where the tensors begin behind their pointers: in NAME_host all of them are the workspace.
#include "compiler/codegen/gpu_entry_module.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/codegen/entry_writer.h"
#include "convc/convc.h"
#include "runtime/gpu_runtime/gpu_runtime.h"

namespace convc {
namespace {

using llvm::Constant;
using llvm::Function;
using llvm::FunctionType;
using llvm::GlobalValue;
using llvm::StructType;
using llvm::Value;

// Field numbers of convc_gpu_context.
enum ContextField {
    context_device_base = 4,
    context_device_capacity,
    context_device_used,
    context_stream,
    context_error,
};

constexpr uint64_t tensor_alignment = 16;  // of the vectors that kernels load and store

Size aligned(const Size &bytes) {
    return times(quotient(plus(bytes, CONVC_GPU_ALIGNMENT - 1), CONVC_GPU_ALIGNMENT), CONVC_GPU_ALIGNMENT);
}

// Such epilogues are computed in double.
bool needs_doubles(const Layer &layer) {
    const auto transcendental = [](const Epilogue &epilogue) {
        switch (epilogue.kind) {
            case EpilogueKind::sigmoid:
            case EpilogueKind::tanh:
            case EpilogueKind::silu:
            case EpilogueKind::gelu:
                return true;
            default:
                return false;
        }
    };
    return std::any_of(layer.stages.begin(), layer.stages.end(), [&](const Stage &stage) {
        return std::any_of(stage.epilogues.begin(), stage.epilogues.end(), transcendental);
    });
}

class GpuEntryModule : EntryWriter {
public:
    GpuEntryModule(const EntryPoints &entry, const Target &target, const llvm::TargetMachine &machine,
                   llvm::LLVMContext &context);
    std::unique_ptr<llvm::Module> write();

private:
    size_t inputs() const { return entry_.layer.inputs.size(); }
    std::vector<Size> host_offsets() const;
    Size host_workspace_bytes() const;
    Size tensor_bytes(size_t index) const;

    llvm::FunctionCallee runtime(const char *name, std::vector<llvm::Type *> types);
    Value *offset_of(Value *offsets, size_t index);
    Value *as_integer(Value *pointer) { return builder_.CreatePtrToInt(pointer, int64_type_); }
    Address device_address(Value *base, Value *offset);
    Address address(const BufferArgument &argument, Function *step, SizeCode &sizes);
    Function *write_step(const HalideCall &call, const std::string &name);
    Function *write_launch();

    void check_call(Value *extents, Value *tensors, Value *packed, Value *y, Value *workspace, Value *stream,
                    SizeCode &sizes, const Size &workspace_bytes);
    void copy(bool in, Value *memory, Value *offset, Value *host, Value *bytes);
    void check_tag(Value *packed);
    Function *write_run(Function *launch);
    Function *write_host_run(Function *launch);
    void write_call(const std::string &suffix, Function *run, bool with_stream);
    Function *write_baked_pack();

    StructType *gpu_context_type_;  // convc_gpu_context
};

GpuEntryModule::GpuEntryModule(const EntryPoints &entry, const Target &target, const llvm::TargetMachine &machine,
                               llvm::LLVMContext &context)
    : EntryWriter(entry, target, machine, context) {
    const auto i64 = int64_type_;
    const auto p = pointer_;
    gpu_context_type_ = StructType::create(
        context, {p, i64, i64, i64, i64, i64, i64, p, i64, p, i64, llvm::ArrayType::get(i64, CONVC_GPU_BLOCKS)},
        "convc_gpu_context");
    if (!entry.baked_packed.empty()) packed_bytes_ = entry.baked_packed.size();  // which pack copies
}

// ---- sizes

// Of an input, or, behind the last, of y.
Size GpuEntryModule::tensor_bytes(size_t index) const {
    const bool is_input = index < inputs();
    const TensorSizes &sizes = is_input ? entry_.sizes.inputs[index] : entry_.sizes.outputs.back();
    const int64_t channels = is_input ? entry_.layer.inputs[index].type.channels : entry_.layer.output().channels;
    return times(sizes.elements(channels), sizeof(float));
}

// Where NAME_host puts the inputs and y into its workspace.
std::vector<Size> GpuEntryModule::host_offsets() const {
    std::vector<Size> offsets{aligned(entry_.workspace_bytes())};
    for (size_t i = 0; i < inputs(); i++) offsets.push_back(plus(offsets.back(), aligned(tensor_bytes(i))));
    return offsets;
}

Size GpuEntryModule::host_workspace_bytes() const {
    return plus(host_offsets().back(), aligned(tensor_bytes(inputs())));
}

// ---- launching

llvm::FunctionCallee GpuEntryModule::runtime(const char *name, std::vector<llvm::Type *> types) {
    return hidden_function(fmt::format("convc_{}_{}_v1", target_.gpu_word(), name),
                           FunctionType::get(int32_type_, types, false));
}

Value *GpuEntryModule::offset_of(Value *offsets, size_t index) {
    return builder_.CreateLoad(int64_type_, at(offsets, index * sizeof(int64_t)));
}

EntryWriter::Address GpuEntryModule::device_address(Value *base, Value *offset) {
    if (target_.gpu == Gpu::cuda) return {nullptr, builder_.CreateAdd(as_integer(base), offset)};
    return {nullptr, as_integer(base), builder_.CreateIntToPtr(offset, pointer_)};
}

EntryWriter::Address GpuEntryModule::address(const BufferArgument &argument, Function *step, SizeCode &sizes) {
    Value *offsets = step->getArg(6);
    switch (argument.place) {
        case BufferArgument::Place::input:
        case BufferArgument::Place::parameter: {
            const auto index = static_cast<size_t>(argument.index);
            return device_address(element(step->getArg(1), index), offset_of(offsets, index));
        }
        case BufferArgument::Place::packed:
            return device_address(step->getArg(2), sizes.value(argument.offset));
        case BufferArgument::Place::workspace:
            return device_address(step->getArg(4), sizes.value(argument.offset));
        case BufferArgument::Place::output:
            break;
    }
    return device_address(step->getArg(3), offset_of(offsets, inputs()));
}

// int NAME.run.0(context, inputs, packed, y, workspace, extents, offsets). The Halide function goes on where a call of
// the runtime has failed; the context remembers it.
Function *GpuEntryModule::write_step(const HalideCall &call, const std::string &name) {
    const std::vector<llvm::Type *> types(7, pointer_);
    Function *step = begin_function(name, FunctionType::get(int32_type_, types, false), GlobalValue::InternalLinkage);
    SizeCode sizes(builder_, step->getArg(5));
    Value *context = step->getArg(0);
    set_field(gpu_context_type_, context, context_device_used, sizes.value(entry_.arena_offset));
    std::vector<Value *> arguments = {context};
    for (const BufferArgument &argument : call.arguments) {
        arguments.push_back(halide_buffer(argument, address(argument, step, sizes), sizes));
    }
    Value *code = known_code(call_halide(call.function, arguments));
    Value *error =
        builder_.CreateLoad(int64_type_, builder_.CreateStructGEP(gpu_context_type_, context, context_error));
    Value *failure = builder_.CreateTrunc(error, int32_type_);
    builder_.CreateRet(builder_.CreateSelect(builder_.CreateIsNotNull(failure), failure, code));
    return step;
}

Function *GpuEntryModule::write_launch() {
    std::vector<Function *> steps;
    for (size_t i = 0; i < entry_.run.size(); i++) {
        steps.push_back(write_step(entry_.run[i], fmt::format("{}.run.{}", entry_.symbol, i)));
    }
    const std::vector<llvm::Type *> types(7, pointer_);
    Function *launch = begin_function(entry_.symbol + ".launch", FunctionType::get(int32_type_, types, false),
                                      GlobalValue::InternalLinkage);
    Value *extents = launch->getArg(0), *workspace = launch->getArg(4);
    SizeCode sizes(builder_, extents);
    Value *context = builder_.CreateAlloca(gpu_context_type_);
    builder_.CreateStore(Constant::getNullValue(gpu_context_type_), context);
    set_field(gpu_context_type_, context, context_device_base, as_integer(workspace));
    set_field(gpu_context_type_, context, context_device_capacity, sizes.value(entry_.workspace_bytes()));
    set_field(gpu_context_type_, context, context_stream, launch->getArg(5));
    call_steps(steps, {context, launch->getArg(1), launch->getArg(2), launch->getArg(3), workspace, extents,
                       launch->getArg(6)});
    builder_.CreateRet(int32(CONVC_OK));
    return launch;
}

// ---- the functions that are given out

// Leaves where a call makes no sense, or cannot be made on this machine.
void GpuEntryModule::check_call(Value *extents, Value *tensors, Value *packed, Value *y, Value *workspace,
                                Value *stream, SizeCode &sizes, const Size &workspace_bytes) {
    if (target_.gpu == Gpu::cuda) {
        return_if_not_zero(builder_.CreateCall(runtime("begin", {int32_type_}), {int32(target_.capability)}));
    } else {
        const int needs = needs_doubles(entry_.layer) ? CONVC_OPENCL_DOUBLES : 0;
        return_if_not_zero(builder_.CreateCall(runtime("begin", {pointer_, int32_type_}), {stream, int32(needs)}));
    }
    check_extents(extents, sizes, int32(CONVC_ERROR_EXTENT));
    return_for_empty_batch(sizes);
    check_tensors(tensors, inputs());
    return_if_null(y);
    if (packed_bytes_ > 0) return_if_null(packed);
    if (!workspace_bytes.known() || workspace_bytes > 0) return_if_null(workspace);
    if (target_.gpu != Gpu::cuda) return;  // a cl_mem has no address
    if (packed_bytes_ > 0) return_if_not_aligned(packed, memory_alignment);
    if (!workspace_bytes.known() || workspace_bytes > 0) return_if_not_aligned(workspace, memory_alignment);
}

// int NAME.run(extents, inputs, packed, y, workspace, stream): all in device memory. info->launch.
Function *GpuEntryModule::write_run(Function *launch) {
    const std::vector<llvm::Type *> types(6, pointer_);
    Function *run = begin_function(entry_.symbol + ".run", FunctionType::get(int32_type_, types, false),
                                   GlobalValue::InternalLinkage);
    const auto argument = [&](unsigned index) { return run->getArg(index); };
    SizeCode sizes(builder_, argument(0));
    check_call(argument(0), argument(1), argument(2), argument(3), argument(4), argument(5), sizes,
               entry_.workspace_bytes());
    for (size_t i = 0; target_.gpu == Gpu::cuda && i < inputs(); i++) {
        return_if_not_aligned(element(argument(1), i), tensor_alignment);
    }
    if (target_.gpu == Gpu::cuda) return_if_not_aligned(argument(3), tensor_alignment);
    Constant *zeros = numbers(std::vector<int64_t>(inputs() + 1, 0));
    builder_.CreateRet(builder_.CreateCall(
        launch, {argument(0), argument(1), argument(2), argument(3), argument(4), argument(5), zeros}));
    return run;
}

// Between host memory and the device's at `memory` + `offset`, in the default stream.
void GpuEntryModule::copy(bool in, Value *memory, Value *offset, Value *host, Value *bytes) {
    const char *name = in ? "copy_in" : "copy_out";
    if (target_.gpu == Gpu::cuda) {
        Value *device = builder_.CreateAdd(as_integer(memory), offset);
        const auto in_type = std::vector<llvm::Type *>{pointer_, int64_type_, pointer_, int64_type_};
        const auto out_type = std::vector<llvm::Type *>{pointer_, pointer_, int64_type_, int64_type_};
        const std::vector<Value *> arguments =
            in ? std::vector<Value *>{null(), device, host, bytes} : std::vector<Value *>{null(), host, device, bytes};
        return_if_not_zero(builder_.CreateCall(runtime(name, in ? in_type : out_type), arguments));
        return;
    }
    const auto in_type = std::vector<llvm::Type *>{pointer_, pointer_, int64_type_, pointer_, int64_type_};
    const auto out_type = std::vector<llvm::Type *>{pointer_, pointer_, pointer_, int64_type_, int64_type_};
    const std::vector<Value *> arguments = in ? std::vector<Value *>{null(), memory, offset, host, bytes}
                                              : std::vector<Value *>{null(), host, memory, offset, bytes};
    return_if_not_zero(builder_.CreateCall(runtime(name, in ? in_type : out_type), arguments));
}

// Of packed memory on the device, which costs a copy: only NAME_host, which waits anyway, can afford it.
void GpuEntryModule::check_tag(Value *packed) {
    if (packed_bytes_ == 0) return;
    Value *tag = builder_.CreateAlloca(int64_type_);
    copy(false, packed, int64(0), tag, int64(sizeof(uint64_t)));
    return_if_not_zero(builder_.CreateCall(runtime("synchronize", {pointer_}), {null()}));
    return_if(builder_.CreateICmpNE(builder_.CreateLoad(int64_type_, tag), int64(entry_.packed_tag)),
              int32(CONVC_ERROR_PACKED));
}

// int NAME.host(extents, inputs, packed, y, workspace): tensors in host memory. info->run.
Function *GpuEntryModule::write_host_run(Function *launch) {
    const std::vector<llvm::Type *> types(5, pointer_);
    Function *run = begin_function(entry_.symbol + ".host", FunctionType::get(int32_type_, types, false),
                                   GlobalValue::InternalLinkage);
    Value *extents = run->getArg(0), *tensors = run->getArg(1), *packed = run->getArg(2), *y = run->getArg(3),
          *workspace = run->getArg(4);
    SizeCode sizes(builder_, extents);
    check_call(extents, tensors, packed, y, workspace, null(), sizes, host_workspace_bytes());
    check_tag(packed);
    const std::vector<Size> places = host_offsets();
    Value *offsets = builder_.CreateAlloca(llvm::ArrayType::get(int64_type_, places.size()));
    Value *on_device = builder_.CreateAlloca(llvm::ArrayType::get(pointer_, inputs()));
    for (size_t i = 0; i < places.size(); i++) {
        Value *offset = sizes.value(places[i]);
        builder_.CreateStore(offset, at(offsets, i * sizeof(int64_t)));
        if (i == inputs()) break;
        builder_.CreateStore(workspace, at(on_device, i * sizeof(void *)));
        copy(true, workspace, offset, element(tensors, i), sizes.value(tensor_bytes(i)));
    }
    return_if_not_zero(
        builder_.CreateCall(launch, {extents, on_device, packed, workspace, workspace, null(), offsets}));
    copy(false, workspace, sizes.value(places.back()), y, sizes.value(tensor_bytes(inputs())));
    builder_.CreateRet(builder_.CreateCall(runtime("synchronize", {pointer_}), {null()}));
    return run;
}

// NAME or NAME_host, on a uniform function.
void GpuEntryModule::write_call(const std::string &suffix, Function *run, bool with_stream) {
    const auto extents = static_cast<size_t>(entry_.sizes.arguments);
    const size_t others = with_stream ? 4 : 3;  // packed, y, workspace, and the stream
    Function *call = begin_function(entry_.symbol + suffix, function_of(inputs() + others, int32_type_),
                                    GlobalValue::ExternalLinkage);
    Value *array = builder_.CreateAlloca(llvm::ArrayType::get(pointer_, inputs()));
    const auto argument = [&](size_t index) { return call->getArg(static_cast<unsigned>(extents + index)); };
    for (size_t i = 0; i < inputs(); ++i) builder_.CreateStore(argument(i), at(array, i * sizeof(void *)));
    std::vector<Value *> arguments = {extent_array(call), array};
    for (size_t i = 0; i < others; i++) arguments.push_back(argument(inputs() + i));
    builder_.CreateRet(builder_.CreateCall(run, arguments));
}

// Baked weights are a constant of the object, and packing copies it: the device cannot read it there.
Function *GpuEntryModule::write_baked_pack() {
    Constant *baked =
        constant(llvm::ConstantDataArray::getString(builder_.getContext(), entry_.baked_packed, false), "packed");
    llvm::cast<llvm::GlobalVariable>(baked)->setAlignment(llvm::Align(memory_alignment));
    const auto type = FunctionType::get(int32_type_, {pointer_, pointer_}, false);
    Function *pack = begin_function(entry_.symbol + ".pack", type, GlobalValue::InternalLinkage);
    Value *packed = pack->getArg(1);
    check_memory(packed, packed_bytes_);
    const auto from = builder_.GetInsertBlock();
    const auto loop = llvm::BasicBlock::Create(builder_.getContext(), "", pack);
    const auto done = llvm::BasicBlock::Create(builder_.getContext(), "", pack);
    builder_.CreateBr(loop);
    builder_.SetInsertPoint(loop);
    llvm::PHINode *byte = builder_.CreatePHI(int64_type_, 2);
    byte->addIncoming(int64(0), from);
    builder_.CreateStore(builder_.CreateLoad(int64_type_, at(baked, byte)), at(packed, byte));
    Value *next = builder_.CreateAdd(byte, int64(sizeof(uint64_t)));
    byte->addIncoming(next, loop);
    builder_.CreateCondBr(builder_.CreateICmpULT(next, int64(packed_bytes_)), loop, done);
    builder_.SetInsertPoint(done);
    builder_.CreateRet(int32(CONVC_OK));
    return pack;
}

std::unique_ptr<llvm::Module> GpuEntryModule::write() {
    Function *launch = write_launch();
    Function *run = write_run(launch);
    Function *host_run = write_host_run(launch);
    Function *pack = entry_.baked_packed.empty() ? write_pack() : write_baked_pack();
    write_call("", run, true);
    write_call("_host", host_run, false);
    write_pack_entry(pack);
    write_size("_packed_bytes", packed_bytes_);
    write_workspace("", entry_.workspace_bytes());
    Function *host_workspace = write_workspace("_host", host_workspace_bytes());
    write_info({pack, host_run, host_workspace, run, host_workspace_bytes()}, parameters_, packed_bytes_);
    return std::move(module_);
}

}  // namespace

std::unique_ptr<llvm::Module> build_gpu_entry_module(const EntryPoints &entry, const Target &target,
                                                     const llvm::TargetMachine &machine, llvm::LLVMContext &context) {
    return GpuEntryModule(entry, target, machine, context).write();
}

}  // namespace convc
