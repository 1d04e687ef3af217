#include "compiler/tune/trial_database.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <ctime>
#include <fstream>
#include <string_view>
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

// When a process was started, in ticks since the machine was; 0: there is none of that number. A number alone may have
// been given to another process since.
int64_t start_of_process(int64_t process) {
    std::ifstream stat(fmt::format("/proc/{}/stat", process));
    std::string text((std::istreambuf_iterator<char>(stat)), {});
    // The name, in brackets, may hold anything; field 22 is the 20th behind it.
    size_t at = text.rfind(')');
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

Trial read_row(SQLite::Statement &row) {
    Trial trial;
    trial.key = {row.getColumn(0), row.getColumn(1), row.getColumn(2), row.getColumn(3), row.getColumn(4)};
    trial.outcome = outcome_named(row.getColumn(5).getString()).value_or(TrialOutcome::refused);
    trial.reason = row.getColumn(6).getString();
    trial.seconds = row.getColumn(7);
    trial.relative = row.getColumn(8);
    trial.workspace = row.getColumn(9).getInt64();
    trial.finished = row.getColumn(10).getInt64();
    return trial;
}

Error failure_of(const SQLite::Exception &exception, const std::string &file) {
    return {Failure::environment, fmt::format("{}: {}", file, exception.what())};
}

int pragma(SQLite::Database &database, const char *name) {
    return database.execAndGet(fmt::format("PRAGMA {}", name)).getInt();
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

Result<TrialDatabase> TrialDatabase::open(const std::filesystem::path &file, Access access) {
    const std::string name = file.string();
    try {
        const int flags = access == Access::read ? SQLite::OPEN_READONLY : SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE;
        auto database = std::make_unique<SQLite::Database>(name, flags, patience_ms);
        if (access == Access::write && pragma(*database, "application_id") == 0) {
            // Empty, or somebody else's.
            if (pragma(*database, "schema_version") == 0) create_tables(*database);
        }
        if (Status status = check_version(*database, name); !status) return status.error();
        return TrialDatabase(std::move(database));
    } catch (const SQLite::Exception &exception) {
        return failure_of(exception, name);
    }
}

Result<bool> TrialDatabase::claim(const TrialKey &key) {
    try {
        SQLite::Transaction transaction(*database_, SQLite::TransactionBehavior::IMMEDIATE);
        SQLite::Statement done(*database_, fmt::format("SELECT 1 FROM trial WHERE {}", same_key));
        bind_key(done, key);
        if (done.executeStep()) return false;
        SQLite::Statement other(*database_, fmt::format("SELECT process, started FROM claim WHERE {}", same_key));
        bind_key(other, key);
        if (other.executeStep()) {
            const int64_t process = other.getColumn(0).getInt64(), started = other.getColumn(1).getInt64();
            if (process != getpid() && start_of_process(process) == started) return false;
        }
        SQLite::Statement take(*database_, "INSERT OR REPLACE INTO claim VALUES (?, ?, ?, ?, ?, ?, ?)");
        bind_key(take, key);
        take.bind(6, static_cast<int64_t>(getpid()));
        take.bind(7, start_of_process(getpid()));
        take.exec();
        other.reset();
        transaction.commit();
        return true;
    } catch (const SQLite::Exception &exception) {
        return failure_of(exception, database_->getFilename());
    }
}

Status TrialDatabase::release(const TrialKey &key) {
    try {
        delete_claim(*database_, key);
        return {};
    } catch (const SQLite::Exception &exception) {
        return failure_of(exception, database_->getFilename());
    }
}

Status TrialDatabase::record(const Trial &trial) {
    try {
        SQLite::Transaction transaction(*database_, SQLite::TransactionBehavior::IMMEDIATE);
        insert(*database_, trial);
        delete_claim(*database_, trial.key);
        transaction.commit();
        return {};
    } catch (const SQLite::Exception &exception) {
        return failure_of(exception, database_->getFilename());
    }
}

Result<std::vector<Trial>> TrialDatabase::trials(const TrialFilter &filter) const {
    try {
        SQLite::Statement rows(*database_, fmt::format("SELECT * FROM trial WHERE {} ORDER BY layer, target, machine, "
                                                       "build, schedule",
                                                       filtered));
        bind_filter(rows, filter);
        std::vector<Trial> all;
        while (rows.executeStep()) all.push_back(read_row(rows));
        return all;
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
        std::vector<Trial> all;
        while (rows.executeStep()) all.push_back(read_row(rows));
        return all;
    } catch (const SQLite::Exception &exception) {
        return failure_of(exception, database_->getFilename());
    }
}

Status TrialDatabase::import(const std::vector<Trial> &trials) {
    try {
        SQLite::Transaction transaction(*database_, SQLite::TransactionBehavior::IMMEDIATE);
        SQLite::Statement finished(*database_, fmt::format("SELECT finished FROM trial WHERE {}", same_key));
        for (const Trial &trial : trials) {
            finished.reset();
            bind_key(finished, trial.key);
            if (finished.executeStep() && finished.getColumn(0).getInt64() >= trial.finished) continue;
            finished.reset();
            insert(*database_, trial);
        }
        finished.reset();
        transaction.commit();
        return {};
    } catch (const SQLite::Exception &exception) {
        return failure_of(exception, database_->getFilename());
    }
}

Result<int> TrialDatabase::prune(const TrialFilter &filter) {
    try {
        SQLite::Statement statement(*database_, fmt::format("DELETE FROM trial WHERE {}", filtered));
        bind_filter(statement, filter);
        return statement.exec();
    } catch (const SQLite::Exception &exception) {
        return failure_of(exception, database_->getFilename());
    }
}

}  // namespace convc
