#include "compiler/codegen/entry_writer.h"

#include <fmt/format.h>

#include "convc/convc.h"

namespace convc {

using llvm::Constant;
using llvm::ConstantStruct;
using llvm::Function;
using llvm::FunctionType;
using llvm::GlobalValue;
using llvm::StructType;
using llvm::Value;

// Field numbers of halide_buffer_t.
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

EntryWriter::EntryWriter(const EntryPoints &entry, const Target &target, const llvm::TargetMachine &machine,
                         llvm::LLVMContext &context)
    : ModuleWriter(entry, target, machine, context),
      packed_bytes_(entry.baked_packed.empty() ? entry.packed_bytes : 0) {
    const auto i8 = builder_.getInt8Ty();
    const auto i16 = builder_.getInt16Ty();
    const auto i32 = int32_type_;
    const auto i64 = int64_type_;
    const auto p = pointer_;
    dimension_type_ = StructType::create(context, {i32, i32, i32, i32}, "halide_dimension_t");
    halide_type_type_ = StructType::create(context, {i8, i8, i16}, "halide_type_t");
    buffer_type_ = StructType::create(context, {i64, p, p, i64, halide_type_type_, i32, p, p}, "halide_buffer_t");
    context_type_ = StructType::create(context, {p, i64, i64, i64}, "convc_kernel_context");
    if (entry.baked_packed.empty()) parameters_ = entry.layer.parameters();
}

// ---- checks

// The entry points themselves run on every CPU of the architecture; the Halide functions may not.
void EntryWriter::check_cpu() {
    const auto level = hidden_function("convc_kernel_cpu_level_v1", FunctionType::get(int32_type_, false));
    return_if(builder_.CreateICmpSLT(builder_.CreateCall(level), int32(target_.cpu_level())),
              int32(CONVC_ERROR_TARGET));
}

// packed or workspace; one of size 0 is not looked at.
void EntryWriter::check_memory(Value *pointer, const Size &bytes) {
    if (bytes.known() && bytes == 0) return;
    return_if_null(pointer);
    return_if_not_aligned(pointer, memory_alignment);
}

void EntryWriter::check_tensors(Value *tensors, size_t count) {
    if (count == 0) return;
    return_if_null(tensors);
    for (size_t i = 0; i < count; ++i) return_if_null(element(tensors, i));
}

// Leaves with `code` where the run-time extents of a call make no sense.
void EntryWriter::check_extents(Value *extents, SizeCode &sizes, Constant *code) {
    if (entry_.sizes.arguments > 0) return_if(builder_.CreateIsNull(extents), code);
    for (const SizeLimit &limit : entry_.sizes.limits) {
        Value *size = sizes.value(limit.size);
        Value *low = builder_.CreateICmpSLT(size, builder_.getInt64(static_cast<uint64_t>(limit.low)));
        Value *high = builder_.CreateICmpSGT(size, builder_.getInt64(static_cast<uint64_t>(limit.high)));
        return_if(builder_.CreateOr(sizes.overflowed(), builder_.CreateOr(low, high)), code);
    }
}

void EntryWriter::return_for_empty_batch(SizeCode &sizes) {
    if (entry_.sizes.outputs.empty() || entry_.sizes.outputs.back().batch.known()) return;
    return_if(builder_.CreateIsNull(sizes.value(entry_.sizes.outputs.back().batch)), int32(CONVC_OK));
}

// ---- calls of Halide functions

// Halide writes to a buffer's dimensions only in a query of bounds, which these functions are built without: they can
// be constant, as far as they are known.
Value *EntryWriter::dimensions(const BufferArgument &argument, SizeCode &sizes) {
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

Value *EntryWriter::halide_buffer(const BufferArgument &argument, const Address &address, SizeCode &sizes) {
    constexpr int halide_type_float = 2;
    Constant *f32 = ConstantStruct::get(
        halide_type_type_, {builder_.getInt8(halide_type_float), builder_.getInt8(32), builder_.getInt16(1)});
    Value *buffer = builder_.CreateAlloca(buffer_type_);
    set_field(buffer_type_, buffer, buffer_device, address.device != nullptr ? address.device : int64(0));
    set_field(buffer_type_, buffer, buffer_interface, null());
    set_field(buffer_type_, buffer, buffer_host, address.host != nullptr ? address.host : null());
    set_field(buffer_type_, buffer, buffer_flags, int64(0));
    set_field(buffer_type_, buffer, buffer_type, f32);
    set_field(buffer_type_, buffer, buffer_rank, int32(static_cast<int64_t>(argument.dimensions.size())));
    set_field(buffer_type_, buffer, buffer_dim, dimensions(argument, sizes));
    set_field(buffer_type_, buffer, buffer_padding, address.padding != nullptr ? address.padding : null());
    return buffer;
}

Value *EntryWriter::call_halide(const std::string &function, const std::vector<Value *> &arguments) {
    const std::vector<llvm::Type *> types(arguments.size(), pointer_);
    return builder_.CreateCall(hidden_function(function, FunctionType::get(int32_type_, types, false)), arguments);
}

Value *EntryWriter::known_code(Value *code) {
    Value *ours = builder_.CreateICmpULE(code, int32(CONVC_ERROR_INTERNAL));
    return builder_.CreateSelect(ours, code, int32(CONVC_ERROR_INTERNAL));
}

void EntryWriter::call_steps(const std::vector<Function *> &steps, const std::vector<Value *> &arguments) {
    for (Function *step : steps) return_if_not_zero(builder_.CreateCall(step, arguments));
}

// ---- packing

Function *EntryWriter::write_pack_step(const HalideCall &call, const std::string &name) {
    const auto type = FunctionType::get(int32_type_, {pointer_, pointer_}, false);
    Function *step = begin_function(name, type, GlobalValue::InternalLinkage);
    SizeCode sizes(builder_, null());
    Value *context = builder_.CreateAlloca(context_type_);  // packing has no workspace
    builder_.CreateStore(Constant::getNullValue(context_type_), context);
    std::vector<Value *> arguments = {context};
    for (const BufferArgument &argument : call.arguments) {
        const bool raw = argument.place == BufferArgument::Place::parameter;
        Value *host = raw ? element(step->getArg(0), static_cast<size_t>(argument.index))
                          : at(step->getArg(1), sizes.value(argument.offset));
        arguments.push_back(halide_buffer(argument, {host}, sizes));
    }
    builder_.CreateRet(known_code(call_halide(call.function, arguments)));
    return step;
}

// The tag goes in last: memory that a failed pack has touched is never taken for packed.
Function *EntryWriter::write_pack() {
    const bool packs = packed_bytes_ > 0;
    std::vector<Function *> steps;
    for (size_t i = 0; packs && i < entry_.pack.size(); i++) {
        steps.push_back(write_pack_step(entry_.pack[i], fmt::format("{}.pack.{}", entry_.symbol, i)));
    }
    const auto type = FunctionType::get(int32_type_, {pointer_, pointer_}, false);
    Function *pack = begin_function(entry_.symbol + ".pack", type, GlobalValue::InternalLinkage);
    if (!entry_.variants.empty()) {
        builder_.CreateRet(int32(CONVC_ERROR_TARGET));
        return pack;
    }
    if (packs) {
        Value *packed = pack->getArg(1);
        check_cpu();
        check_tensors(pack->getArg(0), parameters_.size());
        check_memory(packed, packed_bytes_);
        for (uint64_t byte = 0; byte < packed_header_bytes; byte += sizeof(uint64_t)) {
            builder_.CreateStore(int64(0), at(packed, byte));
        }
        call_steps(steps, {pack->getArg(0), packed});
        builder_.CreateStore(int64(entry_.packed_tag), packed);
    }
    builder_.CreateRet(int32(CONVC_OK));
    return pack;
}

// NAME_weights is a struct of pointers, which in memory is an array of them.
void EntryWriter::write_pack_entry(Function *pack) {
    Function *entry = begin_function(entry_.symbol + "_pack", pack->getFunctionType(), GlobalValue::ExternalLinkage);
    builder_.CreateRet(builder_.CreateCall(pack, {entry->getArg(0), entry->getArg(1)}));
}

// ---- public functions

FunctionType *EntryWriter::function_of(size_t pointers, llvm::Type *result) {
    std::vector<llvm::Type *> types(static_cast<size_t>(entry_.sizes.arguments), int64_type_);
    types.insert(types.end(), pointers, pointer_);
    return FunctionType::get(result, types, false);
}

Function *EntryWriter::write_workspace(const std::string &kind, const Size &bytes) {
    const auto type = FunctionType::get(int64_type_, {pointer_}, false);
    Function *workspace = begin_function(entry_.symbol + kind + ".workspace", type, GlobalValue::InternalLinkage);
    SizeCode sizes(builder_, workspace->getArg(0));
    check_extents(workspace->getArg(0), sizes, int64(0));
    Value *value = sizes.value(bytes);
    builder_.CreateRet(builder_.CreateSelect(sizes.overflowed(), int64(0), value));

    Function *entry = begin_function(entry_.symbol + kind + "_workspace_bytes", function_of(0, int64_type_),
                                     GlobalValue::ExternalLinkage);
    builder_.CreateRet(builder_.CreateCall(workspace, {extent_array(entry)}));
    return workspace;
}

}  // namespace convc
