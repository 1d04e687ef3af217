#include "compiler/driver/device_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "compiler/codegen/codegen.h"
#include "compiler/cost/count.h"
#include "compiler/inspect/ptxas.h"
#include "schedules/gpu_model.h"

namespace convc {
namespace {

DeviceUse use_of(const AssembledFunction &assembled, const std::vector<DeviceLaunch> &launches, const Target &target) {
    DeviceUse use{assembled.name, -1, assembled.registers, -1, assembled.spilled_bytes};
    const auto launch = std::find_if(launches.begin(), launches.end(), [&](const DeviceLaunch &candidate) {
        return candidate.function == assembled.name;
    });
    if (launch == launches.end()) return use;
    const auto &[x, y, z] = launch->threads;
    if (x > 0 && y > 0 && z > 0) use.threads = x * y * z;
    if (launch->shared_bytes >= 0) use.shared_bytes = launch->shared_bytes + assembled.shared_bytes;
    if (use.threads < 0 || use.shared_bytes < 0) return use;
    const GpuFacts facts = gpu_facts(target);
    use.resident_blocks = resident_blocks(facts, use.threads, use.registers, use.shared_bytes);
    use.occupancy = static_cast<double>(use.resident_blocks * use.threads) / static_cast<double>(facts.threads);
    return use;
}

}  // namespace

std::string DeviceUse::text() const {
    std::string line = fmt::format("{}: {} registers a thread", function, registers);
    if (spilled_bytes > 0) line += fmt::format(", {} bytes spilled", spilled_bytes);
    if (shared_bytes >= 0)
        line += fmt::format(", {} bytes of shared memory a block", print_count(static_cast<Count>(shared_bytes)));
    if (resident_blocks < 0) return line;
    return line + fmt::format("; a multiprocessor holds {} block{} of {} threads, {:.0f} % of its threads",
                              resident_blocks, resident_blocks == 1 ? "" : "s", threads, 100 * occupancy);
}

nlohmann::ordered_json DeviceUse::json() const {
    const auto known = [](int64_t number) {
        return number < 0 ? nlohmann::ordered_json() : nlohmann::ordered_json(number);
    };
    return {{"function", function},
            {"threads", known(threads)},
            {"registers", registers},
            {"shared_bytes", known(shared_bytes)},
            {"spilled_bytes", spilled_bytes},
            {"resident_blocks", known(resident_blocks)},
            {"occupancy", occupancy < 0 ? nlohmann::ordered_json() : nlohmann::ordered_json(occupancy)}};
}

DeviceReport device_report(const Plan &plan) {
    if (plan.target.gpu != Gpu::cuda) return {};
    const auto ptxas = find_ptxas();
    if (!ptxas) return {{}, "no ptxas is installed, which would say registers and occupancy"};
    Listings listings;
    listings.device = true;
    if (const Result<Kernel> kernel = compile_kernel(plan, plan.layer.c_name(), &listings); !kernel)
        return {{}, kernel.error().message};
    DeviceReport report;
    for (const DeviceCode &code : listings.device_code) {
        const auto functions = assemble_ptx(*ptxas, code.text, plan.target.capability);
        if (!functions) return {{}, functions.error().message};
        std::vector<DeviceUse> &group = report.groups.emplace_back();
        for (const AssembledFunction &function : *functions)
            group.push_back(use_of(function, code.launches, plan.target));
    }
    return report;
}

}  // namespace convc
