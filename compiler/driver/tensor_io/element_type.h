// The number types that tensor files hold, and their conversion to f32.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace convc {

enum class ElementType { boolean, i8, u8, i16, u16, i32, u32, i64, u64, f16, bf16, f32, f64 };

size_t element_bytes(ElementType type);

// Reads values.size() elements from `bytes`, which holds exactly that many. Rounds to nearest; what f32 cannot hold
// becomes an infinity. `big_endian` is of the file.
void convert_to_f32(ElementType type, bool big_endian, std::string_view bytes, std::span<float> values);

}  // namespace convc
