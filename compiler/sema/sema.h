// Syntax tree to Layers: names, families, expressions, sugar, shapes, and every rule of the language that a parser
// cannot see. After it, nothing downstream can be surprised: an error from Halide or LLVM is a bug of ours.
#pragma once

#include <string>
#include <vector>

#include "compiler/syntax/ast.h"
#include "compiler/syntax/diagnostics.h"
#include "convc/layer.h"
#include "convc/schedule.h"

namespace convc {

// schedule LAYER on "TARGET" = ...
struct PinnedSchedule {
    std::string layer;   // a Layer's name: "res2_3x3", "body[64, 1]"
    std::string target;  // as written
    std::vector<Schedule> groups;
    bool beside = false;                    // in the file of schedules beside the layers' own
    SourceRange range;                      // of the statement
    std::vector<SourceRange> group_ranges;  // one a group, for diagnostics of the planner's
};

struct CheckedLayer {
    Layer layer;
    SourceRange range;                       // of the declaration's name, or of a canonical line
    std::vector<SourceRange> stage_ranges;   // one a Stage of the Layer (sugar gives several the same)
    std::vector<SourceRange> tensor_ranges;  // one an input
};

struct CheckedModule {
    std::vector<CheckedLayer> layers;  // families expanded, in source order; only layers without errors
    std::vector<PinnedSchedule> schedules;
};

// `let NAME = VALUE` from outside the file (`--let NAME=VALUE`); overrides the file's own.
struct LetOverride {
    std::string name;
    int64_t value = 0;
};

// The file of schedules that lies beside a file of layers, and holds nothing else: what `convc tune` writes.
struct SchedulesFile {
    const ast::Module &module;
    Diagnostics &diagnostics;
};

// The schedules of `beside`, where there is one, come after the module's own.
CheckedModule check_module(const ast::Module &module, Diagnostics &diagnostics,
                           const std::vector<LetOverride> &lets = {}, const SchedulesFile *beside = nullptr);

}  // namespace convc
