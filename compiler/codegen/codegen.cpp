#include "compiler/codegen/codegen.h"

#include <fmt/format.h>
#include <llvm/Config/llvm-config.h>
#include <llvm/Support/xxhash.h>

#include <algorithm>

#include "compiler/codegen/build_digest.h"
#include "compiler/codegen/entry_point.h"
#include "compiler/codegen/halide_build.h"

namespace convc {
namespace {

constexpr int64_t alignment = 64;

uint64_t aligned(uint64_t bytes) {
    return (bytes + alignment - 1) / alignment * alignment;
}

Size aligned(const Size &bytes) {
    return times(quotient(plus(bytes, alignment - 1), alignment), alignment);
}

// Hands out places in packed memory and in the workspace.
class MemoryLayout {
public:
    uint64_t take(uint64_t bytes) {
        const uint64_t at = size_;
        size_ = aligned(size_ + bytes);
        return at;
    }
    explicit MemoryLayout(uint64_t reserved) : size_(reserved) {}
    uint64_t size() const { return size_; }

private:
    uint64_t size_;
};

int parameter_index(const Layer &layer, const Parameter &parameter) {
    const std::vector<Parameter> all = layer.parameters();
    return static_cast<int>(std::find(all.begin(), all.end(), parameter) - all.begin());
}

uint64_t view_bytes(const View &view) {
    return static_cast<uint64_t>(view_elements(view)) * sizeof(float);
}

// The calls of one group: x or the intermediate before it, packed parameters, further tensors, y or the intermediate
// after. Two intermediates are alive at a time, so they take turns in two places.
struct Sequence {
    const Plan &plan;
    EntryPoints &entry;
    MemoryLayout packed{0};
    std::vector<Size> intermediate;  // offset of the output of each group but the last

    BufferArgument place(const KernelArgument &argument, size_t group) {
        using Place = BufferArgument::Place;
        const bool first = group == 0, last = group + 1 == plan.groups.size();
        switch (argument.role) {
            case KernelArgument::Role::input:
                return {first ? Place::input : Place::workspace, 0, first ? Size(0) : intermediate[group - 1],
                        argument.view};
            case KernelArgument::Role::output:
                return {last ? Place::output : Place::workspace, 0, last ? Size(0) : intermediate[group],
                        argument.view};
            case KernelArgument::Role::operand:
                return {Place::input, argument.operand, 0, argument.view};
            case KernelArgument::Role::parameter:
            case KernelArgument::Role::nonfinite:
                break;
        }
        return {Place::packed, 0, static_cast<int64_t>(packed.take(view_bytes(argument.view))), argument.view};
    }

