// Batches of a data set that is on the device.
#include "kernel.h"

// Bytes as numbers from 0 to 1.
KERNEL(numbers_of_bytes, Write<Real> numbers, Read<unsigned char> bytes, Index count) {
    EACH(i, count) numbers[i] = Real(bytes[i]) / Real(255);
}

// Image `order[i]` of bytes, as numbers from 0 to 1.
KERNEL(images_of_bytes, Write<Real> images, Read<unsigned char> pixels, Read<unsigned> order, Index count, Index length) {
    EACH(i, count * length) images[i] = Real(pixels[Index(order[i / length]) * length + i % length]) / Real(255);
}

KERNEL(images_of_numbers, Write<Real> images, Read<Real> pixels, Read<unsigned> order, Index count, Index length) {
    EACH(i, count * length) images[i] = pixels[Index(order[i / length]) * length + i % length];
}

KERNEL(labels, Write<unsigned> labels, Read<unsigned> all, Read<unsigned> order, Index count) {
    EACH(i, count) labels[i] = all[order[i]];
}
