// The transforms of Winograd's minimal filtering F(m, k): m outputs of a filter of k taps from m + k - 1 products
// (Winograd, "Arithmetic Complexity of Computations", 1980; Lavin & Gray, arXiv 1509.09308), by the Toom-Cook
// construction: polynomials are evaluated at n = m + k - 1 points, multiplied point by point, and interpolated.
//
// The points are 0, infinity, and pairs +-a; a pair shares its even and its odd part, which halves the work of the
// transforms. Points of different size lose accuracy, so they come as a and 1/a (Barabasz, Anderson, Soodhalter &
// Gregg, "Error analysis and improving the accuracy of Winograd convolution", arXiv 1803.10986).
#pragma once

#include <Halide.h>

#include <cstdint>
#include <vector>

namespace convc {

class WinogradTransform {
public:
    // Of `outputs` outputs and `taps` taps; outputs == 1 and taps == 1 is the identity.
    WinogradTransform(int64_t outputs, int64_t taps);

    static bool exists(int64_t outputs, int64_t taps);

    int points() const { return points_; }

    // Of `points()` neighbouring inputs.
    std::vector<Halide::Expr> of_inputs(const std::vector<Halide::Expr> &inputs) const;
    // Of `points()` products, to `outputs` outputs.
    std::vector<Halide::Expr> of_products(const std::vector<Halide::Expr> &products) const;
    // Row p: the factors of the taps at point p.
    std::vector<std::vector<double>> filter_matrix() const;

    // Additions, multiplications and fused multiply-adds of one transform.
    int input_operations() const;
    int output_operations() const;

private:
    int outputs_, taps_, points_;
    std::vector<double>
        pairs_;  // a of each pair +-a: points 1 and 2, 3 and 4, ...; 0 is the first point, infinity last
};

}  // namespace convc
