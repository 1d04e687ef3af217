// convc itself as a library under test, and what only convc knows: a layer's numbers with the reference's output, and
// what the machine can do. Beside the requests of worker.h:
//
//     {"do": "data", "source": FILE:LAYER, "folder": PATH}
//         writes x.npy and any further input, 0.weight.npy and so on, reference.npy (fp64 loops, rounded to f32) and
//         bound.npy (what an f32 kernel may differ by)  ->  {}
//     {"do": "machine"}  ->  {"target", "threads", "fma_peak", "fma_peak_one_thread", "l2", "l3", "dram", "l2_bytes",
//     ...}
//     {"do": "burst"}    ->  {"gflops": of multiply-adds over the last 5 ms, "round_trip": nanoseconds between cores}
//     {"do": "clear_caches"}  ->  {}
//
// With the argument --default, every layer has its default schedule, whatever was tuned.
#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string_view>

#include "bench/peers/worker.h"
#include "compiler/driver/files.h"
#include "compiler/driver/layer_run.h"
#include "compiler/driver/session.h"
#include "compiler/driver/tensor_io/npy.h"
#include "compiler/measure/bandwidth.h"
#include "compiler/measure/round_trip.h"
#include "compiler/plan/host_target.h"
#include "compiler/reference/reference.h"

namespace convc::bench {
namespace {

template <class T>
T value_of(Result<T> result) {
    if (!result) throw Failed{result.error().message};
    return std::move(*result);
}

void write(const std::string &folder, const std::string &name, const std::vector<int64_t> &shape,
           std::vector<float> values) {
    const std::string bytes = write_npy({shape, std::move(values)});
    if (Status status = write_file(std::filesystem::path(folder) / (name + ".npy"), bytes); !status) {
        throw Failed{status.error().message};
    }
}

class Convc : public Library {
public:
    // Of a layer's schedules, the default alone, or the one that users get.
    explicit Convc(bool default_alone) : default_alone_(default_alone) {}

    Json prepare(const Json &request) override {
        release();
        Plan plan = plan_of(request.at("source"));
        data_ = std::make_unique<LayerData>(value_of(make_data(plan.layer, {})));
        call_ = value_of(KernelCall::prepare(value_of(load_plan(plan)), *data_));
        if (const int code = call_->run(); code != CONVC_OK) throw Failed{call_error("a call", code).message};
        write(request.at("folder"), "convc", plan.layer.output().extents(), value_of(call_->output()));
        return {{"output", "convc"},
                {"note", print_schedules(plan.schedules())},
                {"origin", plan.origin_name()},
                {"packed_bytes", call_->packed_bytes()},
                {"workspace_bytes", call_->workspace_bytes()}};
    }

    void call() override { call_->run(); }

    void release() override {
        call_.reset();
        data_.reset();
    }

    Json other(const Json &request) override {
        const std::string what = request.at("do");
        if (what == "data") return write_data(request.at("source"), request.at("folder"));
        if (what == "machine") return machine();
        if (what == "burst") {
            return {{"gflops", peak().burst()}, {"round_trip", measure_round_trip(kernel_threads())}};
        }
        if (what == "clear_caches") {
            clear_caches(host_target(), kernel_threads());
            return Json::object();
        }
        return Library::other(request);
    }

private:
    Plan plan_of(const std::string &source) const {
        Console console;
        Session session(console, {});
        const Program program = value_of(session.check(source));
        if (program.selected.size() != 1) throw Failed{fmt::format("{} is not one layer", source)};
        const CheckedLayer &checked = *program.selected[0];
        return value_of(default_alone_ ? make_plan(checked.layer, host_target())
                                       : plan_layer(program, checked, host_target()));
    }

    Json write_data(const std::string &source, const std::string &folder) const {
        const Layer layer = plan_of(source).layer;
        const LayerData data = value_of(make_data(layer, {}));
        std::vector<ReferenceTensor> inputs, parameters;
        for (size_t i = 0; i < data.inputs.size(); i++) {
            inputs.emplace_back(data.inputs[i].begin(), data.inputs[i].end());
            write(folder, layer.inputs[i].name, layer.inputs[i].type.extents(), data.inputs[i]);
        }
        const std::vector<Parameter> names = layer.parameters();
        for (size_t i = 0; i < data.parameters.size(); i++) {
            parameters.emplace_back(data.parameters[i].begin(), data.parameters[i].end());
            write(folder, names[i].name(), names[i].shape, data.parameters[i]);
        }
        const ReferenceResult expected = value_of(run_reference(layer, inputs, parameters));
        const std::vector<int64_t> shape = layer.output().extents();
        write(folder, "bound", shape, {expected.error_bound.begin(), expected.error_bound.end()});
        write(folder, "reference", shape, {expected.output.begin(), expected.output.end()});
        return Json::object();
    }

    FmaPeak &peak() {
        if (!peak_) peak_ = std::make_unique<FmaPeak>(host_target().isa, kernel_threads());
        return *peak_;
    }

    Json machine() {
        const Target target = host_target();
        const Bandwidth bandwidth = measure_bandwidth(target, kernel_threads());
        FmaPeak one(target.isa, 1);
        peak().burst();
        return {{"target", target.full_name()}, {"threads", peak().threads()},
                {"fma_peak", peak().best()},    {"fma_peak_one_thread", one.best()},
                {"l2", bandwidth.l2},           {"l3", bandwidth.l3},
                {"dram", bandwidth.dram},       {"l1_bytes", target.l1_bytes},
                {"l2_bytes", target.l2_bytes},  {"l3_bytes", target.l3_bytes}};
    }

    bool default_alone_;
    std::unique_ptr<FmaPeak> peak_;
    std::unique_ptr<LayerData> data_;
    std::optional<KernelCall> call_;
};

}  // namespace
}  // namespace convc::bench

int main(int argc, char **argv) {
    convc::bench::Convc convc(argc > 1 && std::string_view(argv[1]) == "--default");
    convc::bench::serve(convc);
    return 0;
}
