// .npy files: what numpy writes, and everything that can be wrong with one.
#include "compiler/driver/tensor_io/npy.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/driver/tensor_fixtures.h"

namespace convc {
namespace {

const std::vector<float> expected{0, 1, 2, 3, 4, 5.5};

void expect_values(std::string_view bytes, const std::vector<int64_t> &shape, const std::vector<float> &values) {
    const Result<Tensor> tensor = read_npy(bytes, "x.npy");
    ASSERT_TRUE(tensor) << tensor.error().message;
    EXPECT_EQ(tensor->shape, shape);
    EXPECT_EQ(tensor->values, values);
}

std::string error_of(std::string_view bytes) {
    const Result<Tensor> tensor = read_npy(bytes, "x.npy");
    EXPECT_FALSE(tensor);
    return tensor ? "" : tensor.error().message;
}

// A version-1 file with this dictionary.
std::string with_header(std::string_view header, std::string_view data = "") {
    std::string bytes("\x93NUMPY\x01\x00", 8);
    bytes += static_cast<char>(header.size() & 0xff);
    bytes += static_cast<char>(header.size() >> 8);
    return bytes + std::string(header) + std::string(data);
}

std::string with_shape(std::string_view shape) {
    return with_header(fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': {}, }}", shape));
}

TEST(Npy, ReadsWhatNumpyWrites) {
    using namespace fixtures;
    expect_values(text(npy_f32), {2, 3}, expected);
    expect_values(text(npy_f64_fortran), {2, 3}, expected);
    expect_values(text(npy_f32_version2), {2, 3}, expected);
    expect_values(text(npy_f32_version3), {2, 3}, expected);
    expect_values(text(npy_f16), {6}, {1, -2, 65504, 5.9604645e-08F, INFINITY, -0.0F});
    expect_values(text(npy_i16_big_endian), {3}, {1, -2, 300});
    expect_values(text(npy_bool), {2}, {1, 0});
    expect_values(text(npy_scalar_u64), {}, {0x1p63F});
}

TEST(Npy, ReadsFortranOrderOfThreeAxes) {
    std::vector<float> file, expected_values;
    for (int k = 0; k < 4; k++) {
        for (int j = 0; j < 3; j++) {
            for (int i = 0; i < 2; i++) file.push_back(static_cast<float>(100 * i + 10 * j + k));
        }
    }
    for (int i = 0; i < 2; i++) {
        for (int j = 0; j < 3; j++) {
            for (int k = 0; k < 4; k++) expected_values.push_back(static_cast<float>(100 * i + 10 * j + k));
        }
    }
    const std::string_view data(reinterpret_cast<const char *>(file.data()), file.size() * sizeof(float));
    expect_values(with_header("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3, 4), }", data), {2, 3, 4},
                  expected_values);
}

TEST(Npy, RoundTrips) {
    for (const std::vector<int64_t> &shape : {std::vector<int64_t>{}, {6}, {2, 3}, {1, 2, 3, 1}, {0, 4}}) {
        Tensor tensor{shape, {}};
        for (int64_t i = 0; i < *element_count(shape); i++) tensor.values.push_back(static_cast<float>(i) + 0.5F);
        const std::string bytes = write_npy(tensor);
        EXPECT_EQ((bytes.size() - tensor.values.size() * 4) % 64, 0U);
        expect_values(bytes, tensor.shape, tensor.values);
    }
}

TEST(Npy, RefusesEveryTruncation) {
    using namespace fixtures;
    for (const std::string_view bytes : {text(npy_f32), text(npy_f64_fortran), text(npy_f32_version3)}) {
        for (size_t length = 0; length < bytes.size(); length++) EXPECT_NE(error_of(bytes.substr(0, length)), "");
    }
    EXPECT_EQ(error_of(text(npy_f32).substr(0, 150)),
              "x.npy: the shape [2, 3] takes 24 bytes of data, but there are 22");
}

TEST(Npy, RefusesTrailingBytes) {
    EXPECT_EQ(error_of(std::string(fixtures::text(fixtures::npy_f32)) + "!"),
              "x.npy: the shape [2, 3] takes 24 bytes of data, but there are 25");
}

TEST(Npy, SaysWhichTypeItDoesNotRead) {
    EXPECT_EQ(error_of(fixtures::text(fixtures::npy_complex)),
              "x.npy: its dtype '<c16' is not a boolean, an integer, f2, f4 or f8");
    EXPECT_EQ(error_of(fixtures::text(fixtures::npy_structured)), "x.npy: its dtype is not a plain one");
}

TEST(Npy, RefusesShapesThatOverflow) {
    EXPECT_EQ(error_of(with_shape("(4611686018427387904, 4)")),
              "x.npy: the shape [4611686018427387904, 4] has too many elements");
    EXPECT_EQ(error_of(with_shape("(9223372036854775807,)")),
              "x.npy: the shape [9223372036854775807] has too many elements");
    const std::string not_a_shape = "x.npy: its 'shape' is not a tuple of integers that fit 63 bits";
    EXPECT_EQ(error_of(with_shape("(99999999999999999999999,)")), not_a_shape);
    EXPECT_EQ(error_of(with_shape("(-1,)")), not_a_shape);
    EXPECT_EQ(error_of(with_shape("[1]")), not_a_shape);
    std::string deep;
    for (int i = 0; i < 100; i++) deep += "1, ";
    EXPECT_EQ(error_of(with_shape("(" + deep + ")")), not_a_shape);
}

TEST(Npy, RefusesOtherHeaders) {
    EXPECT_EQ(error_of(with_header("")), "x.npy: its header is not a dictionary");
    EXPECT_EQ(error_of(with_header("{}")), "x.npy: its header lacks 'descr', 'fortran_order' or 'shape'");
    EXPECT_EQ(error_of(with_header("{'evil\x01': 1}")), "x.npy: its header has the unknown key 'evil?'");
    EXPECT_EQ(error_of(with_header("{'descr'")), "x.npy: its header is cut short or not a dictionary");
    EXPECT_EQ(error_of(with_header("{'fortran_order': 1}")), "x.npy: its 'fortran_order' is neither True nor False");
    EXPECT_EQ(error_of(std::string("\x93NUMPY\x04\x00\x00\x00", 10)), "x.npy: .npy version 4; 1 to 3 are known");
    EXPECT_EQ(error_of("PK"), "x.npy: not a .npy file");
}

}  // namespace
}  // namespace convc
