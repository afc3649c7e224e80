//! Matrices in the order in which tiles read them, and products of them.

use super::aligned::{Aligned, odd_lines};
use super::share::{for_each, for_each_with, threads};
use super::tile_pack::{Places, pack_columns, pack_pairs};
use super::tile_pieces::{Output, finish_rest, split, write_rows};
use super::tiles::{Block, DEPTH, SIDE, TILE, TILES, Tiles};
use super::weighted::Ending;
use crate::Precision;
use std::cell::RefCell;
use std::ops::Range;

/// A right matrix, packed: for each 16 columns the tiles of all its rows.
#[derive(Default)]
pub(super) struct Right {
    tiles: Aligned<u16>,
    precision: Precision,
    /// Numbers in the tiles of 16 columns.
    len: usize,
    pub(super) columns: usize,
}

/// A right matrix as it lies among other values.
pub(super) struct Unpacked<'a> {
    precision: Precision,
    values: &'a [f32],
    /// Where each row starts, unless it is 0.
    rows: Vec<Option<usize>>,
    /// Where in a row each column lies.
    columns: Vec<usize>,
}

/// The matrix whose columns are the rows of another, of `depth` values each.
pub(super) fn columns(precision: Precision, rows: &[f32], depth: usize) -> Unpacked<'_> {
    Unpacked::new(precision, rows, (0..depth).map(Some), (0..rows.len()).step_by(depth))
}

thread_local! {
    static PACKED: RefCell<Right> = RefCell::default();
}

impl<'a> Unpacked<'a> {
    /// The matrix whose row `k` starts at `rows[k]` in `values`, if it is not 0, and has column `c` at `columns[c]` from there.
    pub(super) fn new(
        precision: Precision,
        values: &'a [f32],
        rows: impl Iterator<Item = Option<usize>>,
        columns: impl Iterator<Item = usize>,
    ) -> Self {
        Self { precision, values, rows: rows.collect(), columns: columns.collect() }
    }

    /// The matrix in the order in which tiles read it.
    pub(super) fn pack(&self) -> Right {
        let mut right = Right::default();
        self.pack_into(&mut right);
        right
    }

    /// Calls `work` with the matrix packed, in memory that this thread keeps for the next one.
    pub(super) fn packed<R>(&self, work: impl FnOnce(&Right) -> R) -> R {
        // Taken, as this thread may pack another matrix while it waits for others in the middle of `work`.
        let mut right = PACKED.take();
        self.pack_into(&mut right);
        let result = work(&right);
        PACKED.set(right);
        result
    }

    /// Packs it in the place of what was in `right`; several threads share the tiles.
    fn pack_into(&self, right: &mut Right) {
        /// Depths of strips that one thread packs sooner than it wakes another.
        const LEAST: usize = 8;
        let (of_depth, depths) = (self.precision.pieces() * TILE, self.depths().max(1));
        let tiles = right.room(self, 0..self.strips());
        let share = (tiles.len() / of_depth).div_ceil(2 * threads()).max(LEAST);
        for_each(tiles.chunks_mut(share * of_depth).enumerate().collect(), |(number, tiles)| {
            for (at, tiles) in (number * share..).zip(tiles.chunks_exact_mut(of_depth)) {
                self.pack_tiles(at / depths, at % depths, tiles);
            }
        });
    }

    /// Packs some strips of it, each of 16 columns, in the place of what was in `right`.
    fn pack_strips(&self, strips: Range<usize>, right: &mut Right) {
        let (of_depth, depths) = (self.precision.pieces() * TILE, self.depths());
        let tiles = right.room(self, strips.clone());
        // Depth by depth, as the columns of several strips lie side by side in the rows.
        for depth in 0..depths {
            for (at, strip) in strips.clone().enumerate() {
                self.pack_tiles(strip, depth, &mut tiles[(at * depths + depth) * of_depth..][..of_depth]);
            }
        }
    }

    fn strips(&self) -> usize {
        self.columns.len().div_ceil(SIDE)
    }

    /// Tiles one below the other.
    fn depths(&self) -> usize {
        self.rows.len().div_ceil(DEPTH)
    }

