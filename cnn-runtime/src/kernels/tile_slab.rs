//! What some of a convolution's output sees, as tiles read it: padded lines of an image in pieces, one below the other.
//!
//! A row of the product is an output position, and what it sees along one line of the window is a run of numbers in place:
//! rows are overlapping runs, a stride apart. So that the same holds from line to line and from image to image, every line
//! has room for the same number of positions, the last of which may belong to no pixel. The padding at the end of a line or
//! of an image is that at the start of the next. Lines that one tap of the window sees, a stride apart, lie together: for
//! each remainder of a line's number by the stride there is a *phase* of a slab.

use super::aligned::Aligned;
use super::fill::collected;
use super::patches::Geometry;
use super::tile_matrix::clear;
use super::tile_pieces::split;
use super::tiles::{DEPTH, SIDE};
use crate::Precision;
use std::ops::Range;

/// Some output lines of an image, or all lines of several images.
#[derive(Clone, Debug)]
pub(super) struct Slab {
    geometry: Geometry,
    pub(super) images: Range<usize>,
    pub(super) lines: Range<usize>,
    /// Positions in a line.
    per_line: usize,
    /// Lines of positions in an image.
    per_image: usize,
    /// Numbers in a phase.
    phase: usize,
    /// Numbers in a plane.
    pub(super) plane: usize,
}

impl Slab {
    /// All that `lines` of the output of each of `images` see; of several images, it has to be all lines.
    pub(super) fn new(geometry: &Geometry, images: Range<usize>, lines: Range<usize>) -> Self {
        let Geometry { input, channels, output, strides, before, .. } = *geometry;
        let counts = [lines.len(), output[1]];
        let need = [0, 1].map(|axis| window_span(geometry, axis, counts[axis]));
        // Cells from one line or image to the next: those that hold data, and zeros after them unless the next has as many.
        let cells = |axis: usize| {
            let (data, zeros) = (need[axis].min(before[axis] + input[axis]), need[axis].saturating_sub(before[axis]));
            data.max(zeros).max((counts[axis] - 1) * strides[axis] + 1)
        };
        let per_line = cells(1).div_ceil(strides[1]);
        let per_image = if images.len() == 1 { need[0] } else { cells(0) }.div_ceil(strides[0]);
        let mut slab = Self { geometry: *geometry, images, lines, per_line, per_image, phase: 0, plane: 0 };
        let below = (need[0] - 1) / strides[0] - (slab.lines.len() - 1);
        let seen =
            ((slab.last_line() + below) * slab.line_cells() + need[1]).max(slab.images.len() * per_image * slab.line_cells());
        slab.phase = (seen * channels).next_multiple_of(DEPTH);
        let read = slab.rows().next_multiple_of(DEPTH) * slab.pitch()
            + (below * slab.line_cells() + window_span(geometry, 1, 1)) * channels;
        slab.plane = ((strides[0] - 1) * slab.phase + slab.phase.max(read + DEPTH)).next_multiple_of(DEPTH);
        slab
    }

    /// Cells from one line to the next.
    fn line_cells(&self) -> usize {
        self.per_line * self.geometry.strides[1]
    }

    /// The number of the last line that has pixels.
    fn last_line(&self) -> usize {
        (self.images.len() - 1) * self.per_image + self.lines.len() - 1
    }

    /// Numbers from one row to the next.
    pub(super) fn pitch(&self) -> usize {
        self.geometry.strides[1] * self.geometry.channels
    }

    /// The rows up to the last that is a pixel.
    pub(super) fn rows(&self) -> usize {
        self.last_line() * self.per_line + self.geometry.output[1]
    }

    /// Output pixels.
    pub(super) fn pixels(&self) -> usize {
        self.images.len() * self.lines.len() * self.geometry.output[1]
    }

    /// The stretches of some rows that are pixels, each with its first pixel, counted from the slab's first.
    pub(super) fn stretches(&self, rows: Range<usize>) -> impl Iterator<Item = (Range<usize>, usize)> {
        let Self { per_line, per_image, .. } = *self;
        let (width, height) = (self.geometry.output[1], self.lines.len());
        let lines = (rows.start / per_line..rows.end.div_ceil(per_line)).filter(move |line| line % per_image < height);
        let stretches = lines.map(move |line| {
            let start = rows.start.max(line * per_line);
            let pixel = (line / per_image * height + line % per_image) * width + start - line * per_line;
            (start..rows.end.min(line * per_line + width), pixel)
        });
        stretches.filter(|(rows, _)| !rows.is_empty())
    }

