//! Matrices in the order in which tiles read them, and products of them.

use super::fill::in_chunks;
use super::tile_pieces::split;
use super::tiles::{Block, DEPTH, SIDE, TILE, TILES, Tiles};
use crate::Precision;
use rayon::prelude::*;
use std::cell::RefCell;
use std::ops::Range;

/// Values that start where a cache line does, so that no row of a tile lies in two.
#[derive(Default)]
pub(super) struct Aligned<T>(Vec<T>);

impl<T: Copy + Default> Aligned<T> {
    /// The first `len` values, whatever they were before.
    pub(super) fn take(&mut self, len: usize) -> &mut [T] {
        let room = 64 / size_of::<T>();
        if self.0.len() < len + room {
            self.0.resize(len + room, T::default());
        }
        let start = self.0.as_ptr().align_offset(64);
        &mut self.0[start..start + len]
    }

    /// The first `len` values.
    fn first(&self, len: usize) -> &[T] {
        let start = self.0.as_ptr().align_offset(64);
        &self.0[start..start + len]
    }
}

/// A right matrix, packed: for each 16 columns the tiles of all its rows.
pub(super) struct Right {
    tiles: Aligned<u16>,
    precision: Precision,
    /// Numbers in the tiles of 16 columns.
    len: usize,
    pub(super) columns: usize,
}

impl Right {
    /// Packs the matrix of so many rows and columns whose row `k` starts at `start(k)` in `values`, if it is not 0, and has its
    /// columns `stride` apart.
    pub(super) fn pack(
        precision: Precision,
        [rows, columns]: [usize; 2],
        values: &[f32],
        stride: usize,
        start: impl Fn(usize) -> Option<usize> + Sync,
    ) -> Self {
        let (depths, strips) = (rows.div_ceil(DEPTH), columns.div_ceil(SIDE));
        let mut tiles = Aligned::default();
        let of_depth = precision.pieces() * TILE;
        tiles.take(strips * depths * of_depth).par_chunks_mut(of_depth).with_min_len(16).enumerate().for_each(|(at, tiles)| {
            let (first_column, first_row) = (at / depths * SIDE, at % depths * DEPTH);
            let mut paired = [0.0; TILE];
            for row in 0..DEPTH.min(rows - first_row) {
                let Some(start) = start(first_row + row) else { continue };
                let columns = values[start + first_column * stride..].iter().step_by(stride).take(columns - first_column);
                let places = paired[row / 2 * DEPTH + row % 2..].iter_mut().step_by(2).take(SIDE);
                places.zip(columns).for_each(|(place, value)| *place = *value);
            }
            split(&paired, tiles, TILE);
        });
        Self { tiles, precision, len: depths * of_depth, columns }
    }

    /// The tiles of columns from `16·strip` on.
    pub(super) fn strip(&self, strip: usize) -> &[u16] {
        &self.tiles.first((strip + 1) * self.len)[strip * self.len..]
    }

    /// The bytes of its tiles.
    pub(super) fn bytes(&self) -> usize {
        self.strips() * self.len * size_of::<u16>()
    }

    /// The number of its strips of 16 columns.
    pub(super) fn strips(&self) -> usize {
        self.columns.div_ceil(SIDE)
    }
}

/// Rows of a left matrix: rows are `pitch` apart, planes `plane`.
pub(super) struct Left<'a> {
    pub(super) pieces: &'a [u16],
    pub(super) pitch: usize,
    pub(super) plane: usize,
    pub(super) rows: usize,
    /// Where, from the start of its row, each stretch of [`DEPTH`] numbers begins.
    pub(super) steps: Vec<usize>,
}

