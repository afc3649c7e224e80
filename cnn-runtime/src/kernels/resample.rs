//! Resampling along axes: each output cell is a weighted sum of input cells, found along one axis at a time.
//!
//! Padding, cropping, repeating and interpolating all are, so one operation with one backward pass serves them.

use super::fill::{CHUNK, in_chunks};
use super::lanes::{for_lanes, some, some_mut};
use super::op::{Unary, apply, expect_values};
use super::real::Real;
use super::simd::simd;
use crate::gpu::{Geometry, Gpu, Kernel, Work, arguments};
use crate::spec::Resampling;
use candle_core::{Result, Shape, Storage, Tensor};
use std::array::from_fn;
use std::f64::consts::PI;

/// For each position of the output along one axis, the positions of the input it is made of, with their weights.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Taps(Vec<Vec<(usize, f64)>>);

impl Taps {
    /// The `count` cells from `start` on of an axis of `n` cells; those outside it are 0.
    pub(crate) fn part(n: usize, start: isize, count: usize) -> Self {
        let tap = |at: usize| start.checked_add_unsigned(at).and_then(|at| usize::try_from(at).ok()).filter(|at| *at < n);
        Self((0..count).map(|at| tap(at).map(|at| (at, 1.0)).into_iter().collect()).collect())
    }

    /// Each of `n` cells so many times.
    pub(crate) fn repeat(n: usize, times: usize) -> Self {
        Self((0..n * times).map(|at| vec![(at / times, 1.0)]).collect())
    }

    /// The `len` cells from `start` on made into `count`, by the distances of their centres; where a kernel reaches beyond
    /// them, the cells inside have all the weight.
    ///
    /// With `antialias` the kernel is as much wider as there are fewer cells.
    pub(crate) fn resize(start: usize, len: usize, count: usize, kernel: Resampling, antialias: bool) -> Self {
        let scale = len as f64 / count as f64;
        let width = if antialias { scale.max(1.0) } else { 1.0 };
        let tap = |at: usize| {
            let centre = (at as f64 + 0.5) * scale;
            if kernel == Resampling::Nearest {
                return vec![(start + (centre as usize).min(len - 1), 1.0)];
            }
            let reach = width * radius(kernel);
            let first = (centre - reach - 0.5).ceil().max(0.0) as usize;
            let last = ((centre + reach - 0.5).floor() as usize).min(len - 1);
            let taps = (first..=last).map(|cell| (cell, weight(kernel, (cell as f64 + 0.5 - centre) / width)));
            let taps: Vec<(usize, f64)> = taps.filter(|(_, weight)| *weight != 0.0).collect();
            let total: f64 = taps.iter().map(|(_, weight)| weight).sum();
            taps.into_iter().map(|(cell, weight)| (start + cell, weight / total)).collect()
        };
        Self((0..count).map(tap).collect())
    }

    /// The same of `n` cells that have `before` others before them; all others are 0.
    pub(crate) fn inside(self, before: usize, n: usize) -> Self {
        let cell = |(cell, weight): (usize, f64)| Some((cell.checked_sub(before)?, weight)).filter(|(cell, _)| *cell < n);
        Self(self.0.into_iter().map(|taps| taps.into_iter().filter_map(cell).collect()).collect())
    }

    /// For each of `n` cells of the input, the positions of the output that it is part of, with its weights.
    fn transposed(&self, n: usize) -> Self {
        let mut cells = vec![Vec::new(); n];
        for (position, taps) in self.0.iter().enumerate() {
            taps.iter().for_each(|(cell, weight)| cells[*cell].push((position, *weight)));
        }
        Self(cells)
    }
}

/// How many cells to each side a kernel reaches.
fn radius(kernel: Resampling) -> f64 {
    match kernel {
        Resampling::Nearest => 0.5,
        Resampling::Bilinear => 1.0,
        Resampling::Bicubic => 2.0,
        Resampling::Lanczos3 => 3.0,
        Resampling::Lanczos5 => 5.0,
    }
}

/// The weight that a kernel gives a cell at this distance.
fn weight(kernel: Resampling, distance: f64) -> f64 {
    let (x, radius) = (distance.abs(), radius(kernel));
    match kernel {
        _ if x >= radius => 0.0,
        Resampling::Nearest => 1.0,
        Resampling::Bilinear => 1.0 - x,
        Resampling::Bicubic if x < 1.0 => (1.5 * x - 2.5) * x * x + 1.0,
        Resampling::Bicubic => ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0,
        Resampling::Lanczos3 | Resampling::Lanczos5 => sinc(x) * sinc(x / radius),
    }
}

