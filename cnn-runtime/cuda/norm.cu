// Normalisations: of the channels of a batch, of groups of channels of each example, of vectors, and by neighbours.
//
// Sums over the rows of a matrix are shared by threads that each take one column and each so manyeth row, so that neighbouring
// threads read neighbouring values however few the columns.
#include "kernel.h"

DEVICE Index least(Index a, Index b) { return a < b ? a : b; }

// Values that are added up before their sum is kept in double precision.
#define RUN 64

// How many of the places `first` and each `step` on, below `end`, are in a run that begins there.
DEVICE int run(Index first, Index end, Index step) { return int(least((end - first + step - 1) / step, RUN)); }

// The runs of the places from `first` on: where each begins, and its count.
#define EACH_RUN(start, count, first, end, step) \
    for (Index start = first; start < (end); start += RUN * (step)) \
        for (int count = run(start, end, step), once = 1; once; once = 0)

// How many values there are, their mean, and the sum of their squared distances from it.
struct Spread {
    double count;
    double mean;
    double squares;
};

// That of the values of both (Chan, Golub & LeVeque, 1979).
struct Together {
    DEVICE_MEMBER Spread operator()(Spread a, Spread b) const {
        double count = a.count + b.count;
        if (count == 0) return a;
        double apart = b.mean - a.mean, share = b.count / count;
        return {count, a.mean + apart * share, a.squares + b.squares + apart * apart * a.count * share};
    }
};

// The spread of the values at `first` and each `step` on, below `end`. Those of a run are added up as distances from its first,
// which is one of them, so that at most the digits of their number are lost however large the mean.
template <class Value> DEVICE Spread spread(Value value, Index first, Index end, Index step) {
    Spread all = {0, 0, 0};
    EACH_RUN(start, count, first, end, step) {
        Real origin = value(start), sum = 0, squares = 0;
        OFTEN_REPEATED
        for (int k = 1; k < count; k++) {
            Real x = value(start + k * step) - origin;
            sum += x;
            squares += x * x;
        }
        double mean = double(sum) / count, rest = squares - sum * mean;
        all = Together()(all, {double(count), origin + mean, rest < 0 ? 0 : rest});
    }
    return all;
}

// As in `src/kernels/norm_batch.rs`: `count` values of so many channels, which `threads` threads share.
struct Batch {
    Index count;
    Index channels;
    Index threads;
    double epsilon;
    // Whether it ends in a rectifier.
    Index rectifies;
    // Whether the moments are those of the values.
    Index of_the_batch;
};

KERNEL(moments, Write<double> means, Write<double> squares, Read<Real> xs, Batch of) {
    EACH(i, of.threads) {
        Spread found = spread([&](Index j) { return xs[j]; }, i, of.count, of.threads);
        means[i] = found.mean;
        squares[i] = found.squares;
    }
}

// The mean and the biased variance of each channel, from those of each thread.
KERNEL(join_moments, Write<double> mean, Write<double> variance, Read<double> means, Read<double> squares, Batch of) {
    Index rows = of.count / of.channels, sharers = of.threads / of.channels;
    EACH_BLOCK(channel, of.channels) {
        Spread all = {0, 0, 0};
        EACH_THREAD(sharer, sharers) {
            Index i = sharer * of.channels + channel;
            all = Together()(all, {double((rows - sharer + sharers - 1) / sharers), means[i], squares[i]});
        }
        all = block_fold(all, Together());
        if (threadIdx.x == 0) {
            mean[channel] = all.mean;
            variance[channel] = all.squares / all.count;
        }
    }
}

struct Momentum {
    double momentum;
};

// running = momentum * running + (1 - momentum) * batch
KERNEL(remember, Write<Real> running, Read<double> batch, Momentum of, Index count) {
    EACH(i, count) running[i] = Real(of.momentum * running[i] + (1 - of.momentum) * batch[i]);
}

// (x - mean) * scale + shift; in one step, so that the sign is the same wherever it is computed.
struct Affine {
    Real mean;
    Real scale;
    Real shift;

