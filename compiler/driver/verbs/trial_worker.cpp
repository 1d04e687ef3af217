// convc trial-worker: what `convc tune` starts in a process of its own, since a candidate may crash, hang, or be wrong.
// Reads requests from standard input and answers on standard output, a line of JSON each. Not for people.
//
//     {"do": "prepare", "layer": LINE, "target": FULL_NAME, "folder": PATH}
//         the layer that all others are about; its kernels are kept in the folder  ->  {}
//     {"do": "compile", "schedules": TEXT}
//         ->  {} or {"refused": why there is no kernel} or {"rejected": why its code is not worth running}
//     {"do": "check", "schedules": TEXT}
//         compares the kernel with the reference, on integers and on random numbers
//         ->  {"workspace": BYTES} or {"refused": ...} or {"wrong": how far it is off}
//     {"do": "time", "schedules": [TEXT, ...], "seconds": EACH}
//         in turns  ->  {"seconds": [minimum of each]}
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iostream>
#include <map>
#include <memory>
#include <new>
#include <nlohmann/json.hpp>
#include <thread>

#include "compiler/api/compile_cached.h"
#include "compiler/driver/layer_run.h"
#include "compiler/driver/verbs/verb.h"
#include "compiler/inspect/inspect.h"
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

// What sums of products of integers are exact for.
bool stays_exact(const Layer &layer) {
    const auto is_exact = [](const Epilogue &epilogue) {
        return epilogue.kind == EpilogueKind::bias || epilogue.kind == EpilogueKind::relu ||
               epilogue.kind == EpilogueKind::relu6 || epilogue.kind == EpilogueKind::add;
    };
    return layer.stages.size() == 1 && !layer.stages[0].weights &&
           std::all_of(layer.stages[0].epilogues.begin(), layer.stages[0].epilogues.end(), is_exact);
}

// Numbers of a layer, and what they shall give.
struct Specimen {
    LayerData data;
    ReferenceResult expected;
    Tolerance tolerance = Tolerance::bounded;
};

void make_integers(std::vector<std::vector<float>> &tensors) {
    for (std::vector<float> &tensor : tensors) {
        for (float &value : tensor) value = std::round(value * 4);
    }
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
        if (stays_exact(layer)) made.tolerance = Tolerance::exact;
    }
    made.expected = value_of(reference_of(made.data));
    return made;
}

class TrialWorker {
public:
    ordered_json answer(const ordered_json &request) {
        const std::string what = request.at("do");
        if (what == "prepare") return prepare(request);
        if (what == "compile") return compile(request.at("schedules"));
        if (what == "check") return check(request.at("schedules"));
        if (what == "time") return time(request.at("schedules"), request.at("seconds"));
        throw Answer{"refused", "there is no request '" + what + "'"};
    }

private:
    ordered_json prepare(const ordered_json &request) {
        timed_.clear();
        specimens_.clear();
        layer_ = value_of(parse_layer(request.at("layer").get<std::string>()));
        // A target's name says nothing of its caches.
        const std::string target = request.at("target");
        target_ = host_target().full_name() == target ? host_target() : value_of(parse_target(target));
        cache_ = std::make_unique<Result<KernelCache>>(KernelCache::open(request.at("folder").get<std::string>()));
        value_of(*cache_);
        return ordered_json::object();
    }

    Plan plan_of(const std::string &text) const {
        std::vector<Schedule> schedules;
        constexpr std::string_view arrow = " -> ";
        for (size_t begin = 0; begin <= text.size();) {
            const size_t end = std::min(text.find(arrow, begin), text.size());
            schedules.push_back(value_of(parse_schedule(std::string_view(text).substr(begin, end - begin))));
            begin = end + arrow.size();
        }
        return value_of(make_pinned_plan(layer_, target_, schedules));
    }

    Kernel kernel_of(const std::string &schedules) const {
        return value_of(compile_or_find(plan_of(schedules), "layer", *cache_));
    }

    // The default is compiled as a candidate too, but never rejected: it is what the others have to beat.
    bool is_default(const std::string &schedules) const {
        const Result<Plan> standard = make_plan(layer_, target_);
        return standard && print_schedules(standard->schedules()) == schedules;
    }

    ordered_json compile(const std::string &schedules) {
        const Kernel kernel = kernel_of(schedules);
        if (is_default(schedules)) return ordered_json::object();
        if (const auto reason = code_rejection(value_of(inspect_kernel(kernel)), target_))
            throw Answer{"rejected", *reason};
        return ordered_json::object();
    }

    // Slow where the layer is large: once for all schedules.
    const std::vector<Specimen> &specimens() {
        if (specimens_.empty()) {
            specimens_.push_back(make_specimen(layer_, true));
            specimens_.push_back(make_specimen(layer_, false));
        }
        return specimens_;
    }

    ordered_json check(const std::string &schedules) {
        const Kernel kernel = kernel_of(schedules);
        size_t workspace = 0;
        for (const Specimen &specimen : specimens()) {
            KernelCall call = value_of(KernelCall::prepare(value_of(load_kernel(kernel)), specimen.data));
            if (const int code = call.run(); code != CONVC_OK)
                throw Answer{"wrong", call_error("a call", code).message};
            const bool as_written = sums_as_written(schedules);
            const Comparison comparison = compare_output(layer_.output(), call.output(), specimen.expected,
                                                         as_written ? specimen.tolerance : Tolerance::transformed);
            if (!comparison.ok()) throw Answer{"wrong", comparison.message()};
            workspace = call.workspace_bytes();
        }
        return {{"workspace", workspace}};
    }

    struct Timed {
        std::unique_ptr<LayerData> data;
        std::unique_ptr<KernelCall> call;
    };

    KernelCall &call_of(const std::string &schedules) {
        constexpr size_t most_kept = 4;
        if (timed_.size() > most_kept) timed_.clear();
        Timed &timed = timed_[schedules];
        if (!timed.call) {
            timed.data = std::make_unique<LayerData>(value_of(make_data(layer_, {})));
            LoadedKernel kernel = value_of(load_kernel(kernel_of(schedules)));
            timed.call = std::make_unique<KernelCall>(value_of(KernelCall::prepare(std::move(kernel), *timed.data)));
        }
        return *timed.call;
    }

    ordered_json time(const std::vector<std::string> &schedules, double seconds) {
        // Prepared before the first is timed: what that reads and writes would disturb it.
        for (const std::string &text : schedules) call_of(text);
        ordered_json minima = ordered_json::array();
        for (const std::string &text : schedules) {
            KernelCall &call = call_of(text);
            minima.push_back(time_kernel([&] { call.run(); }, {0, seconds}).minimum);
        }
        return {{"seconds", minima}};
    }

    Layer layer_;
    Target target_;
    std::unique_ptr<Result<KernelCache>> cache_;
    std::vector<Specimen> specimens_;
    std::map<std::string, Timed> timed_;
};

// A tuner that is killed leaves nothing running, not even a kernel that hangs. (The kernel's own signal for that comes
// when the thread that started a process ends, which is too early.)
void end_with_parent() {
    std::thread([parent = ::getppid()] {
        while (::getppid() == parent) std::this_thread::sleep_for(std::chrono::milliseconds(500));
        std::_Exit(0);
    }).detach();
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
