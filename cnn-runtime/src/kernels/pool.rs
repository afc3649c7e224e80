//! Pooling over windows: the largest value, the mean or the sum, along 1, 2 or 3 axes.
//!
//! A window is a range of cells along each axis, whether it slides or adapts to a size, so that one loop serves all poolings.
//! Sequences and images are volumes whose first axes have one cell.

use super::fill::in_chunks;
use super::lanes::{for_lanes, some, some_mut};
use super::op::{Unary, apply, expect_values};
use super::real::Real;
use super::simd::simd;
use super::weighted::before_rectifier;
use crate::gpu::{Geometry, Gpu, Kernel, Work, arguments};
use crate::spec::{Operand, Sliding};
use candle_core::{Error, Result, Shape, Storage, Tensor};
use std::array::from_fn;
use std::ops::Range;

const FAMILY: &str = "pool";

/// What becomes of the cells of a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Pooling {
    /// The largest, whose gradient goes to the first of equal ones, row by row, as in Keras.
    Max,
    /// The mean of those inside the input.
    Mean,
    /// The sum of those inside the input.
    Sum,
}

/// Pools each window of each channel of `xs`, `N, …, C` with `A` axes between; cells of padding are left out.
///
/// # Errors
/// If `xs` has other axes, or the window does not fit them; messages say it is of the layer `name`.
pub(crate) fn pool<const A: usize>(name: &'static str, xs: &Tensor, pooling: Pooling, window: &Sliding<A>) -> Result<Tensor> {
    let input = spatial::<A>(name, xs)?;
    let operand = Operand::new("xs", crate::spec::Shape::new(input));
    let output = window.output(&operand).map_err(Error::wrap)?;
    let axes = from_fn::<Axis, A, _>(|axis| Axis {
        cells: input[axis] as i32,
        windows: output[axis].known().expect("every size of a tensor is known") as i32,
        size: window.size[axis] as i32,
        stride: window.strides[axis] as i32,
        before: window.padding_at(axis, input[axis])[0] as i32,
    });
    apply(xs, Pool::new(name, xs, pooling, axes))
}

/// Pools each channel of `xs`, `N, …, C` with `A` axes between, to `output` cells: of `O` windows over `N` cells, the `i`-th
/// is `⌊i·N/O⌋` to `⌈(i + 1)·N/O⌉`.
///
/// # Errors
/// If `xs` has other axes, or one without a cell; messages say it is of the layer `name`.
pub(crate) fn adaptive_pool<const A: usize>(
    name: &'static str,
    xs: &Tensor,
    pooling: Pooling,
    output: [usize; A],
) -> Result<Tensor> {
    let input = spatial::<A>(name, xs)?;
    expect_values(xs, name)?;
    let axes = from_fn::<Axis, A, _>(|axis| Axis { windows: output[axis] as i32, size: 0, ..Axis::whole(input[axis]) });
    apply(xs, Pool::new(name, xs, pooling, axes))
}

/// The sizes of the `A` axes between batch and channels.
fn spatial<const A: usize>(name: &str, xs: &Tensor) -> Result<[usize; A]> {
    match xs.dims() {
        [_, spatial @ .., _] if spatial.len() == A => Ok(from_fn(|axis| spatial[axis])),
        dims => candle_core::bail!("`{name}` takes a batch of {} axes, found {}", A + 2, dims.len()),
    }
}

/// The windows along an axis.
#[repr(C)]
#[derive(Clone, Copy)]
struct Axis {
    cells: i32,
    windows: i32,
    /// The cells of a window that slides; 0 of windows that share the cells.
    size: i32,
    stride: i32,
    /// The cells of padding before the first.
    before: i32,
}

impl Axis {
    /// One window over all of so many cells.
    fn whole(cells: usize) -> Self {
        Self { cells: cells as i32, windows: 1, size: cells as i32, stride: 1, before: 0 }
    }

    /// The cells that window `at` sees; `windows` in `cuda/pool.cu` is the reverse.
    fn cells(&self, at: i32) -> Range<usize> {
        let [at, cells, windows, size, stride, before] =
            [at, self.cells, self.windows, self.size, self.stride, self.before].map(i64::from);
        let [first, end] = match size {
            0 => [at * cells / windows, ((at + 1) * cells + windows - 1) / windows],
            size => [at * stride - before, at * stride - before + size],
        };
        let clip = |cell: i64| cell.clamp(0, cells) as usize;
        clip(first)..clip(end)
    }
}

/// What there is to pool, as in `cuda/pool.cu`.
#[repr(C)]
#[derive(Clone, Copy)]
struct OnGpu {
    axes: [Axis; 3],
    channels: i32,
    is_mean: i32,
}

// SAFETY: it is numbers of one size, and so are those of `cuda/pool.cu`.
unsafe impl Geometry for OnGpu {}