    /// Packs the tiles of one strip at one depth.
    fn pack_tiles(&self, strip: usize, depth: usize, tiles: &mut [u16]) {
        let part = |len: usize, number: usize, of: usize| number * of..len.min((number + 1) * of);
        let rows = &self.rows[part(self.rows.len(), depth, DEPTH)];
        let columns = &self.columns[part(self.columns.len(), strip, SIDE)];
        let first_column = columns[0];
        // From one column to the next, if it is the same for all.
        let apart = columns.get(1).map_or(1, |second| second.saturating_sub(first_column));
        let are_even = columns.windows(2).all(|pair| pair[0] + apart == pair[1]);
        let follow = |first: usize| rows.iter().copied().eq((first..first + rows.len()).map(Some));
        match rows[0] {
            _ if are_even && apart == 1 => {
                pack_pairs(&self.values[first_column..], rows, Places::First(columns.len()), false, tiles);
            }
            Some(first) if are_even && follow(first) => {
                pack_columns(&self.values[first + first_column..], apart, [columns.len(), rows.len()], tiles);
            }
            _ => pack_pairs(self.values, rows, Places::At(columns), false, tiles),
        }
    }
}

impl Right {
    /// Makes it of the sizes of some strips of a matrix, whose tiles are to be written.
    fn room(&mut self, matrix: &Unpacked, strips: Range<usize>) -> &mut [u16] {
        self.precision = matrix.precision;
        self.len = matrix.depths() * matrix.precision.pieces() * TILE;
        self.columns = matrix.columns.len().min(strips.end * SIDE) - strips.start * SIDE;
        self.tiles.take(strips.len() * self.len)
    }

