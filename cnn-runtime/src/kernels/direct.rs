//! Convolution on vectors without patches: every window multiplies what it sees where it lies.
//!
//! Where windows see beyond an image, a band of it is copied with its padding first. The gradient of the input is computed the
//! same way: an input pixel sees the output pixels whose windows saw it. Those whose places differ by whole strides see them by the same
//! taps; they are a *phase*. A convolution itself has one phase.

use super::aligned::Aligned;
use super::factor::{Factor, Pair};
use super::fill::{claim, collected};
use super::gathered::{self, Finish, Left, Strips};
use super::patches::Geometry;
use super::share::{for_each, threads};
use super::weighted::Ending;
use crate::Precision;
use crate::spec::Activation;
use std::cell::RefCell;
use std::mem::MaybeUninit;
use std::ops::Range;

/// Pixels that a thread computes at a time, at most.
const BAND: usize = 1024;

/// The pixels along one axis that see a source by the same taps.
struct Phase {
    /// The first of them.
    first: usize,
    count: usize,
    /// Each tap with the cell of the source that the first of them sees by it, which may lie before the source.
    taps: Vec<(usize, isize)>,
}

/// How pixels see a source along one axis.
struct Axis {
    /// The sizes of the source and of what is computed.
    sizes: [usize; 2],
    /// Cells of the source, and of what is computed, from one pixel of a phase to the next.
    apart: [usize; 2],
    phases: Vec<Phase>,
}

impl Axis {
    fn of_output(geometry: &Geometry<3>, axis: usize) -> Self {
        let Geometry { input, output, size, strides, dilation, before, .. } = geometry;
        let taps = (0..size[axis]).map(|tap| (tap, (tap * dilation[axis]) as isize - before[axis] as isize)).collect();
        Self {
            sizes: [input[axis], output[axis]],
            apart: [strides[axis], 1],
            phases: vec![Phase { first: 0, count: output[axis], taps }],
        }
    }

    fn of_input(geometry: &Geometry<3>, axis: usize) -> Self {
        let Geometry { input, output, size, strides, dilation, before, .. } = geometry;
        let stride = strides[axis] as isize;
        let phase = |first: usize| {
            let seen = |tap: usize| (first + before[axis]) as isize - (tap * dilation[axis]) as isize;
            let taps = (0..size[axis]).filter(|tap| seen(*tap) % stride == 0).map(|tap| (tap, seen(tap) / stride)).collect();
            Phase { first, count: (input[axis] - first).div_ceil(strides[axis]), taps }
        };
        Self {
            sizes: [output[axis], input[axis]],
            apart: [1, strides[axis]],
            phases: (0..strides[axis].min(input[axis])).map(phase).collect(),
        }
    }

    /// The cells of the source that the first so many pixels of each phase see, or none.
    fn seen(&self, count: usize) -> Range<isize> {
        let phases = self.phases.iter().filter(|phase| !phase.taps.is_empty());
        let ends = phases.flat_map(|phase| {
            let last = (count.min(phase.count) - 1) * self.apart[0];
            phase.taps.iter().map(move |(_, cell)| (*cell, cell + last as isize + 1))
        });
        ends.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))).map_or(0..0, |(start, end)| start..end)
    }

    /// The most pixels of a phase.
    fn count(&self) -> usize {
        self.phases.iter().map(|phase| phase.count).max().unwrap_or(0)
    }
}

/// A convolution, or the gradient of its input, as this kernel computes it: of volumes, planes of lines. An image has one plane for each of
/// its lines, which has that line alone.
pub(super) struct Direct {
    pub(super) batch: usize,
    axes: [Axis; 3],
    pub(super) groups: usize,
    /// Numbers of a group of a pixel of the source, and of one that is computed.
    pub(super) depth: usize,
    pub(super) width: usize,
    taps: [usize; 3],
    pub(super) is_gradient: bool,
    /// Whether factors are rounded to pairs of `bf16`.
    pub(super) rounds: bool,
    /// Planes of a phase that no two parts share.
    together: usize,
}

