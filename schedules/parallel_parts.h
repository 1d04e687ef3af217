// Cutting an output into parallel parts: equal parts of known extents, tiles of those that are known at run time only.
#pragma once

#include <Halide.h>

#include <vector>

#include "schedules/tensor_view.h"

namespace convc {

// Splits the parallel axis of `output` (Func arguments in the order of ViewAxis) into `parts` of equal size; the loop
// over them is `part`. Along the width, parts are whole tiles of `columns`. The last part is shifted inwards, so every
// part is as large as the others and some outputs may be computed twice, to the same bits.
void split_parts(Halide::Func output, const View &view, int parts, int columns, const Halide::Var &part);

// Splits `along`, of this extent, into at most `parts` of equal size, each whole units except where the extent is less;
// returns that size. The last part is shifted inwards.
int split_evenly(Halide::Func func, const Halide::Var &along, int extent, int unit, int parts, const Halide::Var &part);

// The loops that become tasks, innermost first: the parts of a group, the groups, the batch; the groups innermost where
// neighbouring tasks are to write the same lines (groups_share_lines()), because a thread takes neighbouring tasks.
std::vector<Halide::Var> task_loops(std::vector<Halide::Var> parts_of_group, const Halide::Var &group,
                                    const Halide::Var &batch, bool groups_innermost);

// One loop `task` over all these, innermost first.
void fuse_all(Halide::Func output, const std::vector<Halide::Var> &loops, const Halide::Var &task);

// Puts the loops of a task, innermost first, inside those over tasks, which become one parallel loop `task`.
void make_tasks(Halide::Func output, std::vector<Halide::VarOrRVar> loops, const std::vector<Halide::Var> &tasks,
                const Halide::Var &task);

// Cuts width and height of `output` into tiles of `columns` x `rows`, of which those at the ends are stored in part:
// right for every extent. The loops over them are the result, innermost first. The depth is to stay a loop of its own
// in the task: fused with these, Halide 21 loses its index (while it vectorizes, it takes it for 0).
struct SpaceTiles {
    Halide::Var across{"across"}, down{"down"};
};
SpaceTiles split_tiles(Halide::Func output, int columns, int rows);

}  // namespace convc
