#include "compiler/sema/lints.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <string>
#include <tuple>
#include <utility>

#include "compiler/sema/axis_names.h"
#include "compiler/sema/rank_one.h"
#include "compiler/sema/sema_diagnostics.h"

namespace convc {
namespace sema {
namespace {

// Longer loops than this are not worth a warning.
constexpr int64_t longest_loop = 1000;

// Warnings at one place come from one layer: the other members of its family would say the same again.
class LintReporter {
public:
    explicit LintReporter(Diagnostics &diagnostics) : diagnostics_(diagnostics) {}

    void begin(const CheckedLayer &layer) {
        layer_ = &layer;
        is_member_ = layer.layer.name.find('[') != std::string::npos;
    }

    template <class... Args>
    Diagnostics::Builder report(SourceRange range, const DiagnosticKind<Args...> &kind,
                                std::type_identity_t<Args>... args) {
        const auto [place, is_new] = seen_.try_emplace({kind.id.data(), range.begin, range.end}, layer_);
        if (!is_new) return {};
        Diagnostics::Builder builder = diagnostics_.report(range, kind, args...);
        if (is_member_) builder.note(fmt::format("in {}", excerpt(layer_->layer.name)));
        return builder;
    }

    template <class... Args>
    bool has(SourceRange range, const DiagnosticKind<Args...> &kind) const {
        return seen_.contains({kind.id.data(), range.begin, range.end});
    }

    // A fix-it for one member of a family would be wrong for the others.
    bool may_fix() const { return !is_member_; }

private:
    Diagnostics &diagnostics_;
    const CheckedLayer *layer_ = nullptr;
    bool is_member_ = false;
    std::map<std::tuple<const char *, uint32_t, uint32_t>, const CheckedLayer *> seen_;
};

// Axes about which the same can be said, and what.
class AxisFindings {
public:
    explicit AxisFindings(size_t rank) : rank_(rank) {}

    void add(size_t axis, const std::string &what) {
        for (auto &[axes, text] : findings_) {
            if (text == what) return void(axes.push_back(axis));
        }
        findings_.push_back({{axis}, what});
    }

    bool empty() const { return findings_.empty(); }

    // "along the height and width, ..."; one finding after another.
    std::string text() const {
        std::string all;
        for (const auto &[axes, what] : findings_) {
            std::string names;
            for (size_t i = 0; i < axes.size(); i++) {
                const char *joint = i == 0 ? "" : i + 1 == axes.size() ? " and " : ", ";
                names += fmt::format("{}{}", joint, axis_name(rank_, axes[i]));
            }
            all += fmt::format("{}along the {}, {}", all.empty() ? "" : "; ", names, what);
        }
        return all;
    }

private:
    size_t rank_;
    std::vector<std::pair<std::vector<size_t>, std::string>> findings_;
};

class LayerLinter {
public:
    LayerLinter(const CheckedLayer &checked, LintReporter &reporter) : checked_(checked), reporter_(reporter) {}

    void lint() {
        for (size_t i = 0; i < checked_.layer.stages.size(); i++) {
            const Stage &stage = checked_.layer.stages[i];
            if (stage.kind == StageKind::transposed) lint_checkerboard(i);
            if (stage.kind == StageKind::convolution || stage.kind == StageKind::depthwise) lint_dead_padding(i);
            if (stage.weights) lint_rank_one(i);
            if (stage.kind == StageKind::convolution) lint_depthwise_as_groups(i);
        }
        lint_gridding();
    }

private:
    const Stage &stage(size_t i) const { return checked_.layer.stages[i]; }
    SourceRange range(size_t i) const { return checked_.stage_ranges[i]; }

    bool is_sugar(size_t i) const {
        const auto same = [&](size_t other) { return range(other).begin == range(i).begin; };
        return (i > 0 && same(i - 1)) || (i + 1 < checked_.stage_ranges.size() && same(i + 1));
    }

    // Output o gets tap t from the inputs i with i * stride + t * dilation = o + pad, so its contributions are the taps
    // with t * dilation = o + pad modulo the stride: ceil or floor of kernel / period of them, none where no tap ever
    // lands.
    void lint_checkerboard(size_t i) {
        AxisFindings findings(stage(i).axes.size());
        std::string even;  // a kernel that would do
        bool has_even = true;
        for (size_t a = 0; a < stage(i).axes.size(); a++) {
            const Axis &axis = stage(i).axes[a];
            const int64_t common = std::gcd(axis.stride, axis.dilation);
            const int64_t period = std::max<int64_t>(axis.stride / common, 1);
            const int64_t most = axis.kernel / period + (axis.kernel % period != 0);
            const bool uneven = axis.stride > 1 && (common > 1 || axis.kernel % period != 0);
            has_even = has_even && (common == 1 || !uneven);
            even += fmt::format("{}{}", a == 0 ? "" : "x", uneven ? most * period : axis.kernel);
            if (uneven) findings.add(a, uneven_text(axis, common > 1 ? 0 : axis.kernel / period, most));
        }
        if (findings.empty()) return;
        auto report = reporter_.report(range(i), diagnostic::checkerboard, findings.text());
        if (has_even) report.note(fmt::format("kernel {} would be even", even));
    }

