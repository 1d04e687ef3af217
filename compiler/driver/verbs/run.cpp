// convc run: compile in process, call, time, compare with the reference.
#include <fmt/format.h>

#include <charconv>
#include <cstdio>
#include <filesystem>

#include "compiler/cost/cost.h"
#include "compiler/cost/count.h"
#include "compiler/driver/layer_run.h"
#include "compiler/driver/target_list.h"
#include "compiler/driver/tensor_io/read_tensor.h"
#include "compiler/driver/verbs/speed_table.h"
#include "compiler/driver/verbs/verb.h"
#include "compiler/plan/host_target.h"

namespace convc {
namespace {

struct Options {
    CommonOptions common;
    std::string file;
    std::string target = "host";
    std::vector<std::string> inputs;  // FILE or NAME=FILE
    std::vector<int64_t> extents;
    std::string output;
    std::string weights;
    uint64_t seed = 0;
    int repeat = 0;
    bool verify = false;
    bool normalise = false;
};

// What CLI11 takes for an unsigned number wraps -1 and cuts off what does not fit.
std::string is_seed(const std::string &text) {
    uint64_t seed = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seed);
    const bool whole = error == std::errc() && end == text.data() + text.size();
    return whole ? "" : fmt::format("'{}' is not an integer from 0 to 2^64 - 1", text);
}

// NAME=FILE where NAME is one of the layer's tensors, else FILE for its first.
Status assign_inputs(const std::vector<std::string> &arguments, const Layer &layer, DataSources &sources) {
    for (const std::string &argument : arguments) {
        const size_t equals = argument.find('=');
        std::string name = layer.inputs[0].name;
        std::string file = argument;
        for (const NamedTensor &input : layer.inputs) {
            if (equals == std::string::npos || argument.substr(0, equals) != input.name) continue;
            name = input.name;
            file = argument.substr(equals + 1);
        }
        std::error_code error;
        if (equals != std::string::npos && file == argument && !std::filesystem::exists(file, error)) {
            return Error{Failure::usage,
                         fmt::format("--input: layer '{}' has no tensor '{}', and there is no file '{}'", layer.name,
                                     argument.substr(0, equals), file)};
        }
        if (!sources.input_files.emplace(name, file).second) {
            return Error{Failure::usage, fmt::format("--input: tensor '{}' is given twice", name)};
        }
    }
    return {};
}

struct LayerResult {
    std::vector<int64_t> extents;  // the run-time ones
    size_t packed_bytes = 0, workspace_bytes = 0;
    Speed speed;
    std::optional<Verification> verification;
};

// Everything about one layer, in order.
class Runner {
public:
    Runner(const Options &options, const WeightSource *weights, bool plain_weight_names)
        : options_(options),
          weights_(weights),
          plain_weight_names_(plain_weight_names),
          peak_(host_target().isa, kernel_threads()) {}

    const FmaPeak &peak() const { return peak_; }

    Result<LayerResult> run(const Plan &plan) {
        DataSources sources{{}, weights_, plain_weight_names_, options_.seed, options_.extents};
        if (Status status = assign_inputs(options_.inputs, plan.layer, sources); !status) return status.error();
        const Result<LayerData> data = make_data(plan.layer, sources);
        if (!data) return data.error();
        Result<LoadedKernel> kernel = load_plan(plan);
        if (!kernel) return kernel.error();
        Result<KernelCall> call = KernelCall::prepare(std::move(*kernel), *data);
        if (!call) return call.error();
        return run(*call, *data);
    }

private:
    Result<LayerResult> run(KernelCall &call, const LayerData &data) {
        LayerResult result;
        result.extents = data.extents;
        result.packed_bytes = call.packed_bytes();
        result.workspace_bytes = call.workspace_bytes();
        const TimingOptions timing{options_.repeat, 0.2};
        Result<Speed> speed = measure_call(call, data.layer, timing, peak_);
        if (!speed) return speed.error();
        result.speed = *speed;
        if (Status status = write_output(call, data.layer); !status) return status.error();
        if (!options_.verify) return result;
        // After the timing, so that what is verified is the last of all those calls.
        Result<Verification> verification = verify(call, data);
        if (!verification) return verification.error();
        result.verification = std::move(*verification);
        return result;
    }

