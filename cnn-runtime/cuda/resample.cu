// Resampling along axes and warping by affine maps.
#include "kernel.h"

// As in `src/kernels/resample.rs`: sizes along depth, height and width, and where the taps of each axis begin.
struct Resampling {
    int input[3];
    int output[3];
    int channels;
    // Of each axis, where in `cells` the positions are that say where the taps of each cell of the output begin.
    int starts[3];
};

// Each cell of the output is a weighted sum of cells of the input. `cells` has, for each axis, where the taps of each position
// begin, and then the positions in the input of all taps; `weights` has their weights at the same places.
KERNEL(resample, Write<Real> ys, Read<Real> xs, Read<unsigned> cells, Read<Real> weights, Index count, Resampling of) {
    const unsigned channels = of.channels, width = of.output[2], height = of.output[1];
    const Index image = Index(of.output[0]) * height * width * channels;
    const Index input = Index(of.input[0]) * of.input[1] * of.input[2] * channels;
    EACH(i, count) {
        Index number = i / image;
        unsigned at = i - number * image;
        unsigned channel = at % channels, x = at / channels % width, y = at / channels / width % height;
        unsigned z = at / channels / width / height;
        Read<unsigned> of_z = cells + (of.starts[0] + z), of_y = cells + (of.starts[1] + y), of_x = cells + (of.starts[2] + x);
        Real sum = 0;
        for (unsigned a = of_z[0]; a < of_z[1]; a++) {
            for (unsigned b = of_y[0]; b < of_y[1]; b++) {
                Real of_row = weights[a] * weights[b];
                Index row = (Index(cells[a]) * of.input[1] + cells[b]) * of.input[2];
                for (unsigned c = of_x[0]; c < of_x[1]; c++) {
                    sum += of_row * weights[c] * xs[number * input + (row + cells[c]) * channels + channel];
                }
            }
        }
        ys[i] = sum;
    }
}

// As in `src/kernels/warp.rs`.
struct Warp {
    int input[2];
    int output[2];
    int channels;
    // Whether places between pixels are mixed of them.
    int bilinear;
    int fill_mode;
    int unused;
};

// The cell of an axis of `n` that stands at `at`, also beyond the edges; negative for none.
DEVICE int cell(int at, int n, int fill_mode) {
    switch (fill_mode) {
    case 1: return at < 0 ? 0 : at >= n ? n - 1 : at;
    case 2: return (at % n + n) % n;
    case 3: {
        int in_two = (at % (2 * n) + 2 * n) % (2 * n);
        return in_two < n ? in_two : 2 * n - 1 - in_two;
    }
    default: return at >= 0 && at < n ? at : -1;
    }
}

// The two cells about a place of an axis, negative for none, and their weights.
struct Pair {
    int cells[2];
    double weights[2];
};

DEVICE Pair pair(double at, int n, const Warp &of) {
    // Further out than any image, so that it is an `int`.
    at = at < -1e9 ? -1e9 : at > 1e9 ? 1e9 : at;
    if (!of.bilinear) return {{cell(int(round(at)), n, of.fill_mode), -1}, {1, 0}};
    double below = floor(at);
    return {{cell(int(below), n, of.fill_mode), cell(int(below) + 1, n, of.fill_mode)}, {1 - (at - below), at - below}};
}

// What pixel `x, y` of the output shows: cells across and cells down. `map` has the six numbers of the image.
DEVICE Pair across(Read<double> map, int x, int y, const Warp &of) { return pair(map[0] * x + map[1] * y + map[2], of.input[1], of); }
DEVICE Pair down(Read<double> map, int x, int y, const Warp &of) { return pair(map[3] * x + map[4] * y + map[5], of.input[0], of); }

KERNEL(warp, Write<Real> ys, Read<Real> xs, Read<double> maps, Index count, Warp of, Real fill) {
    const unsigned channels = of.channels, width = of.output[1], height = of.output[0];
    const Index image = Index(height) * width * channels, input = Index(of.input[0]) * of.input[1] * channels;
    EACH(i, count) {
        Index number = i / image;
        unsigned at = i - number * image;
        unsigned channel = at % channels, x = at / channels % width, y = at / channels / width;
        Read<double> map = maps + number * 6;
        Pair xs_of = across(map, x, y, of), ys_of = down(map, x, y, of);
        Real sum = 0;
        for (int b = 0; b < 2; b++) {
            for (int a = 0; a < 2; a++) {
                Real weight = xs_of.weights[a] * ys_of.weights[b];
                if (weight == 0) continue;
                bool is_inside = xs_of.cells[a] >= 0 && ys_of.cells[b] >= 0;
                Index pixel = Index(ys_of.cells[b]) * of.input[1] + xs_of.cells[a];
                sum += weight * (is_inside ? xs[number * input + pixel * channels + channel] : fill);
            }
        }
        ys[i] = sum;
    }
}

// The gradient of each pixel of the input: that of every pixel of the output that shows it, found by asking those that may, row
// by row. Maps of augmentations are seldom differentiated, as their input is mostly the data.
KERNEL(warp_gradients, Write<Real> out, Read<Real> grad, Read<double> maps, Index count, Warp of) {
    const unsigned channels = of.channels, width = of.input[1], height = of.input[0];
    const Index image = Index(of.output[0]) * of.output[1] * channels, input = Index(height) * width * channels;
    EACH(i, count) {
        Index number = i / input;
        unsigned at = i - number * input;
        int channel = at % channels, column = at / channels % width, row = at / channels / width;
        Read<double> map = maps + number * 6;
        // Where there is nothing beyond the edges and the map can be turned round, a pixel is shown near one place alone.
        int first[2] = {0, 0}, last[2] = {of.output[1] - 1, of.output[0] - 1};
        double determinant = map[0] * map[4] - map[1] * map[3];
        if (of.fill_mode == 0 && determinant != 0) {
            double dx = column - map[2], dy = row - map[5];
            double middle[2] = {(map[4] * dx - map[1] * dy) / determinant, (map[0] * dy - map[3] * dx) / determinant};
            double reach[2] = {(fabs(map[4]) + fabs(map[1])) / fabs(determinant), (fabs(map[0]) + fabs(map[3])) / fabs(determinant)};
            for (int axis = 0; axis < 2; axis++) {
                double low = floor(middle[axis] - reach[axis]) - 1, high = ceil(middle[axis] + reach[axis]) + 1;
                if (low > first[axis]) first[axis] = low < last[axis] + 1 ? int(low) : last[axis] + 1;
                if (high < last[axis]) last[axis] = high > -1 ? int(high) : -1;
            }
        }
        Real sum = 0;
        for (int y = first[1]; y <= last[1]; y++) {
            for (int x = first[0]; x <= last[0]; x++) {
                Pair xs_of = across(map, x, y, of), ys_of = down(map, x, y, of);
                Real weight = 0;
                for (int b = 0; b < 2; b++) {
                    for (int a = 0; a < 2; a++) {
                        if (xs_of.cells[a] == column && ys_of.cells[b] == row) weight += xs_of.weights[a] * ys_of.weights[b];
                    }
                }
                if (weight != 0) sum += weight * grad[number * image + (Index(y) * of.output[1] + x) * channels + channel];
            }
        }
        out[i] = sum;
    }
}
