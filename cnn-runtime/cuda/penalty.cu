// What a regularizer adds to the training loss.
#include "kernel.h"

struct Regularizer {
    double l1;
    double l2;
};

// For each of `sharers` threads, the penalty of the values it takes.
KERNEL(penalties, Write<double> sums, Read<Real> values, Index count, Index sharers, Regularizer of) {
    EACH(i, sharers) {
        double lengths = 0, squares = 0;
        for (Index j = i; j < count; j += sharers) {
            double value = values[j];
            lengths += fabs(value);
            squares += value * value;
        }
        sums[i] = of.l1 * lengths + of.l2 * squares;
    }
}

// l1 * sign + 2 * l2 * value, where the sign of 0 is 0, times the gradient of the loss.
KERNEL(penalty_gradients, Write<Real> out, Read<Real> values, Read<Real> grad, Index count, Regularizer of) {
    Real l1 = Real(of.l1), l2 = Real(2 * of.l2);
    EACH(i, count) {
        Real value = values[i];
        out[i] = grad[0] * (l1 * (Real(value > 0) - Real(value < 0)) + l2 * value);
    }
}
