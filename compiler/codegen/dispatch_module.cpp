// Writes, for each entry point of a kernel called NAME, the equivalent of
//
//     static const convc_kernel_variant variants[] = {{"x86-64-linux-avx2-fma", 2}, {"x86-64-linux-sse41", 1}};
//     int NAME_pack(const NAME_weights *weights, void *packed) {
//         switch (convc_kernel_choose_v1(variants, 2)) {
//             case 0: return NAME.avx2_pack(weights, packed);
//             case 1: return NAME.sse41_pack(weights, packed);
//             default: return NAME.none_pack(weights, packed);
//         }
//     }
//
// The kernel runtime answers the same throughout a process, so nothing has to be remembered here.
#include "compiler/codegen/dispatch_module.h"

#include <llvm/IR/IRBuilder.h>

namespace convc {
namespace {

using llvm::Constant;
using llvm::ConstantStruct;
using llvm::Function;
using llvm::GlobalValue;
using llvm::Value;

class DispatchModule {
public:
    DispatchModule(llvm::Module &module, const EntryPoints &entry)
        : module_(module), entry_(entry), builder_(module.getContext()), table_(variant_table()) {}

    void write() {
        std::vector<Function *> refusing;
        for (Function &function : module_) {
            if (!function.isDeclaration() && !function.hasLocalLinkage()) refusing.push_back(&function);
        }
        for (Function *function : refusing) write_dispatcher(function);
    }

private:
    // `name`: with a dot, which no name in C has.
    Constant *constant(Constant *value, const std::string &name) {
        const auto global = llvm::cast<llvm::GlobalVariable>(module_.getOrInsertGlobal(name, value->getType()));
        global->setConstant(true);
        global->setLinkage(GlobalValue::PrivateLinkage);
        global->setInitializer(value);
        return global;
    }

    Constant *variant_table() {
        const auto type = llvm::StructType::create(module_.getContext(),
                                                   {builder_.getPtrTy(), builder_.getInt32Ty(), builder_.getInt32Ty()},
                                                   "convc_kernel_variant");
        std::vector<Constant *> rows;
        for (const Variant &variant : entry_.variants) {
            const std::string name = variant.target.full_name();
            Constant *target =
                constant(llvm::ConstantDataArray::getString(module_.getContext(), name), "convc.target." + name);
            Constant *level = builder_.getInt32(static_cast<uint32_t>(variant.target.cpu_level()));
            rows.push_back(ConstantStruct::get(type, {target, level, builder_.getInt32(0)}));
        }
        return constant(llvm::ConstantArray::get(llvm::ArrayType::get(type, rows.size()), rows), "convc.variants");
    }

    Function *declare_hidden(const std::string &name, llvm::FunctionType *type) {
        llvm::FunctionCallee callee = module_.getOrInsertFunction(name, type);
        const auto declaration = llvm::cast<Function>(callee.getCallee());
        declaration->setVisibility(GlobalValue::HiddenVisibility);
        declaration->setDoesNotThrow();
        return declaration;
    }

    Value *chosen() {
        const auto type =
            llvm::FunctionType::get(builder_.getInt32Ty(), {builder_.getPtrTy(), builder_.getInt32Ty()}, false);
        const auto count = static_cast<uint32_t>(entry_.variants.size());
        return builder_.CreateCall(declare_hidden("convc_kernel_choose_v1", type), {table_, builder_.getInt32(count)});
    }

    // A block that passes the arguments of `from` on to `to`.
    llvm::BasicBlock *forward(Function *from, Function *to) {
        const auto block = llvm::BasicBlock::Create(module_.getContext(), "", from);
        builder_.SetInsertPoint(block);
        std::vector<Value *> arguments;
        for (llvm::Argument &argument : from->args()) arguments.push_back(&argument);
        builder_.CreateRet(builder_.CreateCall(to, arguments));
        return block;
    }

    void write_dispatcher(Function *refusing) {
        const std::string suffix = refusing->getName().drop_front(entry_.symbol.size()).str();
        const auto function = Function::Create(refusing->getFunctionType(), GlobalValue::ExternalLinkage,
                                               entry_.name() + suffix, module_);
        function->setDoesNotThrow();
        const auto start = llvm::BasicBlock::Create(module_.getContext(), "", function);
        builder_.SetInsertPoint(start);
        Value *index = chosen();
        llvm::SwitchInst *choice = llvm::SwitchInst::Create(index, forward(function, refusing),
                                                            static_cast<unsigned>(entry_.variants.size()), start);
        for (size_t i = 0; i < entry_.variants.size(); ++i) {
            Function *variant = declare_hidden(entry_.variants[i].symbol + suffix, refusing->getFunctionType());
            choice->addCase(builder_.getInt32(static_cast<uint32_t>(i)), forward(function, variant));
        }
    }

    llvm::Module &module_;
    const EntryPoints &entry_;
    llvm::IRBuilder<> builder_;
    Constant *table_;
};

}  // namespace

void add_dispatchers(llvm::Module &module, const EntryPoints &entry) {
    DispatchModule(module, entry).write();
}

}  // namespace convc