/// What a thread computes at a time: some images, or some planes of one.
pub(super) struct Part {
    pub(super) images: Range<usize>,
    /// Pixels of each phase along the first axis.
    pub(super) planes: Range<usize>,
}

/// The weights of each phase.
pub(super) enum Weights {
    Singles(Vec<Strips<f32>>),
    Pairs(Vec<Strips<Pair>>),
}

/// Which numbers of a source are in one factor, where factors have several.
#[derive(Clone, Copy)]
pub(super) enum Pairing {
    /// Those of channels that follow each other.
    Channels,
    /// Those of the same pixel and channel of images that follow each other; a part's images are then so many at once.
    Images,
}

/// The part of a source that some pixels see, row by row, perhaps with padding.
pub(super) struct Seen<'a, F> {
    pub(super) values: &'a [F],
    /// Values of a pixel, of a line, of a plane and of an image.
    depth: usize,
    line: usize,
    plane: usize,
    image: usize,
    /// Which plane, line and column of the source, from those of the part's first pixels, lie at its start.
    start: [isize; 3],
}

thread_local! {
    static PADDED: RefCell<Aligned<f32>> = RefCell::default();
    static PADDED_PAIRS: RefCell<Aligned<Pair>> = RefCell::default();
}

/// Whether pairs of so many channels pay: few that are odd fill only part of them.
fn rounds(channels: usize, precision: Precision) -> bool {
    const FEW: usize = 8;
    Pair::serve(precision) && (channels.is_multiple_of(Pair::NUMBERS) || channels > FEW)
}

impl Direct {
    /// The output of a convolution, if vectors compute it.
    pub(super) fn of_output<const N: usize>(
        geometry: &Geometry<N>,
        filters: usize,
        groups: usize,
        precision: Precision,
    ) -> Option<Self> {
        let (geometry, width) = (geometry.spatial()?, filters / groups);
        let axes = [0, 1, 2].map(|axis| Axis::of_output(&geometry, axis));
        let Geometry { batch, channels, size, .. } = geometry;
        let (depth, rounds) = (channels / groups, groups == 1 && rounds(channels, precision));
        let direct = Self { batch, axes, groups, depth, width, taps: size, is_gradient: false, rounds, together: 1 };
        gathered::pays(width).then_some(direct)
    }

    /// The gradient of a convolution's input, if vectors compute it.
    pub(super) fn of_input<const N: usize>(
        geometry: &Geometry<N>,
        filters: usize,
        groups: usize,
        precision: Precision,
    ) -> Option<Self> {
        let geometry = geometry.spatial()?;
        let axes = [0, 1, 2].map(|axis| Axis::of_input(&geometry, axis));
        let Geometry { batch, channels, size, .. } = geometry;
        let (depth, width, rounds) = (filters / groups, channels / groups, groups == 1 && rounds(filters, precision));
        let direct = Self { batch, axes, groups, depth, width, taps: size, is_gradient: true, rounds, together: 1 };
        gathered::pays(width).then_some(direct)
    }

    /// The same, of images, with as many pixels along each axis as fill tiles of so many; those beyond see padding.
    pub(super) fn in_tiles(mut self, side: usize) -> Self {
        self.together = side;
        let [lines, _, columns] = &mut self.axes;
        for phase in lines.phases.iter_mut().chain(&mut columns.phases) {
            phase.count = phase.count.next_multiple_of(side);
        }
        self
    }

