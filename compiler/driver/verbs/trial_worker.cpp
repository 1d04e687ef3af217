// convc trial-worker: what `convc tune` starts in a process of its own, since a candidate may crash, hang, or be wrong.
// Reads requests from standard input and answers on standard output, a line of JSON each. Not for people.
//
//     {"do": "prepare", "layer": LINE, "target": FULL_NAME, "folder": PATH}
//         the layer that all others are about; its kernels are kept in the folder  ->  {}
//     {"do": "compile", "schedules": TEXT, "symbol": NAME}
//         keeps the kernel under that name; without one, the name that it is checked and timed by
//         ->  {} or {"refused": why there is no kernel} or {"rejected": why its code is not worth running}
//     {"do": "check", "schedules": TEXT}
//         compares the kernel with the reference, on integers and on random numbers; of what takes more than 2e9
//         multiply-adds, a part of the output
//         ->  {} or {"refused": ...} or {"wrong": how far it is off}
//     {"do": "time", "schedules": [TEXT, ...], "seconds": EACH, "cold": BOOLEAN}
//         in turns, with warm caches or with cold ones  ->  {"seconds": [minimum of each], "workspace": BYTES, the
//         last's}
#include <fmt/format.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <limits>
#include <map>
#include <memory>
#include <new>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <span>

#include "compiler/api/compile_cached.h"
#include "compiler/driver/layer_run.h"
#include "compiler/driver/verbs/verb.h"
#include "compiler/inspect/inspect.h"
#include "compiler/measure/bandwidth.h"
#include "compiler/plan/host_target.h"
#include "compiler/plan/plan.h"
#include "compiler/reference/compare.h"
#include "compiler/reference/reference.h"
#include "compiler/tune/trial_process.h"
#include "convc/convc.hpp"

namespace convc {
namespace {

using nlohmann::ordered_json;

// Why a request has no answer of the usual form: {NAME: MESSAGE}.
struct Answer {
    const char *name;
    std::string message;
};

template <class T>
T value_of(Result<T> result) {
    if (!result) throw Answer{"refused", result.error().message};
    return std::move(*result);
}

// Numbers of a layer, and what they shall give.
struct Specimen {
    LayerData data;
    ReferenceResult expected;
    Tolerance tolerance = Tolerance::bounded;
    std::vector<float> by_default{};  // what the default schedule makes of them, where `expected` is not all
};

void make_integers(std::vector<std::vector<float>> &tensors) {
    for (std::vector<float> &tensor : tensors) {
        for (float &value : tensor) value = std::round(value * 4);
    }
}

// Those that are compared with the reference where all would take it minutes: so many at random that each register tile
// has its share of them. Empty: all.
std::vector<int64_t> elements_to_check(const Layer &layer) {
    const Stage &last = layer.stages.back();
    const int64_t elements = last.output.elements().value_or(0);
    const auto of_one = static_cast<double>(last.kernel_volume() * last.in_channels / last.groups);
    const auto apart = static_cast<int64_t>(of_one * static_cast<double>(elements) / most_checked_products) + 1;
    std::vector<int64_t> some;
    if (apart == 1) return some;
    std::mt19937_64 random(1);
    for (int64_t i = 0; i + apart <= elements; i += apart) {
        some.push_back(i + static_cast<int64_t>(random() % static_cast<uint64_t>(apart)));
    }
    return some;
}

Specimen make_specimen(const Layer &layer, bool integers) {
    DataSources sources;
    sources.seed = integers ? 1 : 2;
    Specimen made{value_of(make_data(layer, sources)), {}, Tolerance::bounded};
    if (integers) {
        // Weights of a layer with many products are small: in their own range, integers would all be 0.
        made.data.parameters.clear();
        for (const Parameter &parameter : layer.parameters()) {
            made.data.parameters.push_back(random_values(parameter.elements(), 3, made.data.parameters.size()));
        }
        make_integers(made.data.inputs);
        make_integers(made.data.parameters);
        if (exact_on_integers(layer)) made.tolerance = Tolerance::exact;
    }
    made.expected = value_of(reference_of(made.data, elements_to_check(layer)));
    return made;
}

// Of the elements that the reference does not have: whether they are the default's, within twice what any element may
// be off by.
bool agrees_with_default(const Specimen &specimen, std::span<const float> output) {
    double most = 0;
    for (const double allowed : allowed_differences(specimen.expected, Tolerance::transformed)) {
        if (std::isfinite(allowed)) most = std::max(most, allowed);
    }
    for (size_t i = 0; i < output.size(); i++) {
        if (!(std::abs(output[i] - specimen.by_default[i]) <= 2 * most)) return false;
    }
    return true;
}

class TrialWorker {
public:
    ordered_json answer(const ordered_json &request) {
        const std::string what = request.at("do");
        if (what == "prepare") return prepare(request);
        if (what == "compile") return compile(request.at("schedules"), request.value("symbol", usual_symbol));
        if (what == "check") return check(request.at("schedules"));
        if (what == "time") return time(request.at("schedules"), request.at("seconds"), request.at("cold"));
        throw Answer{"refused", "there is no request '" + what + "'"};
    }

private:
    ordered_json prepare(const ordered_json &request) {
        timed_.clear();
        timing_data_.reset();
        specimens_.clear();
        default_.reset();
        layer_ = value_of(parse_layer(request.at("layer").get<std::string>()));
        // A target's name says nothing of its caches.
        const std::string target = request.at("target");
        target_ = host_target().full_name() == target ? host_target() : value_of(parse_target(target));
        // The runtime asks at every call: what a user has set would time another target than the one that is recorded.
        if (target_.threads > 0) (void)::setenv("CONVC_NUM_THREADS", std::to_string(target_.threads).c_str(), 1);
        cache_ = std::make_unique<Result<KernelCache>>(KernelCache::open(request.at("folder").get<std::string>()));
        value_of(*cache_);
        return ordered_json::object();
    }

