// Seeded draws: the same numbers on every machine.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

namespace convc::test {

class Random {
public:
    explicit Random(uint64_t seed) : engine_(seed) {}

    int64_t between(int64_t low, int64_t high) {  // both included
        return low + static_cast<int64_t>(engine_() % static_cast<uint64_t>(high - low + 1));
    }
    bool one_in(int64_t count) { return between(1, count) == 1; }
    template <class T>
    T pick(const std::vector<T> &values) {
        return values[static_cast<size_t>(between(0, static_cast<int64_t>(values.size()) - 1))];
    }
    float unit() { return static_cast<float>(static_cast<double>(engine_() >> 40) * 0x1p-23 - 1); }  // in [-1, 1)

private:
    std::mt19937_64 engine_;
};

}  // namespace convc::test
