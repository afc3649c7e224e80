// Pooling over windows and over everything: the largest value, the mean or the sum. Gradients are gathered by each cell of the
// input from the windows that see it.
#include "kernel.h"

// As in `src/kernels/pool.rs`: the windows along an axis, or, of size 0, those that share its cells.
struct Axis {
    Index cells;
    Index windows;
    Index size;
    Index stride;
    Index before;
};

struct Pool {
    Axis axes[3];
    Index channels;
    Index is_mean;
};

struct Range {
    Index first;
    Index end;
};

DEVICE Index clip(Index x, Index high) { return x < 0 ? 0 : x < high ? x : high; }

// The cells that a window sees.
DEVICE Range cells(const Axis &axis, Index at) {
    if (axis.size == 0) return {at * axis.cells / axis.windows, ((at + 1) * axis.cells + axis.windows - 1) / axis.windows};
    Index first = at * axis.stride - axis.before;
    return {clip(first, axis.cells), clip(first + axis.size, axis.cells)};
}

// The windows that see a cell.
DEVICE Range windows(const Axis &axis, Index cell) {
    if (axis.size == 0) return {cell * axis.windows / axis.cells, ((cell + 1) * axis.windows + axis.cells - 1) / axis.cells};
    Index at = cell + axis.before;
    return {at < axis.size ? 0 : (at - axis.size) / axis.stride + 1, clip(at / axis.stride + 1, axis.windows)};
}

// Where a value is: its example, its place along each axis, and its channel.
struct Position {
    Index example;
    Index along[3];
    Index channel;
};

DEVICE Position position(Index i, Index depth, Index height, Index width, Index channels) {
    Position at;
    at.channel = i % channels;
    i /= channels;
    at.along[2] = i % width;
    i /= width;
    at.along[1] = i % height;
    i /= height;
    at.along[0] = i % depth;
    at.example = i / depth;
    return at;
}

DEVICE Position position_of_cell(const Pool &of, Index i) {
    return position(i, of.axes[0].cells, of.axes[1].cells, of.axes[2].cells, of.channels);
}

DEVICE Position position_of_window(const Pool &of, Index i) {
    return position(i, of.axes[0].windows, of.axes[1].windows, of.axes[2].windows, of.channels);
}

// The first value of an example in one channel.
DEVICE Index start_of_cells(const Pool &of, const Position &at) {
    return at.example * of.axes[0].cells * of.axes[1].cells * of.axes[2].cells * of.channels + at.channel;
}

DEVICE Index start_of_windows(const Pool &of, const Position &at) {
    return at.example * of.axes[0].windows * of.axes[1].windows * of.axes[2].windows * of.channels + at.channel;
}

// The cells of a window along each axis.
struct Box {
    Range z;
    Range y;
    Range x;
};

DEVICE Box box(const Pool &of, Index z, Index y, Index x) {
    return {cells(of.axes[0], z), cells(of.axes[1], y), cells(of.axes[2], x)};
}

// Every cell of a box, row by row, as its place among the values of its example and channel.
#define EACH_CELL(cell, of, box) \
    for (Index z = (box).z.first; z < (box).z.end; z++) \
        for (Index y = (box).y.first; y < (box).y.end; y++) \
            for (Index cell = ((z * (of).axes[1].cells + y) * (of).axes[2].cells + (box).x.first) * (of).channels, \
                       x = (box).x.first; \
                 x < (box).x.end; x++, cell += (of).channels)

// The number that the sum over a window is divided by.
DEVICE Real divisor(const Pool &of, const Box &box) {
    if (!of.is_mean) return 1;
    return Real((box.z.end - box.z.first) * (box.y.end - box.y.first) * (box.x.end - box.x.first));
}

// The larger; not a number is kept, so that it is seen.
DEVICE Real larger(Real most, Real x) { return x > most || x != x ? x : most; }

KERNEL(max_values, Write<Real> ys, Read<Real> xs, Pool of, Index count) {
    EACH(i, count) {
        Position at = position_of_window(of, i);
        Box seen = box(of, at.along[0], at.along[1], at.along[2]);
        Read<Real> image = xs + start_of_cells(of, at);
        Real most = -INFINITY;
        EACH_CELL(cell, of, seen) most = larger(most, image[cell]);
        ys[i] = most;
    }
}