/// `sin(πx)/πx`
fn sinc(x: f64) -> f64 {
    if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) }
}

/// Resamples `xs`, `N, …, C`, along each of the `A` axes between.
///
/// # Errors
/// If `xs` has other axes; messages say it is of the layer `name`.
///
/// # Panics
/// If the taps are of more cells than an axis has.
pub(crate) fn resample<const A: usize>(name: &'static str, xs: &Tensor, taps: [Taps; A]) -> Result<Tensor> {
    let dims = xs.dims();
    if dims.len() != A + 2 {
        candle_core::bail!("`{name}` takes a batch of {} axes, found {}", A + 2, dims.len());
    }
    expect_values(xs, name)?;
    let input = from_fn(|axis| if axis + A < 3 { 1 } else { dims[axis + A - 2] });
    let sizes = taps.iter().map(|taps| taps.0.len());
    let shape = std::iter::once(dims[0]).chain(sizes).chain([dims[A + 1]]).collect();
    let mut taps = taps.into_iter();
    // Axes the input lacks come first, and have one cell.
    let taps = from_fn(|axis| if axis + A < 3 { Taps::part(1, 0, 1) } else { taps.next().expect("taps for each axis") });
    apply(xs, Resample { name, input, channels: dims[A + 1], taps, shape })
}

struct Resample {
    name: &'static str,
    /// Depth, height and width of the input.
    input: [usize; 3],
    channels: usize,
    /// Along depth, height and width.
    taps: [Taps; 3],
    /// The shape of the output.
    shape: Vec<usize>,
}

impl Resample {
    fn output(&self) -> [usize; 3] {
        self.taps.each_ref().map(|taps| taps.0.len())
    }

    fn transposed(&self) -> [Taps; 3] {
        from_fn(|axis| self.taps[axis].transposed(self.input[axis]))
    }
}

/// Resamples `xs` by taps along depth, height and width of an input of these sizes.
///
/// The lines that a row is made of are added up first, weighed, and then what they have side by side.
fn resampled<T: Real>(xs: &[T], input: [usize; 3], taps: &[Taps; 3], channels: usize) -> Vec<T> {
    let [depth, height, width] = input;
    let (line_len, row_len) = (width * channels, taps[2].0.len() * channels);
    let (input_len, rows) = (depth * height * line_len, taps[0].0.len() * taps[1].0.len());
    let examples = xs.len() / input_len.max(1);
    let along = Along::new(&taps[2], channels);
    let chunk = (CHUNK / row_len.max(1)).max(1) * row_len;
    in_chunks(examples * rows * row_len, chunk, |number, ys| {
        let mut sum = Vec::new();
        for (row, ys) in ys.chunks_exact_mut(row_len).enumerate() {
            let row = number * (chunk / row_len) + row;
            let (example, z, y) = (row / rows, row % rows / taps[1].0.len(), row % taps[1].0.len());
            let line = |cell: usize| &xs[example * input_len + cell * line_len..][..line_len];
            let lines = || {
                let of_planes = taps[0].0[z].iter();
                of_planes.flat_map(|(z, of_z)| taps[1].0[y].iter().map(move |(y, of_y)| (z * height + y, of_z * of_y)))
            };
            let mut all = lines();
            match (all.next(), all.next()) {
                (None, _) => {}
                (Some((cell, 1.0)), None) => along.write(line(cell), ys),
                _ => {
                    sum.clear();
                    sum.resize(line_len, T::zero());
                    lines().for_each(|(cell, weight)| add_weighed(line(cell), T::of(weight), &mut sum));
                    along.write(&sum, ys);
                }
            }
        }
    })
}

/// How the pixels of a row are made of those of a line.
enum Along<T> {
    /// By copies: of so many numbers, from where to where.
    Copies(Vec<[usize; 3]>),
    /// By sums: where the pixels' numbers lie that each is made of, with their weights.
    Sums(Vec<Vec<(usize, T)>>, usize),
}

