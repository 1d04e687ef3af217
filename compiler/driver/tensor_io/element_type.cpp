#include "compiler/driver/tensor_io/element_type.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

namespace convc {
namespace {

static_assert(std::endian::native == std::endian::little, "tensor files are read and written as little-endian memory");

template <class T>
T read_element(const char *at, bool big_endian) {
    std::array<char, sizeof(T)> bytes;
    std::memcpy(bytes.data(), at, sizeof(T));
    if (big_endian) std::reverse(bytes.begin(), bytes.end());
    return std::bit_cast<T>(bytes);
}

float from_f16(uint16_t bits) {
    const float sign = bits & 0x8000 ? -1.0F : 1.0F;
    const int exponent = (bits >> 10) & 0x1f;
    const int mantissa = bits & 0x3ff;
    if (exponent == 0) return sign * std::ldexp(static_cast<float>(mantissa), -24);
    if (exponent == 31) {
        return mantissa ? std::numeric_limits<float>::quiet_NaN() : sign * std::numeric_limits<float>::infinity();
    }
    return sign * std::ldexp(static_cast<float>(mantissa + 1024), exponent - 25);
}

float from_bf16(uint16_t bits) {
    return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

template <class T, class Convert>
void convert_each(bool big_endian, std::string_view bytes, std::span<float> values, Convert convert) {
    for (size_t i = 0; i < values.size(); i++) {
        values[i] = convert(read_element<T>(bytes.data() + i * sizeof(T), big_endian));
    }
}

template <class T>
void cast_each(bool big_endian, std::string_view bytes, std::span<float> values) {
    convert_each<T>(big_endian, bytes, values, [](T value) { return static_cast<float>(value); });
}

}  // namespace

size_t element_bytes(ElementType type) {
    switch (type) {
        case ElementType::boolean:
        case ElementType::i8:
        case ElementType::u8:
            return 1;
        case ElementType::i16:
        case ElementType::u16:
        case ElementType::f16:
        case ElementType::bf16:
            return 2;
        case ElementType::i32:
        case ElementType::u32:
        case ElementType::f32:
            return 4;
        case ElementType::i64:
        case ElementType::u64:
        case ElementType::f64:
            return 8;
    }
    return 1;
}

void convert_to_f32(ElementType type, bool big_endian, std::string_view bytes, std::span<float> values) {
    switch (type) {
        case ElementType::boolean:
            return convert_each<uint8_t>(big_endian, bytes, values, [](uint8_t value) { return value ? 1.0F : 0.0F; });
        case ElementType::i8:
            return cast_each<int8_t>(big_endian, bytes, values);
        case ElementType::u8:
            return cast_each<uint8_t>(big_endian, bytes, values);
        case ElementType::i16:
            return cast_each<int16_t>(big_endian, bytes, values);
        case ElementType::u16:
            return cast_each<uint16_t>(big_endian, bytes, values);
        case ElementType::i32:
            return cast_each<int32_t>(big_endian, bytes, values);
        case ElementType::u32:
            return cast_each<uint32_t>(big_endian, bytes, values);
        case ElementType::i64:
            return cast_each<int64_t>(big_endian, bytes, values);
        case ElementType::u64:
            return cast_each<uint64_t>(big_endian, bytes, values);
        case ElementType::f16:
            return convert_each<uint16_t>(big_endian, bytes, values, from_f16);
        case ElementType::bf16:
            return convert_each<uint16_t>(big_endian, bytes, values, from_bf16);
        case ElementType::f32:
            return cast_each<float>(big_endian, bytes, values);
        case ElementType::f64:
            return cast_each<double>(big_endian, bytes, values);
    }
}

}  // namespace convc
