#include "compiler/sema/infer_axis.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "compiler/sema/axis_names.h"
#include "compiler/sema/sema_diagnostics.h"

namespace convc::sema {
namespace {

// 64-bit operands give exact results in 128 bits.
__extension__ using Wide = __int128;

Value narrowed(Wide value) {
    const auto narrow = static_cast<int64_t>(value);
    return narrow == value ? Value(narrow) : std::nullopt;
}

bool known(const Value &value) {
    return value && *value != runtime_extent;
}

class AxisInference {
public:
    AxisInference(const StageDraft &stage, size_t axis, Value input, bool already_reported, Reporter &reporter)
        : stage_(stage),
          draft_(stage.axes[axis]),
          input_(input),
          name_(axis_name(stage.axes.size(), axis)),
          already_reported_(already_reported),
          reporter_(reporter) {}

    InferredAxis infer() {
        Axis &axis = inferred_.axis;
        axis.kernel = draft_.kernel.value.value_or(1);
        axis.stride = draft_.stride.value.value_or(1);
        axis.dilation = draft_.dilation.value.value_or(1);
        axis.output_padding = draft_.output_padding.value.value_or(0);
        if (input_ == runtime_extent) inferred_.output = runtime_extent;
        if (input_ == runtime_extent) inferred_.padded = runtime_extent;
        check_output_padding();
        if (!find_span() || !find_padding()) return inferred_;
        check_pad_mode();
        if (!draft_.stride.value) return inferred_;
        if (stage_.kind == StageKind::transposed) {
            infer_transposed();
        } else {
            infer_forward();
        }
        return inferred_;
    }

private:
    // The effective kernel; false when it is not known.
    bool find_span() {
        if (!draft_.kernel.value || !draft_.dilation.value) return false;
        const Axis &axis = inferred_.axis;
        const Value span = narrowed(Wide(axis.kernel - 1) * axis.dilation + 1);
        if (!span) reporter_.report(draft_.kernel.range, diagnostic::kernel_span, axis.kernel, axis.dilation);
        span_ = span.value_or(1);
        return span.has_value();
    }

    // pad_before and pad_after; false when they are not known.
    bool find_padding() {
        Axis &axis = inferred_.axis;
        switch (stage_.pad_form) {
            case PadForm::half:
                axis.pad_before = axis.pad_after = span_ / 2;
                return true;
            case PadForm::full:
                axis.pad_before = axis.pad_after = span_ - 1;
                return true;
            case PadForm::same:
                return find_same_padding();
            case PadForm::numbers:
                break;
        }
        axis.pad_before = draft_.pad_before.value.value_or(0);
        axis.pad_after = draft_.pad_after.value.value_or(0);
        return draft_.pad_before.value && draft_.pad_after.value;
    }

    // Output ceil(input / stride); where the padding is odd, the odd pixel goes after.
    bool find_same_padding() {
        Axis &axis = inferred_.axis;
        if (!draft_.stride.value) return false;
        int64_t total = span_ - 1;
        if (axis.stride > 1 && span_ > 1) {
            if (!input_) return false;
            axis.same_at_run_time = *input_ == runtime_extent;
            const Wide last = Wide((*input_ - 1) / axis.stride) * axis.stride;  // the last output's first tap
            total = axis.same_at_run_time ? 0 : static_cast<int64_t>(std::max<Wide>(last + span_ - *input_, 0));
        }
        axis.pad_before = total / 2;
        axis.pad_after = total - total / 2;
        return true;
    }

    void check_output_padding() {
        const Axis &axis = inferred_.axis;
        if (!draft_.output_padding.value || !draft_.stride.value || !draft_.dilation.value) return;
        if (axis.output_padding == 0 || axis.output_padding < std::max(axis.stride, axis.dilation)) return;
        reporter_.report(draft_.output_padding.range, diagnostic::output_padding_too_large, axis.output_padding,
                         axis.stride, axis.dilation);
    }

    void check_pad_mode() {
        if (!known(input_)) return;
        const int64_t pad = std::max(inferred_.axis.pad_before, inferred_.axis.pad_after);
        if (stage_.pad_mode == PadMode::reflect && pad >= *input_ && pad > 0) {
            reporter_.report(pad_range(), diagnostic::reflect_too_far, name_, pad, *input_);
        }
        if (stage_.pad_mode == PadMode::circular && pad > *input_) {
            reporter_.report(pad_range(), diagnostic::circular_too_far, name_, pad, *input_);
        }
    }

    SourceRange pad_range() const {
        if (stage_.pad_form != PadForm::numbers) return stage_.pad_range;
        const bool after = inferred_.axis.pad_after > inferred_.axis.pad_before;
        return after ? draft_.pad_after.range : draft_.pad_before.range;
    }

    void infer_forward() {
        const Axis &axis = inferred_.axis;
        const Wide padding = Wide(axis.pad_before) + axis.pad_after;
        if (axis.stride == 1) inferred_.growth = narrowed(padding + 1 - span_);
        if (!narrowed(padding)) return overflow();
        if (!known(input_)) return;
        inferred_.padded = narrowed(*input_ + padding);
        if (!inferred_.padded) return overflow();
        if (span_ > *inferred_.padded) return kernel_too_large();
        inferred_.output = (*inferred_.padded - span_) / axis.stride + 1;
    }

    void kernel_too_large() {
        inferred_.kernel_too_large = true;
        if (already_reported_) return;
        const Axis &axis = inferred_.axis;
        const std::string span = axis.dilation == 1
                                     ? fmt::format("{}", span_)
                                     : fmt::format("{} ({} with dilation {})", span_, axis.kernel, axis.dilation);
        const bool padded = axis.pad_before + axis.pad_after > 0;
        const std::string room =
            padded ? fmt::format("{} ({} + {} + {})", *inferred_.padded, axis.pad_before, *input_, axis.pad_after)
                   : fmt::format("{}", *input_);
        reporter_.report(draft_.kernel.range, diagnostic::kernel_too_large, name_, span, room);
    }

    // (input - 1) * stride - padding + span + output_padding
    void infer_transposed() {
        const Axis &axis = inferred_.axis;
        const Wide padding = Wide(axis.pad_before) + axis.pad_after;
        const Wide rest = Wide(span_) + axis.output_padding - padding;
        if (axis.stride == 1) inferred_.growth = narrowed(rest - 1);
        if (!known(input_)) return;
        const Wide output = Wide(*input_ - 1) * axis.stride + rest;
        // what it would be without cropping bounds the forward layer's padded input, which kernels index
        if (!narrowed(output) || !narrowed(output + padding)) return overflow();
        if (output < 1) {
            reporter_.report(
                pad_range(), diagnostic::output_empty, name_,
                fmt::format("({} - 1) * {} - {} - {} + {} + {} = {}", *input_, axis.stride, axis.pad_before,
                            axis.pad_after, span_, axis.output_padding, static_cast<int64_t>(output)));
            return;
        }
        inferred_.output = static_cast<int64_t>(output);
        inferred_.padded = static_cast<int64_t>(output + padding);
    }

    void overflow() { reporter_.report(pad_range(), diagnostic::extent_overflow, name_); }

    const StageDraft &stage_;
    const AxisDraft &draft_;
    Value input_;
    std::string_view name_;
    bool already_reported_;
    Reporter &reporter_;
    InferredAxis inferred_;
    int64_t span_ = 1;
};

}  // namespace

InferredAxis infer_axis(const StageDraft &stage, size_t axis, Value input, bool already_reported, Reporter &reporter) {
    return AxisInference(stage, axis, input, already_reported, reporter).infer();
}

}  // namespace convc::sema
