// The kernel cache finds what was stored under the very same key, and nothing else: damaged, foreign and misplaced
// entries are misses.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <llvm/Support/xxhash.h>

#include <chrono>
#include <cstdio>
#include <cstring>

#include "tests/runtime/cache_fixture.h"

namespace convc {
namespace {

TEST_F(CacheTest, FindsWhatWasStored) {
    const KernelCache cache = open();
    EXPECT_FALSE(cache.find(sample_key()));
    ASSERT_TRUE(cache.store(sample_key(), sample_kernel()));
    const std::optional<Kernel> found = cache.find(sample_key());
    ASSERT_TRUE(found);
    EXPECT_EQ(*found, sample_kernel());
    EXPECT_TRUE(open().find(sample_key()));
}

TEST_F(CacheTest, KeepsEveryFieldOfAKernel) {
    const KernelCache cache = open();
    Kernel kernel = {"a", "b\nb", "", "tuned", std::string(3, '\0'), UINT64_MAX, UINT64_MAX - 1, {}};
    ASSERT_TRUE(cache.store(sample_key(), kernel));
    EXPECT_EQ(cache.find(sample_key()), kernel);
    kernel.objects = {{"a.o", std::string(70000, '\n')}, {"", ""}, {"b.o", "b"}};
    ASSERT_TRUE(cache.store(sample_key(), kernel)) << "the later one replaces the earlier one";
    EXPECT_EQ(cache.find(sample_key()), kernel);
    EXPECT_EQ(names().size(), 1u);
}

TEST_F(CacheTest, TellsKeysApartByEveryField) {
    const KernelCache cache = open();
    ASSERT_TRUE(cache.store(sample_key(), sample_kernel()));
    for (std::string KernelKey::*field : {&KernelKey::symbol, &KernelKey::canonical_line, &KernelKey::schedule,
                                          &KernelKey::target, &KernelKey::build_identity}) {
        KernelKey other = sample_key();
        other.*field += " ";
        EXPECT_FALSE(cache.find(other));
        EXPECT_NE(cache_entry_name(other), cache_entry_name(sample_key()));
    }
}

TEST_F(CacheTest, TellsKeysApartWhoseFieldsJoinToTheSameText) {
    EXPECT_NE(cache_entry_name({"ab", "c", "", "", ""}), cache_entry_name({"a", "bc", "", "", ""}));
    EXPECT_NE(cache_entry_name({"a", "", "", "", ""}), cache_entry_name({"", "a", "", "", ""}));
}

// The worked example of docs/kernel-cache.md. When this fails, the format has changed: give it a new version.
TEST(CacheEntry, IsAsInTheDocumentation) {
    EXPECT_EQ(cache_entry_name(sample_key()), "15ef0872db1e2ce9d665818851c4ef55.kernel");
    const std::string entry = write_cache_entry({sample_key(), sample_kernel()});
    EXPECT_EQ(entry.size(), 0x146u);
    EXPECT_EQ(entry.substr(0, 40), std::string("convc-k\n\1\0\0\0\0\0\0\0\x26\1\0\0\0\0\0\0"
                                               "\x5a\xd5\x31\x7b\xf4\x87\x84\x13\1\0\0\0\0\0\0\0",
                                               40));
    EXPECT_EQ(entry.substr(0x137, 15), std::string("k.o\4\0\0\0\0\0\0\0\x7f\x45\0\xff", 15));
}

TEST(CacheEntry, IsKnownByItsName) {
    const std::string name = cache_entry_name(sample_key());
    EXPECT_TRUE(is_cache_entry_name(name));
    for (const std::string &other : {fmt::format("x{}", name.substr(1)), name + "x", name.substr(1),
                                     fmt::format(".{}", name), std::string(".kernel")}) {
        EXPECT_FALSE(is_cache_entry_name(other)) << other;
    }
}

TEST(CacheEntry, IsReadOnlyIfEveryBitIsRight) {
    const std::string sound = write_cache_entry({sample_key(), sample_kernel()});
    ASSERT_TRUE(read_cache_entry(sound));
    for (size_t bit = 0; bit < 8 * sound.size(); ++bit) {
        std::string damaged = sound;
        damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
        ASSERT_FALSE(read_cache_entry(damaged)) << "bit " << bit;
    }
}

TEST(CacheEntry, IsReadOnlyIfItIsWhole) {
    const std::string sound = write_cache_entry({sample_key(), sample_kernel()});
    for (size_t size = 0; size < sound.size(); ++size) ASSERT_FALSE(read_cache_entry(sound.substr(0, size))) << size;
    EXPECT_FALSE(read_cache_entry(sound + '\0'));
    EXPECT_FALSE(read_cache_entry(sound + sound));
}

// Changes a number in the header or the body and seals the entry again, by the formula of docs/kernel-cache.md.
std::string resealed(std::string entry, size_t at, uint64_t number) {
    std::memcpy(entry.data() + at, &number, sizeof number);
    const uint64_t body = llvm::xxh3_64bits(llvm::StringRef(entry).substr(32));
    std::string fields = entry.substr(0, 24);
    fields.append(reinterpret_cast<const char *>(&body), sizeof body);
    const uint64_t sum = llvm::xxh3_64bits(llvm::StringRef(fields));
    std::memcpy(entry.data() + 24, &sum, sizeof sum);
    return entry;
}

TEST(CacheEntry, IsNotReadWhenItIsOfAnotherVersionOrItsLengthsAreWrongUnderARightChecksum) {
    const std::string sound = write_cache_entry({sample_key(), sample_kernel()});
    constexpr size_t version = 8;
    constexpr size_t length = 16;
    constexpr size_t symbol_size = 32;
    ASSERT_TRUE(read_cache_entry(resealed(sound, version, 1)));
    EXPECT_FALSE(read_cache_entry(resealed(sound, version, 2)));
    EXPECT_FALSE(read_cache_entry(resealed(sound, length, sound.size() - 31)));
    EXPECT_FALSE(read_cache_entry(resealed(sound + '\0', length, sound.size() - 31))) << "a byte behind the last field";
    for (const uint64_t size : {uint64_t{0}, uint64_t{2}, uint64_t{1} << 32, UINT64_MAX}) {
        EXPECT_FALSE(read_cache_entry(resealed(sound, symbol_size, size))) << size;
    }
}

TEST_F(CacheTest, MissesWhenAnyByteOfTheFileIsChanged) {
    const KernelCache cache = open();
    ASSERT_TRUE(cache.store(sample_key(), sample_kernel()));
    const std::string sound = read_file(entry());
    for (size_t at = 0; at < sound.size(); ++at) {
        std::string damaged = sound;
        damaged[at] = static_cast<char>(~damaged[at]);
        write_file(entry(), damaged);
        ASSERT_FALSE(cache.find(sample_key())) << at;
    }
    write_file(entry(), sound);
    EXPECT_TRUE(cache.find(sample_key()));
}

TEST_F(CacheTest, MissesWhenTheFileIsCutShort) {
    const KernelCache cache = open();
    ASSERT_TRUE(cache.store(sample_key(), sample_kernel()));
    const std::string sound = read_file(entry());
    for (size_t size = 0; size < sound.size(); ++size) {
        write_file(entry(), sound.substr(0, size));
        ASSERT_FALSE(cache.find(sample_key())) << size;
    }
}

TEST_F(CacheTest, MissesAnEntryUnderAnotherEntrysName) {
    const KernelCache cache = open();
    ASSERT_TRUE(cache.store(sample_key("a"), sample_kernel("a")));
    std::filesystem::rename(entry(sample_key("a")), entry(sample_key("b")));
    EXPECT_FALSE(cache.find(sample_key("b"))) << "as after a collision of the hash";
    EXPECT_EQ(cache.verify().damaged.size(), 1u);
}

TEST_F(CacheTest, MissesASparseFileOfManyTerabytes) {
    const KernelCache cache = open();
    write_file(entry(), "");
    if (truncate(entry().c_str(), off_t{1} << 42) != 0) GTEST_SKIP() << "the file system knows no such files";
    EXPECT_FALSE(cache.find(sample_key()));
}

TEST_F(CacheTest, ReportsSizesAndVerifies) {
    const KernelCache cache = open();
    EXPECT_EQ(cache.report().entries, 0u);
    uint64_t bytes = 0;
    for (const char *symbol : {"a", "b", "c"}) {
        ASSERT_TRUE(cache.store(sample_key(symbol), sample_kernel(symbol)));
        bytes += std::filesystem::file_size(entry(sample_key(symbol)));
    }
    write_file(folder_ / "notes.txt", "not an entry");
    EXPECT_EQ(cache.report().entries, 3u);
    EXPECT_EQ(cache.report().bytes, bytes);
    EXPECT_TRUE(cache.verify().damaged.empty());
    write_file(entry(sample_key("b")), "");
    EXPECT_EQ(cache.verify().entries, 3u);
    EXPECT_EQ(cache.verify().damaged, std::vector<std::filesystem::path>{entry(sample_key("b"))});
}

TEST_F(CacheTest, FindsAKernelOf20KilobytesInAFractionOfAMillisecond) {
    const KernelCache cache = open();
    ASSERT_TRUE(cache.store(sample_key(), sample_kernel("k", std::string(20000, 'x'))));
    std::vector<double> times(1000);
    for (double &time : times) {
        const auto start = std::chrono::steady_clock::now();
        const bool found = cache.find(sample_key()).has_value();
        time = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
        ASSERT_TRUE(found);
    }
    std::sort(times.begin(), times.end());
    std::printf("find: median %.3f ms, 99th percentile %.3f ms\n", times[500], times[990]);
    EXPECT_LT(times[500], 0.3);
}

}  // namespace
}  // namespace convc
