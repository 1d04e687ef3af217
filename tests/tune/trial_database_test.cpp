#include "compiler/tune/trial_database.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cmath>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <tuple>

#include "tests/driver/scratch_directory.h"
#include "tests/support/random.h"

namespace convc {
namespace {

using Claim = TrialDatabase::Claim;

TrialKey key_of(int i) {
    return {"f32 nwc[1, 8, 4] -> conv(4, 1)", "x86-64-linux-avx2-fma", "here", "build",
            fmt::format("direct(rows={})", i)};
}

Trial trial_of(int i) {
    Trial trial;
    trial.key = key_of(i);
    trial.seconds = 1e-3 * (i + 1);
    trial.relative = 0.5;
    trial.workspace = 4096;
    trial.finished = 100 + i;
    return trial;
}

class TrialDatabaseTest : public testing::Test {
protected:
    TrialDatabase open() const {
        Result<TrialDatabase> database = TrialDatabase::open(file_);
        if (!database) throw std::runtime_error(database.error().message);
        return std::move(*database);
    }

    std::string bytes() const {
        std::stringstream text;
        text << std::ifstream(file_, std::ios::binary).rdbuf();
        return text.str();
    }

    // Whatever it does, in a process of its own; returns its status as waitpid() has it.
    template <class Work>
    static int in_child(Work work) {
        const pid_t child = fork();
        if (child == 0) {
            work();
            _exit(0);
        }
        int status = 0;
        waitpid(child, &status, 0);
        return status;
    }

