#include "compiler/tune/schedule_space.h"

#include <algorithm>
#include <limits>

#include "schedules/knob_values.h"
#include "schedules/schedule_table.h"
#include "schedules/vector_width.h"

namespace convc {
namespace {

// Predicted to take so many times as long as the best of all algorithms: of 19 layers tuned with a wider limit, the
// best within this one was the best of all in 14, and 3.2 % behind it at most. See docs/tuning.md.
constexpr double far_from_best = 1.25;

class Enumeration {
public:
    Enumeration(const Algorithm &algorithm, const StageGroup &group, const Target &target)
        : algorithm_(algorithm), request_{group, {std::string(algorithm.name), {}}, target} {
        space_.algorithm = algorithm.name;
        space_.half_vectors = target.half_vectors;
        space_.knobs = algorithm.knobs(group, target);
        space_.values.resize(space_.knobs.size());
        space_.written = 1;
        for (const Knob &knob : space_.knobs) space_.written *= static_cast<double>(knob.high - knob.low + 1);
    }

    AlgorithmSpace run() {
        extend(0);
        std::stable_sort(space_.candidates.begin(), space_.candidates.end(),
                         [](const Candidate &a, const Candidate &b) { return a.predicted < b.predicted; });
        return std::move(space_);
    }

private:
    void extend(size_t index) {
        if (index == space_.knobs.size()) return add();
        const Knob &knob = space_.knobs[index];
        for (const int64_t value : values_worth_trying(algorithm_, request_, knob)) {
            space_.values[index].insert(value);
            request_.schedule.knobs.emplace_back(knob.name, value);
            extend(index + 1);
            request_.schedule.knobs.pop_back();
        }
    }

    void add() {
        space_.worthwhile++;
        if (const auto conflict = algorithm_.conflict(request_)) {
            space_.conflicts[conflict->kind]++;
            return;
        }
        const double predicted = algorithm_.cycles ? algorithm_.cycles(request_) : 0;
        space_.candidates.push_back({written_schedule(request_), predicted});
    }

    const Algorithm &algorithm_;
    KernelRequest request_;
    AlgorithmSpace space_;
};

// Of all spaces, where there are models of their algorithms, which predict in the same units.
void leave_out_slow(std::vector<AlgorithmSpace> &spaces) {
    double best = std::numeric_limits<double>::infinity();
    for (const AlgorithmSpace &space : spaces) {
        if (!space.candidates.empty() && space.candidates.front().predicted > 0) {
            best = std::min(best, space.candidates.front().predicted);
        }
    }
    for (AlgorithmSpace &space : spaces) {
        space.slow = static_cast<int64_t>(std::erase_if(
            space.candidates, [&](const Candidate &candidate) { return candidate.predicted > best * far_from_best; }));
    }
}

// Steps from one schedule to others.
class Neighbourhood {
public:
    Neighbourhood(const Algorithm &algorithm, KernelRequest request)
        : algorithm_(algorithm), at_(std::move(request)), knobs_(algorithm.knobs(at_.group, at_.target)) {}

    std::vector<Schedule> all() {
        for (size_t i = 0; i < knobs_.size(); i++) {
            for (const int64_t value : next_values(at_, i)) step_to(i, value);
        }
        return std::move(found_);
    }

    // The schedule itself where it is possible, or one in which a single knob gives way.
    std::optional<Schedule> nearest_possible() {
        if (is_possible(at_)) return written_schedule(at_);
        for (size_t i = 0; i < knobs_.size() && found_.empty(); i++) give_way(at_, i);
        if (found_.empty()) return std::nullopt;
        return found_.front();
    }

private:
    // The values worth a trial next to the present one, and next to its half and its double: what divides a row well is
    // seldom a neighbour of what divides it well.
    std::vector<int64_t> next_values(const KernelRequest &request, size_t index) const {
        KernelRequest before = request;
        before.schedule.knobs.resize(index);
        const int64_t now = request.schedule.knobs[index].second;
        const std::vector<int64_t> values = values_worth_trying(algorithm_, before, knobs_[index]);
        std::set<int64_t> next;
        const auto above = std::upper_bound(values.begin(), values.end(), now);
        const auto below = std::lower_bound(values.begin(), values.end(), now);
        if (below != values.begin()) next.insert(*(below - 1));
        if (above != values.end()) next.insert(*above);
        const auto half = std::upper_bound(values.begin(), values.end(), now / 2);
        if (half != values.begin()) next.insert(*(half - 1));
        const auto twice = std::lower_bound(values.begin(), values.end(), 2 * now);
        if (twice != values.end()) next.insert(*twice);
        next.erase(now);
        return {next.begin(), next.end()};
    }

