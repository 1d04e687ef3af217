// LLVM's tables outside its code generators say of an instruction what it is called and whether it reads memory, but
// neither that it multiplies and adds, nor how many lanes it has: both are in its name.
#include "compiler/inspect/instruction_facts.h"

#include <algorithm>
#include <array>
#include <optional>

namespace convc {
namespace {

bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

bool starts_with_any(std::string_view text, std::initializer_list<std::string_view> beginnings) {
    return std::any_of(beginnings.begin(), beginnings.end(),
                       [&](std::string_view beginning) { return text.starts_with(beginning); });
}

// VFMADD231PSYm: PS, then Y. Of sse41, which has none, the multiplication that an addition follows.
int x86_multiply_adds(std::string_view name, bool has_fma) {
    const size_t packed = name.find("PS");
    if (packed == std::string_view::npos) return 0;
    if (!has_fma) return name.starts_with("MULPS") ? 4 : 0;
    if (!starts_with_any(name, {"VFMADD", "VFMSUB", "VFNMADD", "VFNMSUB"})) return 0;
    const std::string_view width = name.substr(packed + 2);
    if (width.starts_with("Z256") || width.starts_with("Y")) return 8;
    return width.starts_with("Z") && !width.starts_with("Z128") ? 16 : 4;
}

// FMLAv4f32, FMLAv4i32_indexed
int arm_multiply_adds(std::string_view name) {
    if (!starts_with_any(name, {"FMLAv", "FMLSv"})) return 0;
    return name[5] == '4' ? 4 : name[5] == '2' && contains(name, "32") ? 2 : 0;
}

bool is_vector_register(std::string_view name, bool is_x86) {
    if (is_x86) return starts_with_any(name, {"XMM", "YMM", "ZMM"});
    // Q0, D8, and pairs such as Q0_Q1
    return name.size() > 1 && contains("BHSDQ", name.substr(0, 1)) && name[1] >= '0' && name[1] <= '9';
}

bool touches_vectors(const llvm::MCInst &code, const MachineTables &tables) {
    return std::any_of(code.begin(), code.end(), [&](const llvm::MCOperand &operand) {
        return operand.isReg() && is_vector_register(tables.registers().getName(operand.getReg()), tables.is_x86());
    });
}

std::string_view register_name(const llvm::MCInst &code, unsigned operand, const MachineTables &tables) {
    if (operand >= code.getNumOperands() || !code.getOperand(operand).isReg()) return "";
    const llvm::MCRegister at = code.getOperand(operand).getReg();
    return at.isValid() ? std::string_view(tables.registers().getName(at)) : "";
}

// An address of x86 is base, scale, index, displacement and segment.
bool is_at_stack_pointer(const llvm::MCInst &code, const MachineTables &tables, bool frame_pointer) {
    const llvm::MCInstrDesc &description = tables.description(code);
    for (unsigned i = 0; i < code.getNumOperands(); i++) {
        if (!tables.is_x86()) {
            if (register_name(code, i, tables) == "SP") return true;
            continue;
        }
        if (i >= description.getNumOperands() || description.operands()[i].OperandType != llvm::MCOI::OPERAND_MEMORY) {
            continue;
        }
        const std::string_view base = register_name(code, i, tables), index = register_name(code, i + 2, tables);
        return index.empty() && (base == "RSP" || (frame_pointer && base == "RBP"));
    }
    return false;
}

// "vfmadd231ps zmm1, zmm0, dword ptr [rax]{1to16}": the longer words contain the shorter ones.
int64_t x86_operand_bytes(std::string_view text) {
    constexpr std::array<std::pair<std::string_view, int64_t>, 7> sizes{{{"zmmword ptr", 64},
                                                                         {"ymmword ptr", 32},
                                                                         {"xmmword ptr", 16},
                                                                         {"qword ptr", 8},
                                                                         {"dword ptr", 4},
                                                                         {"word ptr", 2},
                                                                         {"byte ptr", 1}}};
    for (const auto &[word, bytes] : sizes) {
        if (contains(text, word)) return bytes;
    }
    return 0;
}

int64_t arm_register_bytes(std::string_view name) {
    constexpr std::array<std::pair<char, int64_t>, 7> sizes{
        {{'Q', 16}, {'D', 8}, {'S', 4}, {'H', 2}, {'B', 1}, {'X', 8}, {'W', 4}}};
    int64_t bytes = 0;
    // "Q0_Q1" names two.
    for (size_t i = 0; i < name.size(); i++) {
        if (i > 0 && name[i - 1] != '_') continue;
        for (const auto &[letter, width] : sizes) bytes += name[i] == letter ? width : 0;
    }
    return bytes;
}

// What the registers take that it defines; the address that it counts on is tied to an operand. LD1R repeats one lane.
int64_t arm_loaded_bytes(const llvm::MCInst &code, const MachineTables &tables) {
    const llvm::MCInstrDesc &description = tables.description(code);
    if (tables.name(code).starts_with("LD1Rv4s")) return 4;
    int64_t bytes = 0;
    for (unsigned i = 0; i < description.getNumDefs() && i < code.getNumOperands(); i++) {
        bool is_address = false;
        for (unsigned j = description.getNumDefs(); j < description.getNumOperands(); j++) {
            is_address |= description.getOperandConstraint(j, llvm::MCOI::TIED_TO) == static_cast<int>(i);
        }
        if (!is_address) bytes += arm_register_bytes(register_name(code, i, tables));
    }
    return bytes;
}

bool is_select(std::string_view name, bool is_x86) {
    if (!is_x86) return starts_with_any(name, {"BIFv", "BITv", "BSLv", "FCM", "CMEQv", "CMGTv", "CMHIv"});
    const bool masked =
        starts_with_any(name, {"V"}) && contains(name, "Z") && (name.ends_with("k") || name.ends_with("kz"));
    return masked || starts_with_any(name, {"VBLENDV", "BLENDV", "VPTERNLOG", "VCMPPS", "VPCMP", "CMPPS", "VMASKMOV",
                                            "VANDPS", "VANDNPS", "ANDPS", "ANDNPS"});
}

}  // namespace

bool has_frame_pointer(const std::vector<Instruction> &function, const MachineTables &tables) {
    constexpr size_t prologue = 8;
    const auto points_rbp = [&](const Instruction &instruction) {
        return tables.name(instruction.code).starts_with("MOV64rr") &&
               register_name(instruction.code, 0, tables) == "RBP" &&
               register_name(instruction.code, 1, tables) == "RSP";
    };
    const auto end = function.begin() + static_cast<std::ptrdiff_t>(std::min(prologue, function.size()));
    return tables.is_x86() && std::any_of(function.begin(), end, points_rbp);
}

InstructionFacts facts_of(const llvm::MCInst &code, const MachineTables &tables, bool has_fma, bool frame_pointer) {
    const llvm::MCInstrDesc &description = tables.description(code);
    const std::string_view name = tables.name(code);
    InstructionFacts facts;
    facts.call = description.isCall();
    facts.multiply_adds = tables.is_x86() ? x86_multiply_adds(name, has_fma) : arm_multiply_adds(name);
    facts.select = facts.multiply_adds == 0 && is_select(name, tables.is_x86());
    if (facts.call) return facts;
    facts.loads = description.mayLoad();
    facts.stores = description.mayStore();
    if (facts.loads) {
        facts.bytes_loaded = tables.is_x86() ? x86_operand_bytes(tables.print(code)) : arm_loaded_bytes(code, tables);
    }
    facts.spill = (facts.loads || facts.stores) && touches_vectors(code, tables) &&
                  is_at_stack_pointer(code, tables, frame_pointer);
    return facts;
}

}  // namespace convc
