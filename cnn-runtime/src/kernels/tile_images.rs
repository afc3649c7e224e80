//! Small images as tiles read them: each a row of padded lines in pieces, and one pixel of 16 images a tile.
//!
//! Of small images, much of a [slab](super::tile_slab) is positions that belong to no pixel. Here every row of the product is a
//! pixel: a tile of rows is what one output pixel sees in each of 16 images, which lie an image apart.

use super::patches::Geometry;
use super::tile_matrix::{Aligned, Left, clear};
use super::tile_pieces::split;
use super::tile_slab::{runs, steps, window_span};
use super::tiles::{DEPTH, SIDE};
use crate::Precision;
use std::ops::Range;

/// Up to 16 images.
#[derive(Clone, Debug)]
pub(super) struct Group {
    geometry: Geometry,
    pub(super) images: Range<usize>,
    /// Padded lines of an image that are seen, and the cells of each.
    lines: usize,
    line_cells: usize,
    /// Numbers from one image to the next.
    pitch: usize,
}

impl Group {
    /// These images, at most 16.
    pub(super) fn new(geometry: &Geometry, images: Range<usize>) -> Self {
        let Geometry { input, channels, output, before, .. } = *geometry;
        let [lines, columns] = [0, 1].map(|axis| window_span(geometry, axis, output[axis]));
        let line_cells = columns.max(before[1] + input[1]);
        let len = runs(geometry).1;
        // The last stretch of a window may reach beyond the image.
        let reach = lines * line_cells * channels + len.next_multiple_of(DEPTH) - len;
        // An odd number of cache lines apart, so that the rows of a tile do not share a few sets of the cache.
        let pitch = (reach.div_ceil(DEPTH) | 1) * DEPTH;
        Self { geometry: *geometry, images, lines, line_cells, pitch }
    }

    /// Numbers in a plane.
    pub(super) fn plane(&self) -> usize {
        SIDE * self.pitch
    }

    /// What the pixels of `xs` see: a tile for each pixel.
    pub(super) fn left<'a>(&self, xs: &[f32], precision: Precision, scratch: &'a mut Aligned<u16>) -> Left<'a> {
        let Geometry { channels, output: [height, width], strides, .. } = self.geometry;
        let place = |y: usize, x: usize| (y * self.line_cells + x) * channels;
        let pixel = |y: usize| (0..width).map(move |x| place(y * strides[0], x * strides[1]));
        Left {
            pieces: self.split(xs, precision, scratch),
            pitch: self.pitch,
            plane: self.plane(),
            starts: (0..height).flat_map(pixel).collect(),
            steps: steps(&self.geometry, DEPTH, place),
        }
    }

    /// Splits the images. Rows of images that are not there keep what they had.
    fn split<'a>(&self, xs: &[f32], precision: Precision, scratch: &'a mut Aligned<u16>) -> &'a [u16] {
        let Geometry { input, channels, before, .. } = self.geometry;
        let plane = self.plane();
        let pieces = scratch.take(precision.pieces() * plane);
        let (line_len, image_len) = (self.line_cells * channels, self.geometry.image_len());
        let seen = before[0].min(self.lines)..(before[0] + input[0]).min(self.lines);
        let is_flat = line_len == input[1] * channels;
        for (row, image) in self.images.clone().enumerate() {
            let (image, row) = (&xs[image * image_len..][..image_len], row * self.pitch);
            let lines = row + seen.start * line_len..row + seen.end * line_len;
            clear(pieces, plane, row..lines.start);
            if is_flat {
                split(&image[..lines.len()], &mut pieces[lines.start..], plane);
            } else {
                for (at, line) in lines.clone().step_by(line_len).zip(image.chunks_exact(input[1] * channels)) {
                    let start = at + before[1] * channels;
                    clear(pieces, plane, at..start);
                    split(line, &mut pieces[start..], plane);
                    clear(pieces, plane, start + line.len()..at + line_len);
                }
            }
            clear(pieces, plane, lines.end..row + self.pitch);
        }
        pieces
    }
}