    ScratchDirectory folder_;
    std::filesystem::path file_ = folder_.path() / "trials.db";
};

TEST_F(TrialDatabaseTest, KeepsWhatWasRecorded) {
    Trial failed = trial_of(1);
    failed.outcome = TrialOutcome::crashed;
    failed.reason = "ended by SIGSEGV";
    ASSERT_TRUE(open().record(trial_of(0)));
    ASSERT_TRUE(open().record(failed));
    const Result<std::vector<Trial>> all = open().trials();
    ASSERT_TRUE(all);
    ASSERT_EQ(all->size(), 2U);
    EXPECT_EQ(print_trials(*all), print_trials({trial_of(0), failed}));
    EXPECT_TRUE(open().trials({"", "", "elsewhere", ""})->empty());
}

TEST_F(TrialDatabaseTest, PruneDeletesWhatIsUnwanted) {
    for (int i = 0; i < 4; i++) ASSERT_TRUE(open().record(trial_of(i)));
    EXPECT_EQ(*open().prune([](const Trial &trial) { return trial.finished >= 102; }), 2);
    EXPECT_EQ(print_trials(*open().trials()), print_trials({trial_of(0), trial_of(1)}));
    EXPECT_EQ(*open().prune([](const Trial &) { return false; }), 0);
    EXPECT_EQ(*open().prune([](const Trial &) { return true; }), 2);
    EXPECT_TRUE(open().trials()->empty());
}

TEST_F(TrialDatabaseTest, AMissingFileIsMadeOnlyWhereThatIsWanted) {
    const Result<TrialDatabase> missing = TrialDatabase::open(file_, TrialDatabase::Missing::refused);
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().failure, Failure::environment);
    EXPECT_NE(missing.error().message.find("No such file"), std::string::npos) << missing.error().message;
    EXPECT_FALSE(TrialDatabase::open(folder_ / "no/trials.db"));
    EXPECT_FALSE(TrialDatabase::open(folder_.path()));
    EXPECT_EQ(folder_.files(), 0U);
    ASSERT_TRUE(open().record(trial_of(0)));
    EXPECT_TRUE(TrialDatabase::open(file_, TrialDatabase::Missing::refused));
}

// A process killed in the middle of a commit leaves its journal behind: who reads next undoes what it has begun.
TEST_F(TrialDatabaseTest, ReadingUndoesWhatAKilledProcessBegan) {
    for (int i = 0; i < 50; i++) ASSERT_TRUE(open().record(trial_of(i)));
    const std::string before = bytes();
    const int status = in_child([&] {
        SQLite::Database database(file_.string(), SQLite::OPEN_READWRITE);
        database.exec("PRAGMA cache_size = 1");  // so that pages are written before the commit
        database.exec("BEGIN IMMEDIATE");
        database.exec("UPDATE trial SET reason = hex(zeroblob(1000))");
        (void)::raise(SIGKILL);
    });
    ASSERT_TRUE(WIFSIGNALED(status));
    ASSERT_NE(bytes(), before);
    EXPECT_EQ(TrialDatabase::open(file_, TrialDatabase::Missing::refused)->trials()->size(), 50U);
    EXPECT_EQ(bytes(), before);
}

TEST_F(TrialDatabaseTest, RecordsThatNobodyCanHaveMadeAreRefused) {
    ASSERT_TRUE(open().record(trial_of(0)));
    const std::string before = bytes();
    Trial flawed = trial_of(1);
    flawed.seconds = std::nan("");
    EXPECT_FALSE(open().record(flawed));
    flawed.seconds = 0;
    EXPECT_FALSE(open().import({trial_of(2), flawed}));
    EXPECT_EQ(bytes(), before);
    // What somebody has written into the file by other means is no trial either.
    const auto change = [&](const std::string &what) {
        SQLite::Database(file_.string(), SQLite::OPEN_READWRITE).exec("UPDATE trial SET " + what);
    };
    change("outcome = 'invented'");
    const Result<std::vector<Trial>> unknown = open().trials();
    ASSERT_FALSE(unknown);
    EXPECT_NE(unknown.error().message.find("'invented'"), std::string::npos) << unknown.error().message;
    change("outcome = 'measured'");
    EXPECT_TRUE(open().trials());
    change("workspace = -1");
    EXPECT_FALSE(open().trials());
}

TEST_F(TrialDatabaseTest, ATrialIsDoneOnce) {
    TrialDatabase database = open();
    EXPECT_EQ(*database.claim(key_of(0)), Claim::ours);
    ASSERT_TRUE(database.record(trial_of(0)));
    EXPECT_EQ(*database.claim(key_of(0)), Claim::done);
}

TEST_F(TrialDatabaseTest, AClaimEndsWithItsProcess) {
    std::array<int, 2> claimed{}, checked{};
    ASSERT_EQ(pipe(claimed.data()) + pipe(checked.data()), 0);
    const pid_t child = fork();
    char byte = 0;
    if (child == 0) {
        const bool both = *open().claim(key_of(0)) == Claim::ours && *open().claim(key_of(2)) == Claim::ours;
        byte = both ? 'y' : 'n';
        (void)!write(claimed[1], &byte, 1);
        (void)!read(checked[0], &byte, 1);
        _exit(0);
    }
    ASSERT_EQ(read(claimed[0], &byte, 1), 1);
    EXPECT_EQ(byte, 'y');
    EXPECT_EQ(*open().claim(key_of(0)), Claim::theirs);
    EXPECT_EQ(*open().claim(key_of(1)), Claim::ours);
    ASSERT_EQ(write(checked[1], &byte, 1), 1);
    // Dead, but still to be waited for: as a killed tuner is whose parent is gone too, until the system comes to it.
    siginfo_t died{};
    ASSERT_EQ(waitid(P_PID, static_cast<id_t>(child), &died, WEXITED | WNOWAIT), 0);
    EXPECT_EQ(*open().claim(key_of(2)), Claim::ours);
    waitpid(child, nullptr, 0);
    EXPECT_EQ(*open().claim(key_of(0)), Claim::ours);
    EXPECT_TRUE(open().trials()->empty());
}

TEST_F(TrialDatabaseTest, OtherFilesAreRefusedAndNotTouched) {
    std::ofstream(file_) << "not a database at all, but a text that is long enough to have a header's length ........";
    std::string before = bytes();
    EXPECT_FALSE(TrialDatabase::open(file_));
    EXPECT_EQ(bytes(), before);

    std::filesystem::remove(file_);
    SQLite::Database(file_.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE).exec("CREATE TABLE mine (x)");
    before = bytes();
    const Result<TrialDatabase> foreign = TrialDatabase::open(file_);
    ASSERT_FALSE(foreign);
    EXPECT_NE(foreign.error().message.find("none of trials"), std::string::npos) << foreign.error().message;
    EXPECT_EQ(bytes(), before);
}

TEST_F(TrialDatabaseTest, ANewerFormatIsRefusedAndNotTouched) {
    ASSERT_TRUE(open().record(trial_of(0)));
    SQLite::Database(file_.string(), SQLite::OPEN_READWRITE).exec("PRAGMA user_version = 9");
    const std::string before = bytes();
    const Result<TrialDatabase> newer = TrialDatabase::open(file_);
    ASSERT_FALSE(newer);
    EXPECT_NE(newer.error().message.find("newer convc: its format is 9"), std::string::npos) << newer.error().message;
    EXPECT_EQ(newer.error().failure, Failure::environment);
    EXPECT_EQ(bytes(), before);
}

// A limit on the file's size stands in for a full disk.
TEST_F(TrialDatabaseTest, AFullDiskLeavesTheFileAsItWas) {
    ASSERT_TRUE(open().record(trial_of(0)));
    const std::string before = bytes();
    const int status = in_child([&] {
        (void)std::signal(SIGXFSZ, SIG_IGN);
        const auto size = static_cast<rlim_t>(std::filesystem::file_size(file_));
        const rlimit limit{size, size};
        setrlimit(RLIMIT_FSIZE, &limit);
        TrialDatabase database = open();
        Trial large = trial_of(1);
        large.reason.assign(1 << 20, 'x');
        const Status recorded = database.record(large);
        if (recorded || recorded.error().failure != Failure::environment) _exit(1);
    });
    EXPECT_EQ(status, 0);
    EXPECT_EQ(bytes(), before);
    EXPECT_EQ(folder_.files(), 1U);
    EXPECT_EQ(print_trials(*open().trials()), print_trials({trial_of(0)}));
}

TEST_F(TrialDatabaseTest, ImportIsAllOrNothing) {
    ASSERT_TRUE(open().record(trial_of(5)));
    Trial older = trial_of(5), newer = trial_of(6);
    older.finished = 1;
    older.seconds = 7;
    const Result<ImportCounts> counts = open().import({older, newer, trial_of(5)});
    ASSERT_TRUE(counts);
    EXPECT_EQ(std::tuple(counts->added, counts->replaced, counts->older, counts->known), std::tuple(1, 0, 1, 1));
    EXPECT_EQ(counts->all(), 3);
    newer.finished++;
    EXPECT_EQ(open().import({newer})->replaced, 1);
    newer = trial_of(6);
    EXPECT_EQ(open().import({newer})->older, 1);
    EXPECT_EQ(open().trials()->at(1).finished, newer.finished + 1);
    EXPECT_EQ(*open().prune([&](const Trial &trial) { return trial.key == newer.key; }), 1);
    ASSERT_TRUE(open().import({newer}));
    EXPECT_EQ(print_trials(*open().trials()), print_trials({trial_of(5), trial_of(6)}));

    Trial flawed = trial_of(8);
    flawed.finished = -1;
    EXPECT_FALSE(open().import({trial_of(7), flawed}));
    EXPECT_EQ(open().trials()->size(), 2U);
}

TEST_F(TrialDatabaseTest, EveryLineHasToBeRight) {
    const std::string text = print_trials({trial_of(1), trial_of(2)});
    EXPECT_EQ(print_trials(*parse_trials(text, "t")), text);
    const Result<std::vector<Trial>> cut = parse_trials(text.substr(0, text.size() - 10), "t.jsonl");
    ASSERT_FALSE(cut);
    EXPECT_EQ(cut.error().message.substr(0, 11), "t.jsonl:3: ") << cut.error().message;
    EXPECT_FALSE(parse_trials("{\"convc_trials\":9}\n", "t"));
    EXPECT_FALSE(parse_trials("", "t"));
    const auto error_with = [&](const std::string &old, const std::string &now) {
        std::string changed = text;
        changed.replace(changed.find(old), old.size(), now);
        const Result<std::vector<Trial>> trials = parse_trials(changed, "t");
        return trials ? "" : trials.error().message;
    };
    EXPECT_EQ(error_with("measured", "invented"), "t:2: no outcome is called 'invented'");
    EXPECT_EQ(error_with("\"seconds\":0.002", "\"seconds\":\"0.002\""), "t:2: \"seconds\" is no number");
    EXPECT_EQ(error_with("\"relative\":0.5,", ""), "t:2: \"relative\" is missing");
    EXPECT_EQ(error_with("4096", "4096.5"), "t:2: \"workspace\" is no integer");
    EXPECT_EQ(error_with("4096", "18446744073709551615"), "t:2: \"workspace\" is no integer");
    EXPECT_EQ(error_with("4096", "-4096"), "t:2: workspace must not be negative");
    EXPECT_EQ(error_with("\"finished\":101", "\"finished\":9223372036854775807"),
              "t:2: finished is no time from 1970 to 9999");
    EXPECT_EQ(error_with("0.002", "-0.002"), "t:2: seconds and relative must not be negative");
    const std::string no_json = "t:2: this is no JSON; has the line been cut off?";
    EXPECT_EQ(error_with("0.002", "NaN"), no_json);
    EXPECT_EQ(error_with("0.002", "1e999"), no_json);
    EXPECT_EQ(error_with("{\"layer\"", "[]\n{\"layer\""), "t:2: this is no JSON object");
    for (const char *zero : {"\"seconds\":0.0,", "\"seconds\":0,"}) {
        EXPECT_EQ(error_with("\"seconds\":0.002,", zero),
                  "t:2: a measured trial takes more than 0 seconds, and more than 0 times the default's time");
    }
    const std::string key = "t:2: layer, target, build and schedule must not be empty";
    EXPECT_EQ(error_with("\"build\":\"build\"", "\"build\":\"\""), key);
}

// kill -9 at any moment: what record() has returned from is there, and the file is sound.
TEST_F(TrialDatabaseTest, AKilledProcessLosesNothingThatItRecorded) {
    test::Random random(1);
    int next = 0;
    for (int round = 0; round < 40; round++) {
        std::array<int, 2> reports{};
        ASSERT_EQ(pipe(reports.data()), 0);
        const pid_t child = fork();
        if (child == 0) {
            TrialDatabase database = open();
            for (int i = next;; i++) {
                if (!database.claim(key_of(i)) || !database.record(trial_of(i))) _exit(1);
                (void)!write(reports[1], &i, sizeof i);
            }
        }
        close(reports[1]);
        usleep(static_cast<useconds_t>(random.between(2'000, 60'000)));
        kill(child, SIGKILL);
        waitpid(child, nullptr, 0);
        for (int i = 0; read(reports[0], &i, sizeof i) == sizeof i;) next = i + 1;
        close(reports[0]);
        const Result<std::vector<Trial>> all = open().trials();
        ASSERT_TRUE(all);
        ASSERT_GE(static_cast<int>(all->size()), next);
        next = static_cast<int>(all->size());
    }
    EXPECT_GT(next, 0);
}

}  // namespace
}  // namespace convc