    /// The pixel of each row, if it is one, counted on from the `first` one, for rows that fill tiles.
    pub(super) fn pixels_of_rows(&self, first: usize) -> Vec<Option<usize>> {
        let mut pixels = vec![None; self.rows().next_multiple_of(DEPTH)];
        for (rows, pixel) in self.stretches(0..self.rows()) {
            pixels[rows].iter_mut().zip(first + pixel..).for_each(|(place, pixel)| *place = Some(pixel));
        }
        pixels
    }

    /// Where, from the start of its row, each stretch of `step` numbers of a window begins.
    pub(super) fn steps(&self, step: usize) -> Vec<usize> {
        let Geometry { channels, strides, .. } = self.geometry;
        steps(&self.geometry, step, |y, x| y % strides[0] * self.phase + (y / strides[0] * self.line_cells() + x) * channels)
    }

    /// Splits what the slab sees of `xs`; what no tap sees is 0.
    pub(super) fn split<'a>(&self, xs: &[f32], precision: Precision, scratch: &'a mut Aligned<u16>) -> &'a mut [u16] {
        let Geometry { input, channels, size, strides, dilation, before, .. } = self.geometry;
        let pieces = scratch.take(precision.pieces() * self.plane);
        let line_len = self.line_cells() * channels;
        let (start, end) = (before[1] * channels, ((before[1] + input[1]) * channels).min(line_len));
        let first = (self.lines.start * strides[0]).wrapping_sub(before[0]);
        let is_seen = |phase: usize| (0..size[0]).any(|tap| tap * dilation[0] % strides[0] == phase);
        for phase in 0..strides[0] {
            let mut at = phase * self.phase;
            let images = if is_seen(phase) { self.images.clone() } else { 0..0 };
            for image in images {
                let image = &xs[image * self.geometry.image_len()..][..self.geometry.image_len()];
                for line in 0..self.per_image {
                    let y = first.wrapping_add(line * strides[0] + phase);
                    let inside = y < input[0] && start < end;
                    let (start, end) = if inside { (at + start, at + end) } else { (at + line_len, at + line_len) };
                    clear(pieces, self.plane, at..start);
                    clear(pieces, self.plane, end..at + line_len);
                    if inside {
                        split(&image[y * input[1] * channels..][..end - start], &mut pieces[start..], self.plane);
                    }
                    at += line_len;
                }
            }
            let end = if phase + 1 < strides[0] { (phase + 1) * self.phase } else { self.plane };
            clear(pieces, self.plane, at..end);
        }
        pieces
    }
}

/// Cells that the windows of `count` positions span.
pub(super) fn window_span(geometry: &Geometry, axis: usize, count: usize) -> usize {
    (count - 1) * geometry.strides[axis] + (geometry.size[axis] - 1) * geometry.dilation[axis] + 1
}

/// In how many runs of adjacent numbers a window lies in a slab, and their length.
pub(super) fn runs(geometry: &Geometry) -> (usize, usize) {
    let [height, width] = geometry.size;
    match geometry.dilation[1] {
        1 => (height, width * geometry.channels),
        _ => (height * width, geometry.channels),
    }
}

/// Where each stretch of `step` numbers of a window begins, whose cell in line `y` and column `x` is at `place(y, x)`.
pub(super) fn steps(geometry: &Geometry, step: usize, place: impl Fn(usize, usize) -> usize) -> Vec<usize> {
    let Geometry { size, dilation, .. } = *geometry;
    let (runs, len) = runs(geometry);
    let start = |run: usize| place(run * size[0] / runs * dilation[0], run % (runs / size[0]) * dilation[1]);
    collected(runs * len.div_ceil(step), (0..runs).flat_map(|run| (0..len).step_by(step).map(move |at| start(run) + at)))
}

/// Which number of a window, tap by tap, stands at `k` of its runs, each filled up to a multiple of `step`.
pub(super) fn number_at(geometry: &Geometry, step: usize, k: usize) -> Option<usize> {
    let len = runs(geometry).1;
    let (run, at) = (k / len.next_multiple_of(step), k % len.next_multiple_of(step));
    (at < len).then_some(run * len + at)
}

const _: () = assert!(DEPTH.is_multiple_of(SIDE));