    /// The phases of all axes, with the taps of each: its number, and the plane, the line and the column of the source that the first pixel
    /// sees by it.
    fn phases(&self) -> impl Iterator<Item = ([&Phase; 3], Vec<(usize, [isize; 3])>)> {
        let [zs, ys, xs] = &self.axes;
        let planes = zs.phases.iter().flat_map(move |z| ys.phases.iter().map(move |y| [z, y]));
        planes.flat_map(move |[z, y]| {
            xs.phases.iter().map(move |x| {
                let lines = z.taps.iter().flat_map(|plane| y.taps.iter().map(move |line| [plane, line]));
                let all = lines.flat_map(|[(kz, plane), (ky, line)]| {
                    let number = move |kx: usize| (kz * self.taps[1] + ky) * self.taps[2] + kx;
                    x.taps.iter().map(move |(kx, column)| (number(*kx), [*plane, *line, *column]))
                });
                ([z, y, x], collected(z.taps.len() * y.taps.len() * x.taps.len(), all))
            })
        })
    }

    /// The numbers of a pixel of the source, and of one that is computed.
    pub(super) fn pixels(&self) -> [usize; 2] {
        [self.depth, self.width].map(|of_group| self.groups * of_group)
    }

    /// The weights, `F, C / groups, KH, KW`, as each phase multiplies them, group by group.
    pub(super) fn right(&self, weight: &[f32]) -> Weights {
        match self.rounds {
            true => Weights::Pairs(self.strips(weight).collect()),
            false => {
                let of_group = weight.len() / self.groups;
                Weights::Singles(weight.chunks_exact(of_group.max(1)).flat_map(|weight| self.strips(weight)).collect())
            }
        }
    }

    /// The weights of one group, as factors of some type.
    pub(super) fn strips<F: Factor>(&self, weight: &[f32]) -> impl Iterator<Item = Strips<F>> {
        let (taps, depth) = (self.taps.iter().product::<usize>(), self.depth);
        let [of_depth, of_width] = if self.is_gradient { [self.width * taps, taps] } else { [taps, depth * taps] };
        let of_pixel = depth.div_ceil(F::NUMBERS);
        self.phases().map(move |(_, seen)| {
            Strips::pack([seen.len() * of_pixel, self.width], |columns, values| {
                let width = gathered::strip();
                for at in 0..of_pixel {
                    for (row, (tap, _)) in seen.iter().enumerate() {
                        let mut numbers = [[0.0; gathered::WIDEST]; 2];
                        let channels = at * F::NUMBERS..depth.min((at + 1) * F::NUMBERS);
                        for (channel, numbers) in channels.zip(&mut numbers) {
                            let from = weight[channel * of_depth + columns.start * of_width + tap..].iter().step_by(of_width);
                            numbers[..columns.len()].iter_mut().zip(from).for_each(|(to, from)| *to = *from);
                        }
                        let rows = numbers.each_ref().map(|numbers| &numbers[..columns.len()]);
                        F::of_rows(rows, &mut values[(row * of_pixel + at) * width..][..columns.len()]);
                    }
                }
            })
        })
    }

    /// The planes of an image of what is computed, and the pixels of each.
    pub(super) fn sizes(&self) -> [usize; 2] {
        self.of_axes(1)
    }

    /// The planes of an image of the source, and the pixels of each.
    pub(super) fn source_sizes(&self) -> [usize; 2] {
        self.of_axes(0)
    }

    fn of_axes(&self, which: usize) -> [usize; 2] {
        let [planes, lines, columns] = self.axes.each_ref().map(|axis| axis.sizes[which]);
        [planes, lines * columns]
    }

    /// Line and column of the first cell of the source that the first pixel of an image sees, which may lie before the source.
    pub(super) fn sees_first(&self) -> [isize; 2] {
        [0, 2].map(|axis| self.axes[axis].seen(1).start)
    }

    /// Products for each of a group's channels and filters of an image, of which those with what lies beyond the source are 0.
    pub(super) fn products(&self) -> usize {
        let of_axis = |axis: &Axis| axis.phases.iter().map(|phase| phase.count * phase.taps.len()).sum::<usize>();
        self.axes.iter().map(of_axis).product()
    }

