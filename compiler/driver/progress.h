// A bar on the terminal for work that takes over a second; nothing elsewhere.
#pragma once

#include <chrono>
#include <mutex>
#include <string>

#include "compiler/driver/console.h"

namespace convc {

class Progress {
public:
    Progress(Console &console, std::string doing, size_t total);
    ~Progress();  // wipes the bar
    Progress(const Progress &) = delete;
    Progress &operator=(const Progress &) = delete;

    // One more is done, from any thread.
    void advance(const std::string &what);

private:
    bool enabled_;
    std::string doing_;
    size_t total_;
    size_t done_ = 0;
    bool drawn_ = false;
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
    std::mutex mutex_;
};

}  // namespace convc