    static std::string uneven_text(const Axis &axis, int64_t least, int64_t most) {
        const std::string reason =
            axis.dilation == 1 ? fmt::format("kernel {} is not divisible by stride {}", axis.kernel, axis.stride)
                               : fmt::format("kernel {} with dilation {} does not spread evenly over stride {}",
                                             axis.kernel, axis.dilation, axis.stride);
        return fmt::format("{}, so outputs receive {} or {} contributions in turn", reason, least, most);
    }

    void lint_dead_padding(size_t i) {
        const PadMode mode = stage(i).pad_mode;
        if (mode != PadMode::zeros && mode != PadMode::constant) return;  // other modes pad with data
        AxisFindings findings(stage(i).axes.size());
        const std::vector<int64_t> &input = checked_.layer.stage_input(static_cast<int>(i)).space;
        for (size_t a = 0; a < stage(i).axes.size(); a++) {
            const Axis &axis = stage(i).axes[a];
            if (input[a] == runtime_extent || axis.pad_before + axis.pad_after == 0) continue;
            const std::string what = dead_padding(axis, input[a], stage(i).output.space[a]);
            if (!what.empty()) findings.add(a, what);
        }
        if (!findings.empty()) reporter_.report(range(i), diagnostic::dead_padding, findings.text());
    }

    static std::string dead_padding(const Axis &axis, int64_t input, int64_t output) {
        const int64_t span = axis.effective_kernel();
        const bool first_is_blind = axis.pad_before >= span;
        // the last output starts past the input; a stride may leave the end of the padding unread
        const bool last_is_blind = (output - 1) * axis.stride - axis.pad_before >= input;
        if (first_is_blind || last_is_blind) {
            const int64_t first = first_is_blind ? axis.pad_before : 0;
            const int64_t last = last_is_blind ? axis.pad_after : 0;
            return fmt::format(
                "the padding {} is not less than the kernel's {}, so there are outputs that see nothing "
                "but padding",
                std::max(first, last), span);
        }
        if (axis.kernel > longest_loop) return "";
        int64_t dead = 0;
        for (int64_t tap = 0; tap < axis.kernel; tap++) {
            const int64_t first = axis.pad_before - tap * axis.dilation;  // o * stride is at least this for data
            const int64_t last = first + input - 1;
            const int64_t first_output = first <= 0 ? 0 : (first - 1) / axis.stride + 1;
            const bool sees_data = last >= 0 && first_output <= std::min(output - 1, last / axis.stride);
            if (!sees_data) dead++;
        }
        return dead == 0 ? "" : fmt::format("{} of the {} taps only ever see padding", dead, axis.kernel);
    }

    void lint_depthwise_as_groups(size_t i) {
        const Stage &conv = stage(i);
        if (conv.groups != conv.in_channels || conv.groups == 1 || is_sugar(i)) return;
        Layer layer = checked_.layer;
        Stage &depthwise = layer.stages[i];
        depthwise.kind = StageKind::depthwise;
        depthwise.epilogues.clear();
        const std::string text = print_stage(layer, static_cast<int>(i));
        auto report = reporter_.report(range(i), diagnostic::depthwise_as_groups, conv.groups, text);
        if (reporter_.may_fix()) report.fixit(range(i), text);
    }

    void lint_rank_one(size_t i) {
        std::vector<int64_t> shape;
        int64_t sum = 0;
        int longer_axes = 0;
        for (const Axis &axis : stage(i).axes) {
            shape.push_back(axis.kernel);
            sum += axis.kernel > 1 ? axis.kernel : 0;
            longer_axes += axis.kernel > 1;
        }
        const int64_t product = stage(i).kernel_volume();
        if (reporter_.has(range(i), diagnostic::rank_one_kernel)) return;  // the search is slow
        if (longer_axes < 2 || sum >= product || stage(i).pad_mode == PadMode::constant) return;
        const auto factors = rank_one_factors(*stage(i).weights, shape);
        if (!factors) return;
        const std::string text = print_chain(i, *factors);
        auto report = reporter_.report(range(i), diagnostic::rank_one_kernel, rank_one_tolerance, product, sum, text);
        if (reporter_.may_fix()) report.fixit(range(i), text);
    }

    // One stage for each axis along which the kernel is larger than 1. Along the others the first stage does what there
    // is to do; the channel multiplier comes last.
    std::string print_chain(size_t index, const std::vector<std::vector<double>> &factors) const {
        const Stage &whole = stage(index);
        Layer layer;
        layer.inputs = checked_.layer.inputs;
        double scale = 1;  // of axes whose kernel is 1
        for (size_t a = 0; a < factors.size(); a++) {
            if (whole.axes[a].kernel == 1) scale *= factors[a][0];
        }
        for (size_t a = 0; a < factors.size(); a++) {
            if (whole.axes[a].kernel > 1) layer.stages.push_back(factor_stage(whole, a, factors[a]));
        }
        for (size_t a = 0; a < factors.size(); a++) {
            if (whole.axes[a].kernel == 1) layer.stages.front().axes[a] = whole.axes[a];
        }
        for (double &weight : *layer.stages.back().weights) weight *= scale;
        layer.stages.back().out_channels = whole.out_channels;
        std::string text;
        for (size_t a = 0; a < layer.stages.size(); a++) {
            text += fmt::format("{}{}", a == 0 ? "" : " -> ", print_stage(layer, static_cast<int>(a)));
        }
        return text;
    }

