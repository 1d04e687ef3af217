#include "compiler/codegen/entry_point.h"

#include <fmt/format.h>
#include <llvm/ADT/SmallString.h>
#include <llvm/IR/LegacyPassManager.h>
#include <llvm/IR/Verifier.h>
#include <llvm/MC/TargetRegistry.h>
#include <llvm/Support/MathExtras.h>
#include <llvm/Support/TargetSelect.h>
#include <llvm/Support/raw_ostream.h>
#include <llvm/Target/TargetOptions.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <string_view>

#include "compiler/codegen/dispatch_module.h"
#include "compiler/codegen/entry_module.h"

namespace convc {
namespace {

using Place = BufferArgument::Place;

// ---- checks: an entry point that would read or write outside its memory is never made

bool is_c_identifier(const std::string &name) {
    const auto allowed = [](unsigned char c) { return std::isalnum(c) != 0 || c == '_'; };
    return !name.empty() && std::isdigit(static_cast<unsigned char>(name[0])) == 0 &&
           std::all_of(name.begin(), name.end(), allowed);
}

uint64_t tensor_bytes(const TensorType &type) {
    return llvm::SaturatingMultiply(static_cast<uint64_t>(type.elements().value_or(0)), uint64_t{sizeof(float)});
}

// Whether run-time extents decide how large a buffer is or where it lies: then its limits are checked at every call.
bool sized_at_run_time(const BufferArgument &argument) {
    return !argument.offset.known() ||
           std::any_of(argument.dimensions.begin(), argument.dimensions.end(), [](const ViewDimension &dimension) {
               return !dimension.extent.known() || !dimension.stride.known();
           });
}

// Bytes from the buffer's first element to the end of its last; nullopt when a dimension makes no sense.
std::optional<uint64_t> span_bytes(const BufferArgument &argument) {
    uint64_t last = 0;
    for (const ViewDimension &dimension : argument.dimensions) {
        if (dimension.extent <= 0 || dimension.stride < 0 || dimension.extent > INT32_MAX) return std::nullopt;
        last = llvm::SaturatingMultiplyAdd(static_cast<uint64_t>(dimension.extent - 1),
                                           static_cast<uint64_t>(dimension.stride), last);
    }
    return llvm::SaturatingMultiply(llvm::SaturatingAdd(last, uint64_t{1}), uint64_t{sizeof(float)});
}

// Bytes that the caller provides from the buffer's first element on; nullopt when the buffer does not exist.
std::optional<uint64_t> available_bytes(const EntryPoints &entry, const BufferArgument &argument, bool packing) {
    const auto index = static_cast<size_t>(argument.index);
    const auto rest = [&](uint64_t bytes, uint64_t from) -> std::optional<uint64_t> {
        const auto offset = static_cast<uint64_t>(int64_t{argument.offset});
        if (offset < from || offset > bytes) return std::nullopt;
        return bytes - offset;
    };
    switch (argument.place) {
        case Place::input:
            if (packing || argument.index < 0 || index >= entry.layer.inputs.size()) return std::nullopt;
            return tensor_bytes(entry.layer.inputs[index].type);
        case Place::parameter: {
            const std::vector<Parameter> parameters = entry.layer.parameters();
            if (!packing || argument.index < 0 || index >= parameters.size()) return std::nullopt;
            return static_cast<uint64_t>(parameters[index].elements()) * sizeof(float);
        }
        case Place::packed:
            return rest(entry.baked_packed.empty() ? entry.packed_bytes : entry.baked_packed.size(),
                        packed_header_bytes);
        case Place::workspace:
            if (packing) return std::nullopt;
            return rest(static_cast<uint64_t>(int64_t{entry.arena_offset}), 0);
        case Place::output:
            if (packing) return std::nullopt;
            return tensor_bytes(entry.layer.output());
    }
    return std::nullopt;
}

bool is_public_name(const EntryPoints &entry, const std::string &function) {
    static constexpr std::array<std::string_view, 5> suffixes{"", "_info", "_pack", "_packed_bytes",
                                                              "_workspace_bytes"};
    return std::any_of(suffixes.begin(), suffixes.end(),
                       [&](std::string_view suffix) { return function == entry.name() + std::string(suffix); });
}

std::optional<std::string> mistake_in(const EntryPoints &entry, const std::vector<HalideCall> &calls, bool packing) {
    for (const HalideCall &call : calls) {
        if (!is_c_identifier(call.function) || is_public_name(entry, call.function)) {
            return fmt::format("'{}' cannot be the name of a Halide function", call.function);
        }
        for (size_t i = 0; i < call.arguments.size(); ++i) {
            if (sized_at_run_time(call.arguments[i])) continue;
            const std::optional<uint64_t> span = span_bytes(call.arguments[i]);
            const std::optional<uint64_t> available = available_bytes(entry, call.arguments[i], packing);
            if (!span || !available) return fmt::format("argument {} of {} is out of range", i, call.function);
            if (*span > *available) {
                return fmt::format("argument {} of {} spans {} bytes of {}", i, call.function, *span, *available);
            }
        }
    }
    return std::nullopt;
}

std::optional<std::string> mistake_in_dispatch(const EntryPoints &entry) {
    if (!entry.is_variant()) return "the entry points of no variant have the layer's own name";
    if (!entry.run.empty() || !entry.pack.empty()) return "the entry points of no variant call something";
    if (entry.packed_bytes > 0 || entry.arena_bytes > 0) return "the entry points of no variant need memory";
    return std::nullopt;
}

std::optional<std::string> mistake_in(const EntryPoints &entry) {
    const bool packs = entry.baked_packed.empty() && entry.packed_bytes > 0;
    if (!is_c_identifier(entry.name())) return fmt::format("'{}' is not a name in C", entry.name());
    if (entry.layer.inputs.empty() || entry.layer.stages.empty()) return "the layer is empty";
    if (!entry.variants.empty()) return mistake_in_dispatch(entry);
    if (entry.run.empty()) return "nothing to call";
    if (packs && entry.packed_tag == 0) return "a packed tag of 0 would pass for memory that was never packed";
    if (packs && entry.packed_bytes < packed_header_bytes) return "packed memory is smaller than its header";
    if (entry.arena_offset.known() && entry.arena_offset % 64 != 0) {
        return "the arena does not begin on a multiple of 64 bytes";
    }
    if (const auto mistake = mistake_in(entry, entry.run, false)) return mistake;
    return packs ? mistake_in(entry, entry.pack, true) : std::nullopt;
}

// ---- the object

Error internal_error(const std::string &symbol, const std::string &message) {
    return {Failure::internal, fmt::format("cannot make the entry points of {}: {}", symbol, message)};
}

void initialize_targets() {
    static const bool once = [] {
        llvm::InitializeAllTargetInfos();
        llvm::InitializeAllTargets();
        llvm::InitializeAllTargetMCs();
        llvm::InitializeAllAsmPrinters();
        return true;
    }();
    static_cast<void>(once);
}

std::unique_ptr<llvm::TargetMachine> make_target_machine(const std::string &triple, std::string &error) {
    initialize_targets();
    const llvm::Target *target = llvm::TargetRegistry::lookupTarget(triple, error);
    if (target == nullptr) return nullptr;
    // For any CPU of the architecture, and unoptimised: that takes 1.5 ms rather than 7, and costs a call
    // five nanoseconds.
    std::unique_ptr<llvm::TargetMachine> machine(target->createTargetMachine(
        triple, "", "", llvm::TargetOptions(), llvm::Reloc::PIC_, llvm::CodeModel::Small, llvm::CodeGenOptLevel::None));
    if (machine == nullptr) error = "no code generator for " + triple;
    return machine;
}

}  // namespace

Result<std::string> build_entry_object(const EntryPoints &entry, const Target &target) {
    if (const auto mistake = mistake_in(entry)) return internal_error(entry.symbol, *mistake);
    std::string problem;
    const std::unique_ptr<llvm::TargetMachine> machine = make_target_machine(target.triple(), problem);
    if (machine == nullptr) return internal_error(entry.symbol, problem);

    llvm::LLVMContext context;
    const std::unique_ptr<llvm::Module> module = build_entry_module(entry, target, *machine, context);
    if (!entry.variants.empty()) add_dispatchers(*module, entry);
    llvm::raw_string_ostream problem_stream(problem);
    if (llvm::verifyModule(*module, &problem_stream)) return internal_error(entry.symbol, problem);

    llvm::SmallString<0> object;
    llvm::raw_svector_ostream object_stream(object);
    llvm::legacy::PassManager passes;
    if (machine->addPassesToEmitFile(passes, object_stream, nullptr, llvm::CodeGenFileType::ObjectFile)) {
        return internal_error(entry.symbol, "no object writer for " + target.triple());
    }
    passes.run(*module);
    return std::string(object.str());
}

}  // namespace convc
