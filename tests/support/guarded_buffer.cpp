#include "tests/support/guarded_buffer.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
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

// The buffers alive, for the crash report: which may allocate nothing, so there is room for so many and no more.
struct Known {
    std::atomic<const char *> name = nullptr;
    std::atomic<uintptr_t> begin = 0, end = 0, mapping_begin = 0, mapping_end = 0;
};
std::array<Known, 256> known;

int remember(const char *name, uintptr_t data, size_t bytes, uintptr_t mapping, size_t mapping_bytes) {
    for (size_t i = 0; i < known.size(); i++) {
        const char *free = nullptr;
        if (!known[i].name.compare_exchange_strong(free, name)) continue;
        known[i].begin = data;
        known[i].end = data + bytes;
        known[i].mapping_begin = mapping;
        known[i].mapping_end = mapping + mapping_bytes;
        return static_cast<int>(i);
    }
    return -1;
}

struct sigaction before{};  // the actions of SIGSEGV and SIGBUS, which nobody sets apart

// snprintf is not promised to be safe in a handler, but the process is lost anyway.
extern "C" void report_crash(int signal, siginfo_t *info, void *) {
    const auto at = reinterpret_cast<uintptr_t>(info->si_addr);
    std::array<char, 5000> text{};
    int length = std::snprintf(text.data(), text.size(), "\nmemory fault in: %s\n", crash_note);
    for (const Known &buffer : known) {
        if (buffer.name == nullptr || at < buffer.mapping_begin || at >= buffer.mapping_end) continue;
        const auto room = text.size() - static_cast<size_t>(length);
        const auto from_begin = static_cast<long>(at - buffer.begin);
        length += std::snprintf(text.data() + length, room, "  at byte %ld of %s, which has %lu\n", from_begin,
                                buffer.name.load(), static_cast<unsigned long>(buffer.end - buffer.begin));
    }
    const ssize_t ignored = write(STDERR_FILENO, text.data(), static_cast<size_t>(length));
    (void)ignored;
    // Back at the same instruction, the fault comes again and goes to whoever handled it before: a sanitizer, or
    // nobody.
    sigaction(signal, &before, nullptr);
}

}  // namespace

GuardedBuffer::GuardedBuffer(const char *name, size_t bytes, size_t alignment, Placement placement, unsigned char fill)
    : bytes_(bytes) {
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
    slot_ = remember(name, reinterpret_cast<uintptr_t>(data_), bytes_, reinterpret_cast<uintptr_t>(mapping_),
                     mapping_bytes_);
}

GuardedBuffer::GuardedBuffer(GuardedBuffer &&other) noexcept
    : slot_(std::exchange(other.slot_, -1)),
      mapping_(std::exchange(other.mapping_, nullptr)),
      mapping_bytes_(other.mapping_bytes_),
      data_(other.data_),
      bytes_(other.bytes_) {}

GuardedBuffer::~GuardedBuffer() {
    if (slot_ >= 0) known[static_cast<size_t>(slot_)].name = nullptr;
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

void set_crash_note(const char *note) {
    std::strncpy(crash_note, note, sizeof(crash_note) - 1);
    static const bool installed = [] {
        struct sigaction action{};
        action.sa_sigaction = report_crash;
        action.sa_flags = SA_SIGINFO;
        return sigaction(SIGSEGV, &action, &before) == 0 && sigaction(SIGBUS, &action, nullptr) == 0;
    }();
    check(installed, "sigaction");
}

}  // namespace convc::test
