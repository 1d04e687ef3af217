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
#include <llvm/IR/IRBuilder.h>

#include <algorithm>

#include "compiler/codegen/size_code.h"
#include "convc/convc.h"

namespace convc {
namespace {

using llvm::Align;
using llvm::Constant;
using llvm::ConstantPointerNull;
using llvm::ConstantStruct;
using llvm::Function;
using llvm::FunctionType;
using llvm::GlobalValue;
using llvm::GlobalVariable;
using llvm::StructType;
using llvm::Value;

constexpr uint64_t alignment = 64;  // of packed and workspace

// Field numbers of the structs below.
enum BufferField {
    buffer_device,
    buffer_interface,
    buffer_host,
    buffer_flags,
    buffer_type,
    buffer_rank,
    buffer_dim,
    buffer_padding
};
enum ContextField { context_base, context_capacity, context_used, context_task_arena };

class EntryModule {
public:
    EntryModule(const EntryPoints &entry, const Target &target, const llvm::TargetMachine &machine,
                llvm::LLVMContext &context);
    std::unique_ptr<llvm::Module> write();

private:
    Constant *int32(int64_t value) { return builder_.getInt32(static_cast<uint32_t>(value)); }
    Constant *int64(uint64_t value) { return builder_.getInt64(value); }
    Constant *null() { return ConstantPointerNull::get(pointer_); }
    Constant *constant(Constant *value, const char *name);
    Constant *text(const std::string &value);
    Constant *numbers(const std::vector<int64_t> &values);
    Value *at(Value *base, uint64_t offset);
    Value *at(Value *base, Value *offset) { return builder_.CreatePtrAdd(base, offset); }
    Value *element(Value *array, size_t index);
    void set_field(StructType *type, Value *object, unsigned field, Value *value);

    Function *begin_function(const std::string &name, FunctionType *type, GlobalValue::LinkageTypes linkage);
    void return_if(Value *condition, Value *code);
    void return_if_null(Value *pointer);
    bool refuses();
    void check_cpu();
    void check_memory(Value *pointer, const Size &bytes);
    void check_extents(Value *extents, SizeCode &sizes, Constant *code);
    void check_tensors(Value *tensors, size_t count);

    Value *dimensions(const BufferArgument &argument, SizeCode &sizes);
    Value *host(const BufferArgument &argument, Function *step, SizeCode &sizes);
    Value *halide_buffer(const BufferArgument &argument, Function *step, SizeCode &sizes);
    Value *kernel_context(const HalideCall &call, Function *step, SizeCode &sizes, bool running);
    Function *write_step(const HalideCall &call, const std::string &name, bool running);
    std::vector<Function *> write_steps(const std::vector<HalideCall> &calls, const std::string &kind);
    void call_steps(const std::vector<Function *> &steps, const std::vector<Value *> &arguments);

    Function *write_run();
    Function *write_pack();
    void write_call(Function *run);
    void write_pack_entry(Function *pack);
    void write_size(const std::string &suffix, uint64_t bytes);
    Constant *tensor_info(const std::vector<NamedTensor> &tensors);
    Constant *parameter_info();
    void write_info(Function *run, Function *pack, Function *workspace);
    Value *extent_array(Function *function);
    Function *write_workspace();