impl<T: Real> Along<T> {
    fn new(taps: &Taps, channels: usize) -> Self {
        if !taps.0.iter().all(|taps| matches!(taps[..], [] | [(_, 1.0)])) {
            let sum = |taps: &Vec<(usize, f64)>| taps.iter().map(|(cell, weight)| (cell * channels, T::of(*weight))).collect();
            return Self::Sums(taps.0.iter().map(sum).collect(), channels);
        }
        let mut copies: Vec<[usize; 3]> = Vec::new();
        for (at, (cell, _)) in taps.0.iter().enumerate().filter_map(|(at, taps)| Some((at, taps.first()?))) {
            let [from, to] = [cell * channels, at * channels];
            match copies.last_mut() {
                Some([before, place, count]) if *before + *count == from && *place + *count == to => *count += channels,
                _ => copies.push([from, to, channels]),
            }
        }
        Self::Copies(copies)
    }

    /// Writes a row, whose numbers are 0.
    fn write(&self, line: &[T], row: &mut [T]) {
        match self {
            Self::Copies(copies) => copy_pixels(copies, line, row),
            Self::Sums(taps, channels) => add_pixels(taps, *channels, line, row),
        }
    }
}

simd! {
    fn add_weighed<T: Real>(line: &[T], weight: T, sum: &mut [T]) {
        for (sum, x) in sum.iter_mut().zip(line) {
            *sum += weight * *x;
        }
    }
}

simd! {
    fn copy_pixels<T: Real>(copies: &[[usize; 3]], line: &[T], row: &mut [T]) {
        for [from, to, count] in copies {
            let (line, row) = (&line[*from..*from + *count], &mut row[*to..*to + *count]);
            for_lanes!(*count, copy::<T>(line, row));
        }
    }
}

#[inline(always)]
fn copy<T: Real, const N: usize>(first: usize, from: &[T], to: &mut [T]) {
    *some_mut::<T, N>(to, first) = *some(from, first);
}

simd! {
    fn add_pixels<T: Real>(taps: &[Vec<(usize, T)>], channels: usize, line: &[T], row: &mut [T]) {
        for (taps, pixel) in taps.iter().zip(row.chunks_exact_mut(channels)) {
            for_lanes!(channels, add_up::<T>(taps, line, pixel));
        }
    }
}

/// Of some channels.
#[inline(always)]
fn add_up<T: Real, const N: usize>(first: usize, taps: &[(usize, T)], line: &[T], pixel: &mut [T]) {
    let mut sums = [T::zero(); N];
    for (at, weight) in taps {
        let xs = some::<T, N>(line, at + first);
        for i in 0..N {
            sums[i] += *weight * xs[i];
        }
    }
    *some_mut(pixel, first) = sums;
}

/// Sizes along depth, height and width, as kernels take them.
#[repr(C)]
#[derive(Clone, Copy)]
struct Sizes {
    input: [i32; 3],
    output: [i32; 3],
    channels: i32,
    /// Where the taps of each axis begin in the tables.
    starts: [i32; 3],
}

// SAFETY: it is numbers of one size, and so is that of `cuda/resample.cu`.
unsafe impl Geometry for Sizes {}

/// Resamples `xs` by taps along depth, height and width of an input of these sizes.
///
/// The tables of taps, which are as long as the axes, go to the GPU each time; it is not waited for.
fn on_gpu(gpu: Gpu, xs: &Tensor, input: [usize; 3], taps: &[Taps; 3], channels: usize) -> Result<Storage> {
    let output = taps.each_ref().map(|taps| taps.0.len());
    let mut sizes =
        Sizes { input: input.map(|n| n as i32), output: output.map(|n| n as i32), channels: channels as i32, starts: [0; 3] };
    // Where the taps of each position begin and, at the end, where those of the last end; then the taps.
    let mut at = taps.iter().map(|taps| taps.0.len() + 1).sum::<usize>();
    let (mut cells, mut weights) = (Vec::new(), vec![0.0; at]);
    for (start, taps) in sizes.starts.iter_mut().zip(taps) {
        *start = cells.len() as i32;
        for taps in &taps.0 {
            cells.push(at as u32);
            at += taps.len();
        }
        cells.push(at as u32);
    }
    for (cell, weight) in taps.iter().flat_map(|taps| taps.0.iter().flatten()) {
        cells.push(*cell as u32);
        weights.push(*weight);
    }
    let cells = Tensor::new(cells, xs.device())?;
    let weights = Tensor::new(weights, xs.device())?.to_dtype(xs.dtype())?;
    let examples = xs.elem_count() / (input.iter().product::<usize>() * channels).max(1);
    let count = examples * output.iter().product::<usize>() * channels;
    let mut ys = gpu.empty(xs.dtype(), count)?;
    let kernel = Kernel::new("resample", "resample", xs.dtype());
    // SAFETY: it writes `count` values, each from cells of `xs` that its taps name, which are of the input.
    unsafe { gpu.launch(&kernel, Work::Each(count), arguments![&mut ys, xs, &cells, &weights, count, &sizes]) }?;
    Ok(ys)
}

