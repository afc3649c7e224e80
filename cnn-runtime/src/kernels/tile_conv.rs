//! Convolution of `f32` sequences and images by strides of one on tile registers, forward and backward.
//!
//! A *slab* is what some lines of the output see, split into pieces: the padded lines of the image, stacked, so that a
//! column holds, one tap below the other, all that a position's window sees of it. Windows along a line are then overlapping
//! runs of one array, which tiles read in place; where lines are so short that much of them is padding, the runs are copied
//! side by side first. The weight gradient reads slabs of pairs of positions.

use super::patches::Geometry;
use super::pieces::sum_over_pieces;
use super::simd::simd;
use super::tile_matrix::{Aligned, Left, Right, planes};
use super::tiles::{Block, DEPTH, PLANES, SIDE, TILE, TILES, Tiles, available, split};
use super::weighted::{Gradients, add_rows, finish};
use crate::spec::Activation;
use rayon::prelude::*;
use std::cell::RefCell;
use std::mem::MaybeUninit;
use std::ops::Range;

/// The least output pixels of a slab, unless there are few: enough to fill tiles, few enough to stay in a cache.
const PIXELS: usize = 256;

/// The least products of a convolution that tiles are worth setting up for.
const PRODUCTS: usize = 64 * 1024;

/// A convolution without groups and strides, as tiles compute it.
#[derive(Clone, Copy, Debug)]
pub(super) struct TileConv {
    geometry: Geometry,
    filters: usize,
}

/// What a thread keeps from slab to slab.
#[derive(Default)]
struct Scratch {
    lines: Aligned<u16>,
    line_pairs: Vec<u32>,
    stacked: Aligned<u16>,
    stacked_pairs: Aligned<u32>,
    runs: Aligned<u16>,
    grad_pieces: Vec<u16>,
    grad_tiles: Aligned<u16>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

impl TileConv {
    /// The convolution, if tiles can compute it and it is worth their while: where windows skip pixels, or columns of few
    /// numbers fill no tile, too much of what is split and stacked is not used.
    pub(super) fn new<const N: usize>(geometry: &Geometry<N>, filters: usize, groups: usize) -> Option<Self> {
        let geometry = geometry.planar()?;
        let Geometry { batch, channels, size, strides, dilation, .. } = geometry;
        let fills = strides == [1, 1] && dilation[1] == 1 && size[0] * channels >= SIDE && filters >= SIDE / 2;
        let products = batch * geometry.pixels() * geometry.taps() * channels * filters;
        (groups == 1 && fills && products >= PRODUCTS && available()).then_some(Self { geometry, filters })
    }

    /// The convolution that computes the gradient of the input, if tiles can.
    pub(super) fn of_input_gradient<const N: usize>(geometry: &Geometry<N>, filters: usize, groups: usize) -> Option<Self> {
        let Geometry { batch, input, channels, output, size, strides, dilation, before } = geometry.planar()?;
        let before = [0, 1].map(|axis| ((size[axis] - 1) * dilation[axis]).checked_sub(before[axis]));
        let before = [before[0]?, before[1]?];
        let turned = Geometry { batch, input: output, channels: filters, output: input, size, strides, dilation, before };
        Self::new(&turned, channels, groups)
    }

    /// Numbers that a window sees of a column.
    fn seen(&self) -> usize {
        self.geometry.size[0] * self.geometry.channels
    }

    /// Numbers in a column of a slab: those a window sees of it, and zeros up to whole tiles.
    fn height(&self) -> usize {
        self.seen().next_multiple_of(DEPTH)
    }

    /// Numbers in a window.
    fn window(&self) -> usize {
        self.geometry.size[1] * self.height()
    }

    /// Columns of a padded line, a multiple of `step`: also its positions, of which the last are not of the output.
    fn line_columns(&self, step: usize) -> usize {
        let Geometry { output, size, .. } = self.geometry;
        (output[1] + size[1] - 1).next_multiple_of(step)
    }

    /// Lines of a slab.
    fn slab_lines(&self) -> usize {
        // Two threads share even a single image, if it is not too small.
        let pixels = (self.geometry.batch * self.geometry.pixels() / 2).clamp(PIXELS / 2, PIXELS);
        pixels.div_ceil(self.geometry.output[1])
    }

    /// Output lines of the batch.
    fn lines(&self) -> usize {
        self.geometry.batch * self.geometry.output[0]
    }

