//! Normalisation of rows, each value of which has a weight: layer normalisation (Ba et al., 2016), and by the root of the mean square (Zhang
//! & Sennrich, 2019).
//!
//! Rows are often the channels of a pixel, so short that whatever is done once for each of them counts: a row is read and written by one
//! thread while it is in the nearest cache, without anything in between.

use super::fill::in_chunks;
use super::lanes::{for_lanes, some, some_mut};
use super::norm::{add_up, part, piece};
use super::norm_group::Groups;
use super::real::Real;
use super::share::map;
use super::simd::simd;
use super::weighted::{self, Ending, Gradients, Kept, TensorGradients, Wants, Weighted};
use crate::gpu::Gpu;
use crate::spec::Activation;
use candle_core::{Result, Shape, Storage, Tensor};

/// `weight·(x − mean)/√(variance + epsilon) + bias` of values of `xs` that follow each other, as many as there are weights.
///
/// # Errors
/// If the values are no multiple of the weights, or there is not a bias for each.
pub(crate) fn layer_norm(xs: &Tensor, weight: &Tensor, bias: Option<&Tensor>, epsilon: f64) -> Result<Tensor> {
    Rows::<true>::normalize(xs, weight, bias, epsilon)
}

/// `weight·x/√(mean(x²) + epsilon)`, likewise.
///
/// # Errors
/// If the values are no multiple of the weights.
pub(crate) fn rms_norm(xs: &Tensor, weight: &Tensor, epsilon: f64) -> Result<Tensor> {
    Rows::<false>::normalize(xs, weight, None, epsilon)
}

/// Whether the mean is taken away first is part of the type, as is the name of the layer.
struct Rows<const IS_CENTERED: bool> {
    dims: Vec<usize>,
    epsilon: f64,
}

impl<const IS_CENTERED: bool> Rows<IS_CENTERED> {
    fn normalize(xs: &Tensor, weight: &Tensor, bias: Option<&Tensor>, epsilon: f64) -> Result<Tensor> {
        let columns = weight.elem_count();
        if bias.is_some_and(|bias| bias.elem_count() != columns) || !xs.elem_count().is_multiple_of(columns.max(1)) {
            candle_core::bail!("`{}` has {columns} weights for a batch {:?}", Self::NAME, xs.dims());
        }
        weighted::apply(xs, weight, bias, Activation::Linear, |_| Self { dims: xs.dims().to_vec(), epsilon })
    }

    fn moments(&self) -> Moments {
        Moments { is_centered: IS_CENTERED, epsilon: self.epsilon }
    }

    /// Each row as a group of one position.
    fn on_gpu(&self, weight: &Tensor) -> Groups {
        let channels = weight.elem_count();
        let examples = self.dims.iter().product::<usize>().checked_div(channels).unwrap_or(0);
        let (examples, channels, is_centered) = (examples as i64, channels as i64, IS_CENTERED.into());
        Groups { examples, positions: 1, channels, groups: 1, epsilon: self.epsilon, is_centered, wants_input: 0 }
    }
}

impl<const IS_CENTERED: bool> Weighted for Rows<IS_CENTERED> {
    const NAME: &'static str = if IS_CENTERED { "LayerNormalization" } else { "RMSNormalization" };

    fn shape(&self) -> Shape {
        self.dims.as_slice().into()
    }

    fn forward<T: Real>(&self, xs: &[T], weight: &[T], bias: Option<&[T]>) -> Vec<T> {
        let none;
        let bias = match bias {
            Some(bias) => bias,
            None => {
                none = vec![T::zero(); weight.len()];
                &none
            }
        };
        let length = part(weight.len());
        in_chunks(xs.len(), length, |number, ys| {
            write_values(self.moments(), ys, &xs[number * length..][..ys.len()], weight, bias);
        })
    }

