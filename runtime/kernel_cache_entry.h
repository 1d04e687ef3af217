// One entry of the kernel cache as bytes: key and kernel, sealed by a checksum. The format is in docs/kernel-cache.md.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "runtime/kernel_cache.h"

namespace convc {

struct KernelCacheEntry {
    KernelKey key;
    Kernel kernel;
};

// The file name of a key's entry: 32 hexadecimal digits of its hash, and ".kernel".
std::string cache_entry_name(const KernelKey &key);
bool is_cache_entry_name(std::string_view name);

std::string write_cache_entry(const KernelCacheEntry &entry);

// nullopt when a byte is missing, added or changed, or the bytes are of another format version.
std::optional<KernelCacheEntry> read_cache_entry(std::string_view bytes);

}  // namespace convc