KERNEL(mean_values, Write<Real> ys, Read<Real> xs, Pool of, Index count) {
    EACH(i, count) {
        Position at = position_of_window(of, i);
        Box seen = box(of, at.along[0], at.along[1], at.along[2]);
        Read<Real> image = xs + start_of_cells(of, at);
        Real sum = 0;
        EACH_CELL(cell, of, seen) sum += image[cell];
        ys[i] = sum / divisor(of, seen);
    }
}

// Whether no cell of the window before `mine` has its largest value too.
DEVICE bool is_first(Read<Real> image, const Pool &of, const Box &seen, Index mine, Real most) {
    EACH_CELL(cell, of, seen) {
        if (cell == mine) return true;
        if (image[cell] == most) return false;
    }
    return true;
}

// Every window that sees a cell at `at`, row by row, as its place among the outputs of its example and channel.
#define EACH_WINDOW(window, of, at) \
    Range over_z = windows((of).axes[0], (at).along[0]), over_y = windows((of).axes[1], (at).along[1]), \
          over_x = windows((of).axes[2], (at).along[2]); \
    for (Index z = over_z.first; z < over_z.end; z++) \
        for (Index y = over_y.first; y < over_y.end; y++) \
            for (Index window = ((z * (of).axes[1].windows + y) * (of).axes[2].windows + over_x.first) * (of).channels, \
                       x = over_x.first; \
                 x < over_x.end; x++, window += (of).channels)

KERNEL(max_gradients, Write<Real> out, Read<Real> xs, Read<Real> ys, Read<Real> grad, Pool of, Index count) {
    EACH(i, count) {
        Position at = position_of_cell(of, i);
        Index start = start_of_cells(of, at), outputs = start_of_windows(of, at);
        Real value = xs[i], sum = 0;
        EACH_WINDOW(window, of, at) {
            if (value == ys[outputs + window] && is_first(xs + start, of, box(of, z, y, x), i - start, value))
                sum += grad[outputs + window];
        }
        out[i] = sum;
    }
}

KERNEL(mean_gradients, Write<Real> out, Read<Real> grad, Pool of, Index count) {
    EACH(i, count) {
        Position at = position_of_cell(of, i);
        Index outputs = start_of_windows(of, at);
        Real sum = 0;
        EACH_WINDOW(window, of, at) sum += grad[outputs + window] * (1 / divisor(of, box(of, z, y, x)));
        out[i] = sum;
    }
}

// As in `src/kernels/global_pool.rs`: images of `rows` pixels, of which `sharers` threads take each so manyeth.
struct Images {
    Index examples;
    Index rows;
    Index channels;
    Index sharers;
};

// `result` folded over the pixels of every thread: `N, sharers, C`. All take what one of them takes.
#define GLOBAL(name, start, folded) \
    KERNEL(name, Write<Real> ys, Read<Real> xs, Read<Real> most, Images of, Real divisor) { \
        EACH(i, of.examples * of.sharers * of.channels) { \
            Index channel = i % of.channels, pixel = i / of.channels, example = pixel / of.sharers; \
            Read<Real> image = xs + example * of.rows * of.channels + channel; \
            Real result = start; \
            for (Index row = pixel % of.sharers; row < of.rows; row += of.sharers) { \
                Real x = image[row * of.channels]; \
                result = folded; \
            } \
            ys[i] = result / divisor; \
        } \
    }

GLOBAL(global_most, -INFINITY, larger(result, x))
GLOBAL(global_sum, 0, result + x)
// How many pixels have the largest value.
GLOBAL(global_ties, 0, result + Real(x == most[example * of.channels + channel]))

KERNEL(global_max_gradients, Write<Real> out, Read<Real> xs, Read<Real> ys, Read<Real> ties, Read<Real> grad, Images of) {
    EACH(i, of.examples * of.rows * of.channels) {
        Index output = i / (of.rows * of.channels) * of.channels + i % of.channels;
        out[i] = xs[i] == ys[output] ? grad[output] / ties[output] : Real(0);
    }
}

KERNEL(global_mean_gradients, Write<Real> out, Read<Real> grad, Images of) {
    EACH(i, of.examples * of.rows * of.channels) {
        out[i] = grad[i / (of.rows * of.channels) * of.channels + i % of.channels] / Real(of.rows);
    }
}
