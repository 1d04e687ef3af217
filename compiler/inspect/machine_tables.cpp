#include "compiler/inspect/machine_tables.h"

#include <fmt/format.h>
#include <llvm/MC/MCTargetOptions.h>
#include <llvm/Support/TargetSelect.h>
#include <llvm/Support/raw_ostream.h>

#include <mutex>

namespace convc {
namespace {

void initialize_llvm() {
    static std::once_flag once;
    std::call_once(once, [] {
        llvm::InitializeAllTargetInfos();
        llvm::InitializeAllTargetMCs();
        llvm::InitializeAllDisassemblers();
    });
}

// A model of the oldest CPUs that have the instruction set: Sandy Bridge, Haswell, Skylake with AVX-512. LLVM knows one
// for every level of the architecture.
const char *oldest_cpu(Isa isa) {
    switch (isa) {
        case Isa::sse41:
            return "x86-64-v2";
        case Isa::avx2:
            return "x86-64-v3";
        case Isa::avx512:
            return "x86-64-v4";
        case Isa::neon:
            return "generic";
    }
    return "generic";
}

}  // namespace

Result<std::unique_ptr<MachineTables>> MachineTables::of(const Target &target) {
    initialize_llvm();
    std::string reason;
    const llvm::Target *llvm_target = llvm::TargetRegistry::lookupTarget(target.triple(), reason);
    if (!llvm_target)
        return Error{Failure::environment, fmt::format("LLVM was built without {}: {}", target.architecture(), reason)};
    std::unique_ptr<MachineTables> tables(new MachineTables(target, *llvm_target));
    if (!tables->disassembler_ || !tables->printer_ || !tables->analysis_) {
        return Error{Failure::environment,
                     fmt::format("LLVM was built without a disassembler of {}", target.architecture())};
    }
    return tables;
}

MachineTables::MachineTables(const Target &target, const llvm::Target &llvm_target)
    : triple_(target.triple()), cpu_(oldest_cpu(target.isa)) {
    const std::string triple = target.triple();
    registers_.reset(llvm_target.createMCRegInfo(triple));
    syntax_.reset(llvm_target.createMCAsmInfo(*registers_, triple, llvm::MCTargetOptions()));
    instructions_.reset(llvm_target.createMCInstrInfo());
    analysis_.reset(llvm_target.createMCInstrAnalysis(instructions_.get()));
    subtarget_.reset(llvm_target.createMCSubtargetInfo(triple, cpu_, ""));
    // Asked first: LLVM prints a warning of its own about a CPU that it does not know.
    if (!target.cpu.empty() && subtarget_->isCPUStringValid(target.cpu)) {
        cpu_ = target.cpu;
        subtarget_.reset(llvm_target.createMCSubtargetInfo(triple, cpu_, ""));
    }
    context_ = std::make_unique<llvm::MCContext>(triple_, syntax_.get(), registers_.get(), subtarget_.get());
    disassembler_.reset(llvm_target.createMCDisassembler(*subtarget_, *context_));
    constexpr unsigned intel_syntax = 1;
    printer_.reset(llvm_target.createMCInstPrinter(triple_, is_x86() ? intel_syntax : syntax_->getAssemblerDialect(),
                                                   *syntax_, *instructions_, *registers_));
}

std::string MachineTables::print(const llvm::MCInst &code) const {
    std::string text;
    llvm::raw_string_ostream stream(text);
    printer_->printInst(&code, 0, "", *subtarget_, stream);
    return text;
}

Result<std::vector<Instruction>> MachineTables::read(std::string_view bytes, const std::string &what) const {
    const llvm::ArrayRef<uint8_t> all(reinterpret_cast<const uint8_t *>(bytes.data()), bytes.size());
    std::vector<Instruction> read;
    for (uint64_t offset = 0; offset < all.size(); offset += read.back().size) {
        Instruction instruction;
        instruction.offset = offset;
        const auto status =
            disassembler_->getInstruction(instruction.code, instruction.size, all.slice(offset), offset, llvm::nulls());
        if (status != llvm::MCDisassembler::Success || instruction.size == 0) {
            return Error{Failure::internal, fmt::format("{} has no instruction at byte {}", what, offset)};
        }
        read.push_back(std::move(instruction));
    }
    return read;
}

}  // namespace convc
