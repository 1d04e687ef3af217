// Trials as JSON lines.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "compiler/tune/trial_database.h"

namespace convc {
namespace {

using nlohmann::ordered_json;

constexpr int newest_format = 1;

ordered_json object_of(const Trial &trial) {
    return {{"layer", trial.key.layer},     {"target", trial.key.target},     {"machine", trial.key.machine},
            {"build", trial.key.build},     {"schedule", trial.key.schedule}, {"outcome", outcome_name(trial.outcome)},
            {"reason", trial.reason},       {"seconds", trial.seconds},       {"relative", trial.relative},
            {"workspace", trial.workspace}, {"finished", trial.finished}};
}

// Throws what nlohmann-json throws where a key is missing or of another type.
Trial trial_of(const ordered_json &object) {
    Trial trial;
    const auto text = [&](const char *name) { return object.at(name).get<std::string>(); };
    trial.key = {text("layer"), text("target"), text("machine"), text("build"), text("schedule")};
    const auto outcome = outcome_named(text("outcome"));
    if (!outcome) throw std::invalid_argument(fmt::format("no outcome is called '{}'", text("outcome")));
    trial.outcome = *outcome;
    trial.reason = text("reason");
    trial.seconds = object.at("seconds").get<double>();
    trial.relative = object.at("relative").get<double>();
    trial.workspace = object.at("workspace").get<int64_t>();
    trial.finished = object.at("finished").get<int64_t>();
    if (trial.outcome == TrialOutcome::measured && !(trial.seconds > 0)) {
        throw std::invalid_argument("a measured trial takes more than 0 seconds");
    }
    return trial;
}

Status check_head(const std::string &line) {
    const ordered_json head = ordered_json::parse(line, nullptr, false);
    if (!head.is_object() || !head.contains("convc_trials") || !head["convc_trials"].is_number_integer()) {
        return Error{Failure::invalid_input, "it does not begin with {\"convc_trials\": ...}: no file of trials"};
    }
    const auto format = head["convc_trials"].get<int64_t>();
    if (format >= 1 && format <= newest_format) return {};
    return Error{Failure::invalid_input,
                 fmt::format("its format is {}, and this convc knows {}", format, newest_format)};
}

}  // namespace

std::string print_trials(const std::vector<Trial> &trials) {
    std::string text = fmt::format("{{\"convc_trials\":{}}}\n", newest_format);
    for (const Trial &trial : trials) {
        text += object_of(trial).dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
    }
    return text;
}

Result<std::vector<Trial>> parse_trials(const std::string &text, const std::string &name) {
    std::istringstream lines(text);
    std::string line;
    std::getline(lines, line);
    if (Status status = check_head(line); !status) {
        return Error{status.error().failure, fmt::format("{}:1: {}", name, status.error().message)};
    }
    std::vector<Trial> all;
    for (int number = 2; std::getline(lines, line); number++) {
        try {
            all.push_back(trial_of(ordered_json::parse(line)));
        } catch (const std::exception &reason) {
            return Error{Failure::invalid_input, fmt::format("{}:{}: {}", name, number, reason.what())};
        }
    }
    return all;
}

}  // namespace convc