    /// The tiles of columns from `16·strip` on.
    pub(super) fn strip(&self, strip: usize) -> &[u16] {
        &self.tiles.first(self.strips() * self.len)[strip * self.len..][..self.len]
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

/// Tiles of rows of a left matrix: rows of a tile are `pitch` apart, planes `plane`.
pub(super) struct Left<'a> {
    pub(super) pieces: &'a [u16],
    pub(super) pitch: usize,
    pub(super) plane: usize,
    /// Where the first row of each tile begins.
    pub(super) starts: Vec<usize>,
    /// Where, from the start of its row, each stretch of [`DEPTH`] numbers begins, and which tiles of a strip it is multiplied with.
    pub(super) steps: Vec<[usize; 2]>,
}

impl<'a> Left<'a> {
    /// So many rows of so many columns, which [`split_rows`] has split.
    fn of_rows(rows: usize, columns: usize, precision: Precision, scratch: &'a Aligned<u16>) -> Self {
        let [used, pitch] = pitch(columns);
        let plane = rows.next_multiple_of(SIDE) * pitch;
        let pieces = scratch.first(precision.pieces() * plane);
        Left { pieces, pitch, plane, starts: starts(rows, pitch), steps: in_order((0..used).step_by(DEPTH)) }
    }
}

impl Left<'_> {
    /// Calls `write` with each part of the product with some strips of `right` that tiles compute at once: the number of its first
    /// tile of rows, its first column, and 16 values of each row of up to four tiles.
    pub(super) fn product(
        &self,
        tiles: &Tiles,
        right: &Right,
        strips: Range<usize>,
        mut write: impl FnMut(usize, usize, &[[f32; SIDE]]),
    ) {
        /// Tiles of rows so few that they stay in a core's cache while tiles of columns, which may not, pass by once.
        const FEW: usize = 8;
        let (planes, mut block) = (right.precision.pieces(), Block::default());
        let count = self.starts.len();
        let blocks = count.div_ceil(TILES);
        let mut multiply = |number: usize, strip: usize| {
            let [first, end] = [number, number + 1].map(|number| number * count / blocks);
            let starts = &self.starts[first..end];
            tiles.rows(planes, self.pieces, starts, self.pitch, self.plane, &self.steps, right.strip(strip), &mut block);
            let (lines, _) = block.0.as_chunks();
            write(first, strip * SIDE, &lines[..starts.len() * SIDE]);
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
        self.product(tiles, right, 0..right.strips(), |tile, column, lines| {
            let count = SIDE.min(columns - column);
            for (out, line) in out[tile * SIDE * columns..].chunks_exact_mut(columns).zip(lines) {
                let out = &mut out[column..column + count];
                match out.as_chunks_mut() {
                    ([out], _) => *out = *line,
                    _ => out.copy_from_slice(&line[..count]),
                }
            }
        });
    }
}

/// What a thread keeps from product to product.
#[derive(Default)]
struct Scratch {
    pieces: Aligned<u16>,
    packed: Right,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Whether so many rows and numbers in them fill tiles, and there are any.
pub(super) fn fills(rows: usize, depth: usize) -> bool {
    rows >= SIDE && depth >= SIDE && super::tiles::available()
}

/// Whether a product of these sizes is worth tiles' while, and the packing of its right matrix.
pub(super) fn pays(rows: usize, depth: usize, columns: usize) -> bool {
    const PRODUCTS: usize = 1024 * 1024;
    fills(rows, depth) && rows * depth * columns >= PRODUCTS
}

/// Rows that a thread computes at a time where threads do not share the columns.
const ROWS: usize = 128;

/// Whether threads share the columns of a product, of which there are so many strips, and not its rows.
///
/// The right matrix, if it is the larger one, then passes by once, and what a thread has of it stays in its cache.
fn is_shared_by_columns(rows: usize, strips: usize) -> bool {
    rows <= 4 * ROWS && strips >= 2 * threads() && rows < strips * SIDE
}

/// The product of a matrix, row by row, with `right`, and what is to become of it.
pub(super) fn product(lhs: &[f32], depth: usize, right: &Right, ending: Ending<f32>) -> Vec<f32> {
    let (rows, columns, strips) = (lhs.len() / depth, right.columns, right.strips());
    let (of_rows, of_strips) =
        if is_shared_by_columns(rows, strips) { (rows, strips.div_ceil(threads())) } else { (ROWS, strips) };
    let firsts = (0..rows).step_by(of_rows.max(1)).flat_map(|row| (0..strips).step_by(of_strips).map(move |strip| (row, strip)));
    in_parts([rows, columns], ending, firsts.collect(), |(first, strip), out| {
        let (rows, strips) = (first..rows.min(first + of_rows), strip..strips.min(strip + of_strips));
        SCRATCH.with_borrow_mut(|Scratch { pieces, .. }| {
            let left = left(&lhs[rows.start * depth..rows.end * depth], depth, right.precision, pieces);
            multiply(&left, rows, right, strips, 0, out);
        });
    })
}

/// As [`product`] with a matrix that is used once.
///
/// Where threads share its columns, each packs some of its own at a time, and has them in its cache when it multiplies by them.
pub(super) fn product_unpacked(lhs: &[f32], depth: usize, right: &Unpacked, ending: Ending<f32>) -> Vec<f32> {
    /// Bytes of tiles that stay in a core's cache beside the left matrix.
    const CACHED: usize = 256 * 1024;
    /// Parts to a thread, at least: the first one done takes of the other's.
    const PARTS: usize = 4;
    let (rows, columns, strips) = (lhs.len() / depth, right.columns.len(), right.strips());
    if !is_shared_by_columns(rows, strips) {
        return right.packed(|right| product(lhs, depth, right, ending));
    }
    let of_strip = right.depths() * right.precision.pieces() * TILE * size_of::<u16>();
    let parts = strips.div_ceil((CACHED / of_strip).max(1)).max(PARTS * threads()).next_multiple_of(threads());
    let of_part = strips.div_ceil(parts);
    // A thread splits the left matrix once, and then finds it in its scratch, which nobody else uses from its first part to its last.
    let is_not_split = || false;
    in_parts_with([rows, columns], ending, (0..strips).step_by(of_part).collect(), is_not_split, |is_split, first, out| {
        SCRATCH.with_borrow_mut(|Scratch { pieces, packed }| {
            if !std::mem::replace(is_split, true) {
                split_rows(lhs, depth, right.precision, pieces);
            }
            right.pack_strips(first..strips.min(first + of_part), packed);
            let left = Left::of_rows(rows, depth, right.precision, pieces);
            multiply(&left, 0..rows, packed, 0..packed.strips(), first * SIDE, out);
        });
    })
}

/// Where threads write the parts of a product of so many rows and columns.
#[derive(Clone, Copy)]
struct Product<'a> {
    columns: usize,
    ending: Ending<'a, f32>,
    out: Output,
}

/// A product of so many rows and columns, whose parts, which together are all of it, threads write by `write`.
fn in_parts<P: Send>(
    shape: [usize; 2],
    ending: Ending<f32>,
    parts: Vec<P>,
    write: impl Fn(P, Product) + Send + Sync,
) -> Vec<f32> {
    in_parts_with(shape, ending, parts, || (), |(), part, product| write(part, product))
}

/// The same, with what each thread makes before its first part.
fn in_parts_with<P: Send, S>(
    [rows, columns]: [usize; 2],
    ending: Ending<f32>,
    parts: Vec<P>,
    make: impl Fn() -> S + Send + Sync,
    write: impl Fn(&mut S, P, Product) + Send + Sync,
) -> Vec<f32> {
    let mut ys = Vec::with_capacity(rows * columns);
    let out = Output(ys.as_mut_ptr());
    for_each_with(parts, make, |made, part| write(made, part, Product { columns, ending, out }));
    // SAFETY: the parts have all these values, and each has been written.
    unsafe { ys.set_len(rows * columns) };
    finish_rest(ending, &mut ys);
    ys
}

/// Writes some rows of a product, which are all of `left`, in the columns of some strips of `right`, whose first column is the
/// product's `first_column`.
fn multiply(left: &Left, rows: Range<usize>, right: &Right, strips: Range<usize>, first_column: usize, product: Product) {
    let Some(tiles) = Tiles::new() else { unreachable!("there are tiles") };
    let Product { columns, ending, out } = product;
    left.product(&tiles, right, strips, |tile, column, lines| {
        let lines = &lines[..lines.len().min(rows.len() - tile * SIDE)];
        let at = (rows.start + tile * SIDE) * columns;
        let (start, end) = (first_column + column, first_column + right.columns.min(column + SIDE));
        // SAFETY: these are columns of rows that the product has, and no other part has both.
        unsafe { write_rows(lines, start..end, ending, columns, at, out) };
    });
}

/// How the rows of a left matrix of so many columns lie when they have been split: numbers in use, and from one row to the next.
fn pitch(columns: usize) -> [usize; 2] {
    [columns.next_multiple_of(DEPTH), odd_lines::<u16>(columns)]
}

/// Splits the rows of a matrix of `columns` columns.
fn split_rows(xs: &[f32], columns: usize, precision: Precision, scratch: &mut Aligned<u16>) {
    let [used, pitch] = pitch(columns);
    let plane = (xs.len() / columns).next_multiple_of(SIDE) * pitch;
    let pieces = scratch.take(precision.pieces() * plane);
    for (row, xs) in xs.chunks_exact(columns).enumerate() {
        split(xs, &mut pieces[row * pitch..], plane);
        clear(pieces, plane, row * pitch + columns..row * pitch + used);
    }
}

/// Splits the rows of a matrix of `columns` columns, as a left one.
pub(super) fn left<'a>(xs: &[f32], columns: usize, precision: Precision, scratch: &'a mut Aligned<u16>) -> Left<'a> {
    split_rows(xs, columns, precision, scratch);
    Left::of_rows(xs.len() / columns, columns, precision, scratch)
}

/// Stretches that are multiplied with the tiles of a strip in order.
pub(super) fn in_order(stretches: impl IntoIterator<Item = usize>) -> Vec<[usize; 2]> {
    stretches.into_iter().enumerate().map(|(depth, stretch)| [stretch, depth]).collect()
}

/// Where tiles begin that so many rows, `pitch` apart, fill one after the other.
pub(super) fn starts(rows: usize, pitch: usize) -> Vec<usize> {
    (0..rows).step_by(SIDE).map(|row| row * pitch).collect()
}

/// Sets some numbers of each plane to 0.
pub(super) fn clear(pieces: &mut [u16], plane: usize, numbers: Range<usize>) {
    pieces.chunks_exact_mut(plane).for_each(|plane| plane[numbers.clone()].fill(0));
}