impl Left<'_> {
    /// Calls `write` with each part of the product with some strips of `right` that tiles compute at once: its first row, its first column,
    /// and 16 values of each of up to 64 rows.
    pub(super) fn product(
        &self,
        tiles: &Tiles,
        right: &Right,
        strips: Range<usize>,
        mut write: impl FnMut(usize, usize, &[[f32; SIDE]]),
    ) {
        /// Tiles of rows so few that they stay in a core's cache while tiles of columns, which may not, pass by once.
        const FEW: usize = 8;
        let mut block = Block::default();
        let count = self.rows.div_ceil(SIDE);
        let blocks = count.div_ceil(TILES);
        let mut multiply = |number: usize, strip: usize| {
            let tiles_of = |number: usize| number * count / blocks;
            let (first, end) = (tiles_of(number) * SIDE, tiles_of(number + 1) * SIDE);
            let (rows, count) = (&self.pieces[first * self.pitch..], (end - first) / SIDE);
            tiles.rows(
                right.precision.pieces(),
                rows,
                self.pitch,
                self.plane,
                &self.steps,
                right.strip(strip),
                count,
                &mut block,
            );
            let (lines, _) = block.0.as_chunks();
            write(first, strip * SIDE, &lines[..end.min(self.rows) - first]);
        };
        if count <= FEW {
            strips.for_each(|strip| (0..blocks).for_each(|number| multiply(number, strip)));
        } else {
            (0..blocks).for_each(|number| strips.clone().for_each(|strip| multiply(number, strip)));
        }
    }

    /// Writes the product with `right` to `out`, whose rows follow each other.
    pub(super) fn product_into(&self, tiles: &Tiles, right: &Right, out: &mut [f32]) {
        let columns = right.columns;
        self.product(tiles, right, 0..right.strips(), |row, column, lines| {
            let count = SIDE.min(columns - column);
            for (out, line) in out[row * columns..].chunks_exact_mut(columns).zip(lines) {
                let out = &mut out[column..column + count];
                match out.as_chunks_mut() {
                    ([out], _) => *out = *line,
                    _ => out.copy_from_slice(&line[..count]),
                }
            }
        });
    }
}

thread_local! {
    static SCRATCH: RefCell<Aligned<u16>> = RefCell::default();
}

/// Whether a product of these sizes is worth tiles' while, and there are any.
pub(super) fn pays(rows: usize, depth: usize, columns: usize) -> bool {
    const PRODUCTS: usize = 1024 * 1024;
    rows >= SIDE && depth >= SIDE && rows * depth * columns >= PRODUCTS && super::tiles::available()
}

/// The product of a matrix, row by row, with `right`, row by row; threads share its rows.
pub(super) fn product(lhs: &[f32], depth: usize, right: &Right) -> Vec<f32> {
    const ROWS: usize = TILES * SIDE;
    in_chunks(lhs.len() / depth * right.columns, ROWS * right.columns, |number, out| {
        let Some(tiles) = Tiles::new() else { unreachable!("there are tiles") };
        let lhs = &lhs[number * ROWS * depth..][..out.len() / right.columns * depth];
        SCRATCH.with_borrow_mut(|pieces| left(lhs, depth, right.precision, pieces).product_into(&tiles, right, out));
    })
}

/// Splits the rows of a matrix of `columns` columns, as a left one.
pub(super) fn left<'a>(xs: &[f32], columns: usize, precision: Precision, scratch: &'a mut Aligned<u16>) -> Left<'a> {
    let (rows, pitch) = (xs.len() / columns, columns.next_multiple_of(DEPTH));
    let plane = rows.next_multiple_of(SIDE) * pitch;
    let pieces = scratch.take(precision.pieces() * plane);
    for (row, xs) in xs.chunks_exact(columns).enumerate() {
        split(xs, &mut pieces[row * pitch..], plane);
        clear(pieces, plane, row * pitch + columns..(row + 1) * pitch);
    }
    Left { pieces, pitch, plane, rows, steps: (0..pitch).step_by(DEPTH).collect() }
}

/// Sets some numbers of each plane to 0.
pub(super) fn clear(pieces: &mut [u16], plane: usize, numbers: Range<usize>) {
    pieces.chunks_exact_mut(plane).for_each(|plane| plane[numbers.clone()].fill(0));
}
