// A child process that makes and runs kernels which may crash, hang, or ask for all memory: a request and an answer are
// a line of JSON each.
//
//     TrialProcess process({"/proc/self/exe", "trial-worker"}, {.memory_bytes = 4 << 30});
//     const TrialAnswer answer = process.ask(request, 10.0);
//     if (answer.outcome != TrialOutcome::measured) ...   // answer.reason: "ended by SIGSEGV"
//
// It is started by the first request, and again by the one behind a failure.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "compiler/tune/trial.h"

namespace convc {

// Multiply-adds of a layer's last stage that a trial's output is compared with the reference of; of one that takes
// more, a part of the output is.
inline constexpr double most_checked_products = 2e9;

// What such a process ends with where memory that it asked for was not there.
inline constexpr int out_of_memory_status = 77;

struct TrialLimits {
    int64_t memory_bytes = int64_t{8} << 30;  // of address space
    size_t answer_bytes = 1 << 20;            // a longer one is no answer
    int cpus = 0;                             // that it may run on; 0: all
};

// `body` where the outcome is `measured`, else why there is none.
struct TrialAnswer {
    TrialOutcome outcome = TrialOutcome::measured;
    std::string reason;
    nlohmann::ordered_json body;
};

class TrialProcess {
public:
    TrialProcess(std::vector<std::string> command, TrialLimits limits);
    ~TrialProcess();  // kills it
    TrialProcess(const TrialProcess &) = delete;
    TrialProcess &operator=(const TrialProcess &) = delete;

    TrialAnswer ask(const nlohmann::ordered_json &request, double seconds);

    // Whether it lives, with all that it was told; else the next request starts another one.
    bool running() const { return process_ >= 0; }

private:
    bool start();
    void stop();
    bool send(const std::string &line);
    TrialAnswer receive(double seconds);
    TrialAnswer failure();  // of a process that ended by itself

    std::vector<std::string> command_;
    TrialLimits limits_;
    pid_t process_ = -1;
    int to_ = -1, from_ = -1;
    std::string unread_;
};

}  // namespace convc
