// The transforms of Winograd's minimal filtering F(m, k): m outputs of a filter of k taps from m + k - 1 products
// (Winograd, "Arithmetic Complexity of Computations", 1980; Lavin & Gray, arXiv 1509.09308), by the Toom-Cook
// construction: polynomials are evaluated at n = m + k - 1 points, multiplied point by point, and interpolated.
//
// The points are pairs +-a, infinity, and 0 where their number is even; a pair shares its even and its odd part, which
// halves the work of the transforms. Points of different size lose accuracy, so they come as a and 1/a (Barabasz,
// Anderson, Soodhalter & Gregg, "Error analysis and improving the accuracy of Winograd convolution", arXiv 1803.10986).
#pragma once

#include <Halide.h>

#include <cstdint>
#include <vector>

namespace convc {

class WinogradTransform {
public:
    using Matrix = std::vector<std::vector<double>>;

    // Of `outputs` outputs and `taps` taps; outputs == 1 and taps == 1 is the identity.
    WinogradTransform(int64_t outputs, int64_t taps);

    // Of a whole row: `outputs` outputs of as many inputs, all others 0, through 2 outputs - 1 taps, of which the
    // middle one lies over the output's own place. It is F(outputs, outputs) with inputs and taps in each other's
    // place, and has 2 outputs - 1 points, not 3 outputs - 2: a 3x3 kernel over 2x2 pixels makes 9 products for 16.
    static WinogradTransform of_whole_row(int64_t outputs);

    static bool exists(int64_t outputs, int64_t taps);

    int points() const { return static_cast<int>(filter_.size()); }
    int inputs() const { return static_cast<int>(inputs_.front().size()); }  // that a tile reads

    // Of `inputs()` neighbouring inputs.
    std::vector<Halide::Expr> of_inputs(const std::vector<Halide::Expr> &inputs) const;
    // Of `points()` products, to `outputs` outputs.
    std::vector<Halide::Expr> of_products(const std::vector<Halide::Expr> &products) const;
    // Row p: the factors of the taps at point p.
    const Matrix &filter_matrix() const { return filter_; }

    // Additions, multiplications and fused multiply-adds of one transform.
    int input_operations() const;
    int output_operations() const;

private:
    size_t first_of_pair(size_t pair) const { return has_zero_ + 2 * pair; }

    std::vector<double> pairs_;  // a of each pair +-a
    bool has_zero_ = false;      // as the first point
    Matrix inputs_, filter_;     // a row a point: 0 if it is one, a and -a of each pair, infinity
    Matrix outputs_;             // a row an output
};

}  // namespace convc
