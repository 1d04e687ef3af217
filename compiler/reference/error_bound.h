// How far an f32 kernel may be from the reference, element by element.
//
// Derivation. u = 2^-24 is the unit roundoff of f32 and gamma_k = k u / (1 - k u). A sum of K products, rounded K times
// on its way to the result in whatever order, with or without FMA, satisfies (Higham, Accuracy and Stability, 2nd
// ed., 3.5)
//
//     |computed(sum w x) - sum w x|  <=  gamma_K * sum |w||x|.
//
// In a chain the x are themselves computed: x' = x + dx with |dx| <= e. Then |sum w x' - sum w x| <= sum |w| e =:
// carried, and the rounding acts on terms of at most |w|(|x| + e), so altogether
//
//     |computed - exact|  <=  gamma_K * (sum |w||x| + carried) + carried.
//
// For one stage on exact inputs carried = 0, which is the contract's gamma_K * sum|w||x|. A bias, an added tensor, a
// scale and a multiplied tensor are one more term or factor and one more rounding each, wherever the kernel applies
// them (a bias may start the accumulator, a scale may sit in the packed weights); their operands are the layer's
// inputs, so exact. A nonlinear epilogue f with |f(a) - f(b)| <= L |a - b| turns an error e into L e, plus what its own
// evaluation may add: 4 ulp of the result for the transcendental ones, which may also flush results below the least
// normal number to zero.
#pragma once

#include <cmath>
#include <cstdint>

namespace convc {

// A number of the reference, and what an f32 kernel's may differ from it by.
struct BoundedNumber {
    double value = 0;
    double magnitude = 0;   // sum of the terms' absolute values
    double carried = 0;     // what the terms themselves may be off by, summed
    int64_t roundings = 0;  // in f32, from any term to the result

    // Adds w * x, x being off by up to x_error; the caller counts the roundings of the whole sum.
    void include(double w, double x, double x_error) {
        value += w * x;
        magnitude += std::abs(w * x);
        carried += std::abs(w) * x_error;
    }
    void add(double term);
    void multiply(double factor);
    // f(value) with Lipschitz constant `lipschitz`, evaluated to within `ulps` of f32.
    void apply(double result, double lipschitz, double ulps = 0);

    // 0 where the value is NaN or infinite: the kernel must produce the same. Infinity where f32 may overflow.
    double error() const;
};

}  // namespace convc
