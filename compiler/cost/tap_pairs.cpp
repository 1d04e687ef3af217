#include "compiler/cost/tap_pairs.h"

#include <algorithm>
#include <utility>

namespace convc {
namespace {

// sum of floor((a*i + b) / m) for i in [0, n), by Euclid's algorithm on the slope a/m: Graham, Knuth & Patashnik,
// Concrete Mathematics, 3.5.
Count floor_sum(Count n, Count m, Count a, Count b) {
    Count sum = 0;
    while (n > 0) {
        sum += n * (n - 1) / 2 * (a / m) + n * (b / m);
        a %= m;
        b %= m;
        // The points under the line, counted along the other axis.
        const Count top = a * n + b;
        n = top / m;
        b = top % m;
        std::swap(m, a);
    }
    return sum;
}

struct Lattice {
    Count positions, taps, stride, dilation;
};

// Pairs with n * stride + t * dilation < limit.
Count pairs_below(const Lattice &pairs, Count limit) {
    if (limit == 0 || pairs.positions == 0) return 0;
    const Count last = limit - 1;
    const Count reach = (pairs.taps - 1) * pairs.dilation;
    const Count started = std::min(pairs.positions, last / pairs.stride + 1);  // positions whose first tap is below
    const Count whole = last < reach ? 0 : std::min(pairs.positions, (last - reach) / pairs.stride + 1);
    const Count cut = started - whole;  // positions with some taps below; the last of them has the fewest
    Count sum = whole * pairs.taps + cut;
    if (cut > 0) sum += floor_sum(cut, pairs.dilation, pairs.stride, last - (started - 1) * pairs.stride);
    return sum;
}

}  // namespace

Count tap_pairs_inside(const Axis &axis, int64_t positions, int64_t extent) {
    const Lattice pairs{as_count(positions), as_count(axis.kernel), as_count(axis.stride), as_count(axis.dilation)};
    const Count first = as_count(axis.pad_before);
    return pairs_below(pairs, first + as_count(extent)) - pairs_below(pairs, first);
}

}  // namespace convc