    /// How many weights there are.
    pub(super) fn weights(&self) -> usize {
        self.taps.iter().product::<usize>() * self.groups * self.depth * self.width
    }

    /// Values of an image of what is computed.
    pub(super) fn image_len(&self) -> usize {
        self.sizes().iter().product::<usize>() * self.pixels()[1]
    }

    /// The parts of all images, of about so many pixels each.
    pub(super) fn parts(&self, pixels: usize) -> Vec<Part> {
        self.parts_of(self.batch, pixels)
    }

    /// The parts of so many images.
    pub(super) fn parts_of(&self, batch: usize, pixels: usize) -> Vec<Part> {
        let ([height, width], planes) = (self.sizes(), self.axes[0].count());
        if height * width == 0 {
            return Vec::new();
        }
        if height * width <= pixels {
            let images = pixels / (height * width);
            let first = (0..batch).step_by(images);
            return first.map(|first| Part { images: first..batch.min(first + images), planes: 0..planes }).collect();
        }
        let of_part = pixels / (width * self.axes[0].apart[1]);
        let of_part = (of_part / self.together * self.together).clamp(self.together, planes);
        let parts = |image: usize| {
            let first = (0..planes).step_by(of_part);
            first.map(move |first| Part { images: image..image + 1, planes: first..planes.min(first + of_part) })
        };
        (0..batch).flat_map(parts).collect()
    }

    /// Pixels of a part, about as many as `most` or fewer, so that threads share parts evenly.
    pub(super) fn evenly(&self, most: usize) -> usize {
        /// Products that are worth another thread's while, and that are worth a part of their own.
        const LEAST: usize = 64 * 1024;
        const WORTH: usize = 4 << 20;
        /// Parts to a thread: the first one done takes of the other's.
        const PARTS: usize = 4;
        let ([height, width], threads) = (self.sizes(), threads());
        let pixels = height * width;
        let products = self.batch * pixels * self.weights();
        if products < LEAST * threads {
            return most.max(pixels * self.batch);
        }
        if pixels <= most && self.batch >= threads {
            let several = (products / WORTH).min(PARTS * threads);
            let parts = self.batch.div_ceil(most / pixels).max(several).next_multiple_of(threads);
            return self.batch.div_ceil(parts) * pixels;
        }
        let of_unit = self.together * self.axes[0].apart[1] * width;
        let units = self.axes[0].count().div_ceil(self.together);
        let parts = units.div_ceil((most / of_unit).max(1));
        let parts = if self.batch.is_multiple_of(threads) { parts } else { parts.next_multiple_of(threads) };
        units.div_ceil(parts) * of_unit
    }

    /// Where, among the values computed, those of a part lie.
    pub(super) fn place(&self, part: &Part) -> Range<usize> {
        let (image, [height, width], [_, pixel]) = (self.image_len(), self.sizes(), self.pixels());
        let of_planes = |planes: usize| (planes * self.axes[0].apart[1]).min(height) * width * pixel;
        let start = part.images.start * image + of_planes(part.planes.start);
        start..(part.images.end - 1) * image + of_planes(part.planes.end)
    }

    /// Where, among the values of a source, those lie that the pixels of a part see, but for what they see beyond those at their sides.
    pub(super) fn source_of(&self, part: &Part) -> Range<usize> {
        let ([height, width], [pixel, _]) = (self.source_sizes(), self.pixels());
        let of_planes = |planes: usize| (planes * self.axes[0].apart[0]).min(height) * width * pixel;
        let image = height * width * pixel;
        part.images.start * image + of_planes(part.planes.start)..(part.images.end - 1) * image + of_planes(part.planes.end)
    }

