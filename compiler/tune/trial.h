// One trial of a tuner: what it measured, or why it could not.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace convc {

// What makes two trials the same work. Nothing but strings, so that a record means the same on every machine.
struct TrialKey {
    std::string layer;     // canonical line
    std::string target;    // Target::full_name(): instruction set, CPU model, threads
    std::string machine;   // tells machines of one target apart: machine_name()
    std::string build;     // build_identity(): other generators make other code of the same schedule
    std::string schedule;  // print_schedules()

    auto operator<=>(const TrialKey &) const = default;
};

enum class TrialOutcome {
    measured,   // and its result was right
    rejected,   // before it ran: its code spills, or its inner loop is too large
    refused,    // no kernel could be made of it
    wrong,      // another result than the reference's
    crashed,    // it, or its compiler, ended by a signal
    timed_out,  // it, or its compiler, took too long
    no_memory,  // it, or its compiler, took more than it may
};
const char *outcome_name(TrialOutcome outcome);  // "timed-out"
std::optional<TrialOutcome> outcome_named(std::string_view name);
std::string no_outcome(std::string_view name);  // what to say where outcome_named() finds none

struct Trial {
    TrialKey key;
    TrialOutcome outcome = TrialOutcome::measured;
    std::string reason;     // of an outcome other than measured
    double seconds = 0;     // of one call, the minimum
    double relative = 0;    // to the default schedule's, timed in turns with it
    int64_t workspace = 0;  // bytes
    int64_t finished = 0;   // seconds since 1970
};

// As a run has it.
struct MadeTrial {
    Trial trial;
    bool known = false;  // made by an earlier run
};

// Why no tuner can have made this record; nothing where one can.
std::optional<std::string> flaw_of(const Trial &trial);

}  // namespace convc
