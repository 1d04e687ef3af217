// The protocol between the benchmark (compare.py) and a library under test, each of which runs in a process of its own:
// one line of JSON on standard input is a request, one line on standard output its answer. {"error": REASON} is an
// answer too. worker.py is the same for libraries with a Python interface.
//
//     {"do": "prepare", "layer": EXPLAINED, "source": FILE:LAYER, "folder": PATH}
//         builds the layer (`convc explain --json` describes it) with the numbers in PATH, calls it once and writes
//         what came out to PATH/OUTPUT.npy -> {"output": OUTPUT, "note": how it does it, ...}
//     {"do": "time", "seconds": S}  ->  {"minimum": seconds a call, "median": ..., "runs": N}
//     {"do": "time_once"}  ->  {"seconds": of one call, whatever is in the caches}
//     {"do": "release"}    ->  {}
#pragma once

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>

#include "compiler/measure/time_kernel.h"

namespace convc::bench {

using Json = nlohmann::ordered_json;

// What is not understood or cannot be done: the reason, for the answer.
struct Failed {
    std::string reason;
};

class Library {
public:
    virtual ~Library() = default;
    virtual Json prepare(const Json &request) = 0;
    virtual void call() = 0;  // the layer that was prepared last
    virtual void release() = 0;
    virtual double overhead() const { return 0; }  // the seconds of a call that computes next to nothing: subtracted
    virtual Json other(const Json &request) { throw Failed{"no request '" + request.value("do", "") + "' here"}; }
};

// Bounded, for a machine that was not quiet when the overhead was measured.
inline double without_overhead(const Library &library, double seconds) {
    constexpr double most_overhead = 2e-5;
    return std::max(1e-9, seconds - std::min(most_overhead, library.overhead()));
}

inline Json answer_to(Library &library, const Json &request) {
    const std::string what = request.at("do");
    if (what == "prepare") return library.prepare(request);
    if (what == "time") {
        const TimingOptions options{0, request.at("seconds")};
        const Timing timing = time_kernel([&] { library.call(); }, options);
        return {{"minimum", without_overhead(library, timing.minimum)},
                {"median", without_overhead(library, timing.median)},
                {"runs", timing.repeats}};
    }
    if (what == "time_once") {
        const auto begin = std::chrono::steady_clock::now();
        library.call();
        const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
        return {{"seconds", without_overhead(library, elapsed.count())}};
    }
    if (what == "release") {
        library.release();
        return Json::object();
    }
    return library.other(request);
}

// False where standard input has ended. Being stopped and continued may interrupt a read, which is no end.
inline bool next_line(std::string &line) {
    line.clear();
    for (char byte = 0;;) {
        const ssize_t count = ::read(STDIN_FILENO, &byte, 1);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return false;
        if (byte == '\n') return true;
        line += byte;
    }
}

// Answers until standard input ends. Libraries print: what they write to standard output goes to standard error.
inline void serve(Library &library) {
    const int kept = ::dup(STDOUT_FILENO);
    std::FILE *answers = kept < 0 ? nullptr : ::fdopen(kept, "w");
    if (!answers) return;
    ::dup2(STDERR_FILENO, STDOUT_FILENO);
    for (std::string line; next_line(line);) {
        Json answer;
        try {
            answer = answer_to(library, Json::parse(line));
        } catch (const Failed &failed) {
            answer = {{"error", failed.reason}};
        } catch (const std::exception &exception) {
            answer = {{"error", exception.what()}};
        }
        std::fputs((answer.dump() + "\n").c_str(), answers);
        std::fflush(answers);
    }
    std::fclose(answers);
}

}  // namespace convc::bench