    /// Calls `work` with what a part sees.
    pub(super) fn see<F: Kept, R>(&self, source: &[f32], part: &Part, pairing: Pairing, work: impl FnOnce(Seen<F>) -> R) -> R {
        let ([zs, ys, xs], [pixel, _]) = (&self.axes, self.pixels());
        let [depth, height, width] = self.axes.each_ref().map(|axis| axis.sizes[0]);
        let (planes, lines, columns) = (zs.seen(part.planes.len()), ys.seen(ys.count()), xs.seen(xs.count()));
        let first = (part.planes.start * zs.apart[0]) as isize;
        let (line_len, plane_len, image_len) = (width * pixel, height * width * pixel, depth * height * width * pixel);
        let is_inside = |seen: &Range<isize>, size: usize| seen.start >= 0 && seen.end <= size as isize;
        if is_inside(&zs.seen(zs.count()), depth)
            && is_inside(&lines, height)
            && is_inside(&columns, width)
            && let Some(source) = F::in_place(source)
        {
            let start = part.images.start * image_len + first as usize * plane_len;
            let values = &source[start..part.images.end * image_len];
            return work(Seen { values, depth: pixel, line: line_len, plane: plane_len, image: image_len, start: [0; 3] });
        }
        let (of_image, depth_of) = match pairing {
            Pairing::Channels => (1, pixel.div_ceil(F::NUMBERS)),
            Pairing::Images => (F::NUMBERS, pixel),
        };
        let line = columns.len() * depth_of;
        let (plane, image) = (lines.len() * line, planes.len() * lines.len() * line);
        F::in_scratch(|padded| {
            let padded = padded.take(part.images.len() * image);
            for (number, padded) in part.images.clone().zip(padded.chunks_exact_mut(image.max(1))) {
                let all = planes.clone().flat_map(|plane| lines.clone().map(move |line| [plane + first, line]));
                for (at, padded) in all.zip(padded.chunks_exact_mut(line.max(1))) {
                    let [z, y] = at.map(|at| usize::try_from(at).unwrap_or(usize::MAX));
                    if z >= depth || y >= height {
                        padded.fill(F::default());
                        continue;
                    }
                    let line = |number: usize| {
                        let image = source.get(number * image_len..(number + 1) * image_len);
                        image.map_or(&[][..], |image| &image[z * plane_len + y * line_len..][..line_len])
                    };
                    let second = if of_image == 1 { &[] } else { line(number * of_image + 1) };
                    pad([line(number * of_image), second], columns.clone(), [pixel, depth_of], padded);
                }
            }
            let start = [planes.start, lines.start, columns.start];
            work(Seen { values: padded, depth: depth_of, line, plane, image, start })
        })
    }

    /// The rows of a product, one for each pixel of a phase of so many images and planes: where, in what is seen, the pixel's taps
    /// start, and where its values lie.
    fn rows(&self, [z, y, x]: [&Phase; 3], images: usize, planes: usize, seen: &Seen<impl Factor>) -> Vec<[usize; 2]> {
        let ([zs, ys, xs], [_, pixel]) = (&self.axes, self.pixels());
        let [_, height, width] = self.axes.each_ref().map(|axis| axis.sizes[1]);
        let planes = planes.min(z.count);
        let mut rows = Vec::with_capacity(images * planes * y.count * x.count);
        for image in 0..images {
            for (plane, line) in (0..planes).flat_map(|plane| (0..y.count).map(move |line| (plane, line))) {
                let from = image * seen.image + plane * zs.apart[0] * seen.plane + line * ys.apart[0] * seen.line;
                let to = (plane * zs.apart[1] + z.first) * height + line * ys.apart[1] + y.first;
                let to = image * self.image_len() + to * width * pixel;
                rows.extend(
                    (0..x.count).map(|j| [from + j * xs.apart[0] * seen.depth, to + (j * xs.apart[1] + x.first) * pixel]),
                );
            }
        }
        rows
    }

