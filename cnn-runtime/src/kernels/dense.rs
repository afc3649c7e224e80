//! Fully connected layers: one matrix product, with bias and activation in the same pass.

use super::activation::finish_on_gpu;
use super::factor::Pair;
use super::few_columns::{Large, transpose};
use super::gathered::{self, Packed};
use super::matmul::{Into, Matrix, Threads, matmul};
use super::real::Real;
use super::sums::column_sums_on_gpu;
use super::tile_matrix::{Unpacked, columns, pays, product_unpacked};
use super::weighted::{self, Ending, Gradients, Kept, TensorGradients, Wants, Weighted, add_rows, finish};
use crate::Precision;
use crate::gpu::{Gpu, tensor};
use crate::spec::Activation;
use candle_core::{Result, Shape, Storage, Tensor};

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
    weighted::apply(xs, weight, bias, activation, |ends_in| Dense {
        batch,
        features,
        units,
        ends_in,
        precision: Precision::current(),
    })
}

#[derive(Clone, Copy)]
struct Dense {
    batch: usize,
    features: usize,
    units: usize,
    ends_in: Activation,
    precision: Precision,
}

impl Dense {
    fn pays_on_tiles(&self) -> bool {
        pays(self.batch, self.features, self.units)
    }

    /// Whether vectors multiply the weights where they lie, so that only what goes in and comes out is laid out. Pairs do not lie there.
    fn pays_in_place(&self) -> bool {
        /// Examples from which on it takes no longer to lay out the weights.
        const MANY: usize = 65;
        self.batch < self.units.min(MANY) && gathered::pays(self.batch) && !Pair::serve(self.precision)
    }

    /// The gradients, from that of the output before the activation.
    fn backward_on_tiles<T: Real>(&self, xs: &[f32], weight: &[f32], grad: &[f32], wants_input: bool) -> Gradients<T> {
        let &Self { batch, features, units, precision, .. } = self;
        let turned = transpose(grad, units);
        let ending = Ending::default();
        let times = |lhs: &[f32], depth: usize, rhs: &[f32]| {
            let rhs = Unpacked::new(precision, rhs, (0..depth).map(|row| Some(row * features)), 0..features);
            product_unpacked(lhs, depth, &rhs, ending)
        };
        let of_weight = times(&turned, batch, xs);
        let input = if wants_input { times(grad, units, weight) } else { Vec::new() };
        let mut bias = vec![0.0; units];
        add_rows(&mut bias, grad);
        Gradients { input: T::from_singles(input), weight: T::from_singles(of_weight), bias: T::from_singles(bias) }
    }

    /// As [`backward_on_tiles`](Self::backward_on_tiles), on vectors.
    fn backward_on_vectors<T: Real>(&self, xs: &[f32], weight: &[f32], grad: &[f32], wants_input: bool) -> Gradients<T> {
        /// Values from a row of the weights to the next, at most, where they are multiplied column by column. Caches keep few lines
        /// that lie pages apart, and look up each page by itself.
        const NEAR: usize = 512;
        let &Self { batch, features, units, precision, .. } = self;
        let ending = Ending::default();
        let times =
            |shape: [usize; 2], lhs: &[f32], rows: &[f32]| Packed::of_rows(precision, rows, features).product(shape, lhs, ending);
        let turned = transpose(grad, units);
        let of_weight = times([units, batch], &turned, xs);
        let input = match wants_input {
            false => Vec::new(),
            true if self.pays_in_place() && features <= NEAR => {
                Large::new(weight, [units, features]).turned().product(&turned, batch, ending)
            }
            true => times([batch, units], grad, weight),
        };
        let mut bias = vec![0.0; units];
        add_rows(&mut bias, grad);
        Gradients { input: T::from_singles(input), weight: T::from_singles(of_weight), bias: T::from_singles(bias) }
    }
}

impl Weighted for Dense {
    const NAME: &'static str = "Dense";

    fn shape(&self) -> Shape {
        (self.batch, self.units).into()
    }

    fn forward<T: Real>(&self, xs: &[T], weight: &[T], bias: Option<&[T]>) -> Vec<T> {
        if let (true, Some(xs), Some(weight)) = (self.pays_on_tiles(), T::singles(xs), T::singles(weight)) {
            let right = columns(self.precision, weight, self.features);
            let ending = Ending { bias: bias.and_then(T::singles), activation: self.ends_in, ..Ending::default() };
            return T::from_singles(product_unpacked(xs, self.features, &right, ending));
        }
        if let (true, Some(xs), Some(weight)) = (self.pays_in_place(), T::singles(xs), T::singles(weight)) {
            let ending = Ending { bias: bias.and_then(T::singles), activation: self.ends_in, ..Ending::default() };
            let columns = transpose(xs, self.features);
            return T::from_singles(Large::new(weight, [self.units, self.features]).product(&columns, self.batch, ending));
        }
        if let (true, Some(xs), Some(weight)) = (gathered::pays(self.units), T::singles(xs), T::singles(weight)) {
            let packed = Packed::of_columns(self.precision, weight, [self.features, self.units]);
            let ending = Ending { bias: bias.and_then(T::singles), activation: self.ends_in, ..Ending::default() };
            let shape = [self.batch, self.features];
            return T::from_singles(packed.product(shape, xs, ending));
        }
        let mut ys = vec![T::zero(); self.batch * self.units];
        let xs = Matrix::new(xs, self.batch, self.features);
        let weight = Matrix::new(weight, self.units, self.features);
        matmul(&mut ys, self.units, Into::Replace, xs, weight.transposed(), Threads::All);
        finish(&mut ys, self.units, bias.unwrap_or_default(), self.ends_in);
        ys
    }

