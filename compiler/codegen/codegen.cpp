#include "compiler/codegen/codegen.h"

#include <fmt/format.h>
#include <llvm/Config/llvm-config.h>
#include <llvm/Support/xxhash.h>

#include <algorithm>

#include "compiler/codegen/build_digest.h"
#include "compiler/codegen/entry_point.h"
#include "compiler/codegen/halide_build.h"
#include "runtime/gpu_runtime/gpu_runtime.h"

namespace convc {
namespace {

// What lies in packed memory and in the workspace begins at multiples of this.
int64_t alignment(const Target &target) {
    return target.on_gpu() ? CONVC_GPU_ALIGNMENT : 64;
}

uint64_t aligned(uint64_t bytes, const Target &target) {
    const auto multiple = static_cast<uint64_t>(alignment(target));
    return (bytes + multiple - 1) / multiple * multiple;
}

Size aligned(const Size &bytes, const Target &target) {
    const int64_t multiple = alignment(target);
    return times(quotient(plus(bytes, multiple - 1), multiple), multiple);
}

// Hands out places in packed memory, behind its header.
class PackedLayout {
public:
    explicit PackedLayout(const Target &target) : target_(target), size_(aligned(packed_header_bytes, target)) {}
    uint64_t take(uint64_t bytes) {
        const uint64_t at = size_;
        size_ = aligned(size_ + bytes, target_);
        return at;
    }
    uint64_t size() const { return size_; }

private:
    const Target &target_;
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
    PackedLayout packed;
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
        sizes.push_back(plus(aligned(times(elements, sizeof(float)), plan.target), alignment(plan.target)));
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

EntryPoints describe_entry(const Plan &plan, const std::string &symbol, const HalideObjects &object) {
    EntryPoints entry;
    entry.symbol = symbol;
    entry.layer = plan.layer;
    entry.schedule = print_schedules(plan.schedules());
    entry.sizes = layer_sizes(plan.layer);
    Sequence sequence{plan, entry, PackedLayout(plan.target),
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
    entry.arena_bytes = aligned(arena, plan.target);
    return entry;
}

void bake(EntryPoints &entry, const std::string &packed) {
    entry.baked_packed = packed;
    entry.packed_bytes = 0;
    entry.pack.clear();
}

// Of the functions that the entry points call, those that an object defines.
std::vector<std::string> functions_of(const HalideObject &object, const EntryPoints &entry) {
    std::vector<std::string> names;
    const auto add = [&](const HalideCall &call) {
        const bool here =
            std::find(object.functions.begin(), object.functions.end(), call.function) != object.functions.end();
        if (here) names.push_back(call.function);
    };
    std::for_each(entry.run.begin(), entry.run.end(), add);
    std::for_each(entry.pack.begin(), entry.pack.end(), add);
    return names;
}

// With a dot in their names, which no layer's name has: a layer called NAME_kernel may stand beside NAME.
Result<std::vector<ObjectFile>> renamed_objects(const HalideObjects &halide, const EntryPoints &entry,
                                                const Target &target) {
    std::vector<ObjectFile> files;
    for (const HalideObject &object : halide.objects) {
        Result<std::string> renamed = rename_runtime_symbols(object.bytes, functions_of(object, entry), target.gpu);
        if (!renamed) return renamed.error();
        const std::string number = halide.objects.size() > 1 ? std::to_string(files.size()) : "";
        files.push_back({fmt::format("{}.kernel{}.o", entry.symbol, number), *std::move(renamed)});
    }
    return files;
}

}  // namespace

Result<Kernel> compile_kernel(const Plan &plan, const std::string &symbol, Listings *listings,
                              const std::string &baked_packed) {
    Result<HalideObjects> halide = build_halide_objects(plan, symbol, listings);
    if (!halide) return halide.error();
    EntryPoints entry = describe_entry(plan, symbol, *halide);
    const uint64_t packed_bytes = entry.packed_bytes;
    if (!baked_packed.empty()) bake(entry, baked_packed);
    Result<std::vector<ObjectFile>> objects = renamed_objects(*halide, entry, plan.target);
    if (!objects) return objects.error();
    Result<std::string> entry_object = build_entry_object(entry, plan.target);
    if (!entry_object) return entry_object.error();

    Kernel kernel;
    kernel.symbol = symbol;
    kernel.canonical_line = plan.layer.canonical_line();
    kernel.schedule = entry.schedule;
    kernel.origin = plan.origin_name();
    kernel.target = plan.target.full_name();
    kernel.packed_bytes = plan.target.on_gpu() ? packed_bytes : entry.packed_bytes;
    const Size workspace = entry.workspace_bytes();
    kernel.workspace_bytes = workspace.known() ? static_cast<uint64_t>(int64_t{workspace}) : 0;
    kernel.objects = *std::move(objects);
    kernel.objects.insert(kernel.objects.begin(), {symbol + ".o", *std::move(entry_object)});
    return kernel;
}

std::string variant_symbol(const std::string &name, const Target &target) {
    if (target.on_gpu()) return name + "_" + target.gpu_word();
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
