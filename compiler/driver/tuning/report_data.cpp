#include "compiler/driver/tuning/report_data.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <fstream>

#include "compiler/codegen/codegen.h"
#include "compiler/cost/cost.h"
#include "compiler/plan/host_target.h"

namespace convc {
namespace {

// As this process was started.
std::string command_line() {
    std::ifstream file("/proc/self/cmdline");
    std::string words((std::istreambuf_iterator<char>(file)), {});
    if (!words.empty()) words.pop_back();
    const std::string program = words.substr(0, words.find('\0'));
    words.replace(0, program.size(), std::filesystem::path(program).filename().string());
    std::replace(words.begin(), words.end(), '\0', ' ');
    return words;
}

std::string family_of(const TuneJob &job) {
    return job.program->is_line ? "" : std::filesystem::path(job.program->file.name).stem().string();
}

}  // namespace

TuneReport report_of_machine(const Target &target, const MachineRoofs &roofs) {
    TuneReport report;
    report.date = fmt::format("{:%F %R} UTC", fmt::gmtime(std::time(nullptr)));
    report.command = command_line();
    report.target = target.full_name();
    report.machine = machine_name();
    report.build = build_identity();
    report.version = CONVC_VERSION;
    report.roofs = roofs;
    return report;
}

ReportedLayer reported_layer(const TuneJob &job, const TunedLayer &tuned, const Target &target) {
    ReportedLayer reported;
    reported.name = job.layer().name;
    reported.line = job.layer().canonical_line();
    reported.family = family_of(job);
    if (const std::optional<LayerCost> cost = layer_cost(job.layer())) {
        reported.nominal_flops = 2 * static_cast<double>(cost->nominal_macs);
        reported.real_flops = 2 * static_cast<double>(cost->real_macs);
        reported.bytes = static_cast<double>(cost->bytes);
    }
    reported.default_seconds = tuned.default_seconds;
    reported.seconds = tuned.seconds;
    reported.noise = tuned.noise;
    if (const Result<Plan> standard = make_plan(job.layer(), target)) {
        reported.default_schedule = print_schedules(standard->schedules());
    }
    reported.schedule = print_schedules(tuned.schedules);
    reported.improved = tuned.improved;
    reported.trials = tuned.made;
    return reported;
}

}  // namespace convc
