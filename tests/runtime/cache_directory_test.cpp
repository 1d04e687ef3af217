// The kernel cache's directory: where it is, which ones are refused, what is left after failures, many processes at
// once.
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <csignal>
#include <functional>

#include "tests/runtime/cache_fixture.h"

namespace convc {
namespace {

namespace fs = std::filesystem;

TEST_F(CacheTest, MakesItsDirectoryForTheUserAlone) {
    const mode_t before = umask(0);
    folder_ = root_ / "new" / "cache";
    const KernelCache cache = open();
    EXPECT_TRUE(cache.store(sample_key(), sample_kernel()));
    umask(before);
    EXPECT_EQ(mode(root_ / "new"), 0700u);
    EXPECT_EQ(mode(folder_), 0700u);
    EXPECT_EQ(mode(entry()), 0600u);
}

TEST_F(CacheTest, WritesEntriesThatTheUserCanReadWhateverTheUmask) {
    const KernelCache cache = open();
    const mode_t before = umask(0777);
    EXPECT_TRUE(cache.store(sample_key(), sample_kernel()));
    umask(before);
    EXPECT_EQ(mode(entry()), 0600u);
}

TEST_F(CacheTest, RefusesADirectoryThatOthersCanWrite) {
    fs::create_directory(folder_);
    for (const unsigned unsafe : {0720u, 0702u, 0777u, 01777u}) {
        fs::permissions(folder_, fs::perms(unsafe));
        const Result<KernelCache> cache = KernelCache::open(folder_);
        ASSERT_FALSE(cache) << std::oct << unsafe;
        EXPECT_EQ(cache.error().failure, Failure::environment);
        EXPECT_NE(cache.error().message.find("can be written by others"), std::string::npos) << cache.error().message;
    }
    fs::permissions(folder_, fs::perms(0755));
    EXPECT_TRUE(KernelCache::open(folder_)) << "others may read";
}

TEST_F(CacheTest, RefusesADirectoryOfAnotherUser) {
    fs::path foreign = "/";
    if (geteuid() == 0) {
        foreign = folder_;
        fs::create_directory(foreign);
        ASSERT_EQ(chown(foreign.c_str(), 12345, static_cast<gid_t>(-1)), 0);
    }
    const Result<KernelCache> cache = KernelCache::open(foreign);
    ASSERT_FALSE(cache);
    EXPECT_NE(cache.error().message.find("belongs to user"), std::string::npos) << cache.error().message;
}

TEST_F(CacheTest, RefusesAFileInPlaceOfADirectory) {
    write_file(folder_, "");
    EXPECT_FALSE(KernelCache::open(folder_));
    EXPECT_FALSE(KernelCache::open(folder_ / "below"));
    EXPECT_FALSE(KernelCache::open(""));
}

TEST_F(CacheTest, StopsUsingADirectoryThatBecomesUnsafe) {
    const KernelCache cache = open();
    ASSERT_TRUE(cache.store(sample_key(), sample_kernel()));
    fs::permissions(folder_, fs::perms(0777));
    EXPECT_FALSE(cache.find(sample_key()));
    EXPECT_FALSE(cache.store(sample_key("b"), sample_kernel("b")));
    EXPECT_FALSE(cache.clear());
    EXPECT_EQ(names().size(), 1u);
}

TEST_F(CacheTest, MakesItsDirectoryAgainWhenItIsGone) {
    const KernelCache cache = open();
    fs::remove_all(folder_);
    EXPECT_FALSE(cache.find(sample_key()));
    EXPECT_TRUE(cache.store(sample_key(), sample_kernel()));
    EXPECT_TRUE(cache.find(sample_key()));
}

TEST_F(CacheTest, MissesEntriesThatOthersCanWriteOrOwn) {
    const KernelCache cache = open();
    ASSERT_TRUE(cache.store(sample_key(), sample_kernel()));
    for (const unsigned unsafe : {0620u, 0602u}) {
        fs::permissions(entry(), fs::perms(unsafe));
        EXPECT_FALSE(cache.find(sample_key())) << std::oct << unsafe;
    }
    fs::permissions(entry(), fs::perms(0600));
    EXPECT_TRUE(cache.find(sample_key()));
    if (geteuid() != 0) return;
    ASSERT_EQ(chown(entry().c_str(), 12345, static_cast<gid_t>(-1)), 0);
    EXPECT_FALSE(cache.find(sample_key()));
}

TEST_F(CacheTest, FollowsNoLinksWhenReadingOrWriting) {
    const KernelCache cache = open();
    const fs::path elsewhere = root_ / "elsewhere";
    write_file(elsewhere, write_cache_entry({sample_key(), sample_kernel()}));
    fs::create_symlink(elsewhere, entry());
    EXPECT_FALSE(cache.find(sample_key()));
    EXPECT_EQ(cache.verify().entries, 0u);

    write_file(elsewhere, "precious");
    ASSERT_TRUE(cache.store(sample_key(), sample_kernel())) << "replaces the link";
    EXPECT_FALSE(fs::is_symlink(entry()));
    EXPECT_TRUE(cache.find(sample_key()));
    EXPECT_EQ(read_file(elsewhere), "precious");
}

TEST_F(CacheTest, IsNotHeldUpByAPipe) {
    const KernelCache cache = open();
    ASSERT_EQ(mkfifo(entry().c_str(), 0600), 0);
    EXPECT_FALSE(cache.find(sample_key()));
}

TEST_F(CacheTest, LeavesNothingWhenAnEntryCannotBeReplaced) {
    const KernelCache cache = open();
    fs::create_directory(entry());
    EXPECT_FALSE(cache.find(sample_key()));
    const Status stored = cache.store(sample_key(), sample_kernel());
    ASSERT_FALSE(stored);
    EXPECT_EQ(stored.error().failure, Failure::environment);
    EXPECT_EQ(names(), std::vector<std::string>{cache_entry_name(sample_key())});
}

// The exit status of `body` in a child process.
int child_status(const std::function<int()> &body) {
    const pid_t child = fork();
    if (child == 0) _exit(body());
    int status = -1;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// A limit on the size of files stands in for a full disk: the kernel refuses to write on in the middle of the entry.
TEST_F(CacheTest, LeavesNothingHalfWrittenOnAFullDisk) {
    const KernelCache cache = open();
    ASSERT_TRUE(cache.store(sample_key(), sample_kernel("k", "old")));
    EXPECT_EQ(child_status([&] {
                  std::signal(SIGXFSZ, SIG_IGN);
                  const rlimit limit = {4096, 4096};
                  if (setrlimit(RLIMIT_FSIZE, &limit) != 0) return 1;
                  const Status stored = cache.store(sample_key(), sample_kernel("k", std::string(50000, 'x')));
                  if (stored) return 2;
                  return stored.error().failure == Failure::environment ? 0 : 3;
              }),
              0);
    EXPECT_EQ(names(), std::vector<std::string>{cache_entry_name(sample_key())});
    EXPECT_EQ(cache.find(sample_key()), sample_kernel("k", "old"));
}

TEST_F(CacheTest, HasOnlyWholeEntriesAfterWritersAreKilled) {
    const KernelCache cache = open();
    for (int round = 0; round < 15; ++round) {
        const pid_t writer = fork();
        if (writer == 0) {
            for (char fill = 'a';; fill = fill == 'z' ? 'a' : static_cast<char>(fill + 1)) {
                (void)cache.store(sample_key(), sample_kernel("k", std::string(500000, fill))).error();
            }
        }
        usleep(static_cast<useconds_t>(2000 + 1777 * round));
        kill(writer, SIGKILL);
        waitpid(writer, nullptr, 0);
        EXPECT_TRUE(cache.verify().damaged.empty());
    }
    EXPECT_TRUE(cache.find(sample_key()));
}

// Finds only what some process stored whole, while others store and clear.
int store_and_find(const KernelCache &cache, int process) {
    for (int round = 0; round < 60; ++round) {
        const std::string symbol = fmt::format("k{}", (process + round) % 5);
        const std::string object(static_cast<size_t>(1000 * (process + 1)), static_cast<char>('a' + process));
        if (!cache.store(sample_key(symbol), sample_kernel(symbol, object))) return 1;
        const std::optional<Kernel> found = cache.find(sample_key(fmt::format("k{}", round % 5)));
        if (!found) continue;
        const std::string &bytes = found->objects.at(0).bytes;
        if (bytes.size() != 1000u * static_cast<size_t>(bytes.at(0) - 'a' + 1)) return 2;
        if (bytes.find_first_not_of(bytes[0]) != std::string::npos) return 3;
    }
    return 0;
}

TEST_F(CacheTest, ServesManyProcessesAtOnce) {
    const KernelCache cache = open();
    std::vector<pid_t> children;
    for (int process = 0; process < 6; ++process) {
        children.push_back(fork());
        if (children.back() == 0) _exit(store_and_find(cache, process));
    }
    for (int round = 0; round < 20; ++round) {
        EXPECT_TRUE(cache.clear());
        usleep(2000);
    }
    for (const pid_t child : children) {
        int status = -1;
        waitpid(child, &status, 0);
        EXPECT_EQ(status, 0);
    }
    EXPECT_TRUE(cache.verify().damaged.empty());
    for (const std::string &name : names()) EXPECT_TRUE(is_cache_entry_name(name)) << name;
}

TEST_F(CacheTest, ClearsEntriesAndNothingElse) {
    const KernelCache cache = open();
    const KernelKey damaged = sample_key("damaged");
    ASSERT_TRUE(cache.store(sample_key(), sample_kernel()));
    write_file(entry(damaged), "damaged");
    const uint64_t bytes = fs::file_size(entry()) + fs::file_size(entry(damaged));

    const std::string look_alike = std::string(32, 'a') + ".kernel";
    fs::create_directory(folder_ / look_alike);
    write_file(root_ / "target", "precious");
    fs::create_symlink(root_ / "target", folder_ / (std::string(32, 'b') + ".kernel"));
    write_file(folder_ / "notes.kernel", "mine");
    write_file(folder_ / ".writing-0123456789abcdef", "another process is at it");
    write_file(folder_ / ".writing-00000000deadbeef", "killed long ago");
    const timespec long_ago[2] = {{0, 0}, {0, 0}};
    ASSERT_EQ(utimensat(AT_FDCWD, (folder_ / ".writing-00000000deadbeef").c_str(), long_ago, 0), 0);

    const Result<CacheReport> removed = cache.clear();
    ASSERT_TRUE(removed);
    EXPECT_EQ(removed->entries, 2u);
    EXPECT_EQ(removed->bytes, bytes + std::string("killed long ago").size());
    EXPECT_EQ(names(), (std::vector<std::string>{".writing-0123456789abcdef", look_alike,
                                                 std::string(32, 'b') + ".kernel", "notes.kernel"}));
    EXPECT_EQ(read_file(root_ / "target"), "precious");
}

// Sets a variable for one test; nullptr unsets it.
class Variable {
public:
    Variable(const char *name, const char *value) : name_(name) {
        if (const char *old = std::getenv(name)) before_ = old;
        value == nullptr ? unsetenv(name) : setenv(name, value, 1);
    }
    Variable(const Variable &) = delete;
    Variable &operator=(const Variable &) = delete;
    ~Variable() { before_ ? setenv(name_, before_->c_str(), 1) : unsetenv(name_); }

private:
    const char *name_;
    std::optional<std::string> before_;
};

fs::path default_directory(const char *own, const char *xdg, const char *home) {
    const Variable first("CONVC_CACHE_DIR", own);
    const Variable second("XDG_CACHE_HOME", xdg);
    const Variable third("HOME", home);
    return KernelCache::default_directory();
}

TEST(CacheDirectory, FollowsTheXdgRules) {
    EXPECT_EQ(default_directory("/own", "/xdg", "/home/u"), "/own");
    EXPECT_EQ(default_directory(nullptr, "/xdg", "/home/u"), "/xdg/convc");
    EXPECT_EQ(default_directory("", "/xdg", "/home/u"), "/xdg/convc");
    EXPECT_EQ(default_directory(nullptr, nullptr, "/home/u"), "/home/u/.cache/convc");
    EXPECT_EQ(default_directory(nullptr, "", "/home/u"), "/home/u/.cache/convc");
    EXPECT_EQ(default_directory(nullptr, "relative", "/home/u"), "/home/u/.cache/convc");
    EXPECT_TRUE(default_directory(nullptr, nullptr, nullptr).is_absolute()) << "from the user database";
}

TEST_F(CacheTest, KeepsARelativeDirectoryWhenTheProcessMoves) {
    const fs::path before = fs::current_path();
    fs::current_path(root_);
    const Result<KernelCache> cache = KernelCache::open("cache");
    fs::current_path(before);
    ASSERT_TRUE(cache);
    EXPECT_TRUE(cache->directory().is_absolute());
    EXPECT_TRUE(cache->store(sample_key(), sample_kernel()));
    EXPECT_TRUE(fs::exists(entry()));
}

}  // namespace
}  // namespace convc
