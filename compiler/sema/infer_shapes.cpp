#include "compiler/sema/infer_shapes.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "compiler/sema/infer_axis.h"
#include "compiler/sema/sema_diagnostics.h"

namespace convc::sema {
namespace {

class StageInference {
public:
    StageInference(const StageDraft &draft, const PartialTensor &input, Reporter &reporter)
        : draft_(draft), input_(input), reporter_(reporter) {
        result_.output = input;
    }

    InferredStage infer() {
        copy_settings();
        infer_channels();
        check_weights();
        std::vector<Value> padded{input_.batch, input_.channels};
        const size_t axes = std::min(draft_.axes.size(), input_.space.size());
        for (size_t i = 0; i < axes; i++) padded.push_back(infer_one_axis(i));
        check_sizes(padded);
        drop_idle_pad_mode();
        return std::move(result_);
    }

private:
    void copy_settings() {
        Stage &stage = result_.stage;
        stage.kind = draft_.kind;
        stage.flip = draft_.flip;
        stage.pad_mode = draft_.pad_mode;
        stage.pad_value = draft_.pad_value;
        stage.precision = draft_.precision;
        stage.weights = draft_.weights;
    }

    Value infer_one_axis(size_t i) {
        const InferredAxis inferred = infer_axis(draft_, i, input_.space[i], kernel_too_large_, reporter_);
        kernel_too_large_ = kernel_too_large_ || inferred.kernel_too_large;
        result_.stage.axes.push_back(inferred.axis);
        result_.output.space[i] = inferred.output;
        std::optional<int64_t> &growth = result_.output.growth[i];
        int64_t sum = 0;
        const bool adds = growth && inferred.growth && !__builtin_add_overflow(*growth, *inferred.growth, &sum);
        growth = adds ? std::optional(sum) : std::nullopt;
        return inferred.padded;
    }

    void infer_channels() {
        Stage &stage = result_.stage;
        stage.in_channels = input_.channels.value_or(1);
        Value &out = result_.output.channels;
        switch (draft_.kind) {
            case StageKind::shuffle:
                check_divides(input_.channels, "input");
                break;
            case StageKind::depthwise:
                out = depthwise_channels();
                break;
            default:
                out = draft_.out.value;
                check_divides(input_.channels, "input");
                check_divides(out, "output");
        }
        stage.out_channels = out.value_or(1);
        stage.groups = draft_.kind == StageKind::depthwise ? stage.in_channels : draft_.groups.value.value_or(1);
    }

    Value depthwise_channels() {
        int64_t product = 0;
        if (!input_.channels || !draft_.multiplier.value) return std::nullopt;
        if (!__builtin_mul_overflow(*input_.channels, *draft_.multiplier.value, &product)) return product;
        reporter_.report(draft_.multiplier.range, diagnostic::integer_overflow, *input_.channels, '*',
                         *draft_.multiplier.value);
        return std::nullopt;
    }

    void check_divides(const Value &channels, std::string_view which) {
        if (!channels || !draft_.groups.value || *channels % *draft_.groups.value == 0) return;
        reporter_.report(draft_.groups.range, diagnostic::groups_do_not_divide, *draft_.groups.value, *channels, which);
    }

    void check_weights() {
        if (!draft_.weights || draft_.kind == StageKind::depthwise) return;
        const Value &out = result_.output.channels;
        if (!input_.channels || !out || (*input_.channels == 1 && *out == 1)) return;
        reporter_.report(draft_.weights_range, diagnostic::weights_channels, *input_.channels, *out);
    }

    void check_sizes(const std::vector<Value> &padded) {
        const PartialTensor &output = result_.output;
        std::vector<Value> factors{output.batch, output.channels};
        factors.insert(factors.end(), output.space.begin(), output.space.end());
        const std::string_view name = draft_.syntax->name.text;
        const SourceRange range = draft_.syntax->name.range;
        if (!fits_in_memory(factors)) {
            reporter_.report(range, diagnostic::tensor_too_large, fmt::format("the output of {}", name));
            for (Value &extent : result_.output.space) extent.reset();
        } else if (!fits_in_memory(padded)) {
            reporter_.report(range, diagnostic::tensor_too_large, fmt::format("the padded input of {}", name));
        }
        std::vector<Value> weights{output.channels, result_.stage.in_channels / result_.stage.groups};
        for (const Axis &axis : result_.stage.axes) weights.emplace_back(axis.kernel);
        if (draft_.kind != StageKind::shuffle && !fits_in_memory(weights)) {
            reporter_.report(draft_.axes.empty() ? range : draft_.axes[0].kernel.range, diagnostic::tensor_too_large,
                             fmt::format("the weights of {}", name));
        }
    }

    // Without padding its mode means nothing: one layer, one canonical line.
    void drop_idle_pad_mode() {
        Stage &stage = result_.stage;
        for (const Axis &axis : stage.axes) {
            if (axis.pad_before > 0 || axis.pad_after > 0 || axis.same_at_run_time) return;
        }
        stage.pad_mode = PadMode::zeros;
        stage.pad_value = 0;
    }

    const StageDraft &draft_;
    const PartialTensor &input_;
    Reporter &reporter_;
    InferredStage result_;
    bool kernel_too_large_ = false;
};

}  // namespace

bool fits_in_memory(const std::vector<Value> &factors) {
    int64_t bytes = 4;
    for (const Value &factor : factors) {
        if (factor && *factor > 0 && __builtin_mul_overflow(bytes, *factor, &bytes)) return false;
    }
    return true;
}

InferredStage infer_stage(const StageDraft &draft, const PartialTensor &input, Reporter &reporter) {
    return StageInference(draft, input, reporter).infer();
}

}  // namespace convc::sema
