// The table of `run` and `bench`: a row a layer, printed as soon as it is measured, so the widths are settled
// beforehand.
#pragma once

#include <string>
#include <vector>

#include "compiler/driver/layer_run.h"
#include "compiler/measure/fma_peak.h"
#include "compiler/plan/plan.h"

namespace convc {

class SpeedTable {
public:
    // `columns` are the numbers' heads, after layer, shape and MACs.
    SpeedTable(const std::vector<Plan> &plans, std::vector<std::string> columns);

    std::string head() const;
    std::string row(const Layer &layer, const std::vector<std::string> &cells) const;
    std::string foot(const FmaPeak &peak) const;
    // Of the CPU's FMA peak; "-" of kernels for a GPU.
    std::string share_cell(const Speed &speed) const;

private:
    std::string line(const std::string &name, const std::string &shape, const std::string &macs,
                     const std::vector<std::string> &cells) const;
    std::vector<std::string> columns_;
    size_t name_width_, shape_width_, macs_width_;
    bool on_gpu_;
};

std::string milliseconds(double seconds);  // at least four significant digits
const char *isa_name(Isa isa);             // "avx2"

}  // namespace convc