    void add(const GroupFunctions &functions, size_t group) {
        HalideCall run{functions.run, {}, functions.run_memory.task_arena_bytes};
        HalideCall pack{functions.pack, {}, 0};
        std::vector<BufferArgument> packed_outputs;
        for (const KernelArgument &argument : functions.arguments) {
            run.arguments.push_back(place(argument, group));
            if (argument.role == KernelArgument::Role::nonfinite) packed_outputs.push_back(run.arguments.back());
            if (argument.role != KernelArgument::Role::parameter) continue;
            pack.arguments.push_back({BufferArgument::Place::parameter, parameter_index(plan.layer, argument.parameter),
                                      0, parameter_view(argument.parameter)});
            packed_outputs.push_back(run.arguments.back());
        }
        pack.arguments.insert(pack.arguments.end(), packed_outputs.begin(), packed_outputs.end());
        entry.run.push_back(std::move(run));
        if (!functions.pack.empty()) entry.pack.push_back(std::move(pack));
    }
};

// Offsets of the intermediates: even ones in the first place, odd ones in the second.
std::vector<Size> lay_out_intermediates(const Plan &plan, const LayerSizes &layer, Size &bytes) {
    std::vector<Size> sizes;
    for (size_t i = 0; i + 1 < plan.groups.size(); i++) {
        const PlannedGroup &group = plan.groups[i];
        const size_t last = static_cast<size_t>(group.first_stage + group.stage_count - 1);
        const Size elements = layer.outputs[last].elements(plan.layer.stages[last].out_channels);
        // One vector more, so that a load that starts inside may end outside.
        sizes.push_back(plus(aligned(times(elements, sizeof(float))), alignment));
    }
    Size even = 0, odd = 0;
    for (size_t i = 0; i < sizes.size(); i++) {
        Size &place = i % 2 ? odd : even;
        place = larger(place, sizes[i]);
    }
    std::vector<Size> offsets;
    offsets.reserve(sizes.size());
    for (size_t i = 0; i < sizes.size(); i++) offsets.push_back(i % 2 ? even : Size(0));
    bytes = plus(even, odd);
    return offsets;
}

EntryPoints describe_entry(const Plan &plan, const std::string &symbol, const HalideObject &object) {
    EntryPoints entry;
    entry.symbol = symbol;
    entry.layer = plan.layer;
    entry.schedule = print_schedules(plan.schedules());
    entry.sizes = layer_sizes(plan.layer);
    Sequence sequence{plan, entry, MemoryLayout(packed_header_bytes),
                      lay_out_intermediates(plan, entry.sizes, entry.arena_offset)};
    uint64_t arena = 0;
    for (size_t i = 0; i < object.groups.size(); i++) {
        sequence.add(object.groups[i], i);
        arena = std::max(arena, object.groups[i].run_memory.bytes());
    }
    entry.packed_bytes = entry.pack.empty() ? 0 : sequence.packed.size();
    // Two releases may pack one schedule's weights differently.
    const std::string identity =
        fmt::format("{}\n{}\n{}\n{}", CONVC_VERSION, plan.layer.canonical_line(), entry.schedule, plan.target.name());
    entry.packed_tag = llvm::xxh3_64bits(identity);
    entry.arena_bytes = aligned(arena);
    return entry;
}

void bake(EntryPoints &entry, const std::string &packed) {
    entry.baked_packed = packed;
    entry.packed_bytes = 0;
    entry.pack.clear();
}

std::vector<std::string> halide_functions(const EntryPoints &entry) {
    std::vector<std::string> names;
    names.reserve(entry.run.size() + entry.pack.size());
    for (const HalideCall &call : entry.run) names.push_back(call.function);
    for (const HalideCall &call : entry.pack) names.push_back(call.function);
    return names;
}

}  // namespace

Result<Kernel> compile_kernel(const Plan &plan, const std::string &symbol, Listings *listings,
                              const std::string &baked_packed) {
    Result<HalideObject> halide = build_halide_object(plan, symbol, listings);
    if (!halide) return halide.error();
    EntryPoints entry = describe_entry(plan, symbol, *halide);
    if (!baked_packed.empty()) bake(entry, baked_packed);
    Result<std::string> renamed = rename_runtime_symbols(halide->object, halide_functions(entry));
    if (!renamed) return renamed.error();
    Result<std::string> entry_object = build_entry_object(entry, plan.target);
    if (!entry_object) return entry_object.error();

    Kernel kernel;
    kernel.symbol = symbol;
    kernel.canonical_line = plan.layer.canonical_line();
    kernel.schedule = entry.schedule;
    kernel.origin = plan.origin_name();
    kernel.target = plan.target.full_name();
    kernel.packed_bytes = entry.packed_bytes;
    const Size workspace = entry.workspace_bytes();
    kernel.workspace_bytes = workspace.known() ? static_cast<uint64_t>(int64_t{workspace}) : 0;
    // With a dot, which no layer's name has: a layer called NAME_kernel may stand beside NAME.
    kernel.objects = {{symbol + ".o", *std::move(entry_object)}, {symbol + ".kernel.o", *std::move(renamed)}};
    return kernel;
}

std::string variant_symbol(const std::string &name, const Target &target) {
    return name + "." + target.isa_word();
}

Result<Kernel> compile_dispatcher(const Layer &layer, const std::vector<Kernel> &variants) {
    EntryPoints entry;
    entry.layer = layer;
    entry.sizes = layer_sizes(layer);
    for (const Kernel &variant : variants) {
        Result<Target> target = parse_target(variant.target);
        if (!target) return target.error();
        entry.variants.push_back({variant.symbol, *std::move(target)});
    }
    Kernel kernel = variants.front();
    const std::string name = kernel.symbol.substr(0, kernel.symbol.find('.'));
    entry.symbol = name + ".none";
    entry.schedule = kernel.schedule;
    Result<std::string> object = build_entry_object(entry, entry.variants.front().target);
    if (!object) return object.error();
    kernel.symbol = name;
    kernel.objects = {{name + ".o", *std::move(object)}};
    return kernel;
}

std::string build_identity() {
    return fmt::format("convc {} {}; {}; llvm {}", CONVC_VERSION, build_digest(), halide_version(),
                       LLVM_VERSION_STRING);
}

}  // namespace convc