    /// The parts of single images that make up a range of output lines, each with its place in the range.
    fn images(&self, lines: Range<usize>) -> impl Iterator<Item = (usize, Range<usize>, usize)> {
        let height = self.geometry.output[0];
        (lines.start / height..lines.end.div_ceil(height)).map(move |image| {
            let first = (image * height).max(lines.start);
            let last = ((image + 1) * height).min(lines.end);
            (image, first - image * height..last - image * height, first - lines.start)
        })
    }

    /// The weights `F, C, KH, KW` as a right matrix, in the order of windows.
    pub(super) fn pack(&self, weight: &[f32]) -> Right {
        let (channels, [height, width]) = (self.geometry.channels, self.geometry.size);
        Right::pack(self.window(), self.filters, weight, channels * height * width, |k| {
            let (x, below) = (k / self.height(), k % self.height());
            (below < self.seen()).then(|| (below % channels * height + below / channels) * width + x)
        })
    }

    /// The weights `F, C, KH, KW` of the convolution whose input gradient this one computes.
    pub(super) fn pack_turned(&self, weight: &[f32]) -> Right {
        let (filters, channels, [height, width]) = (self.geometry.channels, self.filters, self.geometry.size);
        Right::pack(self.window(), channels, weight, height * width, |k| {
            let (x, below) = (k / self.height(), k % self.height());
            let (y, filter) = (below / filters, below % filters);
            (below < self.seen()).then(|| (filter * channels * height + height - 1 - y) * width + width - 1 - x)
        })
    }

    /// The output for all images.
    pub(super) fn forward(&self, xs: &[f32], weight: &Right, bias: Option<&[f32]>, activation: Activation) -> Vec<f32> {
        let line_len = self.geometry.output[1] * self.filters;
        let (lines, len) = (self.slab_lines(), self.lines() * line_len);
        let mut ys = Vec::with_capacity(len);
        let slabs = ys.spare_capacity_mut()[..len].par_chunks_mut(lines * line_len).enumerate();
        slabs.for_each(|(slab, ys)| {
            let first = slab * lines;
            let lines = first..first + ys.len() / line_len;
            SCRATCH.with_borrow_mut(|scratch| self.forward_slab(xs, weight, lines, scratch, ys));
            // SAFETY: the product has written all columns of every pixel of these lines.
            let ys = unsafe { ys.assume_init_mut() };
            finish(ys, self.filters, bias.unwrap_or_default(), activation);
        });
        // SAFETY: the slabs are the first `len` values, and each has been written.
        unsafe { ys.set_len(len) };
        ys
    }

    fn forward_slab(&self, xs: &[f32], weight: &Right, lines: Range<usize>, scratch: &mut Scratch, ys: &mut [MaybeUninit<f32>]) {
        let Some(tiles) = Tiles::new() else { unreachable!("there are tiles") };
        let (width, per_line, pitch) = (self.geometry.output[1], self.line_columns(1), self.height());
        let Scratch { lines: split_lines, stacked, runs, .. } = scratch;
        let plane = self.stack(xs, lines.clone(), split_lines, stacked);
        let filters = self.filters;
        // Writes some rows of the product that are positions on lines of `per_line`.
        let write = |ys: &mut [MaybeUninit<f32>], per_line: usize, row: usize, column: usize, values: &[[f32; SIDE]]| {
            let count = SIDE.min(filters - column);
            let (mut line, mut x) = (row / per_line, row % per_line);
            for values in values {
                if x < width {
                    let to = &mut ys[(line * width + x) * filters + column..][..count];
                    match to.as_chunks_mut() {
                        ([to], _) => *to = values.map(MaybeUninit::new),
                        _ => _ = to.write_copy_of_slice(&values[..count]),
                    }
                }
                x += 1;
                if x == per_line {
                    (line, x) = (line + 1, 0);
                }
            }
        };
        let wasted = (per_line - width) * filters > 10 * width;
        if wasted {
            let (run, rows) = (self.window(), lines.len() * width);
            let run_plane = (rows * run + Left::slack(run)).next_multiple_of(DEPTH);
            let pieces = runs.take(PLANES * run_plane);
            for (from, to) in stacked.take(PLANES * plane).chunks_exact(plane).zip(pieces.chunks_exact_mut(run_plane)) {
                copy_runs(from, [width, per_line, pitch], run, &mut to[..rows * run]);
            }
            let left = Left { pieces, pitch: run, plane: run_plane, rows };
            left.product(&tiles, weight, |row, column, values| write(ys, width, row, column, values));
        } else {
            let left = Left { pieces: stacked.take(PLANES * plane), pitch, plane, rows: lines.len() * per_line };
            left.product(&tiles, weight, |row, column, values| write(ys, per_line, row, column, values));
        }
    }