#[derive(Clone)]
struct Pool {
    name: &'static str,
    pooling: Pooling,
    /// Whether the input is the output of a rectifier, which the backward pass undoes.
    is_rectified: bool,
    axes: [Axis; 3],
    /// Depth, height and width of the input.
    input: [usize; 3],
    channels: usize,
    /// For each position of the output along depth, height and width, the cells its window sees.
    windows: [Vec<Range<usize>>; 3],
    /// The shape of the output.
    shape: Vec<usize>,
}

impl Pool {
    fn new<const A: usize>(name: &'static str, xs: &Tensor, pooling: Pooling, own: [Axis; A]) -> Self {
        let dims = xs.dims();
        let (batch, channels) = (dims[0], dims[A + 1]);
        let shape = std::iter::once(batch).chain(own.iter().map(|axis| axis.windows as usize)).chain([channels]).collect();
        // Axes the input lacks come first, and have one cell.
        let axes = from_fn(|axis| if axis + A < 3 { Axis::whole(1) } else { own[axis + A - 3] });
        let input = axes.map(|axis| axis.cells as usize);
        let windows = axes.map(|axis| (0..axis.windows).map(|at| axis.cells(at)).collect());
        Self { name, pooling, is_rectified: false, axes, input, channels, windows, shape }
    }

    fn geometry(&self) -> OnGpu {
        let is_mean = self.pooling == Pooling::Mean;
        OnGpu { axes: self.axes, channels: self.channels as i32, is_mean: is_mean.into() }
    }

    /// Elements of one example of the input.
    fn input_len(&self) -> usize {
        self.input.iter().product::<usize>() * self.channels
    }

    /// Elements of one row of the output.
    fn row_len(&self) -> usize {
        self.windows[2].len() * self.channels
    }

    /// Rows of one example of the output.
    fn rows(&self) -> usize {
        self.windows[0].len() * self.windows[1].len()
    }

    /// Where in an example each line of cells starts that the windows of a row of the output see.
    fn lines(&self, row: usize) -> Vec<usize> {
        let [_, height, width] = self.input;
        let (z, y) = (row / self.windows[1].len(), row % self.windows[1].len());
        let lines = self.windows[0][z].clone().flat_map(|z| self.windows[1][y].clone().map(move |y| z * height + y));
        lines.map(|line| line * width * self.channels).collect()
    }

    /// Where in a line of cells the channels of each start.
    fn columns(&self) -> Vec<usize> {
        (0..self.input[2]).map(|x| x * self.channels).collect()
    }

    /// The number by which the sum over window `x` of a row of the output is divided.
    #[inline(always)]
    fn divisor<T: Real>(&self, row: usize, x: usize) -> T {
        if self.pooling == Pooling::Sum {
            return T::one();
        }
        let (z, y) = (row / self.windows[1].len(), row % self.windows[1].len());
        T::of((self.windows[0][z].len() * self.windows[1][y].len() * self.windows[2][x].len()) as f64)
    }
}

/// The cells of a window in an example.
struct Window<'a> {
    /// Where each of their lines starts.
    lines: &'a [usize],
    /// Where, from there, the channels of each cell of a line start.
    columns: &'a [usize],
}

/// Writes the largest values of a window in some channels.
#[inline(always)]
fn largest<T: Real, const N: usize>(first: usize, window: &Window, image: &[T], out: &mut [T]) {
    let mut most = [T::neg_infinity(); N];
    for line in window.lines {
        for column in window.columns {
            for (most, value) in most.iter_mut().zip(some::<T, N>(image, line + column + first)) {
                *most = if *value > *most || value.is_nan() { *value } else { *most };
            }
        }
    }
    *some_mut(out, first) = most;
}

/// Writes the sums over a window in some channels, divided by a number.
#[inline(always)]
fn sums<T: Real, const N: usize>(first: usize, window: &Window, divisor: T, image: &[T], out: &mut [T]) {
    let mut sums = [T::zero(); N];
    for line in window.lines {
        for column in window.columns {
            sums.iter_mut().zip(some::<T, N>(image, line + column + first)).for_each(|(sum, value)| *sum += *value);
        }
    }
    *some_mut(out, first) = sums.map(|sum| sum / divisor);
}

/// Adds the gradient of the largest values of a window to that of the first cell that has them, in some channels.
#[inline(always)]
fn to_largest<T: Real, const N: usize>(
    first: usize,
    window: &Window,
    rectified: bool,
    image: &[T],
    [ys, grad]: [&[T]; 2],
    out: &mut [T],
) {
    let (most, mut left) = (some::<T, N>(ys, first), *some::<T, N>(grad, first));
    if rectified {
        left.iter_mut().zip(most).for_each(|(left, most)| *left = before_rectifier(*most, *left));
    }
    for line in window.lines {
        for column in window.columns {
            let values = some::<T, N>(image, line + column + first);
            let out = some_mut::<T, N>(out, line + column + first);
            for (((out, value), most), left) in out.iter_mut().zip(values).zip(most).zip(&mut left) {
                let has_it = value == most;
                *out += if has_it { *left } else { T::zero() };
                *left = if has_it { T::zero() } else { *left };
            }
        }
    }
}

