#include "compiler/sema/read_epilogues.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>

#include "compiler/sema/axis_names.h"
#include "compiler/sema/sema_diagnostics.h"
#include "compiler/sema/spelling.h"
#include "compiler/sema/stage_arguments.h"

namespace convc::sema {
namespace {

// In EpilogueKind's order.
constexpr std::array<std::string_view, 14> names{"bias", "relu", "relu6",     "leaky_relu",  "clip",  "sigmoid", "tanh",
                                                 "silu", "gelu", "hardswish", "hardsigmoid", "scale", "add",     "mul"};

// What stands in an epilogue's parentheses.
std::string_view form_of(EpilogueKind kind) {
    switch (kind) {
        case EpilogueKind::leaky_relu:
            return "takes its slope, as in leaky_relu(0.01)";
        case EpilogueKind::clip:
            return "takes its limits, as in clip(0, 6)";
        case EpilogueKind::add:
            return "takes a tensor, as in add(x)";
        case EpilogueKind::mul:
            return "takes a tensor, as in mul(x)";
        default:
            return "takes no arguments";
    }
}

size_t argument_count_of(EpilogueKind kind) {
    switch (kind) {
        case EpilogueKind::clip:
            return 2;
        case EpilogueKind::leaky_relu:
        case EpilogueKind::add:
        case EpilogueKind::mul:
            return 1;
        default:
            return 0;
    }
}

class EpilogueReader {
public:
    EpilogueReader(const ast::Stage &stage, const PartialTensor &output, std::vector<InputDraft> &inputs,
                   Evaluator &evaluator, Reporter &reporter)
        : stage_(stage), output_(output), inputs_(inputs), evaluator_(evaluator), reporter_(reporter) {}

    void read(const ast::Epilogue &written) {
        const auto *found = std::find(names.begin(), names.end(), written.name.text);
        if (found == names.end()) return unknown(written.name);
        Epilogue epilogue{static_cast<EpilogueKind>(found - names.begin())};
        if (!check_once(epilogue.kind, written)) return;
        if (!check_form(epilogue.kind, written)) return;
        read_arguments(epilogue, written);
        read_.push_back(epilogue);
    }

    std::vector<Epilogue> take() { return std::move(read_); }

private:
    void unknown(const ast::Identifier &name) {
        if (name.text.empty()) return;  // a syntax error, reported
        if (stage_named(name.text) != nullptr) {
            reporter_.report(name.range, diagnostic::stage_as_epilogue, name.text);
            return;
        }
        auto report = reporter_.report(name.range, diagnostic::unknown_epilogue, excerpt(name.text));
        const std::string_view near = nearest_name(name.text, names);
        if (!near.empty()) report.fixit(name.range, std::string(near));
    }

    bool check_once(EpilogueKind kind, const ast::Epilogue &written) {
        if (kind != EpilogueKind::bias && kind != EpilogueKind::scale) return true;
        const SourceRange *&first = kind == EpilogueKind::bias ? bias_ : scale_;
        if (first != nullptr) {
            reporter_.report(written.range, diagnostic::epilogue_repeated, written.name.text)
                .note(*first, "the first is here");
            return false;
        }
        first = &written.range;
        return true;
    }

    // The right number of arguments, without names.
    bool check_form(EpilogueKind kind, const ast::Epilogue &written) {
        const size_t count = argument_count_of(kind);
        bool right = written.arguments.size() == count && (count > 0 || !written.has_parentheses);
        for (const ast::Argument &argument : written.arguments) right = right && !argument.name;
        if (right) return true;
        auto report = reporter_.report(written.range, diagnostic::epilogue_arguments, written.name.text, form_of(kind));
        if (count == 0) report.fixit(written.range, written.name.text);
        return false;
    }

    void read_arguments(Epilogue &epilogue, const ast::Epilogue &written) {
        switch (epilogue.kind) {
            case EpilogueKind::leaky_relu:
                epilogue.low = number(written, 0).value_or(0);
                break;
            case EpilogueKind::clip:
                read_clip(epilogue, written);
                break;
            case EpilogueKind::add:
            case EpilogueKind::mul:
                epilogue.operand = operand(written, written.arguments[0]);
                break;
            default:
                break;
        }
    }

    std::optional<double> number(const ast::Epilogue &written, size_t index) {
        const ast::Argument &argument = written.arguments[index];
        const auto *values = std::get_if<ast::AxisValues>(&argument.value);
        if (values != nullptr && values->form == ast::AxisValues::Form::every) {
            return evaluator_.real(sole_value(*values));
        }
        reporter_.report(argument.range, diagnostic::argument_form, fmt::format("{}'s argument", written.name.text),
                         "one number");
        return std::nullopt;
    }