    fn backward<T: Real>(&self, xs: &[T], weight: &[T], _ys: &[T], grad: &[T], of_input: Option<Ending<T>>) -> Gradients<T> {
        let (columns, length) = (weight.len(), piece(weight.len()));
        let mut input = if of_input.is_some() { vec![T::zero(); xs.len()] } else { Vec::new() };
        let mut outs: Vec<&mut [T]> = input.chunks_mut(length).collect();
        outs.resize_with(xs.len().div_ceil(length), Default::default);
        let pieces = outs.into_iter().zip(xs.chunks(length)).zip(grad.chunks(length));
        let sums = map(pieces.collect(), |((out, xs), grad)| {
            let mut sums = vec![T::zero(); 2 * columns];
            let (of_weight, of_bias) = sums.split_at_mut(columns);
            add_gradients(self.moments(), out, xs, grad, weight, [of_weight, of_bias]);
            sums
        });
        let mut totals = vec![0.0; 2 * columns];
        for sums in sums {
            add_up(&mut totals, &sums.into_iter().map(T::wide).collect::<Vec<f64>>());
        }
        let of_bias = totals.split_off(columns);
        let tensor = |values: Vec<f64>| values.into_iter().map(T::of).collect();
        Gradients { input, weight: tensor(totals), bias: tensor(of_bias) }
    }