/// Adds a share of the gradient to that of each cell of a window, in some channels.
#[inline(always)]
fn to_all<T: Real, const N: usize>(first: usize, window: &Window, share: T, grad: &[T], out: &mut [T]) {
    let shares = some::<T, N>(grad, first).map(|grad| grad * share);
    for line in window.lines {
        for column in window.columns {
            some_mut::<T, N>(out, line + column + first).iter_mut().zip(shares).for_each(|(out, share)| *out += share);
        }
    }
}

simd! {
    /// Pools row `row` of the output of one example into `ys`.
    fn pool_row<T: Real>(pool: &Pool, image: &[T], row: usize, ys: &mut [T]) {
        let (channels, lines, columns) = (pool.channels, pool.lines(row), pool.columns());
        for (x, out) in ys.chunks_exact_mut(channels).enumerate() {
            let window = Window { lines: &lines, columns: &columns[pool.windows[2][x].clone()] };
            match pool.pooling {
                Pooling::Max => for_lanes!(channels, largest::<T>(&window, image, out)),
                Pooling::Mean | Pooling::Sum => {
                    let divisor = pool.divisor::<T>(row, x);
                    for_lanes!(channels, sums::<T>(&window, divisor, image, out));
                }
            }
        }
    }
}

simd! {
    /// Adds the gradient of row `row` of the output `ys` of one example to that of the example, `out`.
    fn unpool_row<T: Real>(pool: &Pool, row: usize, image: &[T], ys: &[T], grad: &[T], out: &mut [T]) {
        let (channels, lines, columns) = (pool.channels, pool.lines(row), pool.columns());
        for (x, grad) in grad.chunks_exact(channels).enumerate() {
            let window = Window { lines: &lines, columns: &columns[pool.windows[2][x].clone()] };
            match pool.pooling {
                Pooling::Max => {
                    let both = [&ys[x * channels..], grad];
                    for_lanes!(channels, to_largest::<T>(&window, pool.is_rectified, image, both, out));
                }
                Pooling::Mean | Pooling::Sum => {
                    let share = pool.divisor::<T>(row, x).recip();
                    for_lanes!(channels, to_all::<T>(&window, share, grad, out));
                }
            }
        }
    }
}