    /// Where, from the start of a row, the factors of the first group lie that a pixel sees by some taps.
    fn steps(&self, taps: &[(usize, [isize; 3])], seen: &Seen<impl Factor>) -> Vec<usize> {
        let start = |at: &[isize; 3]| {
            let [plane, line, column] = std::array::from_fn(|axis| (at[axis] - seen.start[axis]) as usize);
            plane * seen.plane + line * seen.line + column * seen.depth
        };
        let of_group = if self.groups == 1 { seen.depth } else { self.depth };
        collected(taps.len() * of_group, taps.iter().flat_map(|(_, tap)| start(tap)..start(tap) + of_group))
    }

    /// What is computed from `source`, for all images.
    ///
    /// # Panics
    /// If `right` is not of this convolution.
    pub(super) fn compute(&self, source: &[f32], right: &Weights, ending: Ending<f32>) -> Vec<f32> {
        match right {
            Weights::Singles(right) => self.compute_with(source, right, ending),
            Weights::Pairs(right) => self.compute_with(source, right, ending),
        }
    }

    fn compute_with<F: Kept>(&self, source: &[f32], right: &[Strips<F>], ending: Ending<f32>) -> Vec<f32> {
        let phases = self.phases().count();
        assert_eq!(right.len(), self.groups * phases, "weights of each phase");
        assert!(right.iter().all(|strips| strips.right().columns() == self.width), "weights of each column");
        let is_all = ending.is_plain();
        let rectified = is_all && ending.activation == Activation::Relu;
        let write = |part: &Part, ys: &mut [MaybeUninit<f32>]| {
            self.see(source, part, Pairing::Channels, |seen: Seen<F>| {
                for (number, (of_phase, taps)) in self.phases().enumerate() {
                    let planes = of_phase[0].count.min(part.planes.end).saturating_sub(part.planes.start);
                    let (rows, steps) = (self.rows(of_phase, part.images.len(), planes, &seen), self.steps(&taps, &seen));
                    for group in 0..self.groups {
                        let (values, columns) = (&seen.values[group * self.depth..], group * self.width);
                        let bias = ending.bias.map(|bias| &bias[columns..columns + self.width]);
                        let right = right[group * phases + number].right();
                        Left { values, rows: &rows, steps: &steps }.write(right, Finish { bias, rectified }, &mut ys[columns..]);
                    }
                }
            });
            if !is_all {
                // SAFETY: every pixel is of one phase, and all columns of each pixel of every phase have been written.
                Ending { bias: None, ..ending }.finish(unsafe { ys.assume_init_mut() }, self.pixels()[1], self.place(part).start);
            }
        };
        // SAFETY: as above, every value of a part is written.
        unsafe { self.new_by_parts(BAND, write) }
    }

    /// What is computed, for all images: calls `write` with parts of at most about so many pixels, and with their values.
    ///
    /// # Safety
    /// `write` has to write every value of a part.
    pub(super) unsafe fn new_by_parts(
        &self,
        most: usize,
        write: impl Fn(&Part, &mut [MaybeUninit<f32>]) + Send + Sync,
    ) -> Vec<f32> {
        let len = self.batch * self.image_len();
        let mut ys = Vec::with_capacity(len);
        let mut rest = &mut ys.spare_capacity_mut()[..len];
        let mut parts = Vec::new();
        for part in self.parts(self.evenly(most)) {
            let of_part;
            (of_part, rest) = rest.split_at_mut(self.place(&part).len());
            parts.push((part, of_part));
        }
        for_each(parts, |(part, ys)| {
            claim(ys, len);
            write(&part, ys);
        });
        // SAFETY: the parts have all `len` values, and each has been written.
        unsafe { ys.set_len(len) };
        ys
    }

