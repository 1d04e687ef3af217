#include "tests/inspect/assemble.h"

#include <gtest/gtest.h>
#include <llvm/ADT/SmallString.h>
#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/LegacyPassManager.h>
#include <llvm/IR/Module.h>
#include <llvm/MC/TargetRegistry.h>
#include <llvm/Support/TargetSelect.h>
#include <llvm/Support/raw_ostream.h>
#include <llvm/Target/TargetMachine.h>

namespace convc::test {
namespace {

std::unique_ptr<llvm::TargetMachine> machine_of(const Target &target) {
    llvm::InitializeAllTargetInfos();
    llvm::InitializeAllTargets();
    llvm::InitializeAllTargetMCs();
    llvm::InitializeAllAsmParsers();
    llvm::InitializeAllAsmPrinters();
    std::string error;
    const llvm::Target *found = llvm::TargetRegistry::lookupTarget(target.triple(), error);
    if (!found) return nullptr;
    return std::unique_ptr<llvm::TargetMachine>(
        found->createTargetMachine(target.triple(), "", "", llvm::TargetOptions(), llvm::Reloc::PIC_));
}

}  // namespace

Kernel assemble(const std::string &assembly, const Target &target) {
    const auto machine = machine_of(target);
    Kernel kernel{"layer", "", "", "default", target.full_name(), 0, 0, {}};
    if (!machine) {
        ADD_FAILURE() << "LLVM has no " << target.name();
        return kernel;
    }
    llvm::LLVMContext context;
    llvm::Module module("assembly", context);
    module.setTargetTriple(target.triple());
    module.setDataLayout(machine->createDataLayout());
    module.setModuleInlineAsm(assembly);
    llvm::SmallString<0> object;
    llvm::raw_svector_ostream stream(object);
    llvm::legacy::PassManager passes;
    EXPECT_FALSE(machine->addPassesToEmitFile(passes, stream, nullptr, llvm::CodeGenFileType::ObjectFile));
    passes.run(module);
    kernel.objects.push_back({"layer.o", std::string(object.str())});
    return kernel;
}

Kernel assemble_function(const std::string &body, const Target &target) {
    return assemble(".text\n.globl convc_layer_run0\n.type convc_layer_run0, @function\nconvc_layer_run0:\n" + body +
                        "\n.size convc_layer_run0, .-convc_layer_run0\n",
                    target);
}

}  // namespace convc::test
