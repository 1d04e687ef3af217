#include "schedules/parallel_parts.h"

#include <algorithm>
#include <string>
#include <utility>

namespace convc {

int split_evenly(Halide::Func func, const Halide::Var &along, int extent, int unit, int parts,
                 const Halide::Var &part) {
    const int units = (extent + unit - 1) / unit;
    const int piece = std::min((units + parts - 1) / parts * unit, extent);
    func.split(along, part, along, piece, Halide::TailStrategy::ShiftInwards);
    return piece;
}

void split_parts(Halide::Func output, const View &view, int parts, int columns, const Halide::Var &part) {
    const ViewAxis axis = parallel_axis(view);
    const Halide::Var along = output.args()[axis];
    const auto extent = static_cast<int>(view[axis].extent);
    const int unit = axis == view_width ? columns : 1;
    split_evenly(std::move(output), along, extent, unit, parts, part);
}

std::vector<Halide::Var> task_loops(std::vector<Halide::Var> parts_of_group, const Halide::Var &group,
                                    const Halide::Var &batch, bool groups_innermost) {
    std::vector<Halide::Var> loops = std::move(parts_of_group);
    loops.insert(groups_innermost ? loops.begin() : loops.end(), group);
    loops.push_back(batch);
    return loops;
}

void fuse_all(Halide::Func output, const std::vector<Halide::Var> &loops, const Halide::Var &task) {
    Halide::Var fused = loops[0];
    for (size_t i = 1; i < loops.size(); i++) {
        const Halide::Var next = i + 1 == loops.size() ? task : Halide::Var("task" + std::to_string(i));
        output.fuse(fused, loops[i], next);
        fused = next;
    }
}

void make_tasks(Halide::Func output, std::vector<Halide::VarOrRVar> loops, const std::vector<Halide::Var> &tasks,
                const Halide::Var &task) {
    loops.insert(loops.end(), tasks.begin(), tasks.end());
    output.reorder(loops);
    fuse_all(output, tasks, task);
    output.parallel(task);
}

SpaceTiles split_tiles(Halide::Func output, int columns, int rows) {
    SpaceTiles tiles;
    const Halide::Var width = output.args()[view_width], height = output.args()[view_height];
    output.split(width, tiles.across, width, columns, Halide::TailStrategy::GuardWithIf);
    output.split(height, tiles.down, height, rows, Halide::TailStrategy::GuardWithIf);
    return tiles;
}

}  // namespace convc
