#include "schedules/parallel_parts.h"

#include <algorithm>

namespace convc {

void split_parts(Halide::Func output, const View &view, int parts, int columns, const Halide::Var &part) {
    const ViewAxis axis = parallel_axis(view);
    const Halide::Var along = output.args()[axis];
    const auto extent = static_cast<int>(view[axis].extent);
    const int unit = axis == view_width ? columns : 1;
    const int units = (extent + unit - 1) / unit;
    const int piece = std::min((units + parts - 1) / parts * unit, extent);
    output.split(along, part, along, piece, Halide::TailStrategy::ShiftInwards);
}

}  // namespace convc
