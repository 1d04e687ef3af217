// Memory between two pages that nobody may touch, so that reading or writing one element too far ends the test at once.
#pragma once

#include <cstddef>
#include <span>

namespace convc::test {

// A page is larger than a buffer needs, so only one end can lie against a guard page: tests use both placements.
// Between the other end and its guard page lie bytes whose change is noticed afterwards.
enum class Placement { at_start, at_end };

class GuardedBuffer {
public:
    // Every byte is `fill`. At the end, the buffer starts at the last multiple of `alignment` from which it fits.
    // `name`, a literal, says which buffer it was when a guard page is touched.
    GuardedBuffer(const char *name, size_t bytes, size_t alignment, Placement placement, unsigned char fill = 0xff);
    GuardedBuffer(GuardedBuffer &&other) noexcept;
    GuardedBuffer(const GuardedBuffer &) = delete;
    GuardedBuffer &operator=(const GuardedBuffer &) = delete;
    GuardedBuffer &operator=(GuardedBuffer &&) = delete;
    ~GuardedBuffer();

    void *data() const { return bytes_ == 0 ? nullptr : data_; }  // as the C contract has it
    float *floats() const { return static_cast<float *>(data()); }
    std::span<const float> elements() const { return {floats(), bytes_ / sizeof(float)}; }

    void make_read_only();  // a write ends the test
    bool surroundings_intact() const;

private:
    std::span<const unsigned char> room() const;  // between the guard pages

    int slot_ = -1;  // among those that the crash report knows
    unsigned char *mapping_ = nullptr;
    size_t mapping_bytes_ = 0;
    unsigned char *data_ = nullptr;
    size_t bytes_ = 0;
};

// What to print when a guard page is touched, with the buffer's name and the place: the layer at hand. Also installs
// the handler that prints it.
void set_crash_note(const char *note);

}  // namespace convc::test