    fn forward_on_gpu(&self, gpu: Gpu, xs: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Storage> {
        self.on_gpu(weight).forward(gpu, xs, weight, bias)
    }

    fn backward_on_gpu(&self, gpu: Gpu, tensors: Kept, grad: &Tensor, wants: Wants) -> Result<TensorGradients> {
        self.on_gpu(tensors.weight).backward(gpu, tensors, grad, wants)
    }

    fn reads_output(&self) -> bool {
        false
    }
}

/// How the mean of a row, if it is taken away, and its size are computed.
#[derive(Clone, Copy)]
struct Moments {
    is_centered: bool,
    epsilon: f64,
}

/// Values that are added up side by side.
const LANES: usize = 16;

/// Values that are added up before their sum is taken in double precision.
const BLOCK: usize = 1024;

impl Moments {
    /// What is taken from the values of a row, and what they are multiplied with then.
    #[inline(always)]
    fn of<T: Real>(self, xs: &[T]) -> [T; 2] {
        let share = 1.0 / xs.len() as f64;
        let mean = if self.is_centered { T::of(total(xs, |x| x) * share) } else { T::zero() };
        let square = total(xs, |x| (x - mean) * (x - mean)) * share;
        [mean, T::of((square + self.epsilon).sqrt().recip())]
    }
}

/// The sum of `f` of every value.
#[inline(always)]
fn total<T: Real>(xs: &[T], f: impl Fn(T) -> T) -> f64 {
    let mut total = 0.0;
    for xs in xs.chunks(BLOCK) {
        let (mut sums, (whole, rest)) = ([T::zero(); LANES], xs.as_chunks::<LANES>());
        for xs in whole {
            for i in 0..LANES {
                sums[i] += f(xs[i]);
            }
        }
        for (sum, x) in sums.iter_mut().zip(rest) {
            *sum += f(*x);
        }
        total += folded(sums).wide();
    }
    total
}

/// The sum of some values, by halves.
#[inline(always)]
fn folded<T: Real>(mut sums: [T; LANES]) -> T {
    let mut half = LANES / 2;
    while half > 0 {
        for i in 0..half {
            sums[i] += sums[i + half];
        }
        half /= 2;
    }
    sums[0]
}

/// `Σ weight·g` and `Σ weight·g·(x − mean)`.
#[inline(always)]
fn products<T: Real>(xs: &[T], grad: &[T], weight: &[T], mean: T) -> [f64; 2] {
    let mut totals = [0.0; 2];
    for ((xs, grad), weight) in xs.chunks(BLOCK).zip(grad.chunks(BLOCK)).zip(weight.chunks(BLOCK)) {
        let [(xs, of_xs), (grad, of_grad), (weight, of_weight)] = [xs, grad, weight].map(|values| values.as_chunks::<LANES>());
        let (mut sums, mut along) = ([T::zero(); LANES], [T::zero(); LANES]);
        for ((xs, grad), weight) in xs.iter().zip(grad).zip(weight) {
            for i in 0..LANES {
                let grad = weight[i] * grad[i];
                sums[i] += grad;
                along[i] += grad * (xs[i] - mean);
            }
        }
        for (i, ((x, g), w)) in of_xs.iter().zip(of_grad).zip(of_weight).enumerate() {
            sums[i] += *w * *g;
            along[i] += *w * *g * (*x - mean);
        }
        totals[0] += folded(sums).wide();
        totals[1] += folded(along).wide();
    }
    totals
}

simd! {
    /// Normalises rows, as many values as there are weights.
    fn write_values<T: Real>(moments: Moments, ys: &mut [T], xs: &[T], weight: &[T], bias: &[T]) {
        let columns = weight.len();
        for (ys, xs) in ys.chunks_exact_mut(columns).zip(xs.chunks_exact(columns)) {
            let moments = moments.of(xs);
            for_lanes!(columns, write_columns::<T>(ys, xs, moments, [weight, bias]));
        }
    }
}

#[inline(always)]
fn write_columns<T: Real, const N: usize>(
    first: usize,
    ys: &mut [T],
    xs: &[T],
    [mean, inverse]: [T; 2],
    [weight, bias]: [&[T]; 2],
) {
    let (mut values, weight, bias) = (*some::<T, N>(xs, first), some::<T, N>(weight, first), some::<T, N>(bias, first));
    for i in 0..N {
        values[i] = (values[i] - mean) * inverse * weight[i] + bias[i];
    }
    *some_mut(ys, first) = values;
}

simd! {
    /// Adds up `Σ g·x̂` and `Σ g` of each column, where `x̂ = (x − mean)·inverse`, and writes the gradient of every `x`, unless there is no
    /// room for it: with `M` values in a row, `inverse·(weight·g − Σ(weight·g)/M − x̂·Σ(weight·g·x̂)/M)`, of which the second term
    /// comes of the mean.
    fn add_gradients<T: Real>(moments: Moments, out: &mut [T], xs: &[T], grad: &[T], weight: &[T], sums: Sums<'_, T>) {
        let (columns, [of_weight, of_bias]) = (weight.len(), sums);
        let mut outs = out.chunks_exact_mut(columns);
        for (xs, grad) in xs.chunks_exact(columns).zip(grad.chunks_exact(columns)) {
            let [mean, inverse] = moments.of(xs);
            for_lanes!(columns, add_columns::<T>([&mut *of_weight, &mut *of_bias], [xs, grad], [mean, inverse]));
            if let Some(out) = outs.next() {
                let (share, wide) = (1.0 / columns as f64, inverse.wide());
                let [sum, along] = products(xs, grad, weight, mean);
                let constant = if moments.is_centered { T::of(-wide * sum * share) } else { T::zero() };
                let along = T::of(-wide * wide * wide * along * share);
                for_lanes!(columns, undo_columns::<T>(out, [xs, grad, weight], [mean, inverse, along, constant]));
            }
        }
    }
}

/// The sums of the gradients of weights and of biases.
type Sums<'a, T> = [&'a mut [T]; 2];

#[inline(always)]
fn add_columns<T: Real, const N: usize>(
    first: usize,
    [of_weight, of_bias]: Sums<T>,
    [xs, grad]: [&[T]; 2],
    [mean, inverse]: [T; 2],
) {
    let (xs, grad) = (some::<T, N>(xs, first), some::<T, N>(grad, first));
    let (mut weight, mut bias) = (*some::<T, N>(of_weight, first), *some::<T, N>(of_bias, first));
    for i in 0..N {
        weight[i] += grad[i] * ((xs[i] - mean) * inverse);
        bias[i] += grad[i];
    }
    (*some_mut(of_weight, first), *some_mut(of_bias, first)) = (weight, bias);
}

