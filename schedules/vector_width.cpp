#include "schedules/vector_width.h"

#include <fmt/format.h>

namespace convc {
namespace {

const std::string width_knob = "half_vectors";

bool has_two_widths(const Target &target) {
    return target.isa == Isa::avx512;
}

}  // namespace

std::vector<Target> vector_widths(const Target &target) {
    if (target.isa != Isa::avx512) return {target};
    Target half = target;
    half.half_vectors = true;
    return {target, half};
}

bool uses_half_vectors(const Schedule &schedule) {
    return schedule.knob(width_knob) == 1;
}

KernelRequest kernel_request(const StageGroup &group, const Schedule &schedule, const Target &target) {
    KernelRequest request{group, schedule, target};
    request.target.half_vectors = uses_half_vectors(schedule);
    std::erase_if(request.schedule.knobs, [](const auto &knob) { return knob.first == width_knob; });
    return request;
}

Schedule written_schedule(const KernelRequest &request) {
    Schedule schedule = request.schedule;
    if (request.target.half_vectors) schedule.knobs.emplace_back(width_knob, 1);
    return schedule;
}

std::vector<Knob> written_knobs(const Algorithm &algorithm, const KernelRequest &request) {
    std::vector<Knob> knobs = algorithm.knobs(request.group, request.target);
    if (has_two_widths(request.target)) {
        knobs.push_back({width_knob, "1: vectors of half a register; may be left out", 0, 1});
    }
    return knobs;
}

std::optional<std::string> width_refusal(const Schedule &schedule, const Target &target) {
    const auto value = schedule.knob(width_knob);
    if (!value) return std::nullopt;
    if (!has_two_widths(target)) return fmt::format("{} has vectors of one width", target.name());
    if (*value != 0 && *value != 1) return fmt::format("{}={} is outside 0..1", width_knob, *value);
    return std::nullopt;
}

Schedule default_of_any_width(const Algorithm &algorithm, const StageGroup &group, const Target &target) {
    constexpr double least_gain = 1.05;
    Target narrow = target;
    narrow.half_vectors = true;
    const bool half = target.splits_vectors() && algorithm.time && !algorithm.refusal(group, narrow) &&
                      algorithm.time(group, narrow) * least_gain < algorithm.time(group, target);
    const Target &chosen = half ? narrow : target;
    return written_schedule({group, algorithm.default_schedule(group, chosen), chosen});
}

}  // namespace convc
