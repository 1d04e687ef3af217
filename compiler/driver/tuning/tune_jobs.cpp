#include "compiler/driver/tuning/tune_jobs.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <regex>
#include <set>

#include "compiler/driver/target_list.h"
#include "compiler/measure/bandwidth.h"
#include "compiler/measure/fma_peak.h"
#include "compiler/plan/host_target.h"
#include "compiler/plan/plan.h"
#include "compiler/plan/shipped_schedules.h"

namespace convc {

std::vector<TuneJob> first_of_each_line(const std::vector<TuneJob> &jobs) {
    std::set<std::string> lines;
    std::vector<TuneJob> first;
    for (const TuneJob &job : jobs) {
        if (lines.insert(job.layer().canonical_line()).second) first.push_back(job);
    }
    return first;
}

std::vector<Schedule> schedules_in_effect(const Program &program, const Layer &layer, const Target &target) {
    if (const PinnedSchedule *pinned = find_pinned(program.module, layer, target)) return pinned->groups;
    if (const ShippedSchedule *shipped = find_shipped(layer, target)) return shipped->groups;
    return {};
}

Result<Shard> read_shard(const std::string &text) {
    static const std::regex form(R"((\d{1,6})/(\d{1,6}))");
    std::smatch parts;
    if (std::regex_match(text, parts, form)) {
        const Shard shard{std::stoul(parts[1]), std::stoul(parts[2])};
        if (shard.number >= 1 && shard.number <= shard.of) return shard;
    }
    return Error{Failure::usage, fmt::format("--shard takes a number of so many, like 1/4 to 4/4, not '{}'", text)};
}

namespace {

Status check_runs_here(const Target &target, const Target &host) {
    const auto refuse = [](const std::string &why) { return Error{Failure::environment, why}; };
    if (target.architecture() != host.architecture() || target.cpu_level() > host.cpu_level()) {
        return refuse(fmt::format("this machine, {}, does not run code for {}", host.full_name(), target.name()));
    }
    if (!target.cpu.empty() && target.cpu != host.cpu) {
        return refuse(
            fmt::format("this machine is no {}, but a {}: what is fast on it says little", target.cpu, host.cpu));
    }
    return {};
}

}  // namespace

Result<Target> read_tuning_target(const std::string &name, int threads) {
    const Target host = host_target();
    Result<Target> target = read_target(name);
    if (!target) return target.error();
    if (Status status = check_device(*target); !status) return status.error();
    if (Status status = check_runs_here(*target, host); !status) return status.error();
    const int wanted = threads > 0 ? threads : target->threads > 0 ? target->threads : host.threads;
    if (wanted > host.threads) {
        return Error{
            Failure::environment,
            fmt::format("this machine has {} CPUs: {} threads would wait for one another", host.threads, wanted)};
    }
    target->threads = wanted;
    return target;
}

MachineRoofs measure_roofs(const Target &target) {
    constexpr int bursts = 20;
    constexpr double giga = 1e9;
    FmaPeak peak(target.isa, target.threads);
    for (int i = 0; i < bursts; i++) peak.burst();
    const Bandwidth bandwidth = measure_bandwidth(host_target(), target.threads);
    return {peak.best() * giga,
            {{"L2", bandwidth.l2 * giga, static_cast<double>(host_target().l2_bytes * target.threads)},
             {"L3", bandwidth.l3 * giga, static_cast<double>(host_target().l3_bytes)},
             {"DRAM", bandwidth.dram * giga}}};
}

Status time_default(TuneJob &job, const Target &target, TrialRunner &runner) {
    const Result<Plan> plan = make_plan(job.layer(), target);
    if (!plan) return plan.error();
    runner.prepare(job.layer(), target, print_schedules(plan->schedules()));
    const Result<double> seconds = runner.time_baseline();
    if (!seconds) return seconds.error();
    job.default_seconds = *seconds;
    return {};
}

std::vector<double> time_shares(const std::vector<TuneJob> &jobs) {
    constexpr double least_gain = 0.05;  // of a call's time: models of machines are not that exact
    std::vector<double> gains;
    gains.reserve(jobs.size());
    for (const TuneJob &job : jobs) {
        gains.push_back(std::max(job.default_seconds - job.roof_seconds, least_gain * job.default_seconds));
    }
    const double all = std::accumulate(gains.begin(), gains.end(), 0.0);
    const double equal = 1 / static_cast<double>(std::max<size_t>(jobs.size(), 1));
    for (double &gain : gains) gain = 0.5 * equal + 0.5 * (all > 0 ? gain / all : equal);
    return gains;
}

}  // namespace convc
