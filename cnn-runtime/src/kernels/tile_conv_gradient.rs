//! The gradient of the weights of a convolution on tile registers.
//!
//! It is summed part by part: over a slab, or over some lines of 32 small images. The gradients of a part's pixels, each filter's a row,
//! are the left matrix; what the pixels see is the right one, its rows in pairs.

use super::aligned::Aligned;
use super::fill::in_chunks;
use super::patches::Geometry;
use super::pieces::sum_over_pieces;
use super::share::{for_each, threads};
use super::simd::simd;
use super::tile_conv::{PIECES, PIXELS, TileConv};
use super::tile_images::Group;
use super::tile_pack::{Places, pack_pairs};
use super::tile_slab::{Slab, runs, window_span};
use super::tiles::{Block, DEPTH, SIDE, TILE, TILES, Tiles};
use super::weighted::{Gradients, add_rows};
use std::cell::RefCell;
use std::ops::Range;

/// Pixels whose gradients are added up before they are added to those of others.
const PART: usize = 128;

/// What a thread keeps from part to part.
#[derive(Default)]
struct Scratch {
    pairs: Aligned<u32>,
    grad_tiles: Aligned<u16>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// What is summed over at a time.
enum Part {
    Lines(Slab),
    Images(Group),
}

impl TileConv {
    /// The gradients of the weights, `F, C, KH, KW`, and of the biases, from that of the output before any activation.
    pub(super) fn weight_gradient(&self, xs: &[f32], grad: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let parts = self.parts_of_gradient();
        let (strips, columns) = (self.filters.div_ceil(SIDE), self.window(SIDE));
        // Of several parts each thread has some; of one, each has some filters, not so few that splitting it again costs more.
        let at_once = if parts.len() == 1 { strips.div_ceil(threads()).max(4).next_multiple_of(2) } else { strips };
        let rows = strips * SIDE;
        let Gradients { weight, bias, .. } = sum_over_pieces(parts.len(), [rows * columns, self.filters], None, |numbers, _| {
            let (mut weight, mut bias) = (vec![0.0; rows * columns], vec![0.0; self.filters]);
            for part in &parts[numbers] {
                self.add_bias_gradient(grad, part, &mut bias);
                for_each(weight.chunks_mut(at_once * SIDE * columns).enumerate().collect(), |(number, sums)| {
                    let first = number * at_once;
                    let strips = first..strips.min(first + at_once);
                    SCRATCH.with_borrow_mut(|scratch| self.add_weight_gradient(xs, grad, part, strips, scratch, sums));
                });
            }
            (weight, bias)
        });
        (self.unpack(&weight), bias)
    }

    /// Adds the gradients of all pixels of a part to `sums`.
    fn add_bias_gradient(&self, grad: &[f32], part: &Part, sums: &mut [f32]) {
        let mut of_part = vec![0.0; self.filters];
        let mut add = |pixels: Range<usize>| {
            // Apart from part to part, so that long sums keep their digits.
            for grad in grad[pixels.start * self.filters..pixels.end * self.filters].chunks(PART * self.filters) {
                of_part.fill(0.0);
                add_rows(&mut of_part, grad);
                add_rows(sums, &of_part);
            }
        };
        match part {
            Part::Lines(slab) => add(self.first_pixel(slab)..self.first_pixel(slab) + slab.pixels()),
            Part::Images(group) => group.runs_of_pixels().for_each(add),
        }
    }

    /// What weight gradients are summed over at a time. How sums are cut follows from the shapes alone.
    fn parts_of_gradient(&self) -> Vec<Part> {
        if let Some(groups) = self.groups_of_gradient() {
            return groups.into_iter().map(Part::Images).collect();
        }
        let pixels = (self.geometry.batch * self.geometry.pixels() / 2).clamp(PIXELS / 4, PIXELS);
        self.slabs(pixels).into_iter().map(Part::Lines).collect()
    }

