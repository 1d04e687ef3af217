// See kernel_cache_entry.h and docs/kernel-cache.md.
#include "runtime/kernel_cache_entry.h"

#include <fmt/format.h>
#include <llvm/Support/BLAKE3.h>
#include <llvm/Support/xxhash.h>

#include <algorithm>
#include <bit>
#include <cstring>

namespace convc {
namespace {

constexpr std::string_view magic = "convc-k\n";
constexpr uint64_t format_version = 1;
constexpr std::string_view extension = ".kernel";
constexpr size_t hash_bytes = 16;
constexpr size_t number_bytes = sizeof(uint64_t);
constexpr size_t header_bytes = 4 * number_bytes;  // magic, version, length of the body, checksum

static_assert(std::endian::native == std::endian::little, "numbers are written as they lie in memory");

void put(std::string &to, uint64_t number) {
    char bytes[number_bytes];
    std::memcpy(bytes, &number, number_bytes);
    to.append(bytes, number_bytes);
}

void put(std::string &to, std::string_view text) {
    put(to, text.size());
    to += text;
}

void put(std::string &to, const KernelKey &key) {
    put(to, key.symbol);
    put(to, key.canonical_line);
    put(to, key.schedule);
    put(to, key.target);
    put(to, key.build_identity);
}

void put(std::string &to, const Kernel &kernel) {
    put(to, kernel.symbol);
    put(to, kernel.canonical_line);
    put(to, kernel.schedule);
    put(to, kernel.origin);
    put(to, kernel.target);
    put(to, kernel.packed_bytes);
    put(to, kernel.workspace_bytes);
    put(to, kernel.objects.size());
    for (const ObjectFile &object : kernel.objects) {
        put(to, object.name);
        put(to, object.bytes);
    }
}

// Takes values off the front; false from the first that is not there.
class Reader {
public:
    explicit Reader(std::string_view bytes) : left_(bytes) {}

    bool take(uint64_t &number) {
        if (left_.size() < number_bytes) return false;
        std::memcpy(&number, left_.data(), number_bytes);
        left_.remove_prefix(number_bytes);
        return true;
    }

    bool take(std::string &text) {
        uint64_t size = 0;
        if (!take(size) || size > left_.size()) return false;
        text = left_.substr(0, size);
        left_.remove_prefix(size);
        return true;
    }

    bool take(KernelKey &key) {
        return take(key.symbol) && take(key.canonical_line) && take(key.schedule) && take(key.target) &&
               take(key.build_identity);
    }

    bool take(ObjectFile &object) { return take(object.name) && take(object.bytes); }

    bool take(Kernel &kernel) {
        uint64_t objects = 0;
        if (!(take(kernel.symbol) && take(kernel.canonical_line) && take(kernel.schedule) && take(kernel.origin) &&
              take(kernel.target) && take(kernel.packed_bytes) && take(kernel.workspace_bytes) && take(objects))) {
            return false;
        }
        for (; objects > 0; --objects) {
            if (!take(kernel.objects.emplace_back())) return false;
        }
        return true;
    }

    bool at_end() const { return left_.empty(); }

private:
    std::string_view left_;
};

// Of the header's fields before the checksum, and the body.
uint64_t checksum(std::string_view fields, std::string_view body) {
    std::string summed(fields);
    put(summed, llvm::xxh3_64bits(llvm::StringRef(body)));
    return llvm::xxh3_64bits(llvm::StringRef(summed));
}

}  // namespace

std::string cache_entry_name(const KernelKey &key) {
    std::string bytes;
    put(bytes, key);
    llvm::BLAKE3 hash;
    hash.update(llvm::StringRef(bytes));
    std::string name;
    for (const uint8_t byte : hash.final<hash_bytes>()) name += fmt::format("{:02x}", byte);
    return name.append(extension);
}

bool is_cache_entry_name(std::string_view name) {
    return name.size() == 2 * hash_bytes + extension.size() && name.ends_with(extension) &&
           name.find_first_not_of("0123456789abcdef") == 2 * hash_bytes;
}

std::string write_cache_entry(const KernelCacheEntry &entry) {
    std::string body;
    put(body, entry.key);
    put(body, entry.kernel);
    std::string bytes(magic);
    put(bytes, format_version);
    put(bytes, body.size());
    put(bytes, checksum(bytes, body));
    return bytes + body;
}

std::optional<KernelCacheEntry> read_cache_entry(std::string_view bytes) {
    if (bytes.size() < header_bytes || !bytes.starts_with(magic)) return std::nullopt;
    const std::string_view fields = bytes.substr(0, header_bytes - number_bytes);
    const std::string_view body = bytes.substr(header_bytes);
    Reader header(bytes.substr(magic.size(), header_bytes - magic.size()));
    uint64_t version = 0;
    uint64_t length = 0;
    uint64_t sum = 0;
    if (!header.take(version) || !header.take(length) || !header.take(sum)) return std::nullopt;
    if (version != format_version || length != body.size() || sum != checksum(fields, body)) return std::nullopt;
    Reader reader(body);
    KernelCacheEntry entry;
    if (!reader.take(entry.key) || !reader.take(entry.kernel) || !reader.at_end()) return std::nullopt;
    return entry;
}

}  // namespace convc