    void read_clip(Epilogue &epilogue, const ast::Epilogue &written) {
        const std::optional<double> low = number(written, 0);
        const std::optional<double> high = number(written, 1);
        epilogue.low = low.value_or(0);
        epilogue.high = high.value_or(0);
        if (!low || !high || *low <= *high) return;
        reporter_.report(written.range, diagnostic::clip_reversed, print_number(*low), print_number(*high));
    }

    // The index of the tensor, -1 where it is not known.
    int operand(const ast::Epilogue &written, const ast::Argument &argument) {
        const ast::Expression *word = lone_name(argument);
        if (word == nullptr) {
            reporter_.report(argument.range, diagnostic::epilogue_arguments, written.name.text,
                             form_of(written.name.text == "add" ? EpilogueKind::add : EpilogueKind::mul));
            return -1;
        }
        for (size_t i = 0; i < inputs_.size(); i++) {
            if (inputs_[i].name != word->text) continue;
            check_shape(inputs_[i], i == 0, argument.range);
            return static_cast<int>(i);
        }
        unknown_tensor(*word);
        return -1;
    }

    void unknown_tensor(const ast::Expression &word) {
        auto report = reporter_.report(word.range, diagnostic::unknown_tensor, excerpt(word.text));
        std::vector<std::string_view> candidates;
        candidates.reserve(inputs_.size());
        for (const InputDraft &input : inputs_) candidates.push_back(input.name);
        const std::string_view near = nearest_name(word.text, candidates);
        if (!near.empty()) {
            report.fixit(word.range, std::string(near));
        } else if (inputs_.size() == 1) {
            report.note(inputs_[0].range, fmt::format("the layer's only tensor is '{}'", excerpt(inputs_[0].name)));
        }
    }

    void check_shape(InputDraft &input, bool is_first, SourceRange range) {
        const bool same_output = input.first_use == nullptr || input.first_use == &stage_;
        if (input.first_use == nullptr) input.growth = output_.growth;
        input.first_use = &stage_;
        if (input.type.layout != output_.layout) return;  // reported at the declaration
        check_extent(input, input.type.batch, output_.batch, "batch", range);
        check_extent(input, input.type.channels, output_.channels, "channels", range);
        const size_t rank = std::min(input.type.space.size(), output_.space.size());
        for (size_t i = 0; i < rank; i++) {
            const std::string_view axis = axis_name(rank, i);
            check_extent(input, input.type.space[i], output_.space[i], axis, range);
            check_growth(input, is_first, same_output, i, range);
        }
    }

    void check_extent(const InputDraft &input, const Value &extent, const Value &output, std::string_view axis,
                      SourceRange range) {
        if (!extent || !output || *extent == *output || *extent == 1) return;
        reporter_.report(range, diagnostic::broadcast, excerpt(input.name), axis, print_extent(*extent),
                         print_extent(*output));
    }

    // A run-time extent has one value: x's own, or for a further tensor that of the output where it is used.
    void check_growth(const InputDraft &input, bool is_first, bool same_output, size_t i, SourceRange range) {
        if (input.type.space[i] != runtime_extent || output_.space[i] != runtime_extent) return;
        if (!is_first && same_output) return;
        const std::optional<int64_t> wanted = is_first ? std::optional<int64_t>(0) : input.growth[i];
        if (wanted && output_.growth[i] == wanted) return;
        reporter_.report(range, diagnostic::runtime_broadcast, axis_name(output_.space.size(), i), excerpt(input.name));
    }

    const ast::Stage &stage_;
    const PartialTensor &output_;
    std::vector<InputDraft> &inputs_;
    Evaluator &evaluator_;
    Reporter &reporter_;
    std::vector<Epilogue> read_;
    const SourceRange *bias_ = nullptr;
    const SourceRange *scale_ = nullptr;
};

}  // namespace

bool is_epilogue_name(std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

std::vector<Epilogue> read_epilogues(const ast::Stage &stage, const PartialTensor &output,
                                     std::vector<InputDraft> &inputs, Evaluator &evaluator, Reporter &reporter) {
    EpilogueReader reader(stage, output, inputs, evaluator, reporter);
    for (const ast::Epilogue &epilogue : stage.epilogues) reader.read(epilogue);
    return reader.take();
}

}  // namespace convc::sema