    /// Groups of 32 images, if these have fewer rows than slabs: all their lines, or so many that what they see stays in a core's
    /// cache.
    fn groups_of_gradient(&self) -> Option<Vec<Group>> {
        const CACHED: usize = 768 * 1024;
        let geometry = self.geometry;
        let Geometry { batch, output: [height, _], .. } = geometry;
        let bytes =
            |lines: usize| size_of::<u32>() * self.precision.pieces() * SIDE * Group::new(&geometry, 0..DEPTH, 0..lines).row_len;
        let parts = (1..=height).find(|parts| bytes(height.div_ceil(*parts)) <= CACHED)?;
        let lines = height.div_ceil(parts);
        // Lines that two parts see are paired twice.
        let (seen, once) = (parts * window_span(&geometry, 0, lines), window_span(&geometry, 0, height));
        let pays = seen <= once + once / 4 && self.has_fewer_rows_in_groups(DEPTH);
        let firsts = (0..batch).step_by(DEPTH).flat_map(|image| (0..height).step_by(lines).map(move |line| (image, line)));
        let group = |(image, line): (usize, usize)| {
            Group::new(&geometry, image..batch.min(image + DEPTH), line..height.min(line + lines))
        };
        pays.then(|| firsts.map(group).collect())
    }

    /// Adds the gradient of the weights over the pixels of a part to `sums`, a row for each filter of some strips.
    fn add_weight_gradient(
        &self,
        xs: &[f32],
        grad: &[f32],
        part: &Part,
        strips: Range<usize>,
        scratch: &mut Scratch,
        sums: &mut [f32],
    ) {
        let Some(tiles) = Tiles::new() else { unreachable!("there are tiles") };
        let columns = self.window(SIDE);
        let (pixels, right) = self.pairs(xs, part, &mut scratch.pairs);
        let of_strip = pixels.len() / DEPTH * self.precision.pieces() * TILE;
        let left = scratch.grad_tiles.take(strips.len() * of_strip);
        self.turn_grad(grad, &pixels, strips, left);
        let mut block = Block::default();
        for (left, sums) in left.chunks(2 * of_strip).zip(sums.chunks_mut(2 * SIDE * columns)) {
            match left.split_at(of_strip) {
                (strip, []) => right.add_strip(&tiles, strip, &mut block, sums),
                (first, second) => right.add_strips(&tiles, [first, second], &mut block, sums),
            }
        }
    }

    /// The pixels of a part, each of 32 steps of a product, and what they see as its right matrix.
    fn pairs<'a>(&self, xs: &[f32], part: &Part, pairs: &'a mut Aligned<u32>) -> (Vec<Option<usize>>, Pairs<'a>) {
        let planes = self.precision.pieces();
        let columns = self.window(SIDE);
        match part {
            Part::Lines(slab) => {
                let pairs = pairs.take(planes * slab.plane);
                PIECES.with_borrow_mut(|pieces| pair(slab.split(xs, self.precision, pieces), slab.pitch(), pairs));
                let (pixels, pitch) = (slab.pixels_of_rows(self.first_pixel(slab)), 2 * slab.pitch());
                let steps = (0..pixels.len() / DEPTH).map(|depth| depth * SIDE * pitch).collect();
                let starts = slab.steps(SIDE);
                (pixels, Pairs { planes, numbers: pairs, pitch, plane: slab.plane, starts, steps, columns })
            }
            Part::Images(group) => {
                let (numbers, plane) = (group.pairs(xs, self.precision, pairs), group.row_len);
                let (starts, steps) = (group.steps(SIDE), group.positions());
                (group.pixels(), Pairs { planes, numbers, pitch: planes * plane, plane, starts, steps, columns })
            }
        }
    }

    /// Lays the gradients of some pixels, or 0, out as left tiles with a row for each filter of some strips.
    fn turn_grad(&self, grad: &[f32], pixels: &[Option<usize>], strips: Range<usize>, laid_out: &mut [u16]) {
        let of_strip = laid_out.len() / strips.len();
        for (strip, laid_out) in strips.zip(laid_out.chunks_exact_mut(of_strip)) {
            let (first, len) = (strip * SIDE, SIDE.min(self.filters - strip * SIDE));
            for (pixels, tiles) in pixels.chunks_exact(DEPTH).zip(laid_out.chunks_exact_mut(self.precision.pieces() * TILE)) {
                let starts: [_; DEPTH] = std::array::from_fn(|at| pixels[at].map(|pixel| pixel * self.filters + first));
                pack_pairs(grad, &starts, Places::First(len), true, tiles);
            }
        }
    }