    DEVICE_MEMBER Real operator()(Real x) const { return fma(x - mean, scale, shift); }
};

DEVICE Affine affine(Index channel, Read<double> mean, Read<double> variance, Read<Real> weight, Read<Real> bias,
                     const Batch &of) {
    Real deviation = sqrt(Real(variance[channel] + of.epsilon));
    return {Real(mean[channel]), weight[channel] / deviation, bias ? bias[channel] : Real(0)};
}

KERNEL(batch_values, Write<Real> ys, Read<Real> xs, Read<double> mean, Read<double> variance, Read<Real> weight,
       Read<Real> bias, Batch of) {
    EACH(i, of.threads) {
        Affine normal = affine(i % of.channels, mean, variance, weight, bias, of);
        OFTEN_REPEATED
        for (Index j = i; j < of.count; j += of.threads) {
            Real y = normal(xs[j]);
            ys[j] = of.rectifies ? at_least(y, 0) : y;
        }
    }
}

// The gradient before the rectifier, if there is one.
DEVICE Real before(Real grad, Real x, const Affine &normal, const Batch &of) {
    return of.rectifies && !(normal(x) > 0) ? Real(0) : grad;
}

// For each thread the sum of the gradient, and after those of all, of the gradient times the distance from the mean.
KERNEL(batch_products, Write<double> sums, Read<Real> grad, Read<Real> xs, Read<double> mean, Read<double> variance,
       Read<Real> weight, Read<Real> bias, Batch of) {
    EACH(i, of.threads) {
        Affine normal = affine(i % of.channels, mean, variance, weight, bias, of);
        double all = 0, all_along = 0;
        EACH_RUN(start, count, i, of.count, of.threads) {
            Real sum = 0, along = 0;
            OFTEN_REPEATED
            for (int k = 0; k < count; k++) {
                Index j = start + k * of.threads;
                Real x = xs[j], g = before(grad[j], x, normal, of);
                sum += g;
                along += g * (x - normal.mean);
            }
            all += sum;
            all_along += along;
        }
        sums[i] = all;
        sums[of.threads + i] = all_along;
    }
}

// The gradients of weight and bias, and what that of the input follows from: a slope, what is along the distance from the
// mean, and a constant, one after the other.
KERNEL(batch_factors, Write<Real> of_weight, Write<Real> of_bias, Write<Real> factors, Read<double> sums,
       Read<double> variance, Read<Real> weight, Batch of) {
    EACH_BLOCK(channel, of.channels) {
        double sum = 0, along = 0;
        EACH_THREAD(sharer, of.threads / of.channels) {
            sum += sums[sharer * of.channels + channel];
            along += sums[of.threads + sharer * of.channels + channel];
        }
        sum = block_sum(sum);
        along = block_sum(along);
        if (threadIdx.x == 0) {
            double inverse = 1 / sqrt(variance[channel] + of.epsilon), slope = weight[channel] * inverse;
            double share = of.of_the_batch ? double(of.channels) / double(of.count) : 0;
            of_weight[channel] = Real(along * inverse);
            of_bias[channel] = Real(sum);
            factors[channel] = Real(slope);
            factors[of.channels + channel] = Real(-slope * inverse * inverse * along * share);
            factors[2 * of.channels + channel] = Real(-slope * sum * share);
        }
    }
}

KERNEL(batch_gradients, Write<Real> out, Read<Real> grad, Read<Real> xs, Read<double> mean, Read<double> variance,
       Read<Real> weight, Read<Real> bias, Read<Real> factors, Batch of) {
    EACH(i, of.threads) {
        Index channel = i % of.channels;
        Affine normal = affine(channel, mean, variance, weight, bias, of);
        Real slope = factors[channel], along = factors[of.channels + channel], constant = factors[2 * of.channels + channel];
        OFTEN_REPEATED
        for (Index j = i; j < of.count; j += of.threads) {
            Real x = xs[j];
            out[j] = before(grad[j], x, normal, of) * slope + (x - normal.mean) * along + constant;
        }
    }
}