    void step_to(size_t index, int64_t value) {
        KernelRequest stepped = at_;
        stepped.schedule.knobs[index].second = value;
        if (is_possible(stepped)) return keep(stepped);
        // More vectors leave registers for fewer columns: another knob gives way, by as little as it can.
        for (size_t other = 0; other < knobs_.size(); other++) {
            if (other != index) give_way(stepped, other);
        }
    }

    void give_way(KernelRequest stepped, size_t other) {
        KernelRequest before = stepped;
        before.schedule.knobs.resize(other);
        const int64_t now = stepped.schedule.knobs[other].second;
        const std::vector<int64_t> values = values_worth_trying(algorithm_, before, knobs_[other]);
        int64_t nearest = -1;
        for (const int64_t value : values) {
            if (value == now || (nearest >= 0 && std::abs(value - now) >= std::abs(nearest - now))) continue;
            stepped.schedule.knobs[other].second = value;
            if (is_possible(stepped)) nearest = value;
        }
        if (nearest < 0) return;
        stepped.schedule.knobs[other].second = nearest;
        keep(stepped);
    }

    bool is_possible(const KernelRequest &request) const {
        for (size_t i = 0; i < knobs_.size(); i++) {
            const int64_t value = request.schedule.knobs[i].second;
            if (value < knobs_[i].low || value > knobs_[i].high) return false;
        }
        return !algorithm_.conflict(request);
    }

    void keep(const KernelRequest &request) {
        Schedule schedule = written_schedule(request);
        if (std::find(found_.begin(), found_.end(), schedule) == found_.end()) found_.push_back(std::move(schedule));
    }

    const Algorithm &algorithm_;
    KernelRequest at_;
    std::vector<Knob> knobs_;
    std::vector<Schedule> found_;
};

}  // namespace

std::vector<AlgorithmSpace> schedule_spaces(const StageGroup &group, const Target &target) {
    std::vector<AlgorithmSpace> all;
    for (const Algorithm &algorithm : schedule_table(target)) {
        for (const Target &width : vector_widths(target)) {
            if (algorithm.refusal(group, width)) continue;
            all.push_back(Enumeration(algorithm, group, width).run());
        }
    }
    leave_out_slow(all);
    return all;
}

std::vector<Schedule> neighbours(const StageGroup &group, const Target &target, const Schedule &schedule) {
    const Algorithm *algorithm = algorithm_named(schedule.algorithm);
    return Neighbourhood(*algorithm, kernel_request(group, schedule, target)).all();
}

std::optional<Schedule> fitted_schedule(const StageGroup &group, const Target &target, const Schedule &schedule) {
    const Algorithm *algorithm = algorithm_named(schedule.algorithm);
    if (!algorithm || width_refusal(schedule, target)) return std::nullopt;
    KernelRequest request = kernel_request(group, schedule, target);
    if (algorithm->refusal(group, request.target)) return std::nullopt;
    std::vector<std::pair<std::string, int64_t>> values;
    for (const Knob &knob : algorithm->knobs(group, request.target)) {
        const auto value = request.schedule.knob(knob.name);
        if (!value) return std::nullopt;
        values.emplace_back(knob.name, std::clamp(*value, knob.low, knob.high));
    }
    request.schedule.knobs = std::move(values);
    return Neighbourhood(*algorithm, std::move(request)).nearest_possible();
}

}  // namespace convc