    Status write_output(const KernelCall &call, const Layer &layer) const {
        if (options_.output.empty()) return {};
        Result<std::vector<float>> output = call.output();
        if (!output) return output.error();
        return write_tensor(options_.output, {layer.output().extents(), *std::move(output)}, layer.output(),
                            options_.normalise ? Range::stretched : Range::clamped);
    }

    const Options &options_;
    const WeightSource *weights_;
    bool plain_weight_names_;
    FmaPeak peak_;
};

void print_rate(Console &console, const Speed &speed, const FmaPeak &peak) {
    console.print(
        fmt::format("  rate      {:.1f} GFLOP/s, {:.1f} % of the FMA peak of {:.1f} GFLOP/s measured in the "
                    "same run ({}, {} thread{})\n",
                    speed.gflops, 100 * speed.share(), speed.peak, isa_name(peak.isa()), peak.threads(),
                    peak.threads() == 1 ? "" : "s"));
}

void print_one(Console &console, const Plan &plan, const LayerResult &result, const FmaPeak &peak) {
    const Speed &speed = result.speed;
    console.print(fmt::format("{}\n", plan.layer.canonical_line()));
    if (!result.extents.empty()) console.print(fmt::format("  extents   {}\n", fmt::join(result.extents, ", ")));
    console.print(fmt::format("  schedule  {} ({})\n", print_schedules(plan.schedules()), plan.origin_name()));
    console.print(fmt::format("  memory    {} bytes of packed weights, {} bytes of workspace\n",
                              print_count(result.packed_bytes), print_count(result.workspace_bytes)));
    console.print(fmt::format("  time      minimum {} ms, median {} ms, {} run{}\n", milliseconds(speed.timing.minimum),
                              milliseconds(speed.timing.median), speed.timing.repeats,
                              speed.timing.repeats == 1 ? "" : "s"));
    if (plan.target.on_gpu()) {
        console.print(
            fmt::format("  rate      {:.1f} GFLOP/s, from the start until the device is done\n", speed.gflops));
    } else {
        print_rate(console, speed, peak);
    }
    if (!result.verification) return;
    console.print(
        fmt::format("  verified  {}: {}\n", result.verification->ok ? "yes" : "no", result.verification->message));
}
Error wrong_result(const Plan &plan, const Verification &verification) {
    return {Failure::internal, fmt::format("layer '{}' is not verified: {}", plan.layer.name, verification.message)};
}

std::string verified_cell(const std::optional<Verification> &verification) {
    if (!verification) return "-";
    return verification->ok ? "yes" : "no";
}

// The layers one after another, each row as soon as it is there.
int print_table(Console &console, const std::vector<Plan> &plans, Runner &runner) {
    SpeedTable table(plans, {"ms", "GFLOP/s", "% of peak", "verified"});
    console.print(table.head());
    int status = 0;
    for (const Plan &plan : plans) {
        const Result<LayerResult> result = runner.run(plan);
        if (!result) return console.fail(result.error());
        const Speed &speed = result->speed;
        console.print(table.row(plan.layer, {milliseconds(speed.timing.minimum), fmt::format("{:.1f}", speed.gflops),
                                             table.share_cell(speed), verified_cell(result->verification)}));
        std::fflush(stdout);
        if (result->verification && !result->verification->ok) {
            status = console.fail(wrong_result(plan, *result->verification));
        }
    }
    console.print(table.foot(runner.peak()));
    return status;
}

int run_one(Console &console, const Plan &plan, Runner &runner) {
    const Result<LayerResult> result = runner.run(plan);
    if (!result) return console.fail(result.error());
    print_one(console, plan, *result, runner.peak());
    const std::optional<Verification> &verification = result->verification;
    return !verification || verification->ok ? 0 : console.fail(wrong_result(plan, *verification));
}

int run(Console &console, const Options &options) {
    Result<Session> session = open_session(console, options.common);
    if (!session) return console.fail(session.error());
    const Result<Program> program = session->check(options.file);
    if (!program) return console.fail(program.error());
    const bool files = !options.inputs.empty() || !options.output.empty();
    if (files && program->selected.size() != 1) {
        return console.fail({Failure::usage, fmt::format("--input and --output are for one layer, but {} has {}: name "
                                                         "one as {}:LAYER",
                                                         options.file, program->selected.size(), options.file)});
    }
    if (!options.output.empty()) {
        if (Status status = check_output_name(options.output); !status) return console.fail(status.error());
    }
    const Result<Target> target = read_target(options.target);
    if (!target) return console.fail(target.error());
    if (Status status = check_device(*target); !status) return console.fail(status.error());
    const Result<std::vector<Plan>> plans = session->plan(*program, *target);
    if (!plans) return console.fail(plans.error());
    std::unique_ptr<WeightSource> weights;
    if (!options.weights.empty()) {
        Result<std::unique_ptr<WeightSource>> opened = WeightSource::open(options.weights);
        if (!opened) return console.fail(opened.error());
        weights = std::move(*opened);
    }
    Runner runner(options, weights.get(), plans->size() == 1);
    const bool one = program->is_line || (!program->is_whole && plans->size() == 1);
    return one ? run_one(console, plans->front(), runner) : print_table(console, *plans, runner);
}

}  // namespace

