#include "compiler/sema/check_layer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <utility>

#include "compiler/sema/c_names.h"
#include "compiler/sema/check_tensor.h"
#include "compiler/sema/infer_shapes.h"
#include "compiler/sema/read_epilogues.h"
#include "compiler/sema/read_stage.h"
#include "compiler/sema/sema_diagnostics.h"

namespace convc::sema {
namespace {

class LayerChecker {
public:
    LayerChecker(const ast::Layer &syntax, bool broken, const Scope &scope, Reporter &reporter)
        : syntax_(syntax), broken_(broken), reporter_(reporter), evaluator_(reporter, scope) {}

    std::optional<CheckedLayer> check(std::string name) {
        checked_.layer.name = std::move(name);
        checked_.range = syntax_.name ? syntax_.name->range : syntax_.range;
        for (const ast::TensorDeclaration &declaration : syntax_.inputs) check_input(declaration);
        if (!inputs_.empty()) current_ = inputs_[0].type;
        for (const ast::Stage &stage : syntax_.stages) check_stage(stage);
        check_inputs_are_used();
        check_total_size();
        if (broken_ || !is_complete()) return std::nullopt;
        return std::move(checked_);
    }

private:
    void check_input(const ast::TensorDeclaration &declaration) {
        const std::string_view name = declaration.name ? std::string_view(declaration.name->text) : "x";
        const SourceRange range = declaration.name ? declaration.name->range : declaration.range;
        check_input_name(name, range);
        InputDraft input{
            name, range, check_tensor(declaration.tensor, broken_, name, evaluator_, reporter_), nullptr, {}};
        if (!inputs_.empty()) check_same_layout(input, declaration.tensor);
        checked_.layer.inputs.push_back({std::string(name), tensor_type(input.type)});
        checked_.tensor_ranges.push_back(declaration.range);
        inputs_.push_back(std::move(input));
    }

    void check_input_name(std::string_view name, SourceRange range) {
        for (const InputDraft &other : inputs_) {
            if (other.name != name) continue;
            reporter_.report(range, diagnostic::input_redeclared, excerpt(name))
                .note(other.range, "it is declared here");
            return;
        }
        if (const auto reason = why_reserved_parameter(name)) {
            reporter_.report(range, diagnostic::reserved_name, name, *reason);
        }
    }

    void check_same_layout(const InputDraft &input, const ast::Tensor &tensor) {
        const std::optional<Layout> first = inputs_[0].type.layout;
        if (!first || !input.type.layout || *first == *input.type.layout) return;
        reporter_
            .report(tensor.layout.range, diagnostic::input_layout, excerpt(input.name), layout_name(*input.type.layout),
                    layout_name(*first))
            .note(inputs_[0].range, "the first is here");
    }

    void check_stage(const ast::Stage &stage) {
        const std::vector<StageDraft> drafts = read_stage(stage, current_.rank, evaluator_, reporter_);
        if (drafts.empty()) forget_shape();
        for (const StageDraft &draft : drafts) {
            InferredStage inferred = infer_stage(draft, current_, reporter_);
            current_ = std::move(inferred.output);
            inferred.stage.output = tensor_type(current_);
            checked_.layer.stages.push_back(std::move(inferred.stage));
            checked_.stage_ranges.push_back(stage.range);
        }
        std::vector<Epilogue> epilogues = read_epilogues(stage, current_, inputs_, evaluator_, reporter_);
        if (!drafts.empty()) checked_.layer.stages.back().epilogues = std::move(epilogues);
    }

    void forget_shape() {
        current_.channels.reset();
        for (Value &extent : current_.space) extent.reset();
        for (std::optional<int64_t> &growth : current_.growth) growth.reset();
    }

    void check_inputs_are_used() {
        for (size_t i = 1; i < inputs_.size(); i++) {
            if (inputs_[i].first_use != nullptr || is_redeclared(i) || broken_) continue;
            reporter_.report(inputs_[i].range, diagnostic::input_unused, excerpt(inputs_[i].name));
        }
    }

    bool is_redeclared(size_t index) const {
        const auto same = [&](const InputDraft &other) { return other.name == inputs_[index].name; };
        const auto end = inputs_.begin() + static_cast<std::ptrdiff_t>(index);
        return std::find_if(inputs_.begin(), end, same) != end;
    }

    // Every tensor by itself fits; so must all of them, or sizes of the packed weights and the workspace overflow.
    void check_total_size() {
        int64_t total = 0;
        bool fits = true;
        const auto add = [&](std::optional<int64_t> elements) {
            int64_t bytes = 0;
            if (!elements) return;
            fits = fits && !__builtin_mul_overflow(*elements, int64_t{4}, &bytes);
            fits = fits && !__builtin_add_overflow(total, bytes, &total);
        };
        for (const NamedTensor &input : checked_.layer.inputs) add(input.type.elements());
        for (const Stage &stage : checked_.layer.stages) add(stage.output.elements());
        if (!is_complete()) return;
        for (const Parameter &parameter : checked_.layer.parameters()) add(parameter.elements());
        if (!fits) reporter_.report(checked_.range, diagnostic::layer_too_large);
    }

    bool is_complete() const { return errors_before_ == reporter_.errors() && evaluator_.complete(); }

    const ast::Layer &syntax_;
    bool broken_;
    Reporter &reporter_;
    const size_t errors_before_ = reporter_.errors();
    Evaluator evaluator_;
    std::vector<InputDraft> inputs_;
    PartialTensor current_;
    CheckedLayer checked_;
};

}  // namespace

std::optional<CheckedLayer> check_layer(const ast::Layer &layer, bool broken, std::string name, const Scope &scope,
                                        Reporter &reporter) {
    return LayerChecker(layer, broken, scope, reporter).check(std::move(name));
}

}  // namespace convc::sema