    fn apart(&self, _of_weights_alone: bool) -> Option<(Activation, Self)> {
        (self.ends_in != Activation::Linear).then_some((self.ends_in, Self { ends_in: Activation::Linear, ..*self }))
    }

    fn backward<T: Real>(&self, xs: &[T], weight: &[T], _ys: &[T], grad: &[T], of_input: Option<Ending<T>>) -> Gradients<T> {
        if let (true, Some(xs), Some(weight), Some(grad)) =
            (self.pays_on_tiles(), T::singles(xs), T::singles(weight), T::singles(grad))
        {
            return self.backward_on_tiles(xs, weight, grad, of_input.is_some());
        }
        if let (true, Some(xs), Some(weight), Some(grad)) =
            (gathered::pays(self.features), T::singles(xs), T::singles(weight), T::singles(grad))
        {
            return self.backward_on_vectors(xs, weight, grad, of_input.is_some());
        }
        let mut found = Gradients {
            input: vec![T::zero(); if of_input.is_some() { xs.len() } else { 0 }],
            weight: vec![T::zero(); weight.len()],
            bias: vec![T::zero(); self.units],
        };
        add_rows(&mut found.bias, grad);
        let grad = Matrix::new(grad, self.batch, self.units);
        let xs = Matrix::new(xs, self.batch, self.features);
        matmul(&mut found.weight, self.features, Into::Replace, grad.transposed(), xs, Threads::All);
        if of_input.is_some() {
            let weight = Matrix::new(weight, self.units, self.features);
            matmul(&mut found.input, self.features, Into::Replace, grad, weight, Threads::All);
        }
        found
    }

    fn forward_on_gpu(&self, gpu: Gpu, xs: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Storage> {
        let mut ys = gpu.matmul(xs, &weight.t()?, self.precision)?;
        finish_on_gpu(gpu, &mut ys, self.batch * self.units, bias, self.ends_in)?;
        Ok(ys)
    }

    fn backward_on_gpu(&self, gpu: Gpu, tensors: Kept, grad: &Tensor, wants: Wants) -> Result<TensorGradients> {
        let input = wants.input.then(|| gpu.matmul(grad, tensors.weight, self.precision)).transpose()?;
        Ok(TensorGradients {
            input: input.map(|input| tensor(input, tensors.xs.shape())),
            weight: tensor(gpu.matmul(&grad.t()?, tensors.xs, self.precision)?, tensors.weight.shape()),
            bias: wants.bias.then(|| column_sums_on_gpu(gpu, grad)).transpose()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::share::alone;
    use crate::kernels::weighted::backward_of_all;
    use crate::testing::numbers;

    fn expect_near(found: &[f32], exact: &[f64], what: &str) {
        assert_eq!(found.len(), exact.len(), "{what}");
        for (place, (found, exact)) in found.iter().zip(exact).enumerate() {
            assert!(
                (f64::from(*found) - exact).abs() < 5e-6 * exact.abs().max(100.0),
                "{what}[{place}] is {found}, exactly {exact}"
            );
        }
    }

    /// Whether or not threads share the columns of each product, these fill the last of 16, or weights are multiplied where they lie.
    #[test]
    fn large_products_of_singles_are_those_of_doubles() {
        for (batch, features, units, pays) in [
            (16, 300, 301, true),
            (100, 257, 64, true),
            (33, 1000, 47, true),
            (33, 500, 47, false),
            (600, 100, 40, true),
            (513, 64, 33, true),
        ] {
            let dense = Dense { batch, features, units, ends_in: Activation::Linear, precision: Precision::F32 };
            assert_eq!(dense.pays_on_tiles(), pays && super::super::tiles::available());
            let counts = [batch * features, units * features, batch * units, units];
            let [x, w, g, b] = counts.map(|count| numbers::<f32>(count, count));
            let [xs, weight, grad, bias] = counts.map(|count| numbers::<f64>(count, count));

            let output = dense.forward(&x, &w, Some(&b));
            expect_near(&output, &dense.forward(&xs, &weight, Some(&bias)), "output");
            assert_eq!(alone(|| dense.forward(&x, &w, Some(&b))), output, "by one thread");
            let (found, exact) =
                (backward_of_all(&dense, [&x, &w, &[], &g]), backward_of_all(&dense, [&xs, &weight, &[], &grad]));
            expect_near(&found.input, &exact.input, "gradient of the input");
            expect_near(&found.weight, &exact.weight, "gradient of the weights");
            expect_near(&found.bias, &exact.bias, "gradient of the bias");
        }
    }
}