// As in `src/kernels/norm_group.rs`: examples of positions of channels, which are normalised in groups.
struct Groups {
    Index examples;
    Index positions;
    Index channels;
    Index groups;
    double epsilon;
    // Whether the mean is taken away; else values are divided by the root of their mean square.
    Index is_centered;
    Index wants_input;
};

// One group of one example, whose values the threads of a block share.
struct Group {
    Read<Real> weight;
    Index start;
    Index size;
    Index channels;
    Index width;
    Real mean;
    Real inverse;

    // Where value `i` of the group is.
    DEVICE_MEMBER Index at(Index i) const { return start + i / size * channels + i % size; }
};

DEVICE Group group(Read<Real> xs, Read<Real> weight, Index index, const Groups &of) {
    Index size = of.channels / of.groups, first = index % of.groups * size;
    Index start = index / of.groups * of.positions * of.channels + first;
    Group found = {weight + first, start, size, of.channels, of.positions * size, 0, 0};
    auto value = [&](Index i) { return xs[found.at(i)]; };
    Spread all = block_fold(spread(value, threadIdx.x, found.width, blockDim.x), Together());
    double variance = all.squares / all.count;
    if (of.is_centered) found.mean = Real(all.mean);
    else variance += all.mean * all.mean;
    found.inverse = 1 / sqrt(Real(variance + of.epsilon));
    return found;
}

KERNEL(group_values, Write<Real> ys, Read<Real> xs, Read<Real> weight, Read<Real> bias, Groups of) {
    EACH_BLOCK(index, of.examples * of.groups) {
        Group own = group(xs, weight, index, of);
        Index first = index % of.groups * own.size;
        EACH_THREAD(i, own.width) {
            Index at = own.at(i), channel = i % own.size;
            Real scale = own.inverse * own.weight[channel];
            ys[at] = (xs[at] - own.mean) * scale + (bias ? bias[first + channel] : Real(0));
        }
    }
}

// The gradient of the input, if it is wanted, and each group's mean and one over its deviation. With x^ = (x - mean) * inverse
// and M values in a group, it is inverse * (w * g - (sum of w * g) / M - x^ * (sum of w * g * x^) / M).
KERNEL(group_gradients, Write<Real> out, Write<Real> means, Write<Real> inverses, Read<Real> grad, Read<Real> xs,
       Read<Real> weight, Groups of) {
    EACH_BLOCK(index, of.examples * of.groups) {
        Group own = group(xs, weight, index, of);
        if (threadIdx.x == 0) {
            means[index] = own.mean;
            inverses[index] = own.inverse;
        }
        if (!of.wants_input) continue;
        Real part = 0, part_along = 0;
        EACH_THREAD(i, own.width) {
            Index at = own.at(i);
            Real g = grad[at] * own.weight[i % own.size];
            part += g;
            part_along += g * (xs[at] - own.mean);
        }
        double sum = block_sum(double(part)), along = block_sum(double(part_along));
        double inverse = own.inverse, share = 1 / double(own.width);
        Real constant = of.is_centered ? Real(-inverse * sum * share) : Real(0);
        Real slope = Real(-inverse * inverse * inverse * along * share);
        EACH_THREAD(i, own.width) {
            Index at = own.at(i);
            out[at] = grad[at] * own.inverse * own.weight[i % own.size] + (xs[at] - own.mean) * slope + constant;
        }
    }
}

// For each of `sharers` threads of a channel, one after the other: the sum of the gradient of each channel, and that of the
// gradient times the normalised value.
KERNEL(group_products, Write<double> sums, Read<Real> grad, Read<Real> xs, Read<Real> means, Read<Real> inverses, Groups of,
       Index sharers) {
    Index rows = of.examples * of.positions, size = of.channels / of.groups;
    EACH(i, sharers * of.channels) {
        Index sharer = i / of.channels, channel = i % of.channels;
        double all = 0, all_along = 0;
        EACH_RUN(start, count, sharer, rows, sharers) {
            Real sum = 0, along = 0;
            OFTEN_REPEATED
            for (int k = 0; k < count; k++) {
                Index row = start + k * sharers, own = row / of.positions * of.groups + channel / size, at = row * of.channels + channel;
                sum += grad[at];
                along += grad[at] * (xs[at] - means[own]) * inverses[own];
            }
            all += sum;
            all_along += along;
        }
        sums[2 * sharer * of.channels + channel] = all;
        sums[(2 * sharer + 1) * of.channels + channel] = all_along;
    }
}