impl Unary for Resample {
    fn name(&self) -> &'static str {
        self.name
    }

    fn shape(&self, _dims: &[usize]) -> Shape {
        self.shape.as_slice().into()
    }

    fn forward<T: Real>(&self, xs: &[T], _dims: &[usize]) -> Vec<T> {
        resampled(xs, self.input, &self.taps, self.channels)
    }

    /// Resampling by the transposed taps: every output pixel gives its gradient back to the pixels it was made of.
    fn backward<T: Real>(&self, _xs: &[T], _ys: &[T], grad: &[T], _dims: &[usize]) -> Vec<T> {
        resampled(grad, self.output(), &self.transposed(), self.channels)
    }

    fn forward_on_gpu(&self, gpu: Gpu, xs: &Tensor) -> Result<Storage> {
        on_gpu(gpu, xs, self.input, &self.taps, self.channels)
    }

    fn backward_on_gpu(&self, gpu: Gpu, _xs: &Tensor, _ys: &Tensor, grad: &Tensor, _dims: &[usize]) -> Result<Storage> {
        on_gpu(gpu, grad, self.output(), &self.transposed(), self.channels)
    }

    fn reads_input(&self) -> bool {
        false
    }

    fn reads_output(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    fn along(values: &[f64], taps: Taps) -> Vec<f64> {
        let xs = Tensor::from_slice(values, (1, values.len(), 1), &Device::Cpu).unwrap();
        resample("test", &xs, [taps]).unwrap().flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn parts_reach_beyond_both_ends() {
        assert_eq!(along(&[1., 2., 3.], Taps::part(3, -2, 6)), [0., 0., 1., 2., 3., 0.]);
        assert_eq!(along(&[1., 2., 3.], Taps::part(3, 1, 1)), [2.]);
        assert_eq!(along(&[1., 2.], Taps::repeat(2, 3)), [1., 1., 1., 2., 2., 2.]);
    }

    #[test]
    fn sizes_change_about_the_centres_of_cells() {
        let bilinear = |start, len, count| Taps::resize(start, len, count, Resampling::Bilinear, false);
        assert_eq!(along(&[0., 4.], bilinear(0, 2, 4)), [0., 1., 3., 4.]);
        assert_eq!(along(&[0., 1., 2., 3.], bilinear(0, 4, 2)), [0.5, 2.5]);
        assert_eq!(along(&[9., 0., 4., 9.], bilinear(1, 2, 4)), [0., 1., 3., 4.]);
        assert_eq!(along(&[2., 4.], bilinear(0, 4, 2).inside(1, 2)), [1., 2.]);
        assert_eq!(along(&[0., 1., 2.], Taps::resize(0, 3, 5, Resampling::Nearest, false)), [0., 0., 1., 2., 2.]);
    }

    #[test]
    fn every_kernel_keeps_a_constant_and_gives_back_each_cell_at_its_centre() {
        for word in Resampling::WORDS {
            let kernel = Resampling::from_word(word).unwrap();
            for (count, antialias) in [(3, false), (3, true), (7, false), (21, true)] {
                let ys = along(&[2.5; 7], Taps::resize(0, 7, count, kernel, antialias));
                assert!(ys.iter().all(|y| (y - 2.5).abs() < 1e-12), "{word} to {count}: {ys:?}");
            }
            let xs = [1., -2., 4., 0., 3.];
            let ys = along(&xs, Taps::resize(0, 5, 5, kernel, false));
            assert!(xs.iter().zip(&ys).all(|(x, y)| (x - y).abs() < 1e-12), "{word}: {ys:?}");
        }
        assert_eq!(along(&[1., 3., 5., 7.], Taps::resize(0, 4, 1, Resampling::Bilinear, true)), [4.]);
    }
}
