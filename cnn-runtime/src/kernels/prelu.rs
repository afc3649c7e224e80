//! The rectifier whose slope below 0 is learned.

use super::norm::{add_up, piece};
use super::real::Real;
use super::simd::simd;
use super::weighted::{self, Gradients, Weighted};
use crate::spec::Activation;
use candle_core::{Result, Shape, Tensor};
use rayon::prelude::*;

/// `x` if positive, else `weight·x`: `weight` has the axes of an example of `xs`, with 1 for those along which it is shared.
///
/// # Errors
/// If the weights do not spread to the examples.
pub(crate) fn prelu(xs: &Tensor, weight: &Tensor) -> Result<Tensor> {
    let example = &xs.dims()[1..];
    let spreads = weight.rank() == example.len() && weight.dims().iter().zip(example).all(|(own, size)| *own == 1 || own == size);
    if !spreads {
        candle_core::bail!("`{}` has weights {:?} for examples {example:?}", PReLU::NAME, weight.dims());
    }
    let op = PReLU { dims: xs.dims().to_vec(), places: places(example, weight.dims()) };
    weighted::apply(xs, weight, None, Activation::Linear, |_| op)
}

struct PReLU {
    dims: Vec<usize>,
    /// For each value of an example, the place of its weight.
    places: Vec<usize>,
}

/// For each value of an example of these sizes, the place of its weight among weights of these sizes.
fn places(example: &[usize], weight: &[usize]) -> Vec<usize> {
    let mut places = vec![0];
    for (size, own) in example.iter().zip(weight) {
        let step = |place: usize, i: usize| place * own + if *own == 1 { 0 } else { i };
        places = places.into_iter().flat_map(|place| (0..*size).map(move |i| step(place, i))).collect();
    }
    places
}

simd! {
    fn rectify<T: Real>(ys: &mut [T], xs: &[T], slopes: &[T]) {
        for ((y, x), slope) in ys.iter_mut().zip(xs).zip(slopes) {
            *y = if *x > T::zero() { *x } else { *slope * *x };
        }
    }
}

simd! {
    fn scale_gradient<T: Real>(out: &mut [T], grad: &[T], xs: &[T], slopes: &[T]) {
        for (((out, g), x), slope) in out.iter_mut().zip(grad).zip(xs).zip(slopes) {
            *out = if *x > T::zero() { *g } else { *g * *slope };
        }
    }
}

impl PReLU {
    /// The slope of each value of an example.
    fn slopes<T: Real>(&self, weight: &[T]) -> Vec<T> {
        self.places.iter().map(|place| weight[*place]).collect()
    }
}

impl Weighted for PReLU {
    const NAME: &'static str = "PReLU";

    fn shape(&self) -> Shape {
        self.dims.as_slice().into()
    }

    fn forward<T: Real>(&self, xs: &[T], weight: &[T], _bias: Option<&[T]>) -> Vec<T> {
        let slopes = self.slopes(weight);
        let mut ys = vec![T::zero(); xs.len()];
        ys.par_chunks_mut(slopes.len()).zip(xs.par_chunks(slopes.len())).for_each(|(ys, xs)| rectify(ys, xs, &slopes));
        ys
    }

    fn backward<T: Real>(&self, xs: &[T], weight: &[T], _ys: &[T], grad: &[T], wants_input: bool) -> Gradients<T> {
        let slopes = self.slopes(weight);
        let (example, length) = (slopes.len(), piece(slopes.len()));
        let pieces: Vec<Vec<f64>> = grad
            .par_chunks(length)
            .zip(xs.par_chunks(length))
            .map(|(grad, xs)| {
                let mut sums = vec![0.0; weight.len()];
                for (i, (g, x)) in grad.iter().zip(xs).enumerate() {
                    if *x <= T::zero() {
                        sums[self.places[i % example]] += (*g * *x).wide();
                    }
                }
                sums
            })
            .collect();
        let mut sums = vec![0.0; weight.len()];
        pieces.iter().for_each(|piece| add_up(&mut sums, piece));
        let mut input = vec![T::zero(); if wants_input { xs.len() } else { 0 }];
        let inputs = grad.par_chunks(example).zip(xs.par_chunks(example));
        input.par_chunks_mut(example).zip(inputs).for_each(|(out, (grad, xs))| scale_gradient(out, grad, xs, &slopes));
        Gradients { input, weight: sums.into_iter().map(T::of).collect(), bias: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_axes_have_one_place() {
        assert_eq!(places(&[2, 3], &[2, 3]), [0, 1, 2, 3, 4, 5]);
        assert_eq!(places(&[2, 3], &[1, 3]), [0, 1, 2, 0, 1, 2]);
        assert_eq!(places(&[2, 3], &[2, 1]), [0, 0, 0, 1, 1, 1]);
        assert_eq!(places(&[2, 2, 2], &[1, 2, 1]), [0, 0, 1, 1, 0, 0, 1, 1]);
    }
}