    const EntryPoints &entry_;
    const Target &target_;
    std::unique_ptr<llvm::Module> module_;
    llvm::IRBuilder<> builder_;
    llvm::PointerType *pointer_;
    llvm::IntegerType *int32_type_;
    llvm::IntegerType *int64_type_;
    StructType *dimension_type_;    // halide_dimension_t
    StructType *halide_type_type_;  // halide_type_t
    StructType *buffer_type_;       // halide_buffer_t
    StructType *context_type_;      // convc_kernel_context
    StructType *tensor_info_type_;
    StructType *parameter_info_type_;
    StructType *kernel_info_type_;
    FunctionType *step_type_;
    Constant *baked_ = nullptr;
    std::vector<Parameter> parameters_;  // those the caller packs: none when the weights are baked in
    uint64_t packed_bytes_;
    Size workspace_bytes_;
};

EntryModule::EntryModule(const EntryPoints &entry, const Target &target, const llvm::TargetMachine &machine,
                         llvm::LLVMContext &context)
    : entry_(entry),
      target_(target),
      module_(std::make_unique<llvm::Module>(entry.symbol, context)),
      builder_(context),
      pointer_(builder_.getPtrTy()),
      int32_type_(builder_.getInt32Ty()),
      int64_type_(builder_.getInt64Ty()),
      packed_bytes_(entry.baked_packed.empty() ? entry.packed_bytes : 0),
      workspace_bytes_(entry.workspace_bytes()) {
    module_->setTargetTriple(target.triple());
    module_->setDataLayout(machine.createDataLayout());
    module_->setPICLevel(llvm::PICLevel::BigPIC);
    const auto i8 = builder_.getInt8Ty();
    const auto i16 = builder_.getInt16Ty();
    const auto i32 = int32_type_;
    const auto i64 = int64_type_;
    const auto p = pointer_;
    dimension_type_ = StructType::create(context, {i32, i32, i32, i32}, "halide_dimension_t");
    halide_type_type_ = StructType::create(context, {i8, i8, i16}, "halide_type_t");
    buffer_type_ = StructType::create(context, {i64, p, p, i64, halide_type_type_, i32, p, p}, "halide_buffer_t");
    context_type_ = StructType::create(context, {p, i64, i64, i64}, "convc_kernel_context");
    tensor_info_type_ = StructType::create(context, {p, p, i32, i32, p}, "convc_tensor_info");
    parameter_info_type_ = StructType::create(context, {p, i32, i32, p}, "convc_parameter_info");
    kernel_info_type_ = StructType::create(context, {i32, i32, p, p, p, p, p, i32, i32, p, p, p, i64, i64, p, p, p},
                                           "convc_kernel_info");
    step_type_ = FunctionType::get(i32, {p, p, p, p, p}, false);
    if (entry.baked_packed.empty()) {
        parameters_ = entry.layer.parameters();
    } else {
        const auto bytes = llvm::ConstantDataArray::getString(context, entry.baked_packed, false);
        baked_ = constant(bytes, "packed");
        llvm::cast<GlobalVariable>(baked_)->setAlignment(Align(alignment));
    }
}

// Constants of the object, without a name in its symbol table.

Constant *EntryModule::constant(Constant *value, const char *name) {
    const auto global = new GlobalVariable(*module_, value->getType(), true, GlobalValue::PrivateLinkage, value, name);
    global->setUnnamedAddr(GlobalValue::UnnamedAddr::Global);
    return global;
}

Constant *EntryModule::text(const std::string &value) {
    return constant(llvm::ConstantDataArray::getString(builder_.getContext(), value), "text");
}

Constant *EntryModule::numbers(const std::vector<int64_t> &values) {
    const std::vector<uint64_t> bits(values.begin(), values.end());
    return constant(llvm::ConstantDataArray::get(builder_.getContext(), bits), "extents");
}

Value *EntryModule::at(Value *base, uint64_t offset) {
    return builder_.CreatePtrAdd(base, int64(offset));
}

Value *EntryModule::element(Value *array, size_t index) {
    return builder_.CreateLoad(pointer_, at(array, index * sizeof(void *)));
}

void EntryModule::set_field(StructType *type, Value *object, unsigned field, Value *value) {
    builder_.CreateStore(value, builder_.CreateStructGEP(type, object, field));
}

// Functions and early returns.

Function *EntryModule::begin_function(const std::string &name, FunctionType *type, GlobalValue::LinkageTypes linkage) {
    const auto function = Function::Create(type, linkage, name, *module_);
    const bool is_hidden = entry_.is_variant() && linkage == GlobalValue::ExternalLinkage;
    if (is_hidden) function->setVisibility(GlobalValue::HiddenVisibility);
    function->setDoesNotThrow();
    builder_.SetInsertPoint(llvm::BasicBlock::Create(builder_.getContext(), "", function));
    return function;
}

void EntryModule::return_if(Value *condition, Value *code) {
    Function *function = builder_.GetInsertBlock()->getParent();
    const auto leave = llvm::BasicBlock::Create(builder_.getContext(), "", function);
    const auto stay = llvm::BasicBlock::Create(builder_.getContext(), "", function);
    builder_.CreateCondBr(condition, leave, stay);
    builder_.SetInsertPoint(leave);
    builder_.CreateRet(code);
    builder_.SetInsertPoint(stay);
}

void EntryModule::return_if_null(Value *pointer) {
    return_if(builder_.CreateIsNull(pointer), int32(CONVC_ERROR_NULL));
}

// Those of no variant do nothing else.
bool EntryModule::refuses() {
    if (entry_.variants.empty()) return false;
    builder_.CreateRet(int32(CONVC_ERROR_TARGET));
    return true;
}

// The entry points themselves run on every CPU of the architecture; the Halide functions may not.
void EntryModule::check_cpu() {
    const auto type = FunctionType::get(int32_type_, false);
    llvm::FunctionCallee level = module_->getOrInsertFunction("convc_kernel_cpu_level_v1", type);
    llvm::cast<Function>(level.getCallee())->setVisibility(GlobalValue::HiddenVisibility);
    return_if(builder_.CreateICmpSLT(builder_.CreateCall(level), int32(target_.cpu_level())),
              int32(CONVC_ERROR_TARGET));
}

// packed or workspace; one of size 0 is not looked at.
void EntryModule::check_memory(Value *pointer, const Size &bytes) {
    if (bytes.known() && bytes == 0) return;
    return_if_null(pointer);
    Value *low_bits = builder_.CreateAnd(builder_.CreatePtrToInt(pointer, int64_type_), int64(alignment - 1));
    return_if(builder_.CreateIsNotNull(low_bits), int32(CONVC_ERROR_ALIGNMENT));
}

void EntryModule::check_tensors(Value *tensors, size_t count) {
    if (count == 0) return;
    return_if_null(tensors);
    for (size_t i = 0; i < count; ++i) return_if_null(element(tensors, i));
}

// Leaves with `code` where the run-time extents of a call make no sense.
void EntryModule::check_extents(Value *extents, SizeCode &sizes, Constant *code) {
    if (entry_.sizes.arguments > 0) return_if(builder_.CreateIsNull(extents), code);
    for (const SizeLimit &limit : entry_.sizes.limits) {
        Value *size = sizes.value(limit.size);
        Value *low = builder_.CreateICmpSLT(size, builder_.getInt64(static_cast<uint64_t>(limit.low)));
        Value *high = builder_.CreateICmpSGT(size, builder_.getInt64(static_cast<uint64_t>(limit.high)));
        return_if(builder_.CreateOr(sizes.overflowed(), builder_.CreateOr(low, high)), code);
    }
}

// One call of a Halide function.

// Halide writes to a buffer's dimensions only when its host pointer is NULL, which is never so here: they can be
// constant, as far as they are known.
Value *EntryModule::dimensions(const BufferArgument &argument, SizeCode &sizes) {
    std::vector<Constant *> rows;
    rows.reserve(argument.dimensions.size());
    bool known = true;
    for (const ViewDimension &dimension : argument.dimensions) {
        rows.push_back(ConstantStruct::get(dimension_type_,
                                           {int32(0), int32(dimension.extent), int32(dimension.stride), int32(0)}));
        known = known && dimension.extent.known() && dimension.stride.known();
    }
    Constant *row_array = llvm::ConstantArray::get(llvm::ArrayType::get(dimension_type_, rows.size()), rows);
    if (known) return constant(row_array, "dimensions");
    Value *array = builder_.CreateAlloca(row_array->getType());
    builder_.CreateStore(row_array, array);
    for (size_t i = 0; i < argument.dimensions.size(); ++i) {
        const auto fill = [&](const Size &size, unsigned field) {
            if (size.known()) return;
            Value *row = at(array, i * sizeof(int32_t) * 4);
            set_field(dimension_type_, row, field, builder_.CreateTrunc(sizes.value(size), int32_type_));
        };
        fill(argument.dimensions[i].extent, 1);
        fill(argument.dimensions[i].stride, 2);
    }
    return array;
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

Value *EntryModule::halide_buffer(const BufferArgument &argument, Function *step, SizeCode &sizes) {
    constexpr int halide_type_float = 2;
    Constant *f32 = ConstantStruct::get(
        halide_type_type_, {builder_.getInt8(halide_type_float), builder_.getInt8(32), builder_.getInt16(1)});
    Value *buffer = builder_.CreateAlloca(buffer_type_);
    set_field(buffer_type_, buffer, buffer_device, int64(0));
    set_field(buffer_type_, buffer, buffer_interface, null());
    set_field(buffer_type_, buffer, buffer_host, host(argument, step, sizes));
    set_field(buffer_type_, buffer, buffer_flags, int64(0));
    set_field(buffer_type_, buffer, buffer_type, f32);
    set_field(buffer_type_, buffer, buffer_rank, int32(static_cast<int64_t>(argument.dimensions.size())));
    set_field(buffer_type_, buffer, buffer_dim, dimensions(argument, sizes));
    set_field(buffer_type_, buffer, buffer_padding, null());
    return buffer;
}

// The arena that the kernel runtime's allocator serves the call from. Packing has no workspace and gets an empty one.
Value *EntryModule::kernel_context(const HalideCall &call, Function *step, SizeCode &sizes, bool running) {
    const uint64_t capacity = running ? entry_.arena_bytes : 0;
    Value *context = builder_.CreateAlloca(context_type_);
    set_field(context_type_, context, context_base,
              capacity > 0 ? at(step->getArg(3), sizes.value(entry_.arena_offset)) : null());
    set_field(context_type_, context, context_capacity, int64(capacity));
    set_field(context_type_, context, context_used, int64(0));
    set_field(context_type_, context, context_task_arena, int64(call.task_arena_bytes));
    return context;
}

// A function of its own for each call, so that the buffers of a long chain do not add up on the stack.
Function *EntryModule::write_step(const HalideCall &call, const std::string &name, bool running) {
    Function *step = begin_function(name, step_type_, GlobalValue::InternalLinkage);
    SizeCode sizes(builder_, step->getArg(4));  // which NAME.run has found to be in range
    std::vector<Value *> arguments = {kernel_context(call, step, sizes, running)};
    for (const BufferArgument &argument : call.arguments) arguments.push_back(halide_buffer(argument, step, sizes));
    const std::vector<llvm::Type *> types(arguments.size(), pointer_);
    llvm::FunctionCallee halide =
        module_->getOrInsertFunction(call.function, FunctionType::get(int32_type_, types, false));
    const auto declaration = llvm::cast<Function>(halide.getCallee());
    declaration->setVisibility(GlobalValue::HiddenVisibility);
    declaration->setDoesNotThrow();
    Value *code = builder_.CreateCall(halide, arguments);
    Value *ours = builder_.CreateICmpULE(code, int32(CONVC_ERROR_INTERNAL));
    builder_.CreateRet(builder_.CreateSelect(ours, code, int32(CONVC_ERROR_INTERNAL)));
    return step;
}

std::vector<Function *> EntryModule::write_steps(const std::vector<HalideCall> &calls, const std::string &kind) {
    std::vector<Function *> steps;
    steps.reserve(calls.size());
    for (const HalideCall &call : calls) {
        steps.push_back(write_step(call, fmt::format("{}.{}.{}", entry_.symbol, kind, steps.size()), kind == "run"));
    }
    return steps;
}

void EntryModule::call_steps(const std::vector<Function *> &steps, const std::vector<Value *> &arguments) {
    for (Function *step : steps) {
        Value *code = builder_.CreateCall(step, arguments);
        return_if(builder_.CreateIsNotNull(code), code);
    }
}

// The uniform functions, which NAME_info() also gives out.

Function *EntryModule::write_run() {
    const std::vector<Function *> steps = write_steps(entry_.run, "run");
    const auto type = FunctionType::get(int32_type_, {pointer_, pointer_, pointer_, pointer_, pointer_}, false);
    Function *run = begin_function(entry_.symbol + ".run", type, GlobalValue::InternalLinkage);
    Value *inputs = run->getArg(1);
    Value *packed = run->getArg(2);
    Value *y = run->getArg(3);
    Value *workspace = run->getArg(4);
    if (refuses()) return run;
    check_cpu();
    SizeCode sizes(builder_, run->getArg(0));
    check_extents(run->getArg(0), sizes, int32(CONVC_ERROR_EXTENT));
    if (!entry_.sizes.outputs.empty() && !entry_.sizes.outputs.back().batch.known()) {
        return_if(builder_.CreateIsNull(sizes.value(entry_.sizes.outputs.back().batch)), int32(CONVC_OK));
    }
    check_tensors(inputs, entry_.layer.inputs.size());
    return_if_null(y);
    check_memory(packed, packed_bytes_);
    check_memory(workspace, workspace_bytes_);
    if (packed_bytes_ > 0) {
        Value *tag = builder_.CreateLoad(int64_type_, packed);
        return_if(builder_.CreateICmpNE(tag, int64(entry_.packed_tag)), int32(CONVC_ERROR_PACKED));
    }
    call_steps(steps, {inputs, packed, y, workspace, run->getArg(0)});
    builder_.CreateRet(int32(CONVC_OK));
    return run;
}

// The tag goes in last: memory that a failed pack has touched is never taken for packed.
Function *EntryModule::write_pack() {
    const bool packs = packed_bytes_ > 0;
    const std::vector<Function *> steps = packs ? write_steps(entry_.pack, "pack") : std::vector<Function *>();
    const auto type = FunctionType::get(int32_type_, {pointer_, pointer_}, false);
    Function *pack = begin_function(entry_.symbol + ".pack", type, GlobalValue::InternalLinkage);
    if (refuses()) return pack;
    if (packs) {
        Value *packed = pack->getArg(1);
        check_cpu();
        check_tensors(pack->getArg(0), parameters_.size());
        check_memory(packed, packed_bytes_);
        for (uint64_t byte = 0; byte < packed_header_bytes; byte += sizeof(uint64_t)) {
            builder_.CreateStore(int64(0), at(packed, byte));
        }
        call_steps(steps, {pack->getArg(0), packed, null(), null(), null()});
        builder_.CreateStore(int64(entry_.packed_tag), packed);
    }
    builder_.CreateRet(int32(CONVC_OK));
    return pack;
}

// The public functions.

// The run-time extents that a public function takes first, as an array; NULL where there are none.
Value *EntryModule::extent_array(Function *function) {
    const auto count = static_cast<unsigned>(entry_.sizes.arguments);
    if (count == 0) return null();
    Value *array = builder_.CreateAlloca(llvm::ArrayType::get(int64_type_, count));
    for (unsigned i = 0; i < count; ++i) builder_.CreateStore(function->getArg(i), at(array, i * sizeof(int64_t)));
    return array;
}

void EntryModule::write_call(Function *run) {
    const auto extents = static_cast<size_t>(entry_.sizes.arguments);
    const size_t inputs = entry_.layer.inputs.size();
    std::vector<llvm::Type *> types(extents, int64_type_);
    types.insert(types.end(), inputs + 3, pointer_);
    const auto type = FunctionType::get(int32_type_, types, false);
    Function *call = begin_function(entry_.symbol, type, GlobalValue::ExternalLinkage);
    Value *array = builder_.CreateAlloca(llvm::ArrayType::get(pointer_, inputs));
    const auto argument = [&](size_t index) { return call->getArg(static_cast<unsigned>(extents + index)); };
    for (size_t i = 0; i < inputs; ++i) builder_.CreateStore(argument(i), at(array, i * sizeof(void *)));
    builder_.CreateRet(builder_.CreateCall(
        run, {extent_array(call), array, argument(inputs), argument(inputs + 1), argument(inputs + 2)}));
}

// size_t NAME.workspace(const int64_t *extents), and NAME_workspace_bytes() on it.
Function *EntryModule::write_workspace() {
    const auto type = FunctionType::get(int64_type_, {pointer_}, false);
    Function *workspace = begin_function(entry_.symbol + ".workspace", type, GlobalValue::InternalLinkage);
    SizeCode sizes(builder_, workspace->getArg(0));
    check_extents(workspace->getArg(0), sizes, int64(0));
    Value *bytes = sizes.value(workspace_bytes_);
    builder_.CreateRet(builder_.CreateSelect(sizes.overflowed(), int64(0), bytes));

    const std::vector<llvm::Type *> types(static_cast<size_t>(entry_.sizes.arguments), int64_type_);
    Function *entry = begin_function(entry_.symbol + "_workspace_bytes", FunctionType::get(int64_type_, types, false),
                                     GlobalValue::ExternalLinkage);
    builder_.CreateRet(builder_.CreateCall(workspace, {extent_array(entry)}));
    return workspace;
}

// NAME_weights is a struct of pointers, which in memory is an array of them.
void EntryModule::write_pack_entry(Function *pack) {
    Function *entry = begin_function(entry_.symbol + "_pack", pack->getFunctionType(), GlobalValue::ExternalLinkage);
    builder_.CreateRet(builder_.CreateCall(pack, {entry->getArg(0), entry->getArg(1)}));
}

void EntryModule::write_size(const std::string &suffix, uint64_t bytes) {
    begin_function(entry_.symbol + suffix, FunctionType::get(int64_type_, false), GlobalValue::ExternalLinkage);
    builder_.CreateRet(int64(bytes));
}

Constant *EntryModule::tensor_info(const std::vector<NamedTensor> &tensors) {
    std::vector<Constant *> rows;
    for (const NamedTensor &tensor : tensors) {
        const std::vector<int64_t> extents = tensor.type.extents();
        rows.push_back(ConstantStruct::get(tensor_info_type_,
                                           {text(tensor.name), text(layout_name(tensor.type.layout)),
                                            int32(static_cast<int64_t>(extents.size())), int32(0), numbers(extents)}));
    }
    return constant(llvm::ConstantArray::get(llvm::ArrayType::get(tensor_info_type_, rows.size()), rows), "tensors");
}

Constant *EntryModule::parameter_info() {
    if (parameters_.empty()) return null();
    std::vector<Constant *> rows;
    rows.reserve(parameters_.size());
    for (const Parameter &parameter : parameters_) {
        rows.push_back(ConstantStruct::get(parameter_info_type_,
                                           {text(parameter.name()), int32(static_cast<int64_t>(parameter.shape.size())),
                                            int32(0), numbers(parameter.shape)}));
    }
    return constant(llvm::ConstantArray::get(llvm::ArrayType::get(parameter_info_type_, rows.size()), rows),
                    "parameters");
}

void EntryModule::write_info(Function *run, Function *pack, Function *workspace) {
    const Layer &layer = entry_.layer;
    const std::vector<Constant *> fields = {
        int32(CONVC_ABI),
        int32(entry_.sizes.arguments),
        text(entry_.name()),
        text(layer.canonical_line()),
        text(entry_.schedule),
        text(target_.full_name()),
        text(CONVC_VERSION),
        int32(static_cast<int64_t>(layer.inputs.size())),
        int32(static_cast<int64_t>(parameters_.size())),
        tensor_info(layer.inputs),
        tensor_info({{"y", layer.output()}}),
        parameter_info(),
        int64(packed_bytes_),
        int64(workspace_bytes_.known() ? static_cast<uint64_t>(int64_t{workspace_bytes_}) : 0),
        pack,
        run,
        workspace,
    };
    Constant *info = constant(ConstantStruct::get(kernel_info_type_, fields), "info");
    begin_function(entry_.symbol + "_info", FunctionType::get(pointer_, false), GlobalValue::ExternalLinkage);
    builder_.CreateRet(info);
}

std::unique_ptr<llvm::Module> EntryModule::write() {
    Function *run = write_run();
    Function *pack = write_pack();
    write_call(run);
    write_pack_entry(pack);
    write_size("_packed_bytes", packed_bytes_);
    write_info(run, pack, write_workspace());
    return std::move(module_);
}

}  // namespace

std::unique_ptr<llvm::Module> build_entry_module(const EntryPoints &entry, const Target &target,
                                                 const llvm::TargetMachine &machine, llvm::LLVMContext &context) {
    return EntryModule(entry, target, machine, context).write();
}

}  // namespace convc
