// LLVM's tables of an architecture: what its instructions are, how they are read and printed, and how long a CPU takes.
#pragma once

#include <llvm/MC/MCAsmInfo.h>
#include <llvm/MC/MCContext.h>
#include <llvm/MC/MCDisassembler/MCDisassembler.h>
#include <llvm/MC/MCInst.h>
#include <llvm/MC/MCInstPrinter.h>
#include <llvm/MC/MCInstrAnalysis.h>
#include <llvm/MC/MCInstrInfo.h>
#include <llvm/MC/MCRegisterInfo.h>
#include <llvm/MC/MCSubtargetInfo.h>
#include <llvm/MC/TargetRegistry.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "convc/status.h"
#include "convc/target.h"

namespace convc {

struct Instruction {
    llvm::MCInst code;
    uint64_t offset = 0;  // from the beginning of what was read
    uint64_t size = 0;
};

class MachineTables {
public:
    static Result<std::unique_ptr<MachineTables>> of(const Target &target);

    bool is_x86() const { return triple_.isX86(); }
    const std::string &cpu() const { return cpu_; }  // whose model `subtarget` has
    const llvm::MCSubtargetInfo &subtarget() const { return *subtarget_; }
    const llvm::MCInstrInfo &instructions() const { return *instructions_; }
    const llvm::MCRegisterInfo &registers() const { return *registers_; }
    const llvm::MCInstrAnalysis &analysis() const { return *analysis_; }

    const llvm::MCInstrDesc &description(const llvm::MCInst &code) const {
        return instructions_->get(code.getOpcode());
    }
    std::string_view name(const llvm::MCInst &code) const { return instructions_->getName(code.getOpcode()); }

    // In Intel's syntax on x86, which says how many bytes an operand in memory has.
    std::string print(const llvm::MCInst &code) const;

    // All of the bytes; `what` names them in an error.
    Result<std::vector<Instruction>> read(std::string_view bytes, const std::string &what) const;

private:
    MachineTables(const Target &target, const llvm::Target &llvm_target);

    llvm::Triple triple_;
    std::string cpu_;
    std::unique_ptr<llvm::MCRegisterInfo> registers_;
    std::unique_ptr<llvm::MCAsmInfo> syntax_;
    std::unique_ptr<llvm::MCInstrInfo> instructions_;
    std::unique_ptr<llvm::MCInstrAnalysis> analysis_;
    std::unique_ptr<llvm::MCSubtargetInfo> subtarget_;
    std::unique_ptr<llvm::MCContext> context_;
    std::unique_ptr<llvm::MCDisassembler> disassembler_;
    std::unique_ptr<llvm::MCInstPrinter> printer_;
};

}  // namespace convc
