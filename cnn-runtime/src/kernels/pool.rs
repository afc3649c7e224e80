//! Pooling over windows: the largest value, the mean or the sum, along 1, 2 or 3 axes.
//!
//! A window is a range of cells along each axis, whether it slides or adapts to a size, so that one loop serves all poolings.
//! Sequences and images are volumes whose first axes have one cell.

use super::fill::in_chunks;
use super::op::{Unary, apply};
use super::real::Real;
use super::simd::simd;
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
    if input.contains(&0) {
        candle_core::bail!("`{name}` takes inputs of at least one cell, found {:?}", xs.dims());
    }
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

struct Pool {
    name: &'static str,
    pooling: Pooling,
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
        Self { name, pooling, axes, input, channels, windows, shape }
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

    /// Calls `visit` with the place in an example of each cell that window `x` of a row of the output sees, row by row.
    #[inline(always)]
    fn for_each_cell(&self, row: usize, x: usize, mut visit: impl FnMut(usize)) {
        let [_, height, width] = self.input;
        let (z, y) = (row / self.windows[1].len(), row % self.windows[1].len());
        for z in self.windows[0][z].clone() {
            for y in self.windows[1][y].clone() {
                let row = (z * height + y) * width;
                for x in self.windows[2][x].clone() {
                    visit((row + x) * self.channels);
                }
            }
        }
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

simd! {
    /// Pools row `row` of the output of one example into `ys`.
    fn pool_row<T: Real>(pool: &Pool, image: &[T], row: usize, ys: &mut [T]) {
        let channels = pool.channels;
        for (x, out) in ys.chunks_exact_mut(channels).enumerate() {
            match pool.pooling {
                Pooling::Max => {
                    out.fill(T::neg_infinity());
                    pool.for_each_cell(row, x, |cell| {
                        for (out, value) in out.iter_mut().zip(&image[cell..cell + channels]) {
                            *out = if *value > *out || value.is_nan() { *value } else { *out };
                        }
                    });
                }
                Pooling::Mean | Pooling::Sum => {
                    pool.for_each_cell(row, x, |cell| {
                        out.iter_mut().zip(&image[cell..cell + channels]).for_each(|(out, value)| *out += *value);
                    });
                    let divisor = pool.divisor::<T>(row, x);
                    out.iter_mut().for_each(|out| *out /= divisor);
                }
            }
        }
    }
}

simd! {
    /// Adds the gradient `grad` of the output of one example, of means or sums, to that of the example, `sums`.
    fn unpool_sums<T: Real>(pool: &Pool, grad: &[T], sums: &mut [T]) {
        let (channels, width) = (pool.channels, pool.windows[2].len());
        for (pixel, grad) in grad.chunks_exact(channels).enumerate() {
            let (row, x) = (pixel / width, pixel % width);
            let share = pool.divisor::<T>(row, x).recip();
            pool.for_each_cell(row, x, |cell| {
                sums[cell..cell + channels].iter_mut().zip(grad).for_each(|(sum, g)| *sum += *g * share);
            });
        }
    }
}

simd! {
    /// As [`unpool_sums`], of the output `ys` of the largest values of one example.
    ///
    /// The number of the cell that won in each channel is kept as a number of the same width as the values, so that the
    /// loops run over whole vectors.
    fn unpool_largest<T: Real>(pool: &Pool, image: &[T], ys: &[T], grad: &[T], sums: &mut [T]) {
        let (channels, width) = (pool.channels, pool.windows[2].len());
        let mut winners = vec![T::zero(); channels];
        for (pixel, (out, grad)) in ys.chunks_exact(channels).zip(grad.chunks_exact(channels)).enumerate() {
            let (row, x) = (pixel / width, pixel % width);
            winners.fill(-T::one());
            let mut number = T::zero();
            pool.for_each_cell(row, x, |cell| {
                for ((winner, value), most) in winners.iter_mut().zip(&image[cell..cell + channels]).zip(out) {
                    *winner = if *winner < T::zero() && value == most { number } else { *winner };
                }
                number += T::one();
            });
            let mut number = T::zero();
            pool.for_each_cell(row, x, |cell| {
                for ((sum, winner), g) in sums[cell..cell + channels].iter_mut().zip(&winners).zip(grad) {
                    *sum += if *winner == number { *g } else { T::zero() };
                }
                number += T::one();
            });
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
        let (input_len, output_len) = (self.input_len(), self.rows() * self.row_len());
        in_chunks(dims.iter().product(), input_len, |number, sums| {
            let grad = &grad[number * output_len..][..output_len];
            match self.pooling {
                Pooling::Max => {
                    let (xs, ys) = (&xs[number * input_len..][..input_len], &ys[number * output_len..][..output_len]);
                    unpool_largest(self, xs, ys, grad, sums);
                }
                Pooling::Mean | Pooling::Sum => unpool_sums(self, grad, sums),
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

    fn reads_input(&self) -> bool {
        self.pooling == Pooling::Max
    }

    fn reads_output(&self) -> bool {
        self.pooling == Pooling::Max
    }
}

#[cfg(all(test, feature = "emulated-cuda"))]
mod tests {
    use super::*;
    use crate::kernels::op::on_gpu::{expect_the_same, numbers};

    fn expect_the_same_of_all<const A: usize>(dims: &[usize], axes: [Axis; A]) {
        for pooling in [Pooling::Max, Pooling::Mean, Pooling::Sum] {
            expect_the_same(&Pool::new("pool", &numbers(dims, 0), pooling, axes), dims);
        }
    }

    #[test]
    fn a_gpu_gives_the_same_wherever_windows_lie() {
        let slide = |cells, windows, size, stride, before| Axis { cells, windows, size, stride, before };
        expect_the_same_of_all(&[2, 9, 8, 3], [slide(9, 5, 3, 2, 1), slide(8, 4, 3, 2, 0)]);
        // Windows with gaps between, and longer than the input.
        expect_the_same_of_all(&[2, 11, 2], [slide(11, 3, 2, 5, 1)]);
        expect_the_same_of_all(&[1, 3, 4, 5, 2], [slide(3, 3, 5, 1, 2), slide(4, 2, 2, 2, 0), slide(5, 3, 4, 2, 2)]);
        let share = |cells, windows| Axis { windows, size: 0, ..Axis::whole(cells) };
        expect_the_same_of_all(&[2, 7, 5, 3], [share(7, 3), share(5, 8)]);
    }
}
