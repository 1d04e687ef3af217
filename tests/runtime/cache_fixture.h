// A directory for one test, and entries to keep in it.
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "runtime/kernel_cache.h"
#include "runtime/kernel_cache_entry.h"

namespace convc {

inline bool operator==(const ObjectFile &a, const ObjectFile &b) {
    return a.name == b.name && a.bytes == b.bytes;
}

inline bool operator==(const Kernel &a, const Kernel &b) {
    return a.symbol == b.symbol && a.canonical_line == b.canonical_line && a.schedule == b.schedule &&
           a.origin == b.origin && a.target == b.target && a.packed_bytes == b.packed_bytes &&
           a.workspace_bytes == b.workspace_bytes && a.objects == b.objects;
}

inline KernelKey sample_key(const std::string &symbol = "k") {
    return {symbol, "f32 nwc[1, 8, 1] -> conv(1, 3)", "direct(rows=4)", "x86-64-linux-avx2-fma znver3 2t", "convc 0.1"};
}

inline Kernel sample_kernel(const std::string &symbol = "k", std::string object = std::string("\x7f\x45\0\xff", 4)) {
    const KernelKey key = sample_key(symbol);
    return {symbol,       key.canonical_line,
            key.schedule, "pinned",
            key.target,   192,
            4096,         {{symbol + ".o", std::move(object)}}};
}

inline std::string read_file(const std::filesystem::path &path) {
    std::stringstream bytes;
    bytes << std::ifstream(path, std::ios::binary).rdbuf();
    return bytes.str();
}

inline void write_file(const std::filesystem::path &path, std::string_view bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
    std::filesystem::permissions(path, std::filesystem::perms(0600));
}

class CacheTest : public testing::Test {
protected:
    void SetUp() override {
        std::string name = testing::TempDir() + "convc-cache-XXXXXX";
        ASSERT_NE(mkdtemp(name.data()), nullptr);
        root_ = name;
        folder_ = root_ / "cache";
    }
    void TearDown() override { std::filesystem::remove_all(root_); }

    KernelCache open() const {
        Result<KernelCache> cache = KernelCache::open(folder_);
        if (!cache) throw std::runtime_error(cache.error().message);
        return *cache;
    }

    std::filesystem::path entry(const KernelKey &key = sample_key()) const { return folder_ / cache_entry_name(key); }

    std::vector<std::string> names() const {
        std::vector<std::string> found;
        for (const auto &file : std::filesystem::directory_iterator(folder_)) found.push_back(file.path().filename());
        std::sort(found.begin(), found.end());
        return found;
    }

    static mode_t mode(const std::filesystem::path &path) {
        struct stat status{};
        return stat(path.c_str(), &status) == 0 ? status.st_mode & 07777 : 0;
    }

    std::filesystem::path root_;
    std::filesystem::path folder_;
};

}  // namespace convc