// The root of the sum of the squares of a row.
DEVICE Real root(Read<Real> row, Index width) {
    Real sum = 0;
    EACH_THREAD(i, width) sum += row[i] * row[i];
    return Real(sqrt(block_sum(double(sum))));
}

// x / (root of the sum of squares), of rows; a root below `least` counts as that.
KERNEL(unit_values, Write<Real> ys, Read<Real> xs, Index rows, Index width, Real least) {
    EACH_BLOCK(row, rows) {
        Real inverse = 1 / at_least(root(xs + row * width, width), least);
        EACH_THREAD(i, width) ys[row * width + i] = xs[row * width + i] * inverse;
    }
}

// (g - y * (sum of g * y)) / root, or g / least where the root is smaller than that.
KERNEL(unit_gradients, Write<Real> out, Read<Real> xs, Read<Real> ys, Read<Real> grad, Index rows, Index width, Real least) {
    EACH_BLOCK(row, rows) {
        Real length = root(xs + row * width, width), part = 0;
        EACH_THREAD(i, width) part += grad[row * width + i] * ys[row * width + i];
        Real along = Real(block_sum(double(part)));
        if (!(length > least)) along = 0;
        Real inverse = 1 / at_least(length, least);
        EACH_THREAD(i, width) out[row * width + i] = (grad[row * width + i] - ys[row * width + i] * along) * inverse;
    }
}

// As in `src/kernels/norm_response.rs`.
struct Response {
    Index count;
    Index channels;
    // Neighbours before and after a channel that count for it.
    Index before;
    Index after;
    double k;
    // Already divided by their number.
    double alpha;
    double beta;
};

// The sum over the neighbours of value `i` up to so many channels away.
template <class Value> DEVICE Real around(Value value, Index i, Index before, Index after, Index channels) {
    Index channel = i % channels, first = i - least(channel, before), last = i + least(channels - 1 - channel, after);
    Real sum = 0;
    for (Index j = first; j <= last; j++) sum += value(j);
    return sum;
}

DEVICE Real response_divisor(Read<Real> xs, Index i, const Response &of) {
    auto square = [&](Index j) { return xs[j] * xs[j]; };
    return Real(of.k) + Real(of.alpha) * around(square, i, of.before, of.after, of.channels);
}

// divisor^-beta, by roots for the exponent that everyone uses.
DEVICE Real response_power(Real divisor, const Response &of) {
    if (of.beta != 0.75) return pow(divisor, Real(-of.beta));
    Real root = sqrt(divisor);
    return 1 / (root * sqrt(root));
}

KERNEL(response_values, Write<Real> ys, Read<Real> xs, Response of) {
    EACH(i, of.count) ys[i] = xs[i] * response_power(response_divisor(xs, i, of), of);
}

// What each value's gradient says to its neighbours.
KERNEL(response_shares, Write<Real> shares, Read<Real> xs, Read<Real> ys, Read<Real> grad, Response of) {
    EACH(i, of.count) shares[i] = grad[i] * ys[i] / response_divisor(xs, i, of);
}

KERNEL(response_gradients, Write<Real> out, Read<Real> xs, Read<Real> grad, Read<Real> shares, Response of) {
    Real factor = Real(2 * of.alpha * of.beta);
    EACH(i, of.count) {
        auto share = [&](Index j) { return shares[j]; };
        // This one is among the neighbours of those that are as far on the other side.
        Real sum = around(share, i, of.after, of.before, of.channels);
        out[i] = grad[i] * response_power(response_divisor(xs, i, of), of) - factor * xs[i] * sum;
    }
}
