// Cutting an output into parallel parts.
#pragma once

#include <Halide.h>

#include "schedules/tensor_view.h"

namespace convc {

// Splits the parallel axis of `output` (Func arguments in the order of ViewAxis) into `parts` of equal size; the loop
// over them is `part`. Along the width, parts are whole tiles of `columns`. The last part is shifted inwards, so every
// part is as large as the others and some outputs may be computed twice, to the same bits.
void split_parts(Halide::Func output, const View &view, int parts, int columns, const Halide::Var &part);

}  // namespace convc
