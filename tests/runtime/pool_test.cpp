// The thread pool: every task runs once, with an arena of its own; errors, nesting, many callers, fork, restarts.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <functional>
#include <set>
#include <thread>
#include <vector>

#include "convc/convc.h"
#include "runtime/kernel_runtime/kernel_runtime.h"

namespace {

using Body = std::function<int(convc_kernel_context *, int)>;

int call_body(void *user_context, int index, uint8_t *closure) {
    return (*reinterpret_cast<Body *>(closure))(static_cast<convc_kernel_context *>(user_context), index);
}

int parallel_for(convc_kernel_context *context, int min, int extent, Body body) {
    return convc_kernel_parallel_for_v1(context, call_body, min, extent, reinterpret_cast<uint8_t *>(&body));
}

convc_kernel_context empty_context() {
    return {nullptr, 0, 0, 0};
}

int run(int min, int extent, Body body) {
    convc_kernel_context context = empty_context();
    return parallel_for(&context, min, extent, std::move(body));
}

// Runs a loop and tells whether each task ran exactly once.
testing::AssertionResult runs_each_once(int min, int extent) {
    std::vector<std::atomic<int>> counts(static_cast<size_t>(extent));
    const int result = run(min, extent, [&](convc_kernel_context *, int i) {
        counts[static_cast<size_t>(i - min)].fetch_add(1, std::memory_order_relaxed);
        return 0;
    });
    if (result != 0) return testing::AssertionFailure() << "result " << result;
    for (int i = 0; i < extent; ++i) {
        const int count = counts[static_cast<size_t>(i)].load();
        if (count != 1) return testing::AssertionFailure() << "task " << i << " ran " << count << " times";
    }
    return testing::AssertionSuccess();
}

// How many threads take part in a loop of tasks that wait for one another.
size_t threads_seen(int extent) {
    std::atomic<int> arrived = 0;
    std::vector<std::thread::id> ids(static_cast<size_t>(extent));
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(2);
    run(0, extent, [&](convc_kernel_context *, int i) {
        ids[static_cast<size_t>(i)] = std::this_thread::get_id();
        ++arrived;
        while (arrived < extent && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
        return 0;
    });
    return std::set<std::thread::id>(ids.begin(), ids.end()).size();
}

class Pool : public testing::TestWithParam<int> {
protected:
    void SetUp() override { ASSERT_EQ(convc_set_threads(GetParam()), GetParam()); }
    void TearDown() override { convc_set_threads(0); }
};

INSTANTIATE_TEST_SUITE_P(Threads, Pool, testing::Values(1, 2, 3, 8, 40));

TEST_P(Pool, RunsEachTaskOnceForEveryExtent) {
    for (int extent = 0; extent < 200; ++extent) ASSERT_TRUE(runs_each_once(-7, extent)) << extent;
}

TEST_P(Pool, RunsEachTaskOnceManyTimes) {
    for (int round = 0; round < 3000; ++round) ASSERT_TRUE(runs_each_once(round, 1 + round % 11)) << round;
}

TEST_P(Pool, RunsUnequalTasks) {
    std::atomic<int> sum = 0;
    ASSERT_EQ(run(0, 40,
                  [&](convc_kernel_context *, int i) {
                      if (i == 0) std::this_thread::sleep_for(std::chrono::milliseconds(20));
                      sum += i;
                      return 0;
                  }),
              0);
    EXPECT_EQ(sum, 40 * 39 / 2);
}

TEST_P(Pool, RunsNothingForAnEmptyOrNegativeExtent) {
    const Body fail = [](convc_kernel_context *, int) { return 1; };
    EXPECT_EQ(run(3, 0, fail), 0);
    EXPECT_EQ(run(3, -5, fail), 0);
}

// After the longer pauses the workers are in the futex, after the shorter ones on their way to it.
TEST_P(Pool, WakesSleepingWorkers) {
    for (int round = 0; round < 20; ++round) {
        std::this_thread::sleep_for(std::chrono::microseconds(50 * round));
        ASSERT_EQ(threads_seen(GetParam()), static_cast<size_t>(GetParam())) << round;
    }
}

// A caller whose own tasks are done sleeps until the workers' are.
TEST_P(Pool, WaitsForALongTask) {
    for (int slow = 0; slow < 2; ++slow) {
        std::atomic<bool> ended = false;
        ASSERT_EQ(run(0, 2,
                      [&](convc_kernel_context *, int i) {
                          if (i != slow) return 0;
                          std::this_thread::sleep_for(std::chrono::milliseconds(5));
                          ended = true;
                          return 0;
                      }),
                  0);
        EXPECT_TRUE(ended);
    }
}

TEST_P(Pool, ReturnsTheFailureWithTheSmallestIndex) {
    for (int round = 0; round < 200; ++round) {
        const int result = run(0, 100, [&](convc_kernel_context *, int i) { return i % 10 == 9 ? -1000 - i : 0; });
        ASSERT_EQ(result, -1009) << round;
    }
    EXPECT_EQ(run(5, 4, [](convc_kernel_context *, int i) { return i == 8 ? 42 : 0; }), 42);
    EXPECT_TRUE(runs_each_once(0, 100));
}

// Task 0 takes long, so that with several threads the failures come before most tasks of smaller index have begun.
TEST_P(Pool, RunsEveryTaskBeforeTheOneThatFailed) {
    std::vector<std::atomic<int>> ran(64);
    EXPECT_EQ(run(0, 64,
                  [&](convc_kernel_context *, int i) {
                      if (i == 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
                      ran[static_cast<size_t>(i)] = 1;
                      return i >= 40 ? i : 0;
                  }),
              40);
    for (size_t i = 0; i <= 40; ++i) EXPECT_EQ(ran[i], 1) << i;
}

TEST_P(Pool, GivesEachTaskAnArenaOfItsOwn) {
    constexpr int extent = 50;
    const uint64_t arena = convc_kernel_block_bytes(1000);
    std::vector<char> bytes(extent * arena + 4096);
    char *base = bytes.data() + (64 - reinterpret_cast<uintptr_t>(bytes.data()) % 64) % 64;
    convc_kernel_context context = {base, 128 + extent * arena, 0, arena};
    ASSERT_NE(convc_kernel_malloc_v1(&context, 0), nullptr);
    for (int round = 0; round < 50; ++round) {
        ASSERT_EQ(parallel_for(&context, 0, extent,
                               [&](convc_kernel_context *task, int i) {
                                   auto *block = static_cast<char *>(convc_kernel_malloc_v1(task, 1000));
                                   if (block == nullptr || block < base + 128 || block + 1000 > base + context.capacity)
                                       return 1;
                                   std::memset(block, i, 1000);
                                   if (convc_kernel_malloc_v1(task, 0) != nullptr) return 2;
                                   std::this_thread::yield();
                                   for (int at = 0; at < 1000; ++at) {
                                       if (block[at] != static_cast<char>(i)) return 3;
                                   }
                                   convc_kernel_free_v1(task, block);
                                   return task->used == 0 ? 0 : 4;
                               }),
                  0);
        ASSERT_EQ(context.used, 128u);
    }
}

// Run-time extents make any number of tasks, and the workspace has a constant number of arenas.
TEST_P(Pool, RunsNoMoreTasksAtOnceThanThereAreArenas) {
    std::vector<char> bytes(4096 + 64);
    for (const uint64_t arenas : {1U, 2U, 3U}) {
        convc_kernel_context context = {bytes.data(), arenas * 512 + 511, 0, 512};
        std::atomic<int> tasks{0}, at_once{0}, most{0};
        const Body count = [&](convc_kernel_context *task, int) {
            const int now = ++at_once;
            for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
            }
            const bool inside = task->base >= bytes.data() && task->base + 512 <= bytes.data() + arenas * 512;
            std::this_thread::yield();
            at_once--;
            tasks++;
            return inside ? 0 : 7;
        };
        for (const int extent : {1, 2, 3, 50, 1000}) {
            tasks = 0;
            EXPECT_EQ(parallel_for(&context, 0, extent, count), 0);
            EXPECT_EQ(tasks, extent);
        }
        EXPECT_LE(most, static_cast<int>(arenas));
    }
}

TEST_P(Pool, RefusesArenasOfWhichNotOneFits) {
    std::vector<char> bytes(4096 + 64);
    convc_kernel_context context = {bytes.data(), 4096, 0, 4096};
    const Body nothing = [](convc_kernel_context *, int) { return 0; };
    EXPECT_EQ(parallel_for(&context, 0, 9, nothing), 0);
    context.used = 1;
    EXPECT_EQ(parallel_for(&context, 0, 8, nothing), CONVC_ERROR_INTERNAL);
    context.task_arena_bytes = UINT64_MAX - 1;
    EXPECT_EQ(parallel_for(&context, 0, 2, nothing), CONVC_ERROR_INTERNAL);
}

TEST_P(Pool, RunsNestedLoopsInTheirTaskInWhatIsLeftOfItsArena) {
    const uint64_t arena = convc_kernel_block_bytes(0) + convc_kernel_block_bytes(64);
    std::vector<char> bytes(6 * arena + 64);
    char *base = bytes.data() + (64 - reinterpret_cast<uintptr_t>(bytes.data()) % 64) % 64;
    convc_kernel_context context = {base, 6 * arena, 0, arena};
    std::atomic<int> sum = 0;
    const int result = parallel_for(&context, 0, 6, [&](convc_kernel_context *task, int i) {
        const auto thread = std::this_thread::get_id();
        void *outer = convc_kernel_malloc_v1(task, 0);
        const int inner_result = parallel_for(task, 0, 10, [&](convc_kernel_context *inner, int j) {
            void *block = convc_kernel_malloc_v1(inner, 64);
            if (block == nullptr || std::this_thread::get_id() != thread) return 1;
            convc_kernel_free_v1(inner, block);
            sum += i * 10 + j;
            return 0;
        });
        convc_kernel_free_v1(task, outer);
        return inner_result;
    });
    EXPECT_EQ(result, 0);
    EXPECT_EQ(sum, 60 * 59 / 2);
}

TEST_P(Pool, ServesManyCallersAtOnce) {
    std::atomic<int> failures = 0;
    std::vector<std::thread> callers;
    callers.reserve(16);
    for (int caller = 0; caller < 16; ++caller) {
        callers.emplace_back([&, caller] {
            for (int round = 0; round < 300; ++round) {
                if (!runs_each_once(caller, 1 + (caller + round) % 37)) ++failures;
            }
        });
    }
    for (std::thread &caller : callers) caller.join();
    EXPECT_EQ(failures, 0);
}

TEST_P(Pool, StartsAgainAfterAShutdown) {
    for (int round = 0; round < 20; ++round) {
        ASSERT_TRUE(runs_each_once(0, 30));
        convc_shutdown();
        if (round % 3 == 0) convc_shutdown();
    }
}

// ThreadSanitizer gives up on threads that start after a fork; a thread that AddressSanitizer's allocator was serving
// when the process forked leaves its lock taken in the child (gcc 12).
#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
int child_status(const std::function<bool()> &body) {
    const pid_t child = fork();
    if (child == 0) _exit(body() ? 0 : 1);
    int status = -1;
    waitpid(child, &status, 0);
    return status;
}

TEST_P(Pool, SurvivesAForkInParentAndChild) {
    for (int round = 0; round < 10; ++round) {
        ASSERT_TRUE(runs_each_once(0, 30));
        ASSERT_EQ(child_status([] {
                      for (int i = 0; i < 50; ++i) {
                          if (!runs_each_once(0, 30)) return false;
                      }
                      convc_shutdown();
                      return static_cast<bool>(runs_each_once(0, 30));
                  }),
                  0);
        ASSERT_TRUE(runs_each_once(0, 30));
    }
}

// The child must not believe that the pool is busy for ever, nor run serially for ever.
TEST_P(Pool, SurvivesAForkWhileAnotherThreadUsesThePool) {
    std::atomic<bool> stop = false;
    std::thread user([&] {
        while (!stop) EXPECT_TRUE(runs_each_once(0, 8));
    });
    for (int round = 0; round < 20; ++round) {
        EXPECT_EQ(child_status([] {
                      convc_shutdown();  // hangs when the pool is held
                      return static_cast<bool>(runs_each_once(0, 8));
                  }),
                  0);
    }
    stop = true;
    user.join();
}
#endif

TEST(SetThreads, GovernsHowManyThreadsWork) {
    for (const int threads : {2, 5, 3, 16}) {
        EXPECT_EQ(convc_set_threads(threads), threads);
        EXPECT_EQ(threads_seen(threads), static_cast<size_t>(threads));
    }
    convc_set_threads(1);
    std::set<std::thread::id> ids;
    run(0, 100, [&](convc_kernel_context *, int) { return ids.insert(std::this_thread::get_id()), 0; });
    EXPECT_EQ(ids.size(), 1u);
    convc_set_threads(0);
}

TEST(SetThreads, TakesTheDefaultFromTheEnvironmentAndElseFromTheCpus) {
    unsetenv("CONVC_NUM_THREADS");
    const int cpus = convc_set_threads(0);
    EXPECT_GE(cpus, 1);
    setenv("CONVC_NUM_THREADS", "3", 1);
    EXPECT_EQ(convc_set_threads(0), 3);
    EXPECT_EQ(threads_seen(3), 3u);
    EXPECT_EQ(convc_set_threads(4), 4);
    for (const char *nonsense : {"", "0", "-1", "three", "3x"}) {
        setenv("CONVC_NUM_THREADS", nonsense, 1);
        EXPECT_EQ(convc_set_threads(-1), cpus) << nonsense;
    }
    setenv("CONVC_NUM_THREADS", "99999999999999999999", 1);
    EXPECT_EQ(convc_set_threads(0), 256);
    unsetenv("CONVC_NUM_THREADS");
    EXPECT_EQ(convc_set_threads(0), cpus);
}

TEST(SetThreads, UsesTheSameThreadForTheSameTaskWhenThatIsPossible) {
    convc_set_threads(2);
    std::vector<std::thread::id> first(2);
    std::vector<std::thread::id> again(2);
    std::atomic<int> arrived = 0;
    const auto record = [&](std::vector<std::thread::id> &ids) {
        arrived = 0;
        run(0, 2, [&](convc_kernel_context *, int i) {
            ids[static_cast<size_t>(i)] = std::this_thread::get_id();
            ++arrived;
            while (arrived < 2) std::this_thread::yield();
            return 0;
        });
    };
    record(first);
    EXPECT_EQ(first[0], std::this_thread::get_id());
    for (int round = 0; round < 100; ++round) {
        record(again);
        ASSERT_EQ(first, again);
    }
    convc_set_threads(0);
}

// A worker may spin for a moment, but not burn a CPU while there is nothing to do.
TEST(Idle, WorkersSleep) {
    convc_set_threads(8);
    EXPECT_TRUE(runs_each_once(0, 64));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    const clock_t before = clock();
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    EXPECT_LT(clock() - before, CLOCKS_PER_SEC / 50);
    convc_set_threads(0);
}

}  // namespace
