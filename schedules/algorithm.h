// What an algorithm is: one row of schedule_table.h. See docs/adding-an-algorithm.md.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "convc/layer.h"
#include "convc/schedule.h"
#include "convc/target.h"
#include "schedules/tensor_view.h"

namespace convc {

// Consecutive stages of a layer that become one kernel.
struct StageGroup {
    const Layer *layer = nullptr;
    int first = 0;
    int count = 1;

    const Stage &stage(int i) const { return layer->stages[static_cast<size_t>(first + i)]; }
    const TensorType &input() const { return layer->stage_input(first); }
    const TensorType &output() const { return stage(count - 1).output; }
};

// One buffer that the kernel of a group takes: x, then its parameters as they stand in packed memory, then the further
// tensors of its epilogues, then the output. `nonfinite` stands behind the parameters where a kernel asks for it: one
// number in packed memory, 1 when some weight is NaN or infinite, else 0.
struct KernelArgument {
    enum class Role { input, parameter, nonfinite, operand, output };
    Role role = Role::input;
    Parameter parameter;  // of Role::parameter
    int operand = -1;     // of Role::operand: index into Layer::inputs
    View view;

    std::string name() const;  // of the Halide buffer
};

// What a generator is given before it is built.
struct KernelRequest {
    StageGroup group;
    Schedule schedule;
    Target target;  // with vectors as wide as the schedule has them: vector_width.h
};

// What a schedule's knobs ask too much of.
enum class ConflictKind {
    registers,  // vector registers
    shape,      // the layer's extents: a tile is larger than what it shall cover
    division,   // of the layer into equal pieces, where there have to be equal ones
    memory,     // bytes that can be indexed
    workspace,  // bytes that the caller provides
    rounding,   // sums would be rounded more, or otherwise in one place than in another
    knobs,      // one knob needs another
};
const char *conflict_name(ConflictKind kind);  // "registers"

// Why values of knobs, each within its range, do not fit together.
struct Conflict {
    ConflictKind kind = ConflictKind::shape;
    std::string reason;
};
// Of a reason, where there is one.
std::optional<Conflict> conflict_of(ConflictKind kind, std::optional<std::string> reason);

// One integer of a schedule, and the values it may take.
struct Knob {
    std::string name;
    std::string meaning;  // for `explain --plan`
    int64_t low = 1;
    int64_t high = 1;
};

// An algorithm that computes several stages has a knob `stages`: so many of them, which tells a pinned schedule's
// groups apart.
struct Algorithm {
    std::string_view name;  // the schedule's, and the Halide generator's; its weight packing is `name_pack`
    std::string_view summary;
    // nullopt when the algorithm computes this group on a target of its kind; else why it does not.
    std::optional<std::string> (*refusal_of_group)(const StageGroup &group, const Target &target);
    std::vector<Knob> (*knobs)(const StageGroup &group, const Target &target);
    // nullopt when these values, each within its knob's range, fit together; else why they do not.
    std::optional<Conflict> (*conflict)(const KernelRequest &request);
    Schedule (*default_schedule)(const StageGroup &group, const Target &target);
    std::vector<KernelArgument> (*arguments)(const KernelRequest &request);
    // What `explain --plan` says of the kernel beside its knobs, a line each: "2 of 9 taps are zero and left out".
    std::vector<std::string> (*notes)(const KernelRequest &request) = nullptr;
    int most_stages = 1;  // that one kernel computes; groups of more are refused
    // Why another algorithm is the better choice for a group that this one computes too; nullopt when none is. A pinned
    // schedule does not ask.
    std::optional<std::string> (*reluctance)(const StageGroup &group, const Target &target) = nullptr;
    // Modelled time of the default schedule, in units of which nothing is known but that they are the same for vectors
    // of every width; nullptr: it has whole vectors.
    double (*time)(const StageGroup &group, const Target &target) = nullptr;
    // For a tuner. The values of a knob, in order, that the machine model does not rule out under the values of the
    // knobs before it, which alone stand in the request's schedule; nullptr: knob_values.h decides.
    std::vector<int64_t> (*worthwhile)(const KernelRequest &so_far, const Knob &knob) = nullptr;
    // Modelled cycles of the slowest thread, which algorithms and widths of vectors are compared by; nullptr: nothing
    // is known.
    double (*cycles)(const KernelRequest &request) = nullptr;
    bool on_gpu = false;  // else it computes on CPUs

    std::optional<std::string> refusal(const StageGroup &group, const Target &target) const {
        if (on_gpu == target.on_gpu()) return refusal_of_group(group, target);
        return on_gpu ? "computes on GPUs" : "computes on CPUs";
    }
    std::optional<std::string> is_reluctant(const StageGroup &group, const Target &on) const {
        return reluctance ? reluctance(group, on) : std::nullopt;
    }
};

}  // namespace convc