    /// The product that sums the gradients of the weights `rows` of a group, in the order of patches, over a part: where what each of them
    /// sees starts, and its sum lies, and where, from there, each pixel sees it.
    pub(super) fn sums(&self, part: &Part, seen: &Seen<impl Factor>, rows: Range<usize>) -> (Vec<[usize; 2]>, Vec<usize>) {
        let Some((phases, taps)) = self.phases().next() else { unreachable!("an output is of one phase") };
        let pixels = self.rows(phases, part.images.len(), part.planes.len(), seen);
        let rows = self.steps(&taps, seen)[rows].iter().enumerate().map(|(row, start)| [*start, row * self.width]).collect();
        (rows, pixels.iter().map(|[start, _]| *start).collect())
    }
}

/// A factor for which a thread keeps memory to pad in.
pub(super) trait Kept: Factor {
    fn in_scratch<R>(work: impl FnOnce(&mut Aligned<Self>) -> R) -> R;
}

impl Kept for f32 {
    fn in_scratch<R>(work: impl FnOnce(&mut Aligned<Self>) -> R) -> R {
        PADDED.with_borrow_mut(work)
    }
}

impl Kept for Pair {
    fn in_scratch<R>(work: impl FnOnce(&mut Aligned<Self>) -> R) -> R {
        PADDED_PAIRS.with_borrow_mut(work)
    }
}

