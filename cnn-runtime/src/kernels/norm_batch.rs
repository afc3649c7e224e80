//! Batch normalisation: two passes over the data forward, two backward.

use super::fill::in_chunks;
use super::norm::{add_up, normalize, part, piece, products, row, squares, sums, undo};
use super::op::{dispatch, with_slices};
use super::real::Real;
use super::weighted::{self, Gradients, Weighted, finish, undo_activation};
use crate::spec::Activation;
use candle_core::{Result, Shape, Tensor};
use rayon::prelude::*;

/// The mean and the biased variance of every channel.
#[derive(Clone, Debug)]
pub(crate) struct Moments {
    pub(crate) mean: Vec<f64>,
    pub(crate) variance: Vec<f64>,
}

impl Moments {
    /// The moments of the last axis of `xs` over all others: the first pass.
    ///
    /// # Errors
    /// If there is no value to take the mean of.
    pub(crate) fn of(xs: &Tensor) -> Result<Self> {
        fn moments<T: Real>(xs: &Tensor, channels: usize) -> Result<Moments> {
            with_slices([xs], BatchNorm::NAME, |[xs]: [&[T]; 1]| Moments::of_slice(xs, channels))
        }
        let channels = channels(xs.dims());
        if xs.elem_count() == 0 {
            candle_core::bail!("`{}` trains on at least one value of each channel, found {:?}", BatchNorm::NAME, xs.dims());
        }
        dispatch!(xs.dtype(), BatchNorm::NAME, moments(xs, channels))
    }

    /// Each piece is summed while it is in the cache, first for its means, then for the distances from them; pieces are
    /// added by the formula of Chan, Golub & LeVeque (1979), which large means do not disturb.
    fn of_slice<T: Real>(xs: &[T], channels: usize) -> Self {
        let pieces: Vec<_> = xs
            .par_chunks(piece(channels))
            .map(|xs| {
                let count = (xs.len() / channels) as f64;
                let means: Vec<f64> = sums(xs, channels).into_iter().map(|sum| sum / count).collect();
                // Distances are from the means as the loop sees them.
                let means: Vec<f64> = means.into_iter().map(|mean| T::of(mean).wide()).collect();
                (count, squares(xs, &means), means)
            })
            .collect();
        let (mut count, mut mean, mut total) = (0.0, vec![0.0; channels], vec![0.0; channels]);
        for (other, squares, means) in pieces {
            let sum = count + other;
            for channel in 0..channels {
                let apart = means[channel] - mean[channel];
                mean[channel] += apart * other / sum;
                total[channel] += squares[channel] + apart * apart * count * other / sum;
            }
            count = sum;
        }
        Self { mean, variance: total.into_iter().map(|total| total / count).collect() }
    }
}

/// `(xs − mean)/√(variance + epsilon)·weight + bias` of every channel of `xs`, the last axis: the second pass.
///
/// `activation` comes last. The gradient of `xs` goes through the moments too if they are `of_the_batch`, that is, of `xs` itself.
///
/// # Errors
/// If there is not one weight, bias and moment for each channel.
pub(crate) fn batch_norm(
    xs: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    moments: Moments,
    epsilon: f64,
    of_the_batch: bool,
    activation: Activation,
) -> Result<Tensor> {
    let channels = channels(xs.dims());
    if weight.dims() != [channels] || bias.is_some_and(|bias| bias.dims() != [channels]) || moments.mean.len() != channels {
        let found = [weight.elem_count(), bias.map_or(channels, Tensor::elem_count), moments.mean.len()];
        candle_core::bail!("`{}` of {channels} channels has weights, biases and means {found:?}", BatchNorm::NAME);
    }
    let inverse = moments.variance.iter().map(|variance| (variance + epsilon).sqrt().recip()).collect();
    let (dims, mean) = (xs.dims().to_vec(), moments.mean);
    weighted::apply(xs, weight, bias, activation, |ends_in| BatchNorm { dims, mean, inverse, of_the_batch, ends_in })
}

fn channels(dims: &[usize]) -> usize {
    dims.last().copied().unwrap_or(1).max(1)
}

struct BatchNorm {
    dims: Vec<usize>,
    mean: Vec<f64>,
    /// One over the standard deviation.
    inverse: Vec<f64>,
    of_the_batch: bool,
    ends_in: Activation,
}

impl BatchNorm {
    /// The mean as the loops see it.
    fn mean<T: Real>(&self) -> Vec<f64> {
        self.mean.iter().map(|mean| T::of(*mean).wide()).collect()
    }
}

impl Weighted for BatchNorm {
    const NAME: &'static str = "BatchNormalization";

    fn shape(&self) -> Shape {
        self.dims.as_slice().into()
    }

