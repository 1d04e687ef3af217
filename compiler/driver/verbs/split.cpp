// convc split: a layer as several that each take a share of its groups, so that it can be spread over devices.
#include "compiler/split/split.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "compiler/driver/driver_diagnostics.h"
#include "compiler/driver/verbs/verb.h"
#include "compiler/syntax/formatter.h"
#include "compiler/syntax/parser.h"

namespace convc {
namespace {

constexpr int64_t most_parts = 100'000;  // as many layers as a file may hold

struct Options {
    CommonOptions common;
    std::string file;
    int64_t parts = 0;
    bool json = false;
};

struct SplitLayer {
    const Layer *whole;
    std::vector<LayerPart> parts;
};

// Every layer that was asked for, in parts. Diagnostics are shown for those that cannot be cut.
Result<std::vector<SplitLayer>> split_all(Console &console, const Program &program, int64_t parts) {
    Diagnostics diagnostics;
    std::vector<SplitLayer> all;
    for (const CheckedLayer *checked : program.selected) {
        const auto obstacle = parts > 1 ? obstacle_to_split(checked->layer) : std::nullopt;
        if (obstacle) {
            diagnostics.report(checked->stage_ranges[static_cast<size_t>(obstacle->stage)], diagnostic::not_splittable,
                               obstacle->reason);
            continue;
        }
        Result<std::vector<LayerPart>> split = split_layer(checked->layer, parts);
        if (!split) return split.error();
        all.push_back({&checked->layer, std::move(*split)});
    }
    if (!diagnostics.has_errors()) return all;
    console.show(program.file, diagnostics);
    return already_shown();
}

// ---- as text of the language, which can be pasted into a file

struct NamedShare {
    std::string name;
    const char *of;  // "channels", "rows"
    Share share;
};

std::vector<NamedShare> named_shares(const LayerPart &part) {
    const std::vector<Parameter> parameters = part.layer.parameters();
    std::vector<NamedShare> all;
    all.reserve(part.inputs.size() + parameters.size() + 1);
    for (size_t i = 0; i < part.inputs.size(); i++) {
        all.push_back({part.layer.inputs[i].name, "channels", part.inputs[i]});
    }
    for (size_t i = 0; i < part.parameters.size(); i++) {
        all.push_back({parameters[i].name(), "rows", part.parameters[i]});
    }
    all.push_back({"output", "channels", part.output});
    return all;
}

std::string print_share(const Share &share) {
    return fmt::format("[{}, {}) of {}", share.begin, share.end, share.whole);
}

std::string declaration(const Layer &layer) {
    std::string text;
    for (const NamedTensor &input : layer.inputs) {
        text += fmt::format("{}{}: {}", text.empty() ? "" : ", ", input.name, print_tensor(input.type));
    }
    text = fmt::format("layer {}({}) =", layer.name, text);
    for (int i = 0; i < static_cast<int>(layer.stages.size()); i++) {
        text += (i > 0 ? " -> " : " ") + print_stage(layer, i);
    }
    return text + "\n";
}

std::string part_text(const LayerPart &part) {
    const std::vector<NamedShare> shares = named_shares(part);
    size_t width = 0;
    for (const NamedShare &share : shares) width = std::max(width, share.name.size());
    std::string text = fmt::format("# groups {}\n", print_share(part.groups));
    for (const NamedShare &row : shares) {
        text += fmt::format("#   {:{}}  {}\n", row.name, width,
                            row.share.is_whole() ? "whole" : fmt::format("{} {}", row.of, print_share(row.share)));
    }
    return text + declaration(part.layer);
}

std::string as_text(const std::vector<SplitLayer> &layers) {
    std::string text;
    for (const SplitLayer &layer : layers) {
        text += fmt::format("{}# {} in {} part{}: {}\n", text.empty() ? "" : "\n", layer.whole->name,
                            layer.parts.size(), layer.parts.size() == 1 ? "" : "s", layer.whole->canonical_line());
        for (const LayerPart &part : layer.parts) text.append("\n").append(part_text(part));
    }
    const SourceFile file{"<split>", text};
    Diagnostics none;
    return format_module(file, parse_module(file, none));
}

// ---- for programs

nlohmann::ordered_json share_json(const Share &share) {
    return {{"begin", share.begin}, {"end", share.end}, {"of", share.whole}};
}

nlohmann::ordered_json part_json(const LayerPart &part) {
    nlohmann::ordered_json json{{"name", part.layer.name},
                                {"layer", part.layer.canonical_line()},
                                {"groups", share_json(part.groups)},
                                {"inputs", nlohmann::ordered_json::object()},
                                {"weights", nlohmann::ordered_json::object()},
                                {"output", share_json(part.output)}};
    for (size_t i = 0; i < part.inputs.size(); i++) {
        json["inputs"][part.layer.inputs[i].name] = share_json(part.inputs[i]);
    }
    const std::vector<Parameter> parameters = part.layer.parameters();
    for (size_t i = 0; i < part.parameters.size(); i++) {
        json["weights"][parameters[i].name()] = share_json(part.parameters[i]);
    }
    return json;
}

// One object for a layer that was named, a list for a whole file.
std::string as_json(const Program &program, const std::vector<SplitLayer> &layers) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const SplitLayer &layer : layers) {
        nlohmann::ordered_json parts = nlohmann::ordered_json::array();
        for (const LayerPart &part : layer.parts) parts.push_back(part_json(part));
        list.push_back({{"name", layer.whole->name}, {"layer", layer.whole->canonical_line()}, {"parts", parts}});
    }
    const bool one = list.size() == 1 && (program.is_line || !program.is_whole);
    return print_json(one ? list[0] : list);
}

int run(Console &console, const Options &options) {
    Result<Session> session = open_session(console, options.common);
    if (!session) return console.fail(session.error());
    const Result<Program> program = session->check(options.file);
    if (!program) return console.fail(program.error());
    const Result<std::vector<SplitLayer>> layers = split_all(console, *program, options.parts);
    if (!layers) return console.fail(layers.error());
    console.print(options.json ? as_json(*program, *layers) : as_text(*layers));
    return 0;
}

}  // namespace

void add_split(CLI::App &program, ChosenVerb &chosen) {
    CLI::App *verb = new_verb(program, "split", "cut a layer between its groups into layers for several devices",
                              {"split net.conv:resnext --parts 2", "split net.conv:resnext --parts 4 --json",
                               "split 'f32 nhwc[1, 56, 56, 64] -> depthwise(3x3, pad=1)' --parts 3 > parts.conv"});
    auto options = std::make_shared<Options>();
    verb->add_option("FILE", options->file, "a .conv file, FILE:LAYER, or a layer in quotes")->required();
    verb->add_option("--parts", options->parts, "how many layers to make of each; at most as many as it has groups")
        ->required()
        ->type_name("N")
        ->check(CLI::Range(int64_t{1}, most_parts, ""));
    verb->add_flag("--json", options->json, "for programs: an object for a layer, a list of them for a file");
    add_common_options(*verb, options->common);
    set_action(*verb, chosen, [options](Console &console) { return run(console, *options); });
}

}  // namespace convc