    Plan plan_of(const std::string &text) const {
        return value_of(make_pinned_plan(layer_, target_, value_of(parse_schedules(text))));
    }

    Kernel kernel_of(const std::string &schedules, const std::string &symbol = usual_symbol) const {
        return value_of(compile_or_find(plan_of(schedules), symbol, *cache_));
    }

    // The default is compiled as a candidate too, but never rejected: it is what the others have to beat.
    const std::string &default_schedules() {
        if (!default_) {
            const Result<Plan> standard = make_plan(layer_, target_);
            default_ = standard ? print_schedules(standard->schedules()) : "";
        }
        return *default_;
    }

    ordered_json compile(const std::string &schedules, const std::string &symbol) {
        const Kernel kernel = kernel_of(schedules, symbol);
        if (default_schedules() == schedules) return ordered_json::object();
        if (const auto reason = code_rejection(value_of(inspect_kernel(kernel)), target_)) {
            throw Answer{"rejected", *reason};
        }
        return ordered_json::object();
    }

    // Slow where the layer is large: once for all schedules.
    std::vector<Specimen> &specimens() {
        if (specimens_.empty()) {
            specimens_.push_back(make_specimen(layer_, true));
            specimens_.push_back(make_specimen(layer_, false));
        }
        return specimens_;
    }

    // One call of a kernel on a specimen.
    KernelCall called(const std::string &schedules, const Specimen &specimen) const {
        LoadedKernel kernel = value_of(load_kernel(kernel_of(schedules, usual_symbol)));
        KernelCall call = value_of(KernelCall::prepare(std::move(kernel), specimen.data));
        run(call);
        return call;
    }

    static void run(KernelCall &call) {
        if (const int code = call.run(); code != CONVC_OK) throw Answer{"wrong", call_error("a call", code).message};
    }

    static std::vector<float> output_of(const KernelCall &call) {
        Result<std::vector<float>> output = call.output();
        if (!output) throw Answer{"wrong", output.error().message};
        return *std::move(output);
    }

    ordered_json check(const std::string &schedules) {
        for (Specimen &specimen : specimens()) {
            const KernelCall call = called(schedules, specimen);
            const Tolerance tolerance = sums_as_written(schedules) ? specimen.tolerance : Tolerance::transformed;
            const std::vector<float> output = output_of(call);
            const Comparison comparison = compare_output(layer_.output(), output, specimen.expected, tolerance);
            if (!comparison.ok()) throw Answer{"wrong", comparison.message()};
            if (specimen.expected.elements.empty()) continue;
            if (specimen.by_default.empty()) specimen.by_default = output_of(called(default_schedules(), specimen));
            if (!agrees_with_default(specimen, output)) {
                throw Answer{"wrong", "the output differs from the default schedule's"};
            }
        }
        return ordered_json::object();
    }