void add_run(CLI::App &program, ChosenVerb &chosen) {
    CLI::App *verb = new_verb(program, "run", "compile in process and run: results, time, verification",
                              {"run net.conv                       # a table of all layers, on random data",
                               "run net.conv:stem --input photo.png --weights weights.npz --output y.npy",
                               "run net.conv:gated --input x.npy --input gate=gate.npy",
                               "run 'f32 nhwc[1, 56, 56, 64] -> conv(64, 3x3, pad=1) + bias + relu' --verify"});
    auto options = std::make_shared<Options>();
    verb->add_option("FILE", options->file, "a .conv file, FILE:LAYER, or a layer in quotes")->required();
    verb->add_option("--input", options->inputs, "x, or the tensor NAME: .npy, PNG or JPEG; random without it")
        ->type_name("[NAME=]FILE")
        ->allow_extra_args(false);
    verb->add_option("--extents", options->extents,
                     "of x where the layer says '?', in its axis order; without it a batch "
                     "of 2 and 32 along each other axis")
        ->type_name("N,N,...")
        ->delimiter(',')
        ->allow_extra_args(false);
    verb->add_option("--output", options->output, "where the output goes: .npy, or .png of 1 or 3 channels")
        ->type_name("FILE");
    verb->add_flag("--normalise", options->normalise,
                   "stretch the output to the range of a .png; without it [0, 1] is the range and the rest is clamped");
    verb->add_option("--weights", options->weights, "a directory of .npy, an .npz or a .safetensors; random without it")
        ->type_name("PATH");
    verb->add_option("--seed", options->seed, "of what is random")->type_name("N")->check(is_seed);
    add_target_option(*verb, options->target);
    verb->add_flag("--verify", options->verify, "compare the output with the fp64 reference");
    verb->add_option("--repeat", options->repeat, "time so many runs; without it as many as fit 0.2 s")
        ->type_name("N")
        ->check(CLI::Range(1, 1'000'000).description(""));
    add_common_options(*verb, options->common);
    set_action(*verb, chosen, [options](Console &console) { return run(console, *options); });
}

}  // namespace convc
