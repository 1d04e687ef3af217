#include "compiler/driver/verbs/speed_table.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/cost/cost.h"

namespace convc {
namespace {

constexpr size_t number_width = 9;

// nhwc[1, 56, 56, 64] -> [1, 56, 56, 256]
std::string shape_of(const Layer &layer) {
    const auto extents = [](const TensorType &type) {
        const std::string text = print_tensor(type);
        return text.substr(text.find('['));
    };
    return fmt::format("{}{} -> {}", layout_name(layer.output().layout), extents(layer.inputs[0].type),
                       extents(layer.output()));
}

std::string macs_of(const Layer &layer) {
    const std::optional<LayerCost> cost = layer_cost(layer);
    return cost ? print_count(cost->real_macs) : "?";
}

size_t widest(const std::vector<Plan> &plans, size_t least, std::string (*text)(const Layer &)) {
    for (const Plan &plan : plans) least = std::max(least, text(plan.layer).size());
    return least;
}

std::string name_of(const Layer &layer) {
    return layer.name;
}

}  // namespace

SpeedTable::SpeedTable(const std::vector<Plan> &plans, std::vector<std::string> columns)
    : columns_(std::move(columns)),
      name_width_(widest(plans, 5, name_of)),
      shape_width_(widest(plans, 5, shape_of)),
      macs_width_(widest(plans, 4, macs_of)),
      on_gpu_(!plans.empty() && plans.front().target.on_gpu()) {}

std::string SpeedTable::head() const {
    return line("layer", "shape", "MACs", columns_);
}

std::string SpeedTable::row(const Layer &layer, const std::vector<std::string> &cells) const {
    return line(layer.name, shape_of(layer), macs_of(layer), cells);
}

std::string SpeedTable::share_cell(const Speed &speed) const {
    return on_gpu_ ? "-" : fmt::format("{:.1f}", 100 * speed.share());
}

std::string SpeedTable::foot(const FmaPeak &peak) const {
    if (on_gpu_)
        return "\nMACs without those in padding. Times are from the start of a kernel until the device is done.\n";
    return fmt::format(
        "\nMACs without those in padding. FMA peak: {:.1f} GFLOP/s, measured between the runs ({}, {} thread{}).\n",
        peak.best(), isa_name(peak.isa()), peak.threads(), peak.threads() == 1 ? "" : "s");
}

std::string SpeedTable::line(const std::string &name, const std::string &shape, const std::string &macs,
                             const std::vector<std::string> &cells) const {
    std::string text = fmt::format("{:<{}}  {:<{}}  {:>{}}", name, name_width_, shape, shape_width_, macs, macs_width_);
    for (const std::string &cell : cells) text += fmt::format("  {:>{}}", cell, number_width);
    return text + "\n";
}

std::string milliseconds(double seconds) {
    const double value = seconds * 1e3;
    const int decimals = value < 0.01 ? 6 : value < 1 ? 4 : 3;
    return fmt::format("{:.{}f}", value, decimals);
}

const char *isa_name(Isa isa) {
    switch (isa) {
        case Isa::sse41:
            return "SSE4.1, no FMA";
        case Isa::avx2:
            return "AVX2";
        case Isa::avx512:
            return "AVX-512";
        case Isa::neon:
            return "NEON";
    }
    return "";
}

}  // namespace convc
