#include "compiler/tune/trial_database.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <fstream>
#include <string_view>
#include <system_error>
#include <utility>

namespace convc {
namespace {

constexpr int application = 0x636e7663;  // "cnvc": in the header of the file, where `file` reads it
constexpr int newest_version = 1;
constexpr int patience_ms = 20'000;  // with another process in the middle of a transaction

constexpr const char *schema = R"(
CREATE TABLE trial (
    layer TEXT NOT NULL, target TEXT NOT NULL, machine TEXT NOT NULL, build TEXT NOT NULL, schedule TEXT NOT NULL,
    outcome TEXT NOT NULL, reason TEXT NOT NULL, seconds REAL NOT NULL, relative REAL NOT NULL,
    workspace INTEGER NOT NULL, finished INTEGER NOT NULL,
    PRIMARY KEY (layer, target, machine, build, schedule)) WITHOUT ROWID;
CREATE TABLE claim (
    layer TEXT NOT NULL, target TEXT NOT NULL, machine TEXT NOT NULL, build TEXT NOT NULL, schedule TEXT NOT NULL,
    process INTEGER NOT NULL, started INTEGER NOT NULL,
    PRIMARY KEY (layer, target, machine, build, schedule)) WITHOUT ROWID;
)";

constexpr const char *same_key = "layer = ? AND target = ? AND machine = ? AND build = ? AND schedule = ?";
constexpr const char *filtered =
    "(?1 = '' OR layer = ?1) AND (?2 = '' OR target = ?2) AND (?3 = '' OR machine = ?3) AND (?4 = '' OR build = ?4)";

// When a process was started, in ticks since the machine was; 0: there is none of that number, or a dead one that
// nobody has waited for yet. A number alone may have been given to another process since.
int64_t start_of_process(int64_t process) {
    std::ifstream stat(fmt::format("/proc/{}/stat", process));
    std::string text((std::istreambuf_iterator<char>(stat)), {});
    // The name, in brackets, may hold anything; the state is the field behind it, and field 22 the 20th.
    size_t at = text.rfind(')');
    if (at != std::string::npos && text.find_first_of("ZX", at) == at + 2) return 0;
    for (int field = 2; at != std::string::npos && field < 22; field++) at = text.find(' ', at + 1);
    return at == std::string::npos ? 0 : std::strtoll(text.c_str() + at, nullptr, 10);
}

void bind_key(SQLite::Statement &statement, const TrialKey &key) {
    int index = 1;
    for (const std::string *text : {&key.layer, &key.target, &key.machine, &key.build, &key.schedule}) {
        statement.bind(index++, *text);
    }
}

void bind_filter(SQLite::Statement &statement, const TrialFilter &filter) {
    int index = 1;
    for (const std::string *text : {&filter.layer, &filter.target, &filter.machine, &filter.build}) {
        statement.bind(index++, *text);
    }
}

void insert(SQLite::Database &database, const Trial &trial) {
    SQLite::Statement statement(database, "INSERT OR REPLACE INTO trial VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    bind_key(statement, trial.key);
    statement.bind(6, outcome_name(trial.outcome));
    statement.bind(7, trial.reason);
    statement.bind(8, trial.seconds);
    statement.bind(9, trial.relative);
    statement.bind(10, trial.workspace);
    statement.bind(11, trial.finished);
    statement.exec();
}

void delete_claim(SQLite::Database &database, const TrialKey &key) {
    SQLite::Statement statement(database, fmt::format("DELETE FROM claim WHERE {}", same_key));
    bind_key(statement, key);
    statement.exec();
}

Error flawed(const Trial &trial, const std::string &file, std::string_view flaw) {
    return {Failure::invalid_input,
            fmt::format("{}: the trial of {} by {}: {}", file, trial.key.layer, trial.key.schedule, flaw)};
}

Result<Trial> read_row(SQLite::Statement &row, const std::string &file) {
    Trial trial;
    trial.key = {row.getColumn(0), row.getColumn(1), row.getColumn(2), row.getColumn(3), row.getColumn(4)};
    const std::string outcome = row.getColumn(5).getString();
    if (!outcome_named(outcome)) return flawed(trial, file, no_outcome(outcome));
    trial.outcome = *outcome_named(outcome);
    trial.reason = row.getColumn(6).getString();
    trial.seconds = row.getColumn(7);
    trial.relative = row.getColumn(8);
    trial.workspace = row.getColumn(9).getInt64();
    trial.finished = row.getColumn(10).getInt64();
    if (const auto flaw = flaw_of(trial)) return flawed(trial, file, *flaw);
    return trial;
}

Result<std::vector<Trial>> read_rows(SQLite::Statement &rows, const std::string &file) {
    std::vector<Trial> all;
    while (rows.executeStep()) {
        Result<Trial> trial = read_row(rows, file);
        if (!trial) return trial.error();
        all.push_back(std::move(*trial));
    }
    return all;
}

int pragma(SQLite::Database &database, const char *name) {
    return database.execAndGet(fmt::format("PRAGMA {}", name)).getInt();
}

Error failure_of(const SQLite::Exception &exception, const std::string &file) {
    const int code = exception.getErrorCode();
    if (code == SQLITE_NOTADB) return {Failure::environment, fmt::format("{} is no database", file)};
    const bool rolled_back = code == SQLITE_FULL || code == SQLITE_IOERR;
    return {Failure::environment,
            fmt::format("{}: {}{}", file, exception.what(), rolled_back ? "; nothing in it was changed" : "")};
}

// What could not be written to its end SQLite leaves to the next reader to undo, who may come without the journal
// beside the file: so it is read here, at once.
Error failure_of_change(const SQLite::Exception &exception, SQLite::Database &database) {
    (void)database.tryExec("PRAGMA schema_version");  // where that fails too, it is the next reader's after all
    return failure_of(exception, database.getFilename());
}

// SQLite would only say that it cannot open the file.
Status check_path(const std::filesystem::path &file, TrialDatabase::Missing missing) {
    struct stat facts{};
    int code = ::stat(file.c_str(), &facts) == 0 ? 0 : errno;
    if (code == 0 && !S_ISREG(facts.st_mode)) {
        return Error{Failure::environment, fmt::format("cannot open '{}': it is no regular file", file.string())};
    }
    if (code == ENOENT && missing == TrialDatabase::Missing::created) {
        const std::filesystem::path folder = file.has_parent_path() ? file.parent_path() : ".";
        code = ::access(folder.c_str(), F_OK) == 0 ? 0 : errno;
    }
    if (code == 0) return {};
    return Error{Failure::environment,
                 fmt::format("cannot open '{}': {}", file.string(), std::generic_category().message(code))};
}

Status check_version(SQLite::Database &database, const std::string &file) {
    const int version = pragma(database, "user_version");
    if (pragma(database, "application_id") != application) {
        return Error{Failure::environment, fmt::format("{} is a database, but none of trials", file)};
    }
    if (version <= newest_version) return {};
    return Error{Failure::environment,
                 fmt::format("{} was written by a newer convc: its format is {}, and this one knows {}", file, version,
                             newest_version)};
}

// Of two processes that create one file, the second finds it made.
void create_tables(SQLite::Database &database) {
    SQLite::Transaction transaction(database, SQLite::TransactionBehavior::IMMEDIATE);
    if (pragma(database, "application_id") == 0 && !database.tableExists("trial")) {
        database.exec(schema);
        database.exec(fmt::format("PRAGMA application_id = {}", application));
        database.exec(fmt::format("PRAGMA user_version = {}", newest_version));
    }
    transaction.commit();
}

}  // namespace

TrialDatabase::TrialDatabase(std::unique_ptr<SQLite::Database> database) : database_(std::move(database)) {}
TrialDatabase::TrialDatabase(TrialDatabase &&) noexcept = default;
TrialDatabase &TrialDatabase::operator=(TrialDatabase &&) noexcept = default;
TrialDatabase::~TrialDatabase() = default;

// Never opened for reading alone: what a killed process left half done, the next one undoes. Where the file may not be
// written, SQLite makes do with reading.
Result<TrialDatabase> TrialDatabase::open(const std::filesystem::path &file, Missing missing) {
    const std::string name = file.string();
    if (Status status = check_path(file, missing); !status) return status.error();
    try {
        const bool creates = missing == Missing::created;
        const int flags = SQLite::OPEN_READWRITE | (creates ? SQLite::OPEN_CREATE : 0);
        auto database = std::make_unique<SQLite::Database>(name, flags, patience_ms);
        if (creates && pragma(*database, "application_id") == 0) {
            // Empty, or somebody else's.
            if (pragma(*database, "schema_version") == 0) create_tables(*database);
        }
        if (Status status = check_version(*database, name); !status) return status.error();
        return TrialDatabase(std::move(database));
    } catch (const SQLite::Exception &exception) {
        return failure_of(exception, name);
    }
}

Result<TrialDatabase::Claim> TrialDatabase::claim(const TrialKey &key) {
    try {
        SQLite::Transaction transaction(*database_, SQLite::TransactionBehavior::IMMEDIATE);
        SQLite::Statement done(*database_, fmt::format("SELECT 1 FROM trial WHERE {}", same_key));
        bind_key(done, key);
        if (done.executeStep()) return Claim::done;
        SQLite::Statement other(*database_, fmt::format("SELECT process, started FROM claim WHERE {}", same_key));
        bind_key(other, key);
        if (other.executeStep()) {
            const int64_t process = other.getColumn(0).getInt64(), started = other.getColumn(1).getInt64();
            if (process != getpid() && start_of_process(process) == started) return Claim::theirs;
        }
        SQLite::Statement take(*database_, "INSERT OR REPLACE INTO claim VALUES (?, ?, ?, ?, ?, ?, ?)");
        bind_key(take, key);
        take.bind(6, static_cast<int64_t>(getpid()));
        take.bind(7, start_of_process(getpid()));
        take.exec();
        other.reset();
        transaction.commit();
        return Claim::ours;
    } catch (const SQLite::Exception &exception) {
        return failure_of_change(exception, *database_);
    }
}

Status TrialDatabase::release(const TrialKey &key) {
    try {
        delete_claim(*database_, key);
        return {};
    } catch (const SQLite::Exception &exception) {
        return failure_of_change(exception, *database_);
    }
}

Status TrialDatabase::record(const Trial &trial) {
    if (const auto flaw = flaw_of(trial)) return flawed(trial, database_->getFilename(), *flaw);
    try {
        SQLite::Transaction transaction(*database_, SQLite::TransactionBehavior::IMMEDIATE);
        insert(*database_, trial);
        delete_claim(*database_, trial.key);
        transaction.commit();
        return {};
    } catch (const SQLite::Exception &exception) {
        return failure_of_change(exception, *database_);
    }
}

Result<std::vector<Trial>> TrialDatabase::trials(const TrialFilter &filter) const {
    try {
        SQLite::Statement rows(*database_, fmt::format("SELECT * FROM trial WHERE {} ORDER BY layer, target, machine, "
                                                       "build, schedule",
                                                       filtered));
        bind_filter(rows, filter);
        return read_rows(rows, database_->getFilename());
    } catch (const SQLite::Exception &exception) {
        return failure_of(exception, database_->getFilename());
    }
}

Result<std::vector<Trial>> TrialDatabase::best_trials() const {
    try {
        // SQLite takes a row's other columns from where min() found the minimum.
        SQLite::Statement rows(*database_, fmt::format("SELECT *, min(relative) FROM trial WHERE outcome = '{}' "
                                                       "GROUP BY layer, target, machine, build",
                                                       outcome_name(TrialOutcome::measured)));
        return read_rows(rows, database_->getFilename());
    } catch (const SQLite::Exception &exception) {
        return failure_of(exception, database_->getFilename());
    }
}

Result<ImportCounts> TrialDatabase::import(const std::vector<Trial> &trials) {
    for (const Trial &trial : trials) {
        if (const auto flaw = flaw_of(trial)) return flawed(trial, database_->getFilename(), *flaw);
    }
    try {
        ImportCounts counts;
        SQLite::Transaction transaction(*database_, SQLite::TransactionBehavior::IMMEDIATE);
        SQLite::Statement finished(*database_, fmt::format("SELECT finished FROM trial WHERE {}", same_key));
        for (const Trial &trial : trials) {
            finished.reset();
            bind_key(finished, trial.key);
            const bool is_known = finished.executeStep();
            const int64_t before = is_known ? finished.getColumn(0).getInt64() : -1;
            finished.reset();
            if (before >= trial.finished) {
                (before > trial.finished ? counts.older : counts.known)++;
                continue;
            }
            (is_known ? counts.replaced : counts.added)++;
            insert(*database_, trial);
        }
        transaction.commit();
        return counts;
    } catch (const SQLite::Exception &exception) {
        return failure_of_change(exception, *database_);
    }
}

Result<int> TrialDatabase::prune(const std::function<bool(const Trial &)> &unwanted) {
    try {
        SQLite::Transaction transaction(*database_, SQLite::TransactionBehavior::IMMEDIATE);
        const Result<std::vector<Trial>> all = trials();
        if (!all) return all.error();
        int deleted = 0;
        for (const Trial &trial : *all) {
            if (!unwanted(trial)) continue;
            SQLite::Statement statement(*database_, fmt::format("DELETE FROM trial WHERE {}", same_key));
            bind_key(statement, trial.key);
            deleted += statement.exec();
        }
        transaction.commit();
        return deleted;
    } catch (const SQLite::Exception &exception) {
        return failure_of_change(exception, *database_);
    }
}

}  // namespace convc
