// Steps of optimizers in place, and what a step leaves undone because its loss is not a finite number.
#include "kernel.h"

// Whether a step is to change anything: its `guard`, if it has one, is a finite number.
DEVICE bool is_right(Read<Real> guard) { return !guard || guard[0] - guard[0] == 0; }

KERNEL(adam, Write<Real> weights, Write<Real> slots, Read<Real> gradients, Read<Real> guard, Index count, Real alpha,
       Real rest_1, Real rest_2, Real epsilon) {
    if (!is_right(guard)) return;
    EACH(i, count) {
        Real g = gradients[i], m = slots[i], v = slots[count + i];
        m += (g - m) * rest_1;
        v += (g * g - v) * rest_2;
        slots[i] = m;
        slots[count + i] = v;
        weights[i] -= alpha * m / (sqrt(v) + epsilon);
    }
}

KERNEL(sgd, Write<Real> weights, Read<Real> gradients, Read<Real> guard, Index count, Real rate) {
    if (!is_right(guard)) return;
    EACH(i, count) weights[i] -= rate * gradients[i];
}

KERNEL(momentum, Write<Real> weights, Write<Real> velocities, Read<Real> gradients, Read<Real> guard, Index count, Real rate,
       Real momentum, int nesterov) {
    if (!is_right(guard)) return;
    EACH(i, count) {
        Real step = rate * gradients[i], v = momentum * velocities[i] - step;
        velocities[i] = v;
        weights[i] += nesterov ? momentum * v - step : v;
    }
}

// After a step that is right, `before` is what there is now; after another, what there is now is what was before.
KERNEL(settle, Write<Real> now, Write<Real> before, Read<Real> guard, Index count) {
    bool right = is_right(guard);
    EACH(i, count) {
        if (right) before[i] = now[i];
        else now[i] = before[i];
    }
}

// Notes a loss or a metric, to be read later.
KERNEL(note, Write<double> notes, Read<Real> value, Index at) {
    EACH(only, 1) notes[at] = value[0];
}

// As `note`; from a loss on that is not finite, the guard is not either.
KERNEL(note_loss, Write<double> notes, Write<Real> guard, Read<Real> loss, Index at) {
    EACH(only, 1) {
        notes[at] = loss[0];
        guard[0] += loss[0] * 0;
    }
}

struct Best {
    Real value;
    Index index;
};

// The larger, and the first of equals.
struct Better {
    DEVICE_MEMBER Best operator()(Best a, Best b) const {
        return b.value > a.value || (b.value == a.value && b.index < a.index) ? b : a;
    }
};

// 1 for each row of scores whose largest is that of its label, else 0.
KERNEL(hits, Write<Real> hits, Read<Real> scores, Read<unsigned> labels, Index rows, Index width) {
    EACH_BLOCK(row, rows) {
        Best best = {scores[row * width], 0};
        EACH_THREAD(i, width) best = Better()(best, Best{scores[row * width + i], i});
        best = block_fold(best, Better());
        if (threadIdx.x == 0) hits[row] = best.index == labels[row];
    }
}