impl Unary for Pool {
    fn name(&self) -> &'static str {
        self.name
    }

    fn shape(&self, _dims: &[usize]) -> Shape {
        self.shape.as_slice().into()
    }

    fn forward<T: Real>(&self, xs: &[T], _dims: &[usize]) -> Vec<T> {
        in_chunks(self.shape.iter().product(), self.row_len().max(1), |row, ys| {
            let image = &xs[row / self.rows() * self.input_len()..][..self.input_len()];
            pool_row(self, image, row % self.rows(), ys);
        })
    }

    fn backward<T: Real>(&self, xs: &[T], ys: &[T], grad: &[T], dims: &[usize]) -> Vec<T> {
        let (input_len, output_len, row_len) = (self.input_len(), self.rows() * self.row_len(), self.row_len().max(1));
        in_chunks(dims.iter().product(), input_len, |number, out| {
            // What it does not read may be empty.
            let image = xs.get(number * input_len..).unwrap_or_default();
            let grad = &grad[number * output_len..][..output_len];
            for (row, grad) in grad.chunks_exact(row_len).enumerate() {
                let ys = ys.get(number * output_len + row * row_len..).unwrap_or_default();
                unpool_row(self, row, image, ys, grad, out);
            }
        })
    }

    fn forward_on_gpu(&self, gpu: Gpu, xs: &Tensor) -> Result<Storage> {
        let (count, dtype) = (self.shape.iter().product(), xs.dtype());
        let mut ys = gpu.empty(dtype, count)?;
        let kernel = Kernel::new(FAMILY, if self.pooling == Pooling::Max { "max_values" } else { "mean_values" }, dtype);
        // SAFETY: windows are within the input, which is of the sizes of `axes`; it writes `count` values, which there are.
        unsafe { gpu.launch(&kernel, Work::Each(count), arguments![&mut ys, xs, &self.geometry(), count]) }?;
        Ok(ys)
    }

    fn backward_on_gpu(&self, gpu: Gpu, xs: &Tensor, ys: &Tensor, grad: &Tensor, dims: &[usize]) -> Result<Storage> {
        let (count, dtype, geometry) = (dims.iter().product(), grad.dtype(), self.geometry());
        let mut out = gpu.empty(dtype, count)?;
        let (name, arguments): (_, &mut [_]) = match self.pooling {
            Pooling::Max => ("max_gradients", arguments![&mut out, xs, ys, grad, &geometry, count]),
            Pooling::Mean | Pooling::Sum => ("mean_gradients", arguments![&mut out, grad, &geometry, count]),
        };
        // SAFETY: it reads `count` values of the input, and those of the output and its gradient that windows of `axes` have,
        // and writes `count` values.
        unsafe { gpu.launch(&Kernel::new(FAMILY, name, dtype), Work::Each(count), arguments) }?;
        Ok(out)
    }

    fn undoes_rectifier(&self) -> Option<Self> {
        // Where the largest value is 0, all of a window are.
        (self.pooling == Pooling::Max).then(|| Self { is_rectified: true, ..self.clone() })
    }

    fn reads_input(&self) -> bool {
        self.pooling == Pooling::Max
    }

    fn reads_output(&self) -> bool {
        self.pooling == Pooling::Max
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::numbers;
    use candle_core::{DType, Device};

    fn pool_of<const A: usize>(pooling: Pooling, dims: &[usize], axes: [Axis; A]) -> Pool {
        Pool::new("pool", &Tensor::zeros(dims, DType::F32, &Device::Cpu).unwrap(), pooling, axes)
    }

    /// The channels of both passes one by one, and all of them at once.
    fn agrees(pooling: Pooling, channels: usize) {
        let dims = [2, 5, 6, channels];
        let axes = [5, 6].map(|cells| Axis { cells, windows: 3, size: 3, stride: 2, before: 1 });
        let pass = |dims: [usize; 4], xs: &[f32], grad: &[f32]| {
            let pool = pool_of(pooling, &dims, axes);
            let ys = pool.forward(xs, &dims);
            let input = pool.backward(xs, &ys, grad, &dims);
            (ys, input)
        };
        // Of few kinds, so that some of a window are equal.
        let xs: Vec<f32> = numbers::<f32>(dims.iter().product(), 1).iter().map(|x| (x * 4.0).round()).collect();
        let grad = numbers::<f32>(2 * 3 * 3 * channels, 2);
        let (ys, input) = pass(dims, &xs, &grad);
        for channel in 0..channels {
            let of = |values: &[f32]| values.iter().skip(channel).step_by(channels).copied().collect::<Vec<f32>>();
            assert_eq!(
                pass([2, 5, 6, 1], &of(&xs), &of(&grad)),
                (of(&ys), of(&input)),
                "channel {channel} of {channels}, {pooling:?}"
            );
        }
    }

    #[test]
    fn each_channel_is_pooled_as_if_it_were_alone() {
        for pooling in [Pooling::Max, Pooling::Mean, Pooling::Sum] {
            for channels in [3, 16, 21, 40] {
                agrees(pooling, channels);
            }
        }
    }

    #[test]
    fn what_is_not_a_number_is_the_largest_wherever_it_lies() {
        for at in 0..4 {
            let mut xs = [1.0f32, 2.0, 3.0, 4.0];
            xs[at] = f32::NAN;
            let dims = [1, 2, 2, 1];
            assert!(pool_of(Pooling::Max, &dims, [Axis::whole(2); 2]).forward(&xs, &dims)[0].is_nan());
        }
    }

    #[cfg(feature = "emulated-cuda")]
    #[test]
    fn a_gpu_gives_the_same_wherever_windows_lie() {
        use crate::kernels::op::on_gpu::expect_the_same;

        fn expect_the_same_of_all<const A: usize>(dims: &[usize], axes: [Axis; A]) {
            for pooling in [Pooling::Max, Pooling::Mean, Pooling::Sum] {
                expect_the_same(&pool_of(pooling, dims, axes), dims);
            }
        }
        let slide = |cells, windows, size, stride, before| Axis { cells, windows, size, stride, before };
        expect_the_same_of_all(&[2, 9, 8, 3], [slide(9, 5, 3, 2, 1), slide(8, 4, 3, 2, 0)]);
        // Windows with gaps between, and longer than the input.
        expect_the_same_of_all(&[2, 11, 2], [slide(11, 3, 2, 5, 1)]);
        expect_the_same_of_all(&[1, 3, 4, 5, 2], [slide(3, 3, 5, 1, 2), slide(4, 2, 2, 2, 0), slide(5, 3, 4, 2, 2)]);
        let share = |cells, windows| Axis { windows, size: 0, ..Axis::whole(cells) };
        expect_the_same_of_all(&[2, 7, 5, 3], [share(7, 3), share(5, 8)]);
    }
}
