// .npz files: what numpy writes, damaged in every byte.
#include "compiler/driver/tensor_io/npz.h"

#include <gtest/gtest.h>

#include "tests/driver/scratch_directory.h"
#include "tests/driver/tensor_fixtures.h"

namespace convc {
namespace {

TEST(Npz, ReadsWhatNumpyWrites) {
    const ScratchDirectory scratch;
    const Result<NpzFile> file = NpzFile::open(scratch.put("w.npz", fixtures::text(fixtures::npz)));
    ASSERT_TRUE(file) << file.error().message;
    EXPECT_EQ(file->names(), (std::vector<std::string>{"0.weight", "0.bias"}));
    EXPECT_TRUE(file->contains("0.bias"));
    EXPECT_FALSE(file->contains("1.bias"));
    const Result<Tensor> weight = file->read("0.weight", 6);
    ASSERT_TRUE(weight) << weight.error().message;
    EXPECT_EQ(weight->shape, (std::vector<int64_t>{2, 3}));
    EXPECT_EQ(weight->values, (std::vector<float>{0, 1, 2, 3, 4, 5.5}));
    const Result<Tensor> bias = file->read("0.bias", 3);
    ASSERT_TRUE(bias) << bias.error().message;
    EXPECT_EQ(bias->values, (std::vector<float>{0, 1, 2}));
}

TEST(Npz, NamesAMissingEntry) {
    const ScratchDirectory scratch;
    const std::filesystem::path path = scratch.put("w.npz", fixtures::text(fixtures::npz));
    const Result<NpzFile> file = NpzFile::open(path);
    ASSERT_TRUE(file);
    const Result<Tensor> tensor = file->read("2.weight", 6);
    ASSERT_FALSE(tensor);
    EXPECT_EQ(tensor.error().message, path.string() + ":2.weight.npy: there is no such entry");
}

// Whatever is cut off or flipped, a tensor that is read at all is the right one: zip has checksums.
TEST(Npz, SurvivesDamage) {
    const ScratchDirectory scratch;
    const std::string_view good = fixtures::text(fixtures::npz);
    int refused = 0;
    for (size_t at = 0; at < good.size(); at++) {
        for (const bool cut : {true, false}) {
            std::string bytes(good.substr(0, cut ? at : good.size()));
            if (!cut) bytes[at] = static_cast<char>(bytes[at] ^ 0x55);
            const Result<NpzFile> file = NpzFile::open(scratch.put("w.npz", bytes));
            const Result<Tensor> tensor = file ? file->read("0.weight", 6) : Result<Tensor>(file.error());
            refused += !tensor;
            if (tensor) {
                EXPECT_EQ(tensor->values, (std::vector<float>{0, 1, 2, 3, 4, 5.5})) << at;
            }
        }
    }
    EXPECT_GT(refused, static_cast<int>(good.size()));
}

TEST(Npz, RefusesAMissingFileAndADirectory) {
    const ScratchDirectory scratch;
    EXPECT_EQ(NpzFile::open(scratch / "none.npz").error().failure, Failure::environment);
    EXPECT_EQ(NpzFile::open(scratch.path()).error().failure, Failure::environment);
}

}  // namespace
}  // namespace convc
