// .safetensors files, and headers that lie.
#include "compiler/driver/tensor_io/safetensors.h"

#include <gtest/gtest.h>

#include <cstring>

namespace convc {
namespace {

std::string file_of(std::string_view header, std::string_view data) {
    const uint64_t length = header.size();
    std::string bytes(sizeof(length), '\0');
    std::memcpy(bytes.data(), &length, sizeof(length));
    return bytes + std::string(header) + std::string(data);
}

std::string error_of(std::string bytes) {
    const Result<SafetensorsFile> file = SafetensorsFile::parse(std::move(bytes), "w.safetensors");
    EXPECT_FALSE(file);
    return file ? "" : file.error().message;
}

constexpr std::string_view header = R"({"__metadata__":{"format":"pt"},)"
                                    R"("0.weight":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},)"
                                    R"("0.bias":{"dtype":"BF16","shape":[2],"data_offsets":[8,12]},)"
                                    R"("half":{"dtype":"F16","shape":[1],"data_offsets":[12,14]},)"
                                    R"("new":{"dtype":"F8_E5M2","shape":[1],"data_offsets":[14,15]}}   )";

std::string data() {
    const float weight[]{1.5F, -2};
    const uint16_t rest[]{0x3f80, 0xc000, 0x3c00};  // bf16 1 and -2, f16 1
    std::string bytes(reinterpret_cast<const char *>(weight), sizeof(weight));
    return bytes.append(reinterpret_cast<const char *>(rest), sizeof(rest)) + "?";
}

TEST(Safetensors, ReadsTensors) {
    const Result<SafetensorsFile> file = SafetensorsFile::parse(file_of(header, data()), "w.safetensors");
    ASSERT_TRUE(file) << file.error().message;
    EXPECT_EQ(file->names(), (std::vector<std::string>{"0.bias", "0.weight", "half"}));
    const Result<Tensor> weight = file->read("0.weight");
    ASSERT_TRUE(weight);
    EXPECT_EQ(weight->shape, (std::vector<int64_t>{2, 1}));
    EXPECT_EQ(weight->values, (std::vector<float>{1.5F, -2}));
    EXPECT_EQ(file->read("0.bias")->values, (std::vector<float>{1, -2}));
    EXPECT_EQ(file->read("half")->values, (std::vector<float>{1}));
    EXPECT_EQ(file->read("none").error().message, "w.safetensors: there is no tensor 'none'");
}

TEST(Safetensors, RefusesEveryTruncation) {
    const std::string bytes = file_of(header, data());
    for (size_t length = 0; length + 1 < bytes.size(); length++) EXPECT_NE(error_of(bytes.substr(0, length)), "");
}

TEST(Safetensors, RefusesHugeHeaders) {
    EXPECT_EQ(error_of(std::string(8, '\xff')),
              "w.safetensors: a header of 18446744073709551615 bytes; 100 MB is the most");
    EXPECT_EQ(error_of(std::string("\x00\x10\x00\x00\x00\x00\x00\x00{}", 10)),
              "w.safetensors: cut short: a header of 4096 bytes, 2 of them there");
}

TEST(Safetensors, RefusesHeadersThatLie) {
    const auto entry = [](std::string_view body) { return file_of("{\"t\":" + std::string(body) + "}", "12345678"); };
    EXPECT_EQ(error_of(entry(R"({"dtype":"F32","shape":[2],"data_offsets":[0,4]})")),
              "w.safetensors: tensor 't': the shape [2] takes 8 bytes, but its data_offsets give it 4");
    EXPECT_EQ(error_of(entry(R"({"dtype":"F32","shape":[3],"data_offsets":[0,12]})")),
              "w.safetensors: tensor 't': its data_offsets [0, 12] lie outside the 8 bytes of data");
    EXPECT_EQ(error_of(entry(R"({"dtype":"F32","shape":[1],"data_offsets":[4,0]})")),
              "w.safetensors: tensor 't': its data_offsets [4, 0] lie outside the 8 bytes of data");
    EXPECT_EQ(error_of(entry(R"({"dtype":"F32","shape":[9223372036854775807, 2],"data_offsets":[0,8]})")),
              "w.safetensors: tensor 't': the shape [9223372036854775807, 2] has too many elements");
    EXPECT_EQ(error_of(entry(R"({"dtype":"F32","shape":[-1],"data_offsets":[0,8]})")),
              "w.safetensors: tensor 't': its shape is not a list of sizes");
    EXPECT_EQ(error_of(entry(R"({"dtype":"F32","shape":[1],"data_offsets":[0,1e30]})")),
              "w.safetensors: tensor 't': its data_offsets are not two sizes");
    EXPECT_EQ(error_of(entry("7")), "w.safetensors: tensor 't': lacks dtype, shape or data_offsets");
    EXPECT_EQ(error_of(file_of("[]", "")), "w.safetensors: its header is not a JSON object");
    EXPECT_EQ(error_of(file_of(std::string(100000, '['), "")), "w.safetensors: its header is not a JSON object");
}

}  // namespace
}  // namespace convc
