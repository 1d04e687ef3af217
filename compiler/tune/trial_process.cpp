#include "compiler/tune/trial_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace convc {
namespace {

using Clock = std::chrono::steady_clock;
using nlohmann::ordered_json;

struct Pipe {
    std::array<int, 2> ends{-1, -1};
    Pipe() { (void)::pipe2(ends.data(), O_CLOEXEC); }
    void close(size_t end) {
        if (ends[end] >= 0) ::close(ends[end]);
        ends[end] = -1;
    }
    ~Pipe() {
        close(0);
        close(1);
    }
    int take(size_t end) { return std::exchange(ends[end], -1); }
};

// Of those that this process may run on; all of them where there are not so many.
void keep_on_first_cpus(int count) {
    cpu_set_t allowed, kept;
    if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
    CPU_ZERO(&kept);
    for (int cpu = 0; cpu < CPU_SETSIZE && count > 0; cpu++) {
        if (!CPU_ISSET(cpu, &allowed)) continue;
        CPU_SET(cpu, &kept);
        count--;
    }
    (void)::sched_setaffinity(0, sizeof kept, &kept);
}

// In the child, between fork and exec: nothing here may allocate.
[[noreturn]] void become(char *const *arguments, char *const *environment, int input, int output,
                         const TrialLimits &limits) {
    (void)::setpgid(0, 0);  // an interrupt at the terminal is the tuner's: the trial under way is finished
    if (limits.cpus > 0) keep_on_first_cpus(limits.cpus);
    const auto memory = static_cast<rlim_t>(limits.memory_bytes);
    const rlimit limit{memory, memory}, none{0, 0};
    (void)::setrlimit(RLIMIT_AS, &limit);
    (void)::setrlimit(RLIMIT_CORE, &none);
    const int nothing = ::open("/dev/null", O_WRONLY);
    if (::dup2(input, 0) < 0 || ::dup2(output, 1) < 0 || (nothing >= 0 && ::dup2(nothing, 2) < 0)) ::_exit(126);
    ::execve(arguments[0], arguments, environment);
    ::_exit(127);
}

// All buffers in pages of 2 MB: where pages of 4 KB lie, another one in every process, decides which of them drive each
// other out of L2, and a depthwise 3x3 of 512 channels at 14 x 14 took 0.013 or 0.017 ms. (A C library that knows no
// such tunable takes no notice.)
constexpr const char *huge_pages = "GLIBC_TUNABLES=glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=1073741824";

// Ours, but for what the user has set already.
std::vector<char *> environment_of_worker() {
    std::vector<char *> all;
    for (char **variable = environ; *variable; variable++) all.push_back(*variable);
    if (!::getenv("GLIBC_TUNABLES")) all.push_back(const_cast<char *>(huge_pages));
    all.push_back(nullptr);
    return all;
}

int milliseconds_until(Clock::time_point deadline) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    return static_cast<int>(std::clamp<int64_t>(left, 0, 1 << 30));
}

}  // namespace

TrialProcess::TrialProcess(std::vector<std::string> command, TrialLimits limits)
    : command_(std::move(command)), limits_(limits) {}

TrialProcess::~TrialProcess() {
    stop();
}

bool TrialProcess::start() {
    Pipe to, from;
    std::vector<char *> arguments;
    arguments.reserve(command_.size() + 1);
    for (std::string &argument : command_) arguments.push_back(argument.data());
    arguments.push_back(nullptr);
    if (to.ends[0] < 0 || from.ends[0] < 0) return false;
    const std::vector<char *> environment = environment_of_worker();
    const pid_t child = ::fork();
    if (child < 0) return false;
    if (child == 0) become(arguments.data(), environment.data(), to.ends[0], from.ends[1], limits_);
    process_ = child;
    to_ = to.take(1);
    from_ = from.take(0);
    unread_.clear();
    return true;
}

void TrialProcess::stop() {
    if (to_ >= 0) ::close(to_);
    if (from_ >= 0) ::close(from_);
    to_ = from_ = -1;
    if (process_ < 0) return;
    ::kill(process_, SIGKILL);
    while (::waitpid(process_, nullptr, 0) < 0 && errno == EINTR) {
    }
    process_ = -1;
}

TrialAnswer TrialProcess::ask(const ordered_json &request, double seconds) {
    if (process_ < 0 && !start()) {
        return {TrialOutcome::no_memory, fmt::format("no process could be started: {}", std::strerror(errno)), {}};
    }
    const std::string line = request.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
    if (!send(line)) return failure();
    return receive(seconds);
}

// A process that has ended gives EPIPE: whoever uses this ignores SIGPIPE.
bool TrialProcess::send(const std::string &line) {
    for (size_t done = 0; done < line.size();) {
        const ssize_t sent = ::write(to_, line.data() + done, line.size() - done);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0) return false;
        done += static_cast<size_t>(sent);
    }
    return true;
}

TrialAnswer TrialProcess::receive(double seconds) {
    const auto deadline =
        Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    std::array<char, 65536> chunk{};
    size_t end = 0;
    while ((end = unread_.find('\n')) == std::string::npos) {
        pollfd waiting{from_, POLLIN, 0};
        const int ready = ::poll(&waiting, 1, milliseconds_until(deadline));
        if (ready < 0 && errno == EINTR) continue;
        if (ready <= 0) {
            stop();
            return {TrialOutcome::timed_out, fmt::format("took more than {:.3g} s", seconds), {}};
        }
        const ssize_t got = ::read(from_, chunk.data(), chunk.size());
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return failure();
        unread_.append(chunk.data(), static_cast<size_t>(got));
        if (unread_.size() <= limits_.answer_bytes) continue;
        stop();
        return {TrialOutcome::crashed, fmt::format("wrote more than {} bytes", limits_.answer_bytes), {}};
    }
    ordered_json body = ordered_json::parse(unread_.substr(0, end), nullptr, false);
    unread_.erase(0, end + 1);
    if (body.is_object()) return {TrialOutcome::measured, "", std::move(body)};
    stop();
    return {TrialOutcome::crashed, "wrote something that is no answer", {}};
}

TrialAnswer TrialProcess::failure() {
    int status = 0;
    // It has closed its pipe; should it live on, that is no use.
    ::kill(process_, SIGKILL);
    while (::waitpid(process_, &status, 0) < 0 && errno == EINTR) {
    }
    process_ = -1;
    stop();
    if (WIFEXITED(status) && WEXITSTATUS(status) == out_of_memory_status) {
        return {TrialOutcome::no_memory, fmt::format("needs more than {} MB", limits_.memory_bytes >> 20), {}};
    }
    if (WIFSIGNALED(status)) {
        return {TrialOutcome::crashed, fmt::format("ended by SIG{}", sigabbrev_np(WTERMSIG(status))), {}};
    }
    return {TrialOutcome::crashed, fmt::format("ended with status {}", WEXITSTATUS(status)), {}};
}

}  // namespace convc