    /// The sums of a row for each filter as `F, C, KH, KW`.
    fn unpack(&self, sums: &[f32]) -> Vec<f32> {
        let (channels, taps, columns) = (self.geometry.channels, self.geometry.taps(), self.window(SIDE));
        let run = runs(&self.geometry).1;
        let start = |number: usize| number / run * run.next_multiple_of(SIDE) + number % run;
        let starts: Vec<usize> = (0..taps).map(|tap| start(tap * channels)).collect();
        in_chunks(self.filters * channels * taps, channels * taps, |filter, weight| {
            for (tap, start) in starts.iter().enumerate() {
                let of_tap = &sums[filter * columns + start..][..channels];
                weight[tap..].iter_mut().step_by(taps).zip(of_tap).for_each(|(weight, sum)| *weight = *sum);
            }
        })
    }
}

/// What pixels see as a right matrix: rows in pairs, `pitch` apart in planes `plane` apart. Stretches of windows begin at `starts`, and
/// what each 32 pixels see at `steps`.
struct Pairs<'a> {
    planes: usize,
    numbers: &'a [u32],
    pitch: usize,
    plane: usize,
    starts: Vec<usize>,
    steps: Vec<usize>,
    /// Columns of the product.
    columns: usize,
}

impl Pairs<'_> {
    /// Adds the product of 16 rows with it to `sums`.
    fn add_strip(&self, tiles: &Tiles, rows: &[u16], block: &mut Block, sums: &mut [f32]) {
        let &Self { planes, numbers, pitch, plane, ref steps, columns, .. } = self;
        for (number, starts) in self.starts.chunks(TILES).enumerate() {
            tiles.columns(planes, rows, numbers, starts, pitch, plane, steps, block);
            add_tiles(&block.0[..starts.len() * SIDE * SIDE], &mut sums[number * TILES * SIDE..], columns);
        }
    }

    /// Adds the product of twice 16 rows with it to `sums`.
    fn add_strips(&self, tiles: &Tiles, rows: [&[u16]; 2], block: &mut Block, sums: &mut [f32]) {
        let &Self { planes, numbers, pitch, plane, ref steps, columns, .. } = self;
        let (upper, lower) = sums.split_at_mut(SIDE * columns);
        for (number, starts) in self.starts.chunks(2).enumerate() {
            let both = [starts[0], starts[starts.len() - 1]];
            tiles.square(planes, rows, numbers, both, pitch, plane, steps, block);
            for (of_strip, sums) in block.0.chunks_exact(2 * SIDE * SIDE).zip([&mut *upper, &mut *lower]) {
                add_tiles(&of_strip[..starts.len() * SIDE * SIDE], &mut sums[number * 2 * SIDE..], columns);
            }
        }
    }
}

simd! {
    /// Puts beside each value the one `apart` after it, or 0.
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
    use crate::Precision;
    use crate::kernels::tiles::available;
    use crate::spec::{Conv2D, Padding};

    #[test]
    fn weight_gradients_of_small_images_are_sums_over_images() {
        let groups = |spec: Conv2D, dims: [usize; 4]| {
            let geometry = Geometry::<2>::new("test", &dims, &spec.convolution().window).unwrap();
            TileConv::new(&geometry, spec.filters, 1, Precision::F32)?.groups_of_gradient().map(|groups| groups.len())
        };
        let counted = |count: usize| available().then_some(count);
        let strided = |filters: usize| Conv2D::new(filters, [3, 3]).strides([2, 2]);
        assert_eq!(groups(strided(64), [128, 13, 13, 32]), counted(2 * 4));
        assert_eq!(groups(strided(128), [100, 6, 6, 64]), counted(4));
        assert_eq!(groups(strided(128), [16, 6, 6, 64]), None);
        assert_eq!(groups(Conv2D::new(64, [3, 3]).padding(Padding::Same), [64, 32, 32, 32]), None);
    }
}
