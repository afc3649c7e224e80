// The larger or the smaller of two values.
#include "kernel.h"

// Neither is larger than what is no number, which is kept, so that it is seen.
DEVICE bool is_first(Real a, Real b, int largest) { return a != a || (largest ? a > b : a < b); }

KERNEL(choices, Write<Real> ys, Read<Real> first, Read<Real> second, Index count, int largest) {
    EACH(i, count) ys[i] = is_first(first[i], second[i], largest) ? first[i] : second[i];
}

// Equal ones share the gradient.
KERNEL(choice_gradients, Write<Real> of_first, Write<Real> of_second, Read<Real> first, Read<Real> second, Read<Real> grad,
       Index count, int largest) {
    EACH(i, count) {
        Real a = first[i], b = second[i], share = a == b ? Real(0.5) : Real(is_first(a, b, largest));
        of_first[i] = grad[i] * share;
        of_second[i] = grad[i] - grad[i] * share;
    }
}
