// `softmax`, `log_softmax` and `sparsemax` of rows, and the cross-entropy of labels under them.
#include "kernel.h"

// The largest value of a row, and the logarithm of the sum of e^(x - largest): apart, as their sum would round away small
// differences of large values.
struct LogSumExp {
    Real most;
    Real total;
};

DEVICE LogSumExp log_sum_exp(Read<Real> row, Index width) {
    Real most = -INFINITY;
    EACH_THREAD(i, width) most = at_least(row[i], most);
    most = block_most(most);
    Real sum = 0;
    EACH_THREAD(i, width) sum += exp(row[i] - most);
    return {most, log(block_sum(sum))};
}

KERNEL(softmax_values, Write<Real> ys, Read<Real> xs, Index rows, Index width) {
    EACH_BLOCK(row, rows) {
        LogSumExp of = log_sum_exp(xs + row * width, width);
        EACH_THREAD(i, width) ys[row * width + i] = exp(xs[row * width + i] - of.most - of.total);
    }
}

KERNEL(log_softmax_values, Write<Real> ys, Read<Real> xs, Index rows, Index width) {
    EACH_BLOCK(row, rows) {
        LogSumExp of = log_sum_exp(xs + row * width, width);
        EACH_THREAD(i, width) ys[row * width + i] = xs[row * width + i] - of.most - of.total;
    }
}

// y * (g - sum of g * y)
KERNEL(softmax_gradients, Write<Real> out, Read<Real> ys, Read<Real> grad, Index rows, Index width) {
    EACH_BLOCK(row, rows) {
        Real total = 0;
        EACH_THREAD(i, width) total += grad[row * width + i] * ys[row * width + i];
        total = block_sum(total);
        EACH_THREAD(i, width) out[row * width + i] = ys[row * width + i] * (grad[row * width + i] - total);
    }
}

// g - e^y * (sum of g)
KERNEL(log_softmax_gradients, Write<Real> out, Read<Real> ys, Read<Real> grad, Index rows, Index width) {
    EACH_BLOCK(row, rows) {
        Real total = 0;
        EACH_THREAD(i, width) total += grad[row * width + i];
        total = block_sum(total);
        EACH_THREAD(i, width) out[row * width + i] = grad[row * width + i] - exp(ys[row * width + i]) * total;
    }
}

// The cross-entropy of each row's label; not a number for a label that is not below `width`.
KERNEL(cross_entropies, Write<Real> losses, Read<Real> logits, Read<unsigned> labels, Index rows, Index width) {
    EACH_BLOCK(row, rows) {
        LogSumExp of = log_sum_exp(logits + row * width, width);
        Index label = labels[row];
        if (threadIdx.x == 0) losses[row] = label < width ? of.total + (of.most - logits[row * width + label]) : Real(NAN);
    }
}

// (softmax - one for the label) / rows, times the gradient of the mean loss.
KERNEL(cross_entropy_gradients, Write<Real> out, Read<Real> logits, Read<unsigned> labels, Read<Real> grad, Index rows,
       Index width) {
    Real scale = grad[0] / rows;
    EACH_BLOCK(row, rows) {
        LogSumExp of = log_sum_exp(logits + row * width, width);
        Index label = labels[row];
        EACH_THREAD(i, width) {
            Real share = exp(logits[row * width + i] - of.most - of.total);
            out[row * width + i] = scale * (share - Real(i == label));
        }
    }
}

// max(x - threshold, 0) with the threshold that makes the sum 1. Nothing is sorted: from the largest value less 1, which is
// below it, the threshold rises to that of the values above it, until these are no fewer than before.
KERNEL(sparsemax_values, Write<Real> ys, Read<Real> xs, Index rows, Index width) {
    EACH_BLOCK(row, rows) {
        Read<Real> values = xs + row * width;
        Real most = -INFINITY;
        EACH_THREAD(i, width) most = at_least(values[i], most);
        most = block_most(most);
        // Distances from the largest value, whose sums lose no digits.
        Real threshold = -1, kept = -1;
        while (true) {
            Real sum = 0, count = 0;
            EACH_THREAD(i, width) {
                Real x = values[i] - most;
                if (x > threshold) {
                    sum += x;
                    count += 1;
                }
            }
            sum = block_sum(sum);
            count = block_sum(count);
            if (count == 0 || (kept > 0 && count >= kept)) break;
            threshold = (sum - 1) / count;
            kept = count;
        }
        EACH_THREAD(i, width) ys[row * width + i] = at_least(values[i] - (most + threshold), 0);
    }
}

// g - (mean of g) over the values above 0, and 0 for the others.
KERNEL(sparsemax_gradients, Write<Real> out, Read<Real> ys, Read<Real> grad, Index rows, Index width) {
    EACH_BLOCK(row, rows) {
        Real total = 0, count = 0;
        EACH_THREAD(i, width) {
            if (ys[row * width + i] > 0) {
                total += grad[row * width + i];
                count += 1;
            }
        }
        total = block_sum(total);
        count = block_sum(count);
        EACH_THREAD(i, width) out[row * width + i] = ys[row * width + i] > 0 ? grad[row * width + i] - total / count : Real(0);
    }
}