    /// The gradients of the weights, `F, C, KH, KW`, and of the biases, from that of the output before any activation.
    pub(super) fn weight_gradient(&self, xs: &[f32], grad: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let (lines, slab) = (self.lines(), self.slab_lines());
        let (rows, columns) = (self.filters.next_multiple_of(SIDE), self.window().next_multiple_of(TILES * SIDE));
        let Gradients { weight, bias, .. } =
            sum_over_pieces(lines.div_ceil(slab), [rows * columns, self.filters], None, |slabs, _| {
                let (mut weight, mut bias) = (vec![0.0; rows * columns], vec![0.0; self.filters]);
                for first in slabs.map(|number| number * slab) {
                    let lines = first..lines.min(first + slab);
                    let line_len = self.geometry.output[1] * self.filters;
                    let grad = &grad[lines.start * line_len..lines.end * line_len];
                    // Apart from slab to slab, so that long sums keep their digits.
                    let mut of_slab = vec![0.0; self.filters];
                    add_rows(&mut of_slab, grad);
                    add_rows(&mut bias, &of_slab);
                    SCRATCH.with_borrow_mut(|scratch| self.add_weight_gradient(xs, grad, lines, scratch, &mut weight));
                }
                (weight, bias)
            });
        (self.unpack(&weight, columns), bias)
    }

    /// Adds the gradient of the weights over some output lines to `sums`, a row for each filter.
    fn add_weight_gradient(&self, xs: &[f32], grad: &[f32], lines: Range<usize>, scratch: &mut Scratch, sums: &mut [f32]) {
        let Some(tiles) = Tiles::new() else { unreachable!("there are tiles") };
        let per_line = self.line_columns(2);
        let rows = (lines.len() * per_line).next_multiple_of(DEPTH);
        let columns = self.window().next_multiple_of(TILES * SIDE);
        let plane = self.stack_pairs(xs, lines.clone(), rows, scratch);
        self.transpose_grad(&tiles, grad, per_line, rows, scratch);
        let Scratch { stacked_pairs, grad_tiles, .. } = scratch;
        let (pairs, pitch) = (stacked_pairs.take(PLANES * plane), 2 * self.height());
        let of_strip = rows / DEPTH * PLANES * TILE;
        let grad_tiles = grad_tiles.take(self.filters.div_ceil(SIDE) * of_strip);
        let mut block = Block::default();
        for (grads, sums) in grad_tiles.chunks(2 * of_strip).zip(sums.chunks_mut(2 * SIDE * columns)) {
            if let Some((first, second)) = grads.split_at_checked(of_strip).filter(|(_, second)| !second.is_empty()) {
                for column in (0..self.window()).step_by(2 * SIDE) {
                    tiles.square([first, second], &pairs[column..], pitch, plane, &mut block);
                    let (upper, lower) = sums.split_at_mut(SIDE * columns);
                    let (of_first, of_second) = block.0.split_at(2 * SIDE * SIDE);
                    add_tiles(of_first, &mut upper[column..], columns);
                    add_tiles(of_second, &mut lower[column..], columns);
                }
            } else {
                for column in (0..columns).step_by(TILES * SIDE) {
                    tiles.columns(grads, &pairs[column..], pitch, plane, &mut block);
                    add_tiles(&block.0, &mut sums[column..], columns);
                }
            }
        }
    }

    /// The sums of a row for each filter as `F, C, KH, KW`.
    fn unpack(&self, sums: &[f32], columns: usize) -> Vec<f32> {
        let (channels, [height, width]) = (self.geometry.channels, self.geometry.size);
        let len = channels * height * width;
        let mut weight = vec![0.0; self.filters * len];
        for (weight, sums) in weight.chunks_exact_mut(len).zip(sums.chunks_exact(columns)) {
            for (at, value) in weight.iter_mut().enumerate() {
                let (channel, y, x) = (at / width / height, at / width % height, at % width);
                *value = sums[x * self.height() + y * channels + channel];
            }
        }
        weight
    }

