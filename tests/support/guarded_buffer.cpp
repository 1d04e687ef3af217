#include "tests/support/guarded_buffer.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace convc::test {
namespace {

constexpr unsigned char surroundings = 0xa5;

size_t page_bytes() {
    static const auto bytes = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    return bytes;
}

void check(bool done, const char *what) {
    if (done) return;
    std::perror(what);
    std::abort();
}

char crash_note[4096];

extern "C" void report_crash(int signal) {
    const char *message = "\nmemory fault in: ";
    ssize_t ignored = write(STDERR_FILENO, message, std::strlen(message));
    ignored = write(STDERR_FILENO, crash_note, std::strlen(crash_note));
    ignored = write(STDERR_FILENO, "\n", 1);
    (void)ignored;
    raise(signal);  // the handler is reset on entry, so this is the default action
}

}  // namespace

GuardedBuffer::GuardedBuffer(size_t bytes, size_t alignment, Placement placement, unsigned char fill) : bytes_(bytes) {
    const size_t page = page_bytes();
    const size_t room_bytes = (std::max<size_t>(bytes, 1) + page - 1) / page * page;
    mapping_bytes_ = room_bytes + 2 * page;
    void *mapping = mmap(nullptr, mapping_bytes_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check(mapping != MAP_FAILED, "mmap");
    mapping_ = static_cast<unsigned char *>(mapping);
    check(mprotect(mapping_ + page, room_bytes, PROT_READ | PROT_WRITE) == 0, "mprotect");
    std::memset(mapping_ + page, surroundings, room_bytes);
    const size_t offset = placement == Placement::at_start ? 0 : (room_bytes - bytes) / alignment * alignment;
    data_ = mapping_ + page + offset;
    std::memset(data_, fill, bytes);
}

GuardedBuffer::GuardedBuffer(GuardedBuffer &&other) noexcept
    : mapping_(std::exchange(other.mapping_, nullptr)),
      mapping_bytes_(other.mapping_bytes_),
      data_(other.data_),
      bytes_(other.bytes_) {}

GuardedBuffer::~GuardedBuffer() {
    if (mapping_ != nullptr) munmap(mapping_, mapping_bytes_);
}

void GuardedBuffer::make_read_only() {
    const auto all = room();
    check(mprotect(mapping_ + page_bytes(), all.size(), PROT_READ) == 0, "mprotect");
}

std::span<const unsigned char> GuardedBuffer::room() const {
    return {mapping_ + page_bytes(), mapping_bytes_ - 2 * page_bytes()};
}

bool GuardedBuffer::surroundings_intact() const {
    const auto untouched = [](unsigned char byte) { return byte == surroundings; };
    const auto all = room();
    const auto before = static_cast<size_t>(data_ - all.data());
    return std::all_of(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(before), untouched) &&
           std::all_of(all.begin() + static_cast<std::ptrdiff_t>(before + bytes_), all.end(), untouched);
}

// A sanitizer's own handler says more, and stays.
void set_crash_note(const char *note) {
    std::strncpy(crash_note, note, sizeof(crash_note) - 1);
    struct sigaction action{};
    sigaction(SIGSEGV, nullptr, &action);
    if (action.sa_handler != SIG_DFL) return;
    action.sa_handler = report_crash;
    action.sa_flags = static_cast<int>(SA_RESETHAND | SA_NODEFER);
    sigaction(SIGSEGV, &action, nullptr);
    sigaction(SIGBUS, &action, nullptr);
}

}  // namespace convc::test
