// Which trials of a database somebody means.
#pragma once

#include <cstdint>
#include <optional>
#include <regex>
#include <string>
#include <vector>

#include "compiler/tune/trial.h"

namespace convc {

// A trial is selected where it is all that is said here; nothing said is every trial.
struct TrialSelection {
    std::optional<std::regex> layer;         // has a match in the canonical line
    std::optional<std::string> target;       // is the full name, or its first words: of any CPU model or threads
    std::optional<std::string> machine;      // is the name
    std::optional<std::string> build;        // is a part of the build's identity
    std::optional<std::string> other_build;  // is not the build's identity
    std::optional<int64_t> finished_before;  // seconds since 1970
    bool failures = false;                   // was not measured

    bool selects_all() const;
    bool selects(const Trial &trial) const;
};

std::vector<Trial> selected_of(std::vector<Trial> trials, const TrialSelection &selection);

}  // namespace convc
