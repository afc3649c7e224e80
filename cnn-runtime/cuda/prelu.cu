// The rectifier whose slope below 0 is learned.
#include "kernel.h"

// Of a batch, at most.
#define AXES 7

// As in `src/kernels/prelu.rs`: along each axis of a batch its size, and how far apart its weights are, 0 where it shares one.
struct Spreads {
    Index sizes[AXES];
    Index strides[AXES];
    // Values, and weights.
    Index count;
    Index weights;
};

// The place of the weight of value `i`.
DEVICE Index weight_of(Index i, const Spreads &of) {
    Index place = 0;
    for (int axis = AXES - 1; axis >= 0; axis--) {
        if (of.sizes[axis] == 1) continue;
        place += i % of.sizes[axis] * of.strides[axis];
        i /= of.sizes[axis];
    }
    return place;
}

KERNEL(prelu_values, Write<Real> ys, Read<Real> xs, Read<Real> weight, Spreads of) {
    EACH(i, of.count) ys[i] = xs[i] > 0 ? xs[i] : weight[weight_of(i, of)] * xs[i];
}

KERNEL(prelu_gradients, Write<Real> out, Read<Real> grad, Read<Real> xs, Read<Real> weight, Spreads of) {
    EACH(i, of.count) out[i] = xs[i] > 0 ? grad[i] : grad[i] * weight[weight_of(i, of)];
}

// The place of the value that is number `own` among the weights and number `shared` among those that share one.
DEVICE Index value_of(Index own, Index shared, const Spreads &of) {
    Index place = 0, stride = 1;
    for (int axis = AXES - 1; axis >= 0; axis--) {
        Index size = of.sizes[axis];
        if (size == 1) continue;
        if (of.strides[axis]) {
            place += own % size * stride;
            own /= size;
        } else {
            place += shared % size * stride;
            shared /= size;
        }
        stride *= size;
    }
    return place;
}

// For each of `sharers` threads of a weight, what the values it takes add to its gradient.
KERNEL(prelu_sums, Write<double> sums, Read<Real> grad, Read<Real> xs, Spreads of, Index sharers) {
    EACH(i, sharers * of.weights) {
        double all = 0;
        for (Index shared = i / of.weights; shared < of.count / of.weights; shared += sharers) {
            Index at = value_of(i % of.weights, shared, of);
            if (xs[at] <= 0) all += grad[at] * xs[at];
        }
        sums[i] = all;
    }
}
