//! Pooling over windows: the largest value, the mean or the sum, along 1, 2 or 3 axes.
//!
//! A window is a range of cells along each axis, whether it slides or adapts to a size, so that one loop serves all poolings.
//! Sequences and images are volumes whose first axes have one cell.

use super::fill::in_chunks;
use super::op::{Unary, apply};
use super::real::Real;
use super::simd::simd;
use crate::spec::{Operand, Sliding};
use candle_core::{Error, Result, Shape, Tensor};
use std::array::from_fn;
use std::ops::Range;

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
    let ranges = |axis: usize| {
        let (n, before) = (input[axis], window.padding_at(axis, input[axis])[0]);
        let clip = move |cell: usize| cell.saturating_sub(before).min(n);
        let (size, stride) = (window.size[axis], window.strides[axis]);
        let count = output[axis].known().expect("every size of a tensor is known");
        (0..count).map(|at| clip(at * stride)..clip(at * stride + size)).collect()
    };
    apply(xs, Pool::new(name, xs, pooling, from_fn::<Vec<Range<usize>>, A, _>(ranges)))
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
    let ranges = |axis: usize| {
        let (n, count) = (input[axis], output[axis]);
        (0..count).map(|at| at * n / count..((at + 1) * n).div_ceil(count)).collect()
    };
    apply(xs, Pool::new(name, xs, pooling, from_fn::<Vec<Range<usize>>, A, _>(ranges)))
}

/// The sizes of the `A` axes between batch and channels.
fn spatial<const A: usize>(name: &str, xs: &Tensor) -> Result<[usize; A]> {
    match xs.dims() {
        [_, spatial @ .., _] if spatial.len() == A => Ok(from_fn(|axis| spatial[axis])),
        dims => candle_core::bail!("`{name}` takes a batch of {} axes, found {}", A + 2, dims.len()),
    }
}

struct Pool {
    name: &'static str,
    pooling: Pooling,
    /// Depth, height and width of the input.
    input: [usize; 3],
    channels: usize,
    /// For each position of the output along depth, height and width, the cells its window sees.
    windows: [Vec<Range<usize>>; 3],
    /// The shape of the output.
    shape: Vec<usize>,
}

impl Pool {
    fn new<const A: usize>(name: &'static str, xs: &Tensor, pooling: Pooling, windows: [Vec<Range<usize>>; A]) -> Self {
        let dims = xs.dims();
        let (batch, channels) = (dims[0], dims[A + 1]);
        let sizes = windows.iter().map(Vec::len);
        let shape = std::iter::once(batch).chain(sizes).chain([channels]).collect();
        // Axes the input lacks come first, and have one cell.
        let input = from_fn(|axis| if axis + A < 3 { 1 } else { dims[axis + A - 2] });
        let mut windows = windows.into_iter();
        let windows =
            from_fn(
                |axis| if axis + A < 3 { std::iter::once(0..1).collect() } else { windows.next().expect("one for each axis") },
            );
        Self { name, pooling, input, channels, windows, shape }
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
    /// Adds the gradient `grad` of the output `ys` of one example to that of the example, `sums`.
    ///
    /// The number of the cell that won in each channel is kept as a number of the same width as the values, so that the
    /// loops run over whole vectors.
    fn unpool_image<T: Real>(pool: &Pool, image: &[T], ys: &[T], grad: &[T], sums: &mut [T]) {
        let (channels, width) = (pool.channels, pool.windows[2].len());
        let mut winners = vec![T::zero(); channels];
        for (pixel, (out, grad)) in ys.chunks_exact(channels).zip(grad.chunks_exact(channels)).enumerate() {
            let (row, x) = (pixel / width, pixel % width);
            if pool.pooling != Pooling::Max {
                let share = pool.divisor::<T>(row, x).recip();
                pool.for_each_cell(row, x, |cell| {
                    sums[cell..cell + channels].iter_mut().zip(grad).for_each(|(sum, g)| *sum += *g * share);
                });
                continue;
            }
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

    fn backward<T: Real>(&self, xs: &[T], ys: &[T], grad: &[T], _dims: &[usize]) -> Vec<T> {
        let (input_len, output_len) = (self.input_len(), self.rows() * self.row_len());
        in_chunks(xs.len(), input_len, |number, sums| {
            let (start, part) = (number * input_len, number * output_len..(number + 1) * output_len);
            unpool_image(self, &xs[start..start + input_len], &ys[part.clone()], &grad[part], sums);
        })
    }
}
