// Counts that cannot overflow: 128 bits wide, and saturating. A Layer whose tensors have fewer than 2^63 elements costs
// less than 2^126 multiplications a stage, so saturation is for sums of absurd layers and for Layers built by hand.
#pragma once

#include <cstdint>
#include <string>

namespace convc {

__extension__ typedef unsigned __int128 Count;

inline constexpr Count count_limit = ~Count{0};  // what an overflowing sum or product is

Count add(Count a, Count b);
Count multiply(Count a, Count b);
Count as_count(int64_t value);  // negative values count as 0

std::string print_count(Count count);                // 10,275; count_limit prints as "over 3.4e38"
std::string print_count_digits(Count count);         // 10275; count_limit prints all its digits
std::string print_percent(Count part, Count whole);  // 11.9 %

}  // namespace convc
