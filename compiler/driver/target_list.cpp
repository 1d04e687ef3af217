#include "compiler/driver/target_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "compiler/plan/host_target.h"
#include "convc/device_memory.h"

namespace convc {
namespace {

Error do_not_fit(const Target &a, const Target &b, const std::string &reason) {
    return {Failure::usage,
            fmt::format("--target: {} and {} do not fit into one library: {}", a.full_name(), b.full_name(), reason)};
}

Status check_pair(const Target &a, const Target &b) {
    if (a.gpu != b.gpu) return {};
    if (a.on_gpu())
        return do_not_fit(a, b, "it would hold two kernels of one name; code for an older device runs on newer ones");
    if (a.architecture() != b.architecture()) {
        return do_not_fit(a, b, "it would hold code of two architectures, and no linker takes both");
    }
    if (a.isa == b.isa) {
        return do_not_fit(a, b, "the choice between them is by instruction set, and theirs is the same");
    }
    return {};
}

}  // namespace

Result<Target> read_target(const std::string &name) {
    if (name != "cuda") return resolve_target(name);
    constexpr int usual_capability = 80;
    const Result<convc_gpu_device> device = gpu_device(Gpu::cuda);
    return cuda_target(device ? device->capability : usual_capability);
}

Status check_device(const Target &target) {
    if (!target.on_gpu()) return {};
    const Result<convc_gpu_device> device = gpu_device(target.gpu);
    if (!device) {
        return Error{Failure::environment,
                     fmt::format("nothing runs kernels for {} here: {}", target.name(), device.error().message)};
    }
    if (target.gpu != Gpu::cuda || device->capability >= target.capability) return {};
    return Error{Failure::environment, fmt::format("{} has compute capability {}, kernels for {} need {}", device->name,
                                                   device->capability, target.name(), target.capability)};
}

Result<std::vector<Target>> read_targets(const std::vector<std::string> &names) {
    std::vector<Target> targets;
    for (const std::string &name : names) {
        Result<Target> target = read_target(name);
        if (!target) return target.error();
        for (const Target &other : targets) {
            if (Status status = check_pair(other, *target); !status) return status.error();
        }
        targets.push_back(*std::move(target));
    }
    // What packs weights and starts kernels beside a GPU is for the machine that the CPU's kernels are for.
    for (Target &target : targets) {
        const bool on_arm = std::any_of(targets.begin(), targets.end(),
                                        [](const Target &other) { return !other.on_gpu() && other.isa == Isa::neon; });
        const bool on_x86 = std::any_of(targets.begin(), targets.end(),
                                        [](const Target &other) { return !other.on_gpu() && other.isa != Isa::neon; });
        if (target.on_gpu() && (on_arm || on_x86)) target.isa = on_arm ? Isa::neon : Isa::sse41;
    }
    std::sort(targets.begin(), targets.end(), [](const Target &a, const Target &b) {
        return std::tuple(a.on_gpu(), -a.cpu_level(), a.name()) < std::tuple(b.on_gpu(), -b.cpu_level(), b.name());
    });
    return targets;
}

}  // namespace convc