    fn forward<T: Real>(&self, xs: &[T], weight: &[T], bias: Option<&[T]>) -> Vec<T> {
        let channels = self.mean.len();
        let mean = row::<T>(self.mean.iter().copied(), channels);
        let scale = row::<T>(self.inverse.iter().zip(weight).map(|(inverse, weight)| inverse * weight.wide()), channels);
        let shift = match bias {
            Some(bias) => row::<T>(bias.iter().map(|bias| bias.wide()), channels),
            None => vec![T::zero(); mean.len()],
        };
        let length = part(channels);
        in_chunks(xs.len(), length, |number, ys| {
            normalize(ys, &xs[number * length..], &mean, &scale, &shift);
            finish(ys, 1, &[], self.ends_in);
        })
    }

    /// With `x̂ = (x − mean)·inverse` and `M` values in each channel, the gradient of `x` is
    /// `weight·inverse·(g − Σg/M − x̂·Σ(g·x̂)/M)`, without the sums where the moments are given.
    fn backward<T: Real>(&self, xs: &[T], weight: &[T], ys: &[T], grad: &[T], wants_input: bool) -> Gradients<T> {
        let channels = self.mean.len();
        let (length, means) = (piece(channels), self.mean::<T>());
        let pieces = grad.par_chunks(length).zip(xs.par_chunks(length)).enumerate();
        let pieces: Vec<_> = pieces
            .map_init(Vec::new, |before, (number, (grad, xs))| {
                products(self.before_activation(ys, grad, number * length, before), xs, &means)
            })
            .collect();
        let (mut sum, mut along) = (vec![0.0; channels], vec![0.0; channels]);
        for (sums, products) in &pieces {
            add_up(&mut sum, sums);
            add_up(&mut along, products);
        }
        along.iter_mut().zip(&self.inverse).for_each(|(along, inverse)| *along *= inverse);
        let input = if wants_input { self.gradient_of_input([xs, ys, grad], weight, &sum, &along) } else { Vec::new() };
        let tensor = |values: Vec<f64>| values.into_iter().map(T::of).collect();
        Gradients { input, weight: tensor(along), bias: tensor(sum) }
    }

    fn reads_output(&self) -> bool {
        self.ends_in != Activation::Linear
    }
}

impl BatchNorm {
    /// The second pass backward, from `sum`, `Σg`, and `along`, `Σ(g·x̂)`.
    fn gradient_of_input<T: Real>(&self, [xs, ys, grad]: [&[T]; 3], weight: &[T], sum: &[f64], along: &[f64]) -> Vec<T> {
        let channels = self.mean.len();
        let share = if self.of_the_batch { channels as f64 / xs.len() as f64 } else { 0.0 };
        let factor = |channel: usize| weight[channel].wide() * self.inverse[channel];
        let mean = row::<T>(self.mean.iter().copied(), channels);
        let slope = row::<T>((0..channels).map(factor), channels);
        let along = (0..channels).map(|channel| -factor(channel) * self.inverse[channel] * along[channel] * share);
        let along = row::<T>(along, channels);
        let constant = row::<T>((0..channels).map(|channel| -factor(channel) * sum[channel] * share), channels);
        let length = part(channels);
        in_chunks(xs.len(), length, |number, out| {
            let (start, mut before) = (number * length, Vec::new());
            let grad = self.before_activation(ys, &grad[start..start + out.len()], start, &mut before);
            undo(out, grad, &xs[start..], &mean, &slope, &along, &constant);
        })
    }

    /// The gradient before the activation, of some values from `start` on.
    fn before_activation<'a, T: Real>(&self, ys: &[T], grad: &'a [T], start: usize, scratch: &'a mut Vec<T>) -> &'a [T] {
        match self.ends_in {
            Activation::Linear => grad,
            activation => undo_activation(activation, &ys[start..start + grad.len()], grad, scratch),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn moments_of_large_means_keep_their_digits() {
        let values: Vec<f32> = (0..60_000).map(|i| 10_000.0 + (i % 3) as f32).collect();
        let moments = Moments::of(&Tensor::from_vec(values, (60_000, 1), &Device::Cpu).unwrap()).unwrap();
        assert!((moments.mean[0] - 10_001.0).abs() < 1e-2, "{moments:?}");
        assert!((moments.variance[0] - 2.0 / 3.0).abs() < 1e-4, "{moments:?}");
    }

    #[test]
    fn no_values_have_no_mean() {
        let nothing = Tensor::zeros((0, 3), candle_core::DType::F32, &Device::Cpu).unwrap();
        assert!(Moments::of(&nothing).unwrap_err().to_string().contains("at least one value of each channel"));
    }
}
