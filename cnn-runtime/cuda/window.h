// Where a window lies over a batch of volumes; images and sequences are volumes whose first axes have one cell.
#pragma once
#include "kernel.h"

// As in `src/gpu/window.rs`.
struct Window {
    Index batch;
    Index channels;
    Index input[3];
    Index output[3];
    Index size[3];
    Index strides[3];
    Index dilation[3];
    Index before[3];
};

// A cell, a position or a tap, by where it lies along each axis; all are fewer than 2^31.
struct Point {
    int at[3];
};

DEVICE Index product_of(const Index (&sizes)[3]) { return sizes[0] * sizes[1] * sizes[2]; }

// The point that is number `number` among those of these sizes, counted along the last axis first.
DEVICE Point point(const Index (&sizes)[3], unsigned number) {
    unsigned last = unsigned(sizes[2]), middle = unsigned(sizes[1]);
    unsigned line = number / last, plane = line / middle;
    return {{int(plane), int(line - plane * middle), int(number - line * last)}};
}

// The point after this one; past the last of all, its first axis is beyond its size.
DEVICE void advance(Point &point, const Index (&sizes)[3]) {
    if (++point.at[2] < sizes[2]) return;
    point.at[2] = 0;
    if (++point.at[1] < sizes[1]) return;
    point.at[1] = 0;
    point.at[0]++;
}

// Every tap of a window.
#define EACH_TAP(tap, of) for (Point tap = {{0, 0, 0}}; tap.at[0] < (of).size[0]; advance(tap, (of).size))

// The cell of an image that a tap sees from an output position, by its number; -1 if it lies outside.
DEVICE Index seen(const Window &of, const Point &at, const Point &tap) {
    Index cell = 0;
    for (int axis = 0; axis < 3; axis++) {
        int x = at.at[axis] * int(of.strides[axis]) + tap.at[axis] * int(of.dilation[axis]) - int(of.before[axis]);
        if (x < 0 || x >= of.input[axis]) return -1;
        cell = cell * of.input[axis] + x;
    }
    return cell;
}

// The output position from which a tap sees a cell, by its number; -1 if there is none.
DEVICE Index seen_from(const Window &of, const Point &cell, const Point &tap) {
    Index position = 0;
    for (int axis = 0; axis < 3; axis++) {
        int x = cell.at[axis] + int(of.before[axis]) - tap.at[axis] * int(of.dilation[axis]);
        int stride = int(of.strides[axis]);
        if (x < 0 || (stride > 1 && x % stride != 0)) return -1;
        if (stride > 1) x /= stride;
        if (x >= of.output[axis]) return -1;
        position = position * of.output[axis] + x;
    }
    return position;
}
