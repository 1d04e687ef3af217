// A stage between the text and the Layer: its arguments read and checked each by itself, its shapes not yet known.
// Sugar is expanded here. What a mistake hides is empty, and stays so without a further report.
#pragma once

#include <optional>
#include <vector>

#include "compiler/sema/evaluate.h"
#include "compiler/syntax/ast.h"
#include "convc/layer.h"

namespace convc::sema {

// A tensor as far as it is known.
struct PartialTensor {
    std::optional<Layout> layout;
    Value batch;  // may be runtime_extent
    Value channels;
    std::optional<size_t> rank;  // of space; known even where the layout is not
    std::vector<Value> space;    // `rank` of them; may be runtime_extent
    // Where an extent is known only at run time: how much larger than the layer's input it is there, if that is the
    // same for every extent. One a spatial axis.
    std::vector<std::optional<int64_t>> growth;
};

struct AxisDraft {
    Located kernel, stride, dilation, pad_before, pad_after, output_padding;
};

enum class PadForm { numbers, same, half, full };

struct StageDraft {
    StageKind kind = StageKind::convolution;
    const ast::Stage *syntax = nullptr;
    Located out, groups, multiplier;
    std::vector<AxisDraft> axes;  // one a spatial axis, or empty when their number is not known
    PadForm pad_form = PadForm::numbers;
    SourceRange pad_range;
    bool flip = false;
    PadMode pad_mode = PadMode::zeros;
    double pad_value = 0;
    SourceRange pad_mode_range;
    Precision precision = Precision::standard;
    std::optional<std::vector<double>> weights;
    SourceRange weights_range;
    bool last_of_syntax = true;  // the epilogues hang here
};

}  // namespace convc::sema