#[inline(always)]
fn undo_columns<T: Real, const N: usize>(
    first: usize,
    out: &mut [T],
    [xs, grad, weight]: [&[T]; 3],
    [mean, inverse, along, constant]: [T; 4],
) {
    let (mut values, grad, weight) = (*some::<T, N>(xs, first), some::<T, N>(grad, first), some::<T, N>(weight, first));
    for i in 0..N {
        values[i] = grad[i] * weight[i] * inverse + (values[i] - mean) * along + constant;
    }
    *some_mut(out, first) = values;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::numbers;

    /// The values of a row, and the gradients of its values, by their formulas.
    fn exact(is_centered: bool, epsilon: f64, xs: &[f64], weight: &[f64], bias: &[f64], grad: &[f64]) -> [Vec<f64>; 2] {
        let share = 1.0 / xs.len() as f64;
        let mean = if is_centered { xs.iter().sum::<f64>() * share } else { 0.0 };
        let inverse = 1.0 / (xs.iter().map(|x| (x - mean).powi(2)).sum::<f64>() * share + epsilon).sqrt();
        let all = 0..xs.len();
        let normal = |i: usize| (xs[i] - mean) * inverse;
        let sum = if is_centered { all.clone().map(|i| weight[i] * grad[i]).sum::<f64>() } else { 0.0 };
        let along: f64 = all.clone().map(|i| weight[i] * grad[i] * normal(i)).sum();
        let gradient = |i: usize| inverse * (weight[i] * grad[i] - sum * share - normal(i) * along * share);
        [all.clone().map(|i| normal(i) * weight[i] + bias[i]).collect(), all.map(gradient).collect()]
    }

    #[test]
    fn rows_of_any_length_follow_the_formulas() {
        fn agree<const IS_CENTERED: bool>() {
            for (rows, columns) in [(1, 1), (300, 3), (5, 15), (40, 16), (700, 33), (2, 1024), (3, 2 * BLOCK + 21)] {
                let op = Rows::<IS_CENTERED> { dims: vec![rows, columns], epsilon: 1e-3 };
                let [xs, grad] = [1, 2].map(|purpose| numbers::<f64>(rows * columns, purpose));
                let [weight, bias] = [3, 4].map(|purpose| numbers::<f64>(columns, purpose));
                let ys = op.forward(&xs, &weight, Some(&bias));
                let found = op.backward(&xs, &weight, &ys, &grad, Some(Ending::default()));
                let near = |a: &[f64], b: &[f64]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-9);
                let mut sums = [vec![0.0; columns], vec![0.0; columns]];
                for row in 0..rows {
                    let part = row * columns..(row + 1) * columns;
                    let (xs, grad) = (&xs[part.clone()], &grad[part.clone()]);
                    let [values, gradient] = exact(IS_CENTERED, op.epsilon, xs, &weight, &bias, grad);
                    assert!(near(&ys[part.clone()], &values), "values of {columns}");
                    assert!(near(&found.input[part], &gradient), "gradients of {columns}");
                    let [normal, _] = exact(IS_CENTERED, op.epsilon, xs, &vec![1.0; columns], &vec![0.0; columns], grad);
                    add_up(&mut sums[0], &normal.iter().zip(grad).map(|(x, g)| x * g).collect::<Vec<f64>>());
                    add_up(&mut sums[1], grad);
                }
                assert!(near(&found.weight, &sums[0]) && near(&found.bias, &sums[1]), "sums of {columns}");
                let alone = op.backward(&xs, &weight, &ys, &grad, None);
                assert!(alone.input.is_empty() && alone.weight == found.weight);
            }
        }
        agree::<true>();
        agree::<false>();
    }

    #[cfg(feature = "emulated-cuda")]
    #[test]
    fn a_gpu_gives_the_same_however_threads_share_the_values() {
        for (rows, columns) in [(200, 7), (3, 1000), (70, 1)] {
            let dims = vec![rows, columns];
            let op = Rows::<true> { dims: dims.clone(), epsilon: 1e-3 };
            weighted::on_gpu::expect_the_same(&op, &dims, &[columns], Some(columns));
            let op = Rows::<false> { dims: dims.clone(), epsilon: 1e-3 };
            weighted::on_gpu::expect_the_same(&op, &dims, &[columns], None);
        }
    }
}
