// What tuners have learnt, kept in one SQLite file: a row a trial.
//
//     Result<TrialDatabase> database = TrialDatabase::open("trials.db");
//     if (!database) return database.error();
//     if (*database->claim(key) == TrialDatabase::Claim::ours) ... measure ..., database->record(trial);
//
// Every change is one transaction, on disk when the function returns: kill -9 loses at most the trial under way, and a
// full disk leaves the file as it was. Two processes may work on one file: a trial that one has claimed the other
// passes over, until the claimant has died. A file that a newer convc wrote, or that is no such file at all, is refused
// and not touched.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "compiler/tune/trial.h"
#include "convc/status.h"

namespace SQLite {
class Database;
}

namespace convc {

// Which trials: an empty field is any.
struct TrialFilter {
    std::string layer, target, machine, build;
};

// What became of the trials that were to be imported.
struct ImportCounts {
    int added = 0;
    int replaced = 0;  // trials that finished earlier
    int older = 0;     // than what was there, which stays
    int known = 0;     // from what was there, by the time when they finished

    int all() const { return added + replaced + older + known; }
};

class TrialDatabase {
public:
    // What becomes of a file that is not there.
    enum class Missing { refused, created };
    static Result<TrialDatabase> open(const std::filesystem::path &file, Missing missing = Missing::created);

    // Who shall do this trial. It is the caller's where nobody has done it and no living process is at it; a claim ends
    // with record(), release() or the process.
    enum class Claim { ours, theirs, done };
    Result<Claim> claim(const TrialKey &key);
    Status release(const TrialKey &key);

    // In place of the claim, or of an earlier trial of the key.
    Status record(const Trial &trial);

    // In the order of their keys; claims are left out.
    Result<std::vector<Trial>> trials(const TrialFilter &filter = {}) const;

    // The fastest of each layer, target, machine and build.
    Result<std::vector<Trial>> best_trials() const;

    // All of them or, after an error, none. Of two trials with one key the later one stays.
    Result<ImportCounts> import(const std::vector<Trial> &trials);

    // Deletes all that are unwanted or, after an error, none; returns how many.
    Result<int> prune(const std::function<bool(const Trial &)> &unwanted);

    TrialDatabase(TrialDatabase &&) noexcept;
    TrialDatabase &operator=(TrialDatabase &&) noexcept;
    ~TrialDatabase();

private:
    explicit TrialDatabase(std::unique_ptr<SQLite::Database> database);
    std::unique_ptr<SQLite::Database> database_;
};

// The records as JSON lines: first what the file is, then one object a trial. See docs/tuning.md.
std::string print_trials(const std::vector<Trial> &trials);
// Every line has to be right.
Result<std::vector<Trial>> parse_trials(const std::string &text, const std::string &name);

}  // namespace convc
