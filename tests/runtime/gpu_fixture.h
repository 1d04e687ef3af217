// What the tests of the GPU runtimes share: the arguments of a launch, and what the driver said.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <deque>
#include <string>
#include <vector>

#include "runtime/gpu_runtime/gpu_runtime.h"

namespace convc::test {

inline testing::AssertionResult error_says(const std::string &words) {
    const std::string error = convc_gpu_error();
    if (error.find(words) != std::string::npos) return testing::AssertionSuccess();
    return testing::AssertionFailure() << "convc_gpu_error() is '" << error << "', without '" << words << "'";
}

// What Halide passes to halide_cuda_run and halide_opencl_run.
class Arguments {
public:
    Arguments() = default;
    Arguments(const Arguments &) = delete;
    Arguments &operator=(const Arguments &) = delete;

    Arguments &buffer(uint64_t device) {
        convc_gpu_buffer buffer = {};
        buffer.device = device;
        return buffer_argument(buffer);
    }
    Arguments &buffer_argument(const convc_gpu_buffer &buffer) {
        buffers_.push_back(buffer);
        return add(&buffers_.back(), sizeof(uint64_t), 1);
    }
    template <class T>
    Arguments &value(T value) {
        values_.emplace_back();
        std::memcpy(values_.back().data(), &value, sizeof value);
        return add(values_.back().data(), sizeof value, 0);
    }

    size_t *sizes() { return sizes_.data(); }
    void **pointers() { return pointers_.data(); }
    int8_t *is_buffer() { return is_buffer_.data(); }

private:
    Arguments &add(void *pointer, size_t size, int8_t is_buffer) {
        sizes_.insert(sizes_.end() - 1, size);
        pointers_.insert(pointers_.end() - 1, pointer);
        is_buffer_.insert(is_buffer_.end() - 1, is_buffer);
        return *this;
    }

    std::deque<convc_gpu_buffer> buffers_;
    std::deque<std::array<char, 8>> values_;
    std::vector<size_t> sizes_ = {0};
    std::vector<void *> pointers_ = {nullptr};
    std::vector<int8_t> is_buffer_ = {0};
};

}  // namespace convc::test
