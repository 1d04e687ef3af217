#include "compiler/codegen/module_writer.h"

#include "convc/convc.h"

namespace convc {

using llvm::Constant;
using llvm::ConstantStruct;
using llvm::Function;
using llvm::FunctionType;
using llvm::GlobalValue;
using llvm::StructType;
using llvm::Value;

ModuleWriter::ModuleWriter(const EntryPoints &entry, const Target &target, const llvm::TargetMachine &machine,
                           llvm::LLVMContext &context)
    : entry_(entry),
      target_(target),
      module_(std::make_unique<llvm::Module>(entry.symbol, context)),
      builder_(context),
      pointer_(builder_.getPtrTy()),
      int32_type_(builder_.getInt32Ty()),
      int64_type_(builder_.getInt64Ty()) {
    module_->setTargetTriple(target.triple());
    module_->setDataLayout(machine.createDataLayout());
    module_->setPICLevel(llvm::PICLevel::BigPIC);
    const auto i32 = int32_type_;
    const auto i64 = int64_type_;
    const auto p = pointer_;
    tensor_info_type_ = StructType::create(context, {p, p, i32, i32, p}, "convc_tensor_info");
    parameter_info_type_ = StructType::create(context, {p, i32, i32, p}, "convc_parameter_info");
    kernel_info_type_ = StructType::create(context, {i32, i32, p, p, p, p, p, i32, i32, p, p, p, i64, i64, p, p, p, p},
                                           "convc_kernel_info");
}

Constant *ModuleWriter::constant(Constant *value, const char *name) {
    const auto global =
        new llvm::GlobalVariable(*module_, value->getType(), true, GlobalValue::PrivateLinkage, value, name);
    global->setUnnamedAddr(GlobalValue::UnnamedAddr::Global);
    return global;
}

Constant *ModuleWriter::text(const std::string &value) {
    return constant(llvm::ConstantDataArray::getString(builder_.getContext(), value), "text");
}

Constant *ModuleWriter::numbers(const std::vector<int64_t> &values) {
    const std::vector<uint64_t> bits(values.begin(), values.end());
    return constant(llvm::ConstantDataArray::get(builder_.getContext(), bits), "extents");
}

Value *ModuleWriter::element(Value *array, size_t index) {
    return builder_.CreateLoad(pointer_, at(array, index * sizeof(void *)));
}

void ModuleWriter::set_field(StructType *type, Value *object, unsigned field, Value *value) {
    builder_.CreateStore(value, builder_.CreateStructGEP(type, object, field));
}

Function *ModuleWriter::begin_function(const std::string &name, FunctionType *type, GlobalValue::LinkageTypes linkage) {
    const auto function = Function::Create(type, linkage, name, *module_);
    const bool is_hidden = entry_.is_variant() && linkage == GlobalValue::ExternalLinkage;
    if (is_hidden) function->setVisibility(GlobalValue::HiddenVisibility);
    function->setDoesNotThrow();
    builder_.SetInsertPoint(llvm::BasicBlock::Create(builder_.getContext(), "", function));
    return function;
}

llvm::FunctionCallee ModuleWriter::hidden_function(const std::string &name, FunctionType *type) {
    llvm::FunctionCallee callee = module_->getOrInsertFunction(name, type);
    const auto declaration = llvm::cast<Function>(callee.getCallee());
    declaration->setVisibility(GlobalValue::HiddenVisibility);
    declaration->setDoesNotThrow();
    return callee;
}

void ModuleWriter::return_if(Value *condition, Value *code) {
    Function *function = builder_.GetInsertBlock()->getParent();
    const auto leave = llvm::BasicBlock::Create(builder_.getContext(), "", function);
    const auto stay = llvm::BasicBlock::Create(builder_.getContext(), "", function);
    builder_.CreateCondBr(condition, leave, stay);
    builder_.SetInsertPoint(leave);
    builder_.CreateRet(code);
    builder_.SetInsertPoint(stay);
}

void ModuleWriter::return_if_null(Value *pointer) {
    return_if(builder_.CreateIsNull(pointer), int32(CONVC_ERROR_NULL));
}

void ModuleWriter::return_if_not_aligned(Value *pointer, uint64_t alignment) {
    Value *low_bits = builder_.CreateAnd(builder_.CreatePtrToInt(pointer, int64_type_), int64(alignment - 1));
    return_if(builder_.CreateIsNotNull(low_bits), int32(CONVC_ERROR_ALIGNMENT));
}

Value *ModuleWriter::extent_array(Function *function) {
    const auto count = static_cast<unsigned>(entry_.sizes.arguments);
    if (count == 0) return null();
    Value *array = builder_.CreateAlloca(llvm::ArrayType::get(int64_type_, count));
    for (unsigned i = 0; i < count; ++i) builder_.CreateStore(function->getArg(i), at(array, i * sizeof(int64_t)));
    return array;
}

void ModuleWriter::write_size(const std::string &suffix, uint64_t bytes) {
    begin_function(entry_.symbol + suffix, FunctionType::get(int64_type_, false), GlobalValue::ExternalLinkage);
    builder_.CreateRet(int64(bytes));
}

Constant *ModuleWriter::tensor_info(const std::vector<NamedTensor> &tensors) {
    std::vector<Constant *> rows;
    for (const NamedTensor &tensor : tensors) {
        const std::vector<int64_t> extents = tensor.type.extents();
        rows.push_back(ConstantStruct::get(tensor_info_type_,
                                           {text(tensor.name), text(layout_name(tensor.type.layout)),
                                            int32(static_cast<int64_t>(extents.size())), int32(0), numbers(extents)}));
    }
    return constant(llvm::ConstantArray::get(llvm::ArrayType::get(tensor_info_type_, rows.size()), rows), "tensors");
}

Constant *ModuleWriter::parameter_info(const std::vector<Parameter> &parameters) {
    if (parameters.empty()) return null();
    std::vector<Constant *> rows;
    rows.reserve(parameters.size());
    for (const Parameter &parameter : parameters) {
        rows.push_back(ConstantStruct::get(parameter_info_type_,
                                           {text(parameter.name()), int32(static_cast<int64_t>(parameter.shape.size())),
                                            int32(0), numbers(parameter.shape)}));
    }
    return constant(llvm::ConstantArray::get(llvm::ArrayType::get(parameter_info_type_, rows.size()), rows),
                    "parameters");
}

void ModuleWriter::write_info(const InfoFunctions &functions, const std::vector<Parameter> &parameters,
                              uint64_t packed_bytes) {
    const Layer &layer = entry_.layer;
    const Size &workspace = functions.workspace_bytes;
    const std::vector<Constant *> fields = {
        int32(CONVC_ABI),
        int32(entry_.sizes.arguments),
        text(entry_.name()),
        text(layer.canonical_line()),
        text(entry_.schedule),
        text(target_.full_name()),
        text(CONVC_VERSION),
        int32(static_cast<int64_t>(layer.inputs.size())),
        int32(static_cast<int64_t>(parameters.size())),
        tensor_info(layer.inputs),
        tensor_info({{"y", layer.output()}}),
        parameter_info(parameters),
        int64(packed_bytes),
        int64(workspace.known() ? static_cast<uint64_t>(int64_t{workspace}) : 0),
        functions.pack,
        functions.run,
        functions.workspace,
        functions.launch,
    };
    Constant *info = constant(ConstantStruct::get(kernel_info_type_, fields), "info");
    begin_function(entry_.symbol + "_info", FunctionType::get(pointer_, false), GlobalValue::ExternalLinkage);
    builder_.CreateRet(info);
}

}  // namespace convc
