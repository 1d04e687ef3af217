// The kernel cache: compiled kernels on disk, so that a layer is compiled once a machine. See docs/kernel-cache.md.
//
// Content-addressed: an entry's file name is the hash of its key, and the key covers everything that can change the
// bytes. Each entry is one file that holds its whole key and a checksum, written to a temporary file, synced and
// renamed. Whatever is wrong with an entry (cut short, changed, of another version) makes it a miss, never an error.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "convc/kernel.h"
#include "convc/status.h"

namespace convc {

struct KernelKey {
    std::string symbol;
    std::string canonical_line;
    std::string schedule;
    std::string target;          // Target::full_name()
    std::string build_identity;  // of convc, Halide and LLVM

    bool operator==(const KernelKey &) const = default;
};

struct CacheReport {
    uint64_t entries = 0;
    uint64_t bytes = 0;
    std::vector<std::filesystem::path> damaged;  // verify() only
};

// Copies share nothing but the directory. Threads and processes may use one directory at once.
class KernelCache {
public:
    // $CONVC_CACHE_DIR, else $XDG_CACHE_HOME/convc, else ~/.cache/convc
    static std::filesystem::path default_directory();

    // Creates the directory (0700) where it is missing. Refuses one that is not the user's own or that others can
    // write; so does every later operation, by which find() misses and store() fails.
    static Result<KernelCache> open(const std::filesystem::path &directory);

    std::optional<Kernel> find(const KernelKey &key) const;
    Status store(const KernelKey &key, const Kernel &kernel) const;

    CacheReport report() const;         // sizes
    CacheReport verify() const;         // reads every entry
    Result<CacheReport> clear() const;  // what was removed; leaves what is not an entry
    const std::filesystem::path &directory() const { return directory_; }

private:
    explicit KernelCache(std::filesystem::path directory) : directory_(std::move(directory)) {}
    std::filesystem::path directory_;
};

}  // namespace convc
