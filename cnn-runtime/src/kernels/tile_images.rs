//! Small images as tiles read them: each a row of padded lines in pieces, and one pixel of 16 images, or of 16 pairs of them, a tile.
//!
//! Of small images, much of a [slab](super::tile_slab) is positions that belong to no pixel. Here every row of the product is a
//! pixel: a tile of rows is what one output pixel sees in each of 16 images, which lie an image apart. For gradients of weights,
//! products are summed over images, of which two lie side by side.

use super::aligned::{Aligned, odd_lines};
use super::fill::collected;
use super::patches::Geometry;
use super::tile_matrix::{Left, clear, in_order};
use super::tile_pack::pair_up;
use super::tile_pieces::split;
use super::tile_slab::{runs, steps, window_span};
use super::tiles::{DEPTH, SIDE};
use crate::Precision;
use std::ops::Range;

/// Some output lines of some images.
#[derive(Clone, Debug)]
pub(super) struct Group {
    geometry: Geometry,
    pub(super) images: Range<usize>,
    lines: Range<usize>,
    /// Cells of a padded line.
    line_cells: usize,
    /// Numbers of an image's padded lines that are seen, and some more.
    pub(super) row_len: usize,
}

impl Group {
    /// These lines of these images.
    pub(super) fn new(geometry: &Geometry, images: Range<usize>, lines: Range<usize>) -> Self {
        let Geometry { input, channels, output, before, .. } = *geometry;
        let line_cells = window_span(geometry, 1, output[1]).max(before[1] + input[1]);
        let len = runs(geometry).1;
        // The last stretch of a window may reach beyond the image.
        let reach = window_span(geometry, 0, lines.len()) * line_cells * channels + len.next_multiple_of(DEPTH) - len;
        let row_len = odd_lines::<u16>(reach);
        Self { geometry: *geometry, images, lines, line_cells, row_len }
    }

    /// Whether the pieces of all lines of 16 images stay in a core's cache.
    pub(super) fn fits(geometry: &Geometry, precision: Precision) -> bool {
        const CACHED: usize = 1024 * 1024;
        let row_len = Self::new(geometry, 0..SIDE, 0..geometry.output[0]).row_len;
        size_of::<u16>() * precision.pieces() * SIDE * row_len <= CACHED
    }

    /// What the pixels of `xs` see, of up to 16 images: a tile for each pixel.
    pub(super) fn left<'a>(&self, xs: &[f32], precision: Precision, scratch: &'a mut Aligned<u16>) -> Left<'a> {
        Left {
            pieces: self.split(xs, precision, scratch),
            pitch: self.row_len,
            plane: SIDE * self.row_len,
            starts: self.positions(),
            steps: in_order(self.steps(DEPTH)),
        }
    }

    /// Where what each pixel sees begins in a row.
    pub(super) fn positions(&self) -> Vec<usize> {
        let Geometry { output: [_, width], strides, .. } = self.geometry;
        let line = |y: usize| (0..width).map(move |x| self.place(y * strides[0], x * strides[1]));
        collected(self.lines.len() * width, (0..self.lines.len()).flat_map(line))
    }

    /// Where, from what a pixel sees first, each stretch of `step` numbers of its window begins.
    pub(super) fn steps(&self, step: usize) -> Vec<usize> {
        steps(&self.geometry, step, |y, x| self.place(y, x))
    }

    fn place(&self, y: usize, x: usize) -> usize {
        (y * self.line_cells + x) * self.geometry.channels
    }

    /// The pixels in order, each of 32 images, by their numbers in the batch; nothing where there is no image.
    pub(super) fn pixels(&self) -> Vec<Option<usize>> {
        let [height, width] = self.geometry.output;
        let image = |number: usize| Some(self.images.start + number).filter(|image| *image < self.images.end);
        let of_images = |pixel: usize| (0..DEPTH).map(move |number| image(number).map(|image| image * height * width + pixel));
        collected(self.lines.len() * width * DEPTH, (self.lines.start * width..self.lines.end * width).flat_map(of_images))
    }

    /// The pixels of each image, by their numbers in the batch.
    pub(super) fn runs_of_pixels(&self) -> impl Iterator<Item = Range<usize>> {
        let [height, width] = self.geometry.output;
        let lines = self.lines.clone();
        self.images.clone().map(move |image| (image * height + lines.start) * width..(image * height + lines.end) * width)
    }

    /// Splits the images. Rows of images that are not there keep what they had.
    fn split<'a>(&self, xs: &[f32], precision: Precision, scratch: &'a mut Aligned<u16>) -> &'a [u16] {
        let plane = SIDE * self.row_len;
        let pieces = scratch.take(precision.pieces() * plane);
        let stretches = self.stretches();
        for (number, image) in self.images.clone().enumerate() {
            let (image, row) = (self.image(xs, image), number * self.row_len);
            for (range, seen) in &stretches {
                match seen {
                    Some(seen) => split(&image[*seen..*seen + range.len()], &mut pieces[row + range.start..], plane),
                    None => clear(pieces, plane, row + range.start..row + range.end),
                }
            }
        }
        pieces
    }

    /// Up to 32 images in pairs, the numbers of two side by side; 0 where there is no image. Planes lie within rows.
    pub(super) fn pairs<'a>(&self, xs: &[f32], precision: Precision, scratch: &'a mut Aligned<u32>) -> &'a [u32] {
        let row_pitch = precision.pieces() * self.row_len;
        let pairs = scratch.take(SIDE * row_pitch);
        let stretches = self.stretches();
        for (number, row) in pairs.chunks_exact_mut(row_pitch).enumerate() {
            let image = |place: usize| Some(self.images.start + 2 * number + place).filter(|image| *image < self.images.end);
            let [first, second] = [0, 1].map(|place| image(place).map(|image| self.image(xs, image)));
            let Some(first) = first else {
                row.fill(0);
                continue;
            };
            for (range, seen) in &stretches {
                match seen {
                    Some(seen) => {
                        let seen = *seen..*seen + range.len();
                        let second = second.map_or(&[][..], |image| &image[seen.clone()]);
                        pair_up(&first[seen], second, &mut row[range.start..], self.row_len);
                    }
                    None => row.chunks_exact_mut(self.row_len).for_each(|row| row[range.clone()].fill(0)),
                }
            }
        }
        pairs
    }

    fn image<'a>(&self, xs: &'a [f32], image: usize) -> &'a [f32] {
        &xs[image * self.geometry.image_len()..][..self.geometry.image_len()]
    }

    /// What a row is of, in order: stretches that an image has, with where they begin in it, and such as it has not.
    fn stretches(&self) -> Vec<(Range<usize>, Option<usize>)> {
        let Geometry { input, channels, strides, before, .. } = self.geometry;
        let first = self.lines.start * strides[0];
        let last = first + window_span(&self.geometry, 0, self.lines.len());
        let (line_len, image_line) = (self.line_cells * channels, input[1] * channels);
        let seen = first.max(before[0])..last.min(before[0] + input[0]);
        // Lines without padding between them are one.
        let at_once = if line_len == image_line { seen.len().max(1) } else { 1 };
        let (mut stretches, mut end) = (Vec::with_capacity(2 * seen.len() / at_once + 3), 0);
        for y in seen.step_by(at_once) {
            let start = (y - first) * line_len + before[1] * channels;
            stretches.push((end..start, None));
            end = start + at_once * image_line;
            stretches.push((start..end, Some((y - before[0]) * image_line)));
        }
        stretches.push((end..self.row_len, None));
        stretches
    }
}