    static Stage factor_stage(const Stage &whole, size_t axis, const std::vector<double> &factor) {
        Stage part = whole;
        part.epilogues.clear();
        part.out_channels = part.in_channels;
        part.weights = factor;
        part.axes.assign(whole.axes.size(), Axis());
        part.axes[axis] = whole.axes[axis];
        return part;
    }

    void lint_gridding() {
        const size_t rank = checked_.layer.inputs[0].type.space.size();
        std::map<std::pair<size_t, size_t>, AxisFindings> runs;  // by first and last stage
        for (size_t axis = 0; axis < rank; axis++) find_grids(axis, rank, runs);
        for (const auto &[stages, findings] : runs) {
            reporter_.report(range(stages.second), diagnostic::gridding, findings.text())
                .note(range(stages.first), "the first of these stages is here")
                .note("dilations without a common divisor, such as 1, 2, 3, leave no holes");
        }
    }

    // Stacks of stages along one axis: a stride or a transposed stage changes the grid and ends one. Stages with kernel
    // 1 there change nothing.
    void find_grids(size_t axis, size_t rank, std::map<std::pair<size_t, size_t>, AxisFindings> &grids) {
        std::vector<size_t> stack;
        for (size_t i = 0; i < checked_.layer.stages.size(); i++) {
            if (stage(i).kind == StageKind::shuffle) continue;
            const bool forward = stage(i).kind != StageKind::transposed;
            if (forward && stage(i).axes[axis].kernel > 1) stack.push_back(i);
            if (forward && stage(i).axes[axis].stride == 1) continue;
            find_grids_in(stack, axis, rank, grids);
            stack.clear();
        }
        find_grids_in(stack, axis, rank, grids);
    }

    // Runs of two stages or more whose dilations share a divisor: between them they reach only every divisor-th input.
    void find_grids_in(const std::vector<size_t> &stack, size_t axis, size_t rank,
                       std::map<std::pair<size_t, size_t>, AxisFindings> &grids) {
        if (!leaves_holes(stack, axis)) return;
        std::vector<size_t> run;
        int64_t divisor = 0;
        const auto finish = [&] {
            if (run.size() > 1) {
                const auto place = grids.try_emplace({run.front(), run.back()}, AxisFindings(rank)).first;
                place->second.add(axis, grid_text(run, axis, divisor));
            }
            run.clear();
            divisor = 0;
        };
        for (const size_t i : stack) {
            const int64_t dilation = stage(i).axes[axis].dilation;
            if (std::gcd(divisor, dilation) == 1) finish();
            if (dilation == 1) continue;
            run.push_back(i);
            divisor = std::gcd(divisor, dilation);
        }
        finish();
    }

    // Whether some input between the first and the last that an output sees is not seen. Taken by ascending dilation,
    // the stages reach 0 ... reach without a hole as long as the next dilation is at most reach + 1.
    bool leaves_holes(const std::vector<size_t> &stack, size_t axis) const {
        std::vector<Axis> axes;
        axes.reserve(stack.size());
        for (const size_t i : stack) axes.push_back(stage(i).axes[axis]);
        std::sort(axes.begin(), axes.end(), [](const Axis &a, const Axis &b) { return a.dilation < b.dilation; });
        int64_t reach = 0;
        for (const Axis &each : axes) {
            if (each.dilation - 1 > reach) return true;
            if (__builtin_add_overflow(reach, each.effective_kernel() - 1, &reach)) return false;
        }
        return false;
    }

    // Every tap lies a multiple of the divisor away from the first; with equal dilations each multiple is reached.
    std::string grid_text(const std::vector<size_t> &run, size_t axis, int64_t divisor) const {
        int64_t field = 1;
        bool equal = true;
        std::string dilations;
        for (const size_t i : run) {
            const Axis &here = stage(i).axes[axis];
            equal = equal && here.dilation == divisor;
            dilations += fmt::format("{}{}", dilations.empty() ? "" : ", ", here.dilation);
            if (__builtin_add_overflow(field, here.effective_kernel() - 1, &field)) field = INT64_MAX;
        }
        return fmt::format("{} stages in a row have {} {}, so an output sees {}{} of the {} values in its field there",
                           run.size(), equal ? "dilation" : "dilations", equal ? std::to_string(divisor) : dilations,
                           equal ? "" : "at most ", (field - 1) / divisor + 1, field);
    }

    const CheckedLayer &checked_;
    LintReporter &reporter_;
};

}  // namespace
}  // namespace sema

void lint_module(const CheckedModule &module, Diagnostics &diagnostics) {
    sema::LintReporter reporter(diagnostics);
    for (const CheckedLayer &layer : module.layers) {
        reporter.begin(layer);
        sema::LayerLinter(layer, reporter).lint();
    }
}

}  // namespace convc
