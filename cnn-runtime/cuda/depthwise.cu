// Depthwise convolution: each channel weighed by `multiplier` kernels of its own. Weights are taps by output channels.
#include "window.h"

KERNEL(depthwise_values, Write<Real> ys, Read<Real> xs, Read<Real> weights, Window of, Index multiplier) {
    Index positions = product_of(of.output), image_len = product_of(of.input) * of.channels, width = of.channels * multiplier;
    EACH(i, of.batch * positions * width) {
        Index row = i / width, image = row / positions;
        unsigned filter = unsigned(i - row * width);
        Point at = point(of.output, unsigned(row - image * positions));
        Read<Real> seen_channel = xs + (image * image_len + filter / unsigned(multiplier));
        Read<Real> weight = weights + filter;
        Index number = 0;
        Real sum = 0;
        EACH_TAP(tap, of) {
            Index cell = seen(of, at, tap);
            if (cell >= 0) sum += seen_channel[cell * of.channels] * weight[number * width];
            number++;
        }
        ys[i] = sum;
    }
}

// The gradient of the images.
KERNEL(depthwise_images, Write<Real> out, Read<Real> weights, Read<Real> grad, Window of, Index multiplier) {
    Index positions = product_of(of.output), cells = product_of(of.input), width = of.channels * multiplier;
    EACH(i, of.batch * cells * of.channels) {
        Index pixel = i / of.channels, image = pixel / cells;
        Index filter = (i - pixel * of.channels) * multiplier;
        Point cell = point(of.input, unsigned(pixel - image * cells));
        Index number = 0;
        Real sum = 0;
        EACH_TAP(tap, of) {
            Index position = seen_from(of, cell, tap);
            if (position >= 0) {
                Read<Real> grads = grad + ((image * positions + position) * width + filter);
                Read<Real> weight = weights + (number * width + filter);
                for (Index m = 0; m < multiplier; m++) sum += grads[m] * weight[m];
            }
            number++;
        }
        out[i] = sum;
    }
}

// The gradient of the weights, summed over each of `pieces` of `length` output positions of the batch apart.
KERNEL(depthwise_weights, Write<Real> sums, Read<Real> xs, Read<Real> grad, Window of, Index multiplier, Index pieces,
       Index length) {
    Index positions = product_of(of.output), image_len = product_of(of.input) * of.channels, width = of.channels * multiplier;
    unsigned taps = product_of(of.size);
    EACH(i, pieces * taps * width) {
        Index line = i / width, piece = line / taps;
        unsigned filter = unsigned(i - line * width);
        Point tap = point(of.size, unsigned(line - piece * taps));
        Index row = piece * length, rows = of.batch * positions;
        Index end = row + length < rows ? row + length : rows;
        Index image = row / positions;
        Point at = point(of.output, unsigned(row - image * positions));
        Read<Real> seen_channel = xs + filter / unsigned(multiplier);
        Real sum = 0;
        for (; row < end; row++) {
            Index cell = seen(of, at, tap);
            if (cell >= 0) sum += seen_channel[image * image_len + cell * of.channels] * grad[row * width + filter];
            advance(at, of.output);
            if (at.at[0] == of.output[0]) {
                at.at[0] = 0;
                image++;
            }
        }
        sums[i] = sum;
    }
}
