#include "compiler/tune/trial_process.h"

#include <gtest/gtest.h>

#include <csignal>

namespace convc {
namespace {

class TrialProcessTest : public testing::Test {
protected:
    void SetUp() override { (void)std::signal(SIGPIPE, SIG_IGN); }

    // What a shell that does this for each line that it reads answers to {}.
    static TrialAnswer answer_of(const std::string &commands, double seconds = 10) {
        TrialProcess process({"/bin/sh", "-c", "while read line; do " + commands + "; done"}, {});
        return process.ask({{"do", "something"}}, seconds);
    }
};

TEST_F(TrialProcessTest, AnswersAreLinesOfJson) {
    TrialProcess process({"/bin/sh", "-c", "while read line; do echo \"{\\\"heard\\\": $line}\"; done"}, {});
    for (int i = 0; i < 3; i++) {
        const TrialAnswer answer = process.ask({{"number", i}}, 10);
        ASSERT_EQ(answer.outcome, TrialOutcome::measured) << answer.reason;
        EXPECT_EQ(answer.body["heard"]["number"], i);
    }
    EXPECT_TRUE(process.running());
}

TEST_F(TrialProcessTest, EveryWayToFailHasItsReason) {
    const auto expect = [](const TrialAnswer &answer, TrialOutcome outcome, const std::string &reason) {
        EXPECT_EQ(outcome_name(answer.outcome), std::string(outcome_name(outcome)));
        EXPECT_EQ(answer.reason, reason);
    };
    expect(answer_of("kill -SEGV $$"), TrialOutcome::crashed, "ended by SIGSEGV");
    expect(answer_of("exit 3"), TrialOutcome::crashed, "ended with status 3");
    expect(answer_of("exit 77"), TrialOutcome::no_memory, "needs more than 8192 MB");
    expect(answer_of("exec sleep 100", 0.2), TrialOutcome::timed_out, "took more than 0.2 s");
    expect(answer_of("echo hello"), TrialOutcome::crashed, "wrote something that is no answer");
    expect(answer_of("exec yes | tr -d '\\n'"), TrialOutcome::crashed, "wrote more than 1048576 bytes");
    TrialProcess missing({"/nowhere/program"}, {});
    expect(missing.ask({{"do", "something"}}, 10), TrialOutcome::crashed, "ended with status 127");
}

TEST_F(TrialProcessTest, TheRequestBehindAFailureStartsAnother) {
    TrialProcess process({"/bin/sh", "-c", "read line; echo \"{\\\"heard\\\": $line}\"; read line; exit 5"}, {});
    EXPECT_EQ(process.ask({{"number", 1}}, 10).outcome, TrialOutcome::measured);
    EXPECT_EQ(process.ask({{"number", 2}}, 10).outcome, TrialOutcome::crashed);
    EXPECT_FALSE(process.running());
    const TrialAnswer answer = process.ask({{"number", 3}}, 10);
    EXPECT_EQ(answer.outcome, TrialOutcome::measured);
    EXPECT_EQ(answer.body["heard"]["number"], 3);
}

TEST_F(TrialProcessTest, MemoryIsLimited) {
    TrialProcess process({"/bin/sh", "-c", "read line; echo \"{\\\"kilobytes\\\": $(ulimit -v)}\""},
                         {.memory_bytes = int64_t{1} << 30});
    EXPECT_EQ(process.ask({{"do", "something"}}, 10).body["kilobytes"], 1 << 20);
}

}  // namespace
}  // namespace convc