    /// Lays the gradient of some output lines out as left tiles with a row for each filter: nothing where a line is padded.
    fn transpose_grad(&self, tiles: &Tiles, grad: &[f32], per_line: usize, rows: usize, scratch: &mut Scratch) {
        let Scratch { grad_pieces: pieces, grad_tiles, .. } = scratch;
        let (width, filters, padded) = (self.geometry.output[1], self.filters, self.filters.next_multiple_of(SIDE));
        let plane = rows * padded;
        pieces.resize(pieces.len().max(PLANES * plane), 0);
        let pieces = &mut pieces[..PLANES * plane];
        if filters != padded {
            pieces.fill(0);
        }
        for plane in pieces.chunks_exact_mut(plane) {
            for line in plane.chunks_mut(per_line * padded) {
                let seen = line.len().min(width * padded);
                line[seen..].fill(0);
            }
            plane[grad.len() / filters / width * per_line * padded..].fill(0);
        }
        let [high, middle, low] = planes(pieces, plane);
        for (line, grad) in grad.chunks_exact(width * filters).enumerate() {
            let at = line * per_line * padded;
            if filters == padded {
                let at = at..at + grad.len();
                split::<f32>(grad, &mut high[at.clone()], &mut middle[at.clone()], &mut low[at]);
                continue;
            }
            for (x, grad) in grad.chunks_exact(filters).enumerate() {
                let at = at + x * padded..at + x * padded + filters;
                split::<f32>(grad, &mut high[at.clone()], &mut middle[at.clone()], &mut low[at]);
            }
        }
        let (depths, strips) = (rows / DEPTH, padded / SIDE);
        let laid_out = grad_tiles.take(strips * depths * PLANES * TILE);
        for (number, tile) in laid_out.chunks_exact_mut(TILE).enumerate() {
            let (strip, depth, piece) = (number / PLANES / depths, number / PLANES % depths, number % PLANES);
            let from = &pieces[piece * plane + depth * DEPTH * padded + strip * SIDE..];
            tiles.transpose(from, padded, tile);
        }
    }

    /// Splits, pairs and stacks what some output lines see, for `rows` positions, and gives the length of a plane.
    fn stack_pairs(&self, xs: &[f32], lines: Range<usize>, rows: usize, scratch: &mut Scratch) -> usize {
        let (line, slab_line) = (self.line_columns(2) * self.geometry.channels, self.line_columns(2) * self.height());
        let Scratch { lines: split_lines, line_pairs, stacked_pairs, .. } = scratch;
        let plane = rows * self.height() + self.window() + TILES * SIDE;
        for (image, part, at) in self.images(lines) {
            let seen = self.split_lines(xs, image, part.clone(), line, split_lines);
            let from = split_lines.take(PLANES * seen + SLACK);
            line_pairs.resize(line_pairs.len().max(seen + SLACK), 0);
            let stacked = stacked_pairs.take(PLANES * plane + SLACK);
            for number in 0..PLANES {
                let to = &mut stacked[number * plane + at * slab_line..][..part.len() * slab_line + SLACK];
                pair(&from[number * seen..][..seen], self.geometry.channels, line_pairs);
                self.stack_plane(line_pairs, line, part.len(), to);
            }
        }
        plane
    }

    /// Splits and stacks what some output lines see, and gives the length of a plane.
    fn stack(&self, xs: &[f32], lines: Range<usize>, split_lines: &mut Aligned<u16>, stacked: &mut Aligned<u16>) -> usize {
        let (line, slab_line) = (self.line_columns(1) * self.geometry.channels, self.line_columns(1) * self.height());
        let plane = lines.len() * slab_line + Left::slack(self.height()) + self.window();
        for (image, part, at) in self.images(lines) {
            let seen = self.split_lines(xs, image, part.clone(), line, split_lines);
            let from = split_lines.take(PLANES * seen + SLACK);
            let stacked = stacked.take(PLANES * plane + SLACK);
            for number in 0..PLANES {
                let to = &mut stacked[number * plane + at * slab_line..][..part.len() * slab_line + SLACK];
                self.stack_plane(&from[number * seen..][..seen + SLACK], line, part.len(), to);
            }
        }
        plane
    }

    /// Stacks the lines of one plane.
    fn stack_plane<E: Number>(&self, from: &[E], line: usize, lines: usize, to: &mut [E]) {
        let Geometry { channels, size, dilation, .. } = self.geometry;
        stack_lines(from, [line, lines, channels, self.height()], [size[0], dilation[0] * line], to);
    }

