// What a test process compared with what: `./dev test` prints the sum over all processes. Every comparison of a
// compiled kernel is counted here by whoever makes it.
//
// When the process ends, what it counted is appended to the file that $CONVC_TEST_TALLY names, as one line of JSON;
// compared.py sums the lines. Without that variable nothing is written.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <string>

#include "convc/convc.h"

namespace convc::test {

// What the outputs are compared with.
inline constexpr const char *by_reference = "the fp64 reference";
inline constexpr const char *by_onednn = "oneDNN";
inline constexpr const char *by_another_kernel = "another algorithm or schedule";

class Tally {
public:
    // One output of a kernel. A kernel without a target is a test's own function and does not count.
    void compared(const convc_kernel_info &kernel, const std::string &oracle);
    // A layer that there is no kernel for yet, by what it has that none computes.
    void refused(const std::string &why);

    std::string json() const;  // one line; empty where nothing was counted

private:
    struct Row {
        std::set<std::string> layers, algorithms, kernels, targets, layouts;
        int64_t outputs = 0;
    };
    mutable std::mutex mutex_;
    std::map<std::string, Row> rows_;
    std::map<std::string, int64_t> refused_;
};

// The process's own.
Tally &tally();

}  // namespace convc::test
