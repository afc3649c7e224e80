//! Fully connected layers: one matrix product, with bias and activation in the same pass.

use super::matmul::{Into, Matrix, Threads, matmul};
use super::real::Real;
use super::weighted::{self, Gradients, Weighted, add_rows, finish, undo_activation};
use crate::spec::Activation;
use candle_core::{Result, Shape, Tensor};

/// `activation(xs·weightᵀ + bias)` of `xs`, `N, F`, `weight`, `U, F`, and `bias`, `U`: `N, U` out.
///
/// # Errors
/// If the shapes do not agree.
pub(crate) fn dense(xs: &Tensor, weight: &Tensor, bias: Option<&Tensor>, activation: Activation) -> Result<Tensor> {
    let (units, features) = weight.dims2()?;
    let batch = match xs.dims() {
        &[batch, found] if found == features => batch,
        other => candle_core::bail!("`Dense` takes a batch of N×{features}, found {other:?}"),
    };
    weighted::apply(xs, weight, bias, activation, |ends_in| Dense { batch, features, units, ends_in })
}

#[derive(Clone, Copy)]
struct Dense {
    batch: usize,
    features: usize,
    units: usize,
    ends_in: Activation,
}

impl Weighted for Dense {
    const NAME: &'static str = "Dense";

    fn shape(&self) -> Shape {
        (self.batch, self.units).into()
    }

    fn forward<T: Real>(&self, xs: &[T], weight: &[T], bias: Option<&[T]>) -> Vec<T> {
        let mut ys = vec![T::zero(); self.batch * self.units];
        let xs = Matrix::new(xs, self.batch, self.features);
        let weight = Matrix::new(weight, self.units, self.features);
        matmul(&mut ys, self.units, Into::Replace, xs, weight.transposed(), Threads::All);
        finish(&mut ys, self.units, bias.unwrap_or_default(), self.ends_in);
        ys
    }

    fn backward<T: Real>(&self, xs: &[T], weight: &[T], ys: &[T], grad: &[T], wants_input: bool) -> Gradients<T> {
        let mut scratch = Vec::new();
        let grad = undo_activation(self.ends_in, ys, grad, &mut scratch);
        let mut found = Gradients {
            input: vec![T::zero(); if wants_input { xs.len() } else { 0 }],
            weight: vec![T::zero(); weight.len()],
            bias: vec![T::zero(); self.units],
        };
        add_rows(&mut found.bias, grad);
        let grad = Matrix::new(grad, self.batch, self.units);
        let xs = Matrix::new(xs, self.batch, self.features);
        matmul(&mut found.weight, self.features, Into::Replace, grad.transposed(), xs, Threads::All);
        if wants_input {
            let weight = Matrix::new(weight, self.units, self.features);
            matmul(&mut found.input, self.features, Into::Replace, grad, weight, Threads::All);
        }
        found
    }
}
