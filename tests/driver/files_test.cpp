// Reading files whole and replacing them atomically.
#include "compiler/driver/files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/driver/scratch_directory.h"

namespace convc {
namespace {

TEST(Files, AreReadWhole) {
    const ScratchDirectory scratch;
    const std::string bytes(3'000'000, 'x');
    const Result<std::string> read = read_file(scratch.put("a", bytes));
    ASSERT_TRUE(read);
    EXPECT_EQ(*read, bytes);
}

TEST(Files, ThatCannotBeReadSayWhy) {
    const ScratchDirectory scratch;
    const std::string none = (scratch / "none").string();
    EXPECT_EQ(read_file(none).error().message, "cannot read '" + none + "': No such file or directory");
    EXPECT_EQ(read_file(none).error().failure, Failure::environment);
    EXPECT_EQ(read_file(scratch.path()).error().message,
              "cannot read '" + scratch.path().string() + "': Is a directory");
}

TEST(Files, AreReplacedWithTheirPermissions) {
    const ScratchDirectory scratch;
    const auto path = scratch.put("a", "old");
    ASSERT_EQ(::chmod(path.c_str(), 0640), 0);
    ASSERT_TRUE(write_file(path, "new"));
    EXPECT_EQ(scratch.get("a"), "new");
    struct stat facts{};
    ASSERT_EQ(::stat(path.c_str(), &facts), 0);
    EXPECT_EQ(facts.st_mode & 07777, 0640U);
    EXPECT_EQ(scratch.files(), 1U);
}

TEST(Files, BehindALinkAreReplacedAndTheLinkStays) {
    const ScratchDirectory scratch;
    scratch.put("real", "old");
    std::filesystem::create_symlink("real", scratch / "link");
    ASSERT_TRUE(write_file(scratch / "link", "new"));
    EXPECT_EQ(scratch.get("real"), "new");
    EXPECT_TRUE(std::filesystem::is_symlink(scratch / "link"));
}

TEST(Files, OfDevicesStayDevices) {
    ASSERT_TRUE(write_file("/dev/null", "text"));
    EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
    EXPECT_EQ(write_file("/dev/full", "text").error().message, "cannot write '/dev/full': No space left on device");
}

TEST(Files, ThatCannotBeWrittenSayWhy) {
    const ScratchDirectory scratch;
    EXPECT_EQ(write_file(scratch.path(), "x").error().message,
              "cannot write '" + scratch.path().string() + "': Is a directory");
    const std::string deep = (scratch / "no/such").string();
    EXPECT_EQ(write_file(deep, "x").error().message, "cannot write '" + deep + "': No such file or directory");
    scratch.put("file", "");
    EXPECT_FALSE(make_directory(scratch / "file"));
    EXPECT_FALSE(make_directory(scratch / "file/below"));
    EXPECT_TRUE(make_directory(scratch / "a/b/c"));
    EXPECT_TRUE(make_directory(scratch / "a/b/c"));
}

// A writer that is interrupted again and again leaves the old file or the new one, and no temporary file.
TEST(Files, AreWholeWhenTheWriterIsInterrupted) {
    const ScratchDirectory scratch;
    const std::string old_bytes(1 << 20, 'o');
    const std::string new_bytes(1 << 20, 'n');
    for (int round = 0; round < 40; round++) {
        const auto path = scratch.put("a", old_bytes);
        const pid_t child = ::fork();
        if (child == 0) {
            remove_temporary_files_on_signals();
            while (true) (void)write_file(path, new_bytes);
        }
        ::usleep(static_cast<useconds_t>(500 + 371 * round));
        ::kill(child, round % 2 ? SIGINT : SIGTERM);
        int status = 0;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        EXPECT_TRUE(WIFSIGNALED(status));
        const std::string after = scratch.get("a");
        EXPECT_TRUE(after == old_bytes || after == new_bytes) << round;
        EXPECT_EQ(scratch.files(), 1U) << round;
    }
}

}  // namespace
}  // namespace convc
