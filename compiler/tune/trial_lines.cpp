// Trials as JSON lines.
#include <fmt/format.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>

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

// What is wrong with a line ends its reading from wherever it is found.
struct WrongLine : std::runtime_error {
    using std::runtime_error::runtime_error;
};

const ordered_json &field(const ordered_json &object, const char *name) {
    const auto found = object.find(name);
    if (found == object.end()) throw WrongLine(fmt::format("\"{}\" is missing", name));
    return *found;
}

std::string text(const ordered_json &object, const char *name) {
    const ordered_json &value = field(object, name);
    if (!value.is_string()) throw WrongLine(fmt::format("\"{}\" is no string", name));
    return value.get<std::string>();
}

double number(const ordered_json &object, const char *name) {
    const ordered_json &value = field(object, name);
    if (!value.is_number()) throw WrongLine(fmt::format("\"{}\" is no number", name));
    return value.get<double>();
}

int64_t integer(const ordered_json &object, const char *name) {
    const ordered_json &value = field(object, name);
    constexpr auto most = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
    const bool is_too_large = value.is_number_unsigned() && value.get<uint64_t>() > most;
    if (!value.is_number_integer() || is_too_large) throw WrongLine(fmt::format("\"{}\" is no integer", name));
    return value.get<int64_t>();
}

// Throws WrongLine.
Trial trial_of(const std::string &line) {
    const ordered_json object = ordered_json::parse(line, nullptr, false);
    if (object.is_discarded()) throw WrongLine("this is no JSON; has the line been cut off?");
    if (!object.is_object()) throw WrongLine("this is no JSON object");
    Trial trial;
    trial.key = {text(object, "layer"), text(object, "target"), text(object, "machine"), text(object, "build"),
                 text(object, "schedule")};
    const std::string outcome = text(object, "outcome");
    if (!outcome_named(outcome)) throw WrongLine(no_outcome(outcome));
    trial.outcome = *outcome_named(outcome);
    trial.reason = text(object, "reason");
    trial.seconds = number(object, "seconds");
    trial.relative = number(object, "relative");
    trial.workspace = integer(object, "workspace");
    trial.finished = integer(object, "finished");
    if (const auto flaw = flaw_of(trial)) throw WrongLine(*flaw);
    return trial;
}

// Throws WrongLine.
void check_head(const std::string &line) {
    if (line.starts_with("SQLite format 3")) throw WrongLine("this is a database; `convc db merge` takes those");
    const ordered_json head = ordered_json::parse(line, nullptr, false);
    if (!head.is_object() || !head.contains("convc_trials") || !head["convc_trials"].is_number_integer()) {
        throw WrongLine(R"(it does not begin with {"convc_trials": ...}: no file of trials)");
    }
    const auto format = head["convc_trials"].get<int64_t>();
    if (format >= 1 && format <= newest_format) return;
    throw WrongLine(fmt::format("its format is {}, and this convc knows {}", format, newest_format));
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
    std::vector<Trial> all;
    std::string line;
    int number = 1;
    try {
        std::getline(lines, line);
        check_head(line);
        for (number = 2; std::getline(lines, line); number++) all.push_back(trial_of(line));
    } catch (const WrongLine &wrong) {
        return Error{Failure::invalid_input, fmt::format("{}:{}: {}", name, number, wrong.what())};
    }
    return all;
}

}  // namespace convc