/// Writes the factors of the cells `columns` of two lines, of so many numbers and factors each, with zeros for what lies outside. The second
/// line is empty where factors are not of two images.
fn pad<F: Factor>(lines: [&[f32]; 2], columns: Range<isize>, [numbers, factors]: [usize; 2], padded: &mut [F]) {
    let first = columns.start.max(0) as usize;
    let count = (lines[0].len() / numbers).saturating_sub(first);
    let (before, rest) = padded.split_at_mut((columns.start.min(0).unsigned_abs() * factors).min(padded.len()));
    let (within, after) = rest.split_at_mut(rest.len().min(count * factors));
    let count = within.len() / factors;
    let [from, second] = lines.map(|line| line.get(first * numbers..(first + count) * numbers).unwrap_or_default());
    before.fill(F::default());
    if numbers == factors {
        F::of_rows([from, second], within);
    } else if numbers == factors * F::NUMBERS {
        F::of_numbers(from, within);
    } else {
        let pixels = from.chunks_exact(numbers).zip(within.chunks_exact_mut(factors));
        pixels.for_each(|(from, to)| F::of_numbers(from, to));
    }
    after.fill(F::default());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::conv::Conv;
    use crate::kernels::conv::tests::{Passes, expect_passes};
    use crate::kernels::gathered::lanes;
    use crate::spec::{Conv1D, Conv2D, Conv3D, Convolution, Padding};

    fn agrees<const N: usize>(spec: Convolution<N>, dims: &[usize], activation: Activation) -> usize {
        if matches!(activation, Activation::Linear | Activation::Relu) {
            let channels = dims[N + 1];
            let rounds = [channels, spec.filters].map(|channels| spec.groups == 1 && rounds(channels, Precision::Bf16));
            agrees_at(Precision::Bf16, rounds, spec, dims, activation);
        }
        agrees_at(Precision::F32, [false; 2], spec, dims, activation)
    }

    fn agrees_at<const N: usize>(
        precision: Precision,
        rounds: [bool; 2],
        spec: Convolution<N>,
        dims: &[usize],
        activation: Activation,
    ) -> usize {
        expect_passes(spec, dims, activation, rounds, |conv, numbers| {
            let conv = Conv { precision, ..*conv };
            let gradient = Direct::of_input(&conv.geometry, conv.filters, conv.groups, precision);
            Passes {
                output: conv.direct().map(|direct| direct.compute(&numbers.xs, &direct.right(&numbers.weight), numbers.ending())),
                sums: conv.direct().map(|direct| direct.weight_gradient(&numbers.xs, &numbers.added, &numbers.grad, activation)),
                input: gradient.map(|direct| direct.compute(&numbers.grad, &direct.right(&numbers.weight), numbers.of_input())),
            }
        })
    }

    #[test]
    fn passes_are_those_of_patches() {
        let mut passes = 0;
        for padding in [Padding::Valid, Padding::Same, Padding::Full, Padding::Explicit([[3, 0], [1, 5]])] {
            for (channels, filters) in [(1, 32), (3, 10), (20, 24)] {
                for (size, strides) in [([3, 3], [1, 1]), ([3, 3], [2, 2]), ([5, 2], [1, 3]), ([1, 1], [2, 1])] {
                    let conv = Conv2D::new(filters, size).strides(strides).padding(padding);
                    for (dims, activation) in [
                        ([1, 28, 28, channels], Activation::Relu),
                        ([9, 5, 6, channels], Activation::Linear),
                        ([2, 70, 33, channels], Activation::Tanh),
                    ] {
                        passes += agrees(conv.convolution(), &dims, activation);
                    }
                }
                let conv = Conv2D::new(filters, [3, 2]).dilation_rate([2, 3]).padding(padding);
                passes += agrees(conv.convolution(), &[2, 12, 11, channels], Activation::Relu);
            }
        }
        let conv = Conv1D::new(32, [4]).padding(Padding::Causal);
        passes += agrees(conv.convolution(), &[2, 50, 1], Activation::Linear);
        passes += agrees(conv.strides([3]).convolution(), &[2, 50, 7], Activation::Relu);
        // More weights than are summed in several pieces, whose rows threads share, and windows that leave cells out.
        passes += agrees(Conv2D::new(130, [3, 3]).convolution(), &[3, 6, 6, 260], Activation::Relu);
        passes += agrees(Conv2D::new(8, [2, 2]).strides([3, 4]).convolution(), &[3, 9, 10, 8], Activation::Linear);
        assert!(passes > 2 * (4 * 3 * 13 + 4) || lanes() == 1, "{passes} passes");
    }

    #[test]
    fn passes_over_volumes_are_those_of_patches() {
        let mut passes = 0;
        for padding in [Padding::Valid, Padding::Same, Padding::Explicit([[2, 0], [0, 1], [1, 3]])] {
            for (size, strides, dilation) in [
                ([3, 3, 3], [1, 1, 1], [1, 1, 1]),
                ([3, 2, 3], [2, 2, 2], [1, 1, 1]),
                ([1, 1, 2], [1, 2, 3], [1, 1, 1]),
                ([2, 3, 1], [1, 1, 1], [2, 1, 3]),
            ] {
                let conv = Conv3D::new(24, size).strides(strides).dilation_rate(dilation).padding(padding);
                passes += agrees(conv.convolution(), &[3, 6, 5, 7, 3], Activation::Relu);
                passes += agrees(conv.convolution(), &[1, 9, 17, 13, 20], Activation::Tanh);
                passes += agrees(conv.groups(2).convolution(), &[2, 5, 6, 5, 16], Activation::Linear);
            }
        }
        assert!(passes > 3 * 4 * 3 * 2 || lanes() == 1, "{passes} passes");
    }

    #[test]
    fn passes_of_groups_are_those_of_patches() {
        let mut passes = 0;
        for (groups, channels, filters) in [(2, 16, 32), (3, 24, 60), (4, 64, 32), (2, 40, 260)] {
            for (size, strides, padding) in [
                ([3, 3], [1, 1], Padding::Same),
                ([3, 3], [2, 2], Padding::Same),
                ([1, 1], [1, 1], Padding::Valid),
                ([2, 5], [1, 3], Padding::Explicit([[3, 0], [1, 5]])),
            ] {
                let conv = Conv2D::new(filters, size).strides(strides).padding(padding).groups(groups).convolution();
                passes += agrees(conv, &[3, 9, 10, channels], Activation::Relu);
                passes += agrees(conv, &[2, 41, 33, channels], Activation::Tanh);
            }
        }
        assert!(passes == 3 * 4 * 4 * 2 || lanes() == 1, "{passes} passes");
    }
}