    // One set of numbers for all: kernels do not change what they read.
    const LayerData &timing_data() {
        if (!timing_data_) timing_data_ = std::make_unique<LayerData>(value_of(make_data(layer_, {})));
        return *timing_data_;
    }

    // Of the schedules that are timed in turns, the one at `place`: where it stands twice, each has buffers of its own.
    KernelCall &call_of(size_t place, const std::string &schedules) {
        constexpr size_t most_kept = 4;
        if (timed_.size() > most_kept) timed_.clear();
        std::unique_ptr<KernelCall> &call = timed_[{place, schedules}];
        if (!call) {
            LoadedKernel kernel = value_of(load_kernel(kernel_of(schedules)));
            call = std::make_unique<KernelCall>(value_of(KernelCall::prepare(std::move(kernel), timing_data())));
        }
        return *call;
    }

    double time_cold(KernelCall &call, double seconds) const {
        using Clock = std::chrono::steady_clock;
        constexpr int fewest = 3, most = 10;
        const auto begin = Clock::now();
        const auto since = [](Clock::time_point from) {
            return std::chrono::duration<double>(Clock::now() - from).count();
        };
        double least = std::numeric_limits<double>::infinity();
        for (int i = 0; i < most && (i < fewest || since(begin) < seconds); i++) {
            clear_caches(target_, kernel_threads());
            const auto call_begin = Clock::now();
            run(call);
            least = std::min(least, since(call_begin));
        }
        return least;
    }

    ordered_json time(const std::vector<std::string> &schedules, double seconds, bool cold) {
        // Prepared before the first is timed: what that reads and writes would disturb it.
        for (size_t i = 0; i < schedules.size(); i++) run(call_of(i, schedules[i]));
        ordered_json minima = ordered_json::array();
        size_t workspace = 0;
        for (size_t i = 0; i < schedules.size(); i++) {
            KernelCall &call = call_of(i, schedules[i]);
            minima.push_back(cold ? time_cold(call, seconds) : time_kernel([&] { run(call); }, {0, seconds}).minimum);
            workspace = call.workspace_bytes();
        }
        return {{"seconds", minima}, {"workspace", workspace}};
    }

    static constexpr const char *usual_symbol = "layer";
    Layer layer_;
    Target target_;
    std::unique_ptr<Result<KernelCache>> cache_;
    std::vector<Specimen> specimens_;
    std::optional<std::string> default_;  // schedules of the layer; worked out once
    std::unique_ptr<LayerData> timing_data_;
    std::map<std::pair<size_t, std::string>, std::unique_ptr<KernelCall>> timed_;
};

// A tuner that is killed leaves nothing running, not even a kernel that hangs: twice a second this looks whether it is
// there. (The kernel's own signal for that comes when the thread that started a process ends, which is too early; and a
// thread of ours would be one more beside those that are timed.)
pid_t tuner = 0;

extern "C" void end_without_tuner(int) {
    if (::getppid() != tuner) ::_exit(0);
}

void end_with_parent() {
    tuner = ::getppid();
    struct sigaction action{};
    action.sa_handler = end_without_tuner;
    action.sa_flags = SA_RESTART;
    (void)::sigaction(SIGALRM, &action, nullptr);
    const itimerval twice_a_second{{0, 500'000}, {0, 500'000}};
    (void)::setitimer(ITIMER_REAL, &twice_a_second, nullptr);
}

int serve() {
    end_with_parent();
    TrialWorker worker;
    for (std::string line; std::getline(std::cin, line);) {
        ordered_json answer;
        try {
            answer = worker.answer(ordered_json::parse(line));
        } catch (const Answer &other) {
            answer = {{other.name, other.message}};
        } catch (const std::bad_alloc &) {
            std::_Exit(out_of_memory_status);
        } catch (const nlohmann::json::exception &reason) {
            answer = {{"refused", reason.what()}};
        }
        std::cout << answer.dump(-1, ' ', false, ordered_json::error_handler_t::replace) << "\n" << std::flush;
    }
    return 0;
}

}  // namespace

void add_trial_worker(CLI::App &program, ChosenVerb &chosen) {
    CLI::App *verb = program.add_subcommand("trial-worker")->group("");  // not listed
    set_action(*verb, chosen, [](Console &) { return serve(); });
}

}  // namespace convc