    /// Splits the padded lines of an image that some of its output lines see, and gives the length of a plane.
    fn split_lines(&self, xs: &[f32], image: usize, part: Range<usize>, line: usize, scratch: &mut Aligned<u16>) -> usize {
        let Geometry { input, channels, size, dilation, before, .. } = self.geometry;
        let count = part.len() + (size[0] - 1) * dilation[0];
        let plane = count * line;
        let image = &xs[image * self.geometry.image_len()..][..self.geometry.image_len()];
        let start = before[1] * channels;
        let end = (start + input[1] * channels).min(line).max(start);
        let [high, middle, low] = planes(&mut scratch.take(PLANES * plane + SLACK)[..PLANES * plane], plane);
        let lines = high.chunks_exact_mut(line).zip(middle.chunks_exact_mut(line)).zip(low.chunks_exact_mut(line));
        for (number, ((high, middle), low)) in (part.start..).zip(lines) {
            let inside = number.checked_sub(before[0]).filter(|y| *y < input[0] && start < line);
            let (start, end) = if inside.is_some() { (start, end) } else { (line, line) };
            for plane in [&mut *high, &mut *middle, &mut *low] {
                plane[..start].fill(0);
                plane[end..].fill(0);
            }
            if let Some(y) = inside {
                let from = &image[y * input[1] * channels..][..end - start];
                split::<f32>(from, &mut high[start..end], &mut middle[start..end], &mut low[start..end]);
            }
        }
        plane
    }
}

/// Values that copies of few may read and write beyond their end.
const SLACK: usize = 16;

simd! {
    /// Writes, for each column of each of `lines` output lines, zeros to `height`, and over them its values below each other:
    /// `taps` of them, `channels` values each, that lie `below` apart in `from`.
    fn stack_lines<E: Number>(from: &[E], sizes: [usize; 4], steps: [usize; 2], to: &mut [E]) {
        let ([line, lines, channels, height], [taps, below]) = (sizes, steps);
        for y in 0..lines {
            for x in 0..line / channels {
                let to = &mut to[(y * line / channels + x) * height..];
                if height > taps * channels {
                    to[height - DEPTH..height].copy_from_slice(&[E::default(); DEPTH]);
                }
                for tap in 0..taps {
                    copy(&from[y * line + tap * below + x * channels..], &mut to[tap * channels..], channels);
                }
            }
        }
    }
}

/// A piece, or a pair of them.
trait Number: Copy + Default {}

impl<E: Copy + Default> Number for E {}

simd! {
    /// Copies the window of `run` values of each of `width` positions of each line of `per_line`, `pitch` apart.
    fn copy_runs<E: Number>(from: &[E], lines: [usize; 3], run: usize, to: &mut [E]) {
        let [width, per_line, pitch] = lines;
        for (row, to) in to.chunks_exact_mut(run).enumerate() {
            to.copy_from_slice(&from[(row / width * per_line + row % width) * pitch..][..run]);
        }
    }
}

/// Copies `count` values; of few, up to three more.
#[inline(always)]
fn copy<E: Copy>(from: &[E], to: &mut [E], count: usize) {
    // Of a known number no call is made.
    match count {
        0..=4 => to[..4].copy_from_slice(&from[..4]),
        16 => to[..16].copy_from_slice(&from[..16]),
        32 => to[..32].copy_from_slice(&from[..32]),
        64 => to[..64].copy_from_slice(&from[..64]),
        _ => to[..count].copy_from_slice(&from[..count]),
    }
}

simd! {
    /// Puts beside each value of a plane of pieces the one `apart` after it, or 0.
    fn pair(from: &[u16], apart: usize, pairs: &mut [u32]) {
        for ((pair, first), second) in pairs.iter_mut().zip(from).zip(&from[apart..]) {
            *pair = u32::from(*first) | u32::from(*second) << 16;
        }
        let start = from.len() - apart;
        for (pair, first) in pairs[start..].iter_mut().zip(&from[start..]) {
            *pair = u32::from(*first);
        }
    }
}

/// Adds tiles, side by side, to rows of sums `pitch` apart.
fn add_tiles(block: &[f32], sums: &mut [f32], pitch: usize) {
    for (number, tile) in block.chunks_exact(SIDE * SIDE).enumerate() {
        for (row, values) in tile.chunks_exact(SIDE).enumerate() {
            let sums = &mut sums[row * pitch + number * SIDE..][..SIDE];
            sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += *value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::conv::Conv;
    use crate::kernels::weighted::Weighted;
    use crate::spec::{Conv1D, Conv2D, Convolution, Padding};

    /// Numbers between −1 and 1 that no short sum repeats.
    fn numbers(count: usize, seed: usize) -> Vec<f32> {
        (0..count).map(|i| (((i * 7919 + seed * 104_729) % 65_537) as f32 / 32_768.5 - 1.0) * 0.999).collect()
    }

    /// The largest distance between two results.
    fn distance(found: &[f32], exact: &[f64]) -> f64 {
        assert_eq!(found.len(), exact.len());
        found.iter().zip(exact).map(|(found, exact)| (f64::from(*found) - exact).abs()).fold(0.0, f64::max)
    }

    /// That tiles, where they are used, are as near to the same convolution in `f64` as vectors of `f32` are, forward and
    /// backward.
    fn agrees<const N: usize>(spec: Convolution<N>, dims: &[usize]) {
        let geometry = Geometry::new("test", dims, &spec.window).unwrap();
        let conv = Conv { geometry, filters: spec.filters, groups: 1, ends_in: Activation::Tanh };
        let patch = geometry.taps() * geometry.channels;
        let (xs, weight) = (numbers(dims.iter().product(), 1), numbers(patch * spec.filters, 2));
        let (bias, grad) = (numbers(spec.filters, 3), numbers(geometry.batch * geometry.pixels() * spec.filters, 4));
        let wide = |xs: &[f32]| xs.iter().copied().map(f64::from).collect::<Vec<f64>>();
        let exact = conv.forward_on_vectors(&wide(&xs), &wide(&weight), Some(&wide(&bias)));
        let rounded: Vec<f32> = exact.iter().map(|y| *y as f32).collect();
        let gradients = conv.backward_on_vectors(&wide(&xs), &wide(&weight), &wide(&rounded), &wide(&grad), true);
        let near = |tiles: &[f32], vectors: &[f32], exact: &[f64], what: &str| {
            let (tiles, vectors) = (distance(tiles, exact), distance(vectors, exact));
            assert!(tiles <= 3.0 * vectors + 1e-6, "{what} of {spec:?}, {dims:?}: {tiles} off on tiles, {vectors} on vectors");
        };
        let vectors = conv.forward_on_vectors(&xs, &weight, Some(&bias));
        near(&conv.forward(&xs, &weight, Some(&bias)), &vectors, &exact, "output");
        let found = conv.backward(&xs, &weight, &rounded, &grad, true);
        let vectors = conv.backward_on_vectors(&xs, &weight, &rounded, &grad, true);
        near(&found.weight, &vectors.weight, &gradients.weight, "weight gradient");
        near(&found.bias, &vectors.bias, &gradients.bias, "bias gradient");
        near(&found.input, &vectors.input, &gradients.input, "input gradient");
    }

    #[test]
    fn tiles_are_used_where_they_pay() {
        let on_tiles = |spec: Conv2D, dims: [usize; 4]| {
            let geometry = Geometry::<2>::new("test", &dims, &spec.convolution().window).unwrap();
            TileConv::new(&geometry, spec.filters, 1).is_some()
        };
        assert_eq!(on_tiles(Conv2D::new(32, [3, 3]), [1, 32, 32, 16]), available());
        assert!(!on_tiles(Conv2D::new(32, [3, 3]).strides([2, 2]), [1, 32, 32, 16]));
        assert!(!on_tiles(Conv2D::new(32, [3, 3]), [64, 32, 32, 3]));
        assert!(!on_tiles(Conv2D::new(32, [3, 3]), [1, 4, 4, 16]));
    }

    #[test]
    fn tiles_are_as_exact_as_vectors() {
        for padding in [Padding::Valid, Padding::Same, Padding::Explicit([[2, 0], [1, 3]])] {
            for (kernel, strides) in [([3, 3], [1, 1]), ([3, 3], [2, 2]), ([2, 3], [1, 2]), ([1, 1], [1, 1]), ([1, 1], [2, 2])] {
                for (channels, filters) in [(1, 32), (3, 16), (5, 20), (16, 16), (32, 24), (64, 32)] {
                    let conv = Conv2D::new(filters, kernel).strides(strides).padding(padding);
                    agrees(conv.convolution(), &[7, 41, 34, channels]);
                }
            }
        }
        agrees(Conv2D::new(32, [3, 3]).convolution(), &[40, 5, 5, 64]);
        agrees(Conv2D::new(40, [3, 2]).dilation_rate([2, 1]).padding(Padding::Same).convolution(), &[3, 17, 19, 9]);
        agrees(Conv1D::new(16, [4]).padding(Padding::Causal).convolution(), &[7, 301, 8]);
        agrees(Conv1D::new(16, [4]).strides([3]).padding(Padding::Causal).convolution(), &[7, 301, 8]);
    }
}
