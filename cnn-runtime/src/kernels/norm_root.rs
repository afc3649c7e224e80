//! Values divided by the root of the sum, or of the mean, of their squares: unit and root-mean-square normalisation.

use super::norm_group::Groups;
use super::op::{self, Unary};
use super::real::Real;
use super::weighted::{self, Ending, Gradients, Kept, TensorGradients, Wants, Weighted};
use crate::gpu::{Gpu, Kernel, Work, arguments};
use crate::spec::Activation;
use candle_core::{Result, Shape, Storage, Tensor};

/// `x/√Σx²` of each `length` values of `xs` that follow each other; a root below 10⁻¹² counts as that.
///
/// # Errors
/// If the tensor's type is not a float.
pub(crate) fn unit_norm(xs: &Tensor, length: usize) -> Result<Tensor> {
    op::apply(xs, UnitNorm { length: length.max(1) })
}

/// `weight·x/√(mean(x²) + epsilon)` of each values of `xs` that follow each other, as many as there are weights.
///
/// # Errors
/// If the values are no multiple of the weights.
pub(crate) fn rms_norm(xs: &Tensor, weight: &Tensor, epsilon: f64) -> Result<Tensor> {
    if !xs.elem_count().is_multiple_of(weight.elem_count().max(1)) {
        candle_core::bail!("`{}` has {} weights for a batch {:?}", RmsNorm::NAME, weight.elem_count(), xs.dims());
    }
    weighted::apply(xs, weight, None, Activation::Linear, |_| RmsNorm { dims: xs.dims().to_vec(), epsilon })
}

fn sum<T: Real>(values: impl Iterator<Item = T>) -> f64 {
    values.map(Real::wide).sum()
}

struct UnitNorm {
    length: usize,
}

impl UnitNorm {
    /// The smallest root.
    const LEAST: f64 = 1e-12;

    fn root<T: Real>(xs: &[T]) -> f64 {
        sum(xs.iter().map(|x| *x * *x)).sqrt()
    }
}

impl Unary for UnitNorm {
    fn name(&self) -> &'static str {
        "UnitNormalization"
    }

    fn forward<T: Real>(&self, xs: &[T], _dims: &[usize]) -> Vec<T> {
        let mut ys = xs.to_vec();
        for row in ys.chunks_mut(self.length) {
            let inverse = T::of(Self::root(row).max(Self::LEAST).recip());
            row.iter_mut().for_each(|y| *y *= inverse);
        }
        ys
    }

    /// `(g − y·Σ(g·y))/√Σx²`, or `g/10⁻¹²` where the root is smaller than that.
    fn backward<T: Real>(&self, xs: &[T], ys: &[T], grad: &[T], _dims: &[usize]) -> Vec<T> {
        let mut out = grad.to_vec();
        for ((out, xs), ys) in out.chunks_mut(self.length).zip(xs.chunks(self.length)).zip(ys.chunks(self.length)) {
            let root = Self::root(xs);
            let along = if root > Self::LEAST { sum(out.iter().zip(ys).map(|(g, y)| *g * *y)) } else { 0.0 };
            let (along, inverse) = (T::of(along), T::of(root.max(Self::LEAST).recip()));
            out.iter_mut().zip(ys).for_each(|(g, y)| *g = (*g - *y * along) * inverse);
        }
        out
    }

    fn forward_on_gpu(&self, gpu: Gpu, xs: &Tensor) -> Result<Storage> {
        unit_values_on_gpu(gpu, xs, self.length, Self::LEAST)
    }

    fn backward_on_gpu(&self, gpu: Gpu, xs: &Tensor, ys: &Tensor, grad: &Tensor, _dims: &[usize]) -> Result<Storage> {
        unit_gradients_on_gpu(gpu, xs, ys, grad, self.length, Self::LEAST)
    }
}

/// Rows of `length` values of `xs` divided by the root of the sum of their squares, or by `least` if that is smaller.
pub(crate) fn unit_values_on_gpu(gpu: Gpu, xs: &Tensor, length: usize, least: f64) -> Result<Storage> {
    let (count, dtype) = (xs.elem_count(), xs.dtype());
    let mut ys = gpu.empty(dtype, count)?;
    let kernel = Kernel::new("norm", "unit_values", dtype);
    let (rows, work) = (count / length, Work::Blocks { count: count / length, width: length });
    // SAFETY: it reads and writes that many rows, which are at most the `count` values that both have.
    unsafe { gpu.launch(&kernel, work, arguments![&mut ys, xs, rows, length, least]) }?;
    Ok(ys)
}

/// The gradient of `xs`, from the gradient `grad` of what [`unit_values_on_gpu`] has made of it, `ys`.
pub(crate) fn unit_gradients_on_gpu(
    gpu: Gpu,
    xs: &Tensor,
    ys: &Tensor,
    grad: &Tensor,
    length: usize,
    least: f64,
) -> Result<Storage> {
    let (count, dtype) = (grad.elem_count(), grad.dtype());
    let mut out = gpu.empty(dtype, count)?;
    let kernel = Kernel::new("norm", "unit_gradients", dtype);
    let (rows, work) = (count / length, Work::Blocks { count: count / length, width: length });
    // SAFETY: as in the forward pass; all have the shape of the input.
    unsafe { gpu.launch(&kernel, work, arguments![&mut out, xs, ys, grad, rows, length, least]) }?;
    Ok(out)
}

struct RmsNorm {
    dims: Vec<usize>,
    epsilon: f64,
}

impl RmsNorm {
    /// One over the root of the mean square.
    fn inverse<T: Real>(&self, xs: &[T]) -> f64 {
        (sum(xs.iter().map(|x| *x * *x)) / xs.len() as f64 + self.epsilon).sqrt().recip()
    }
}

impl Weighted for RmsNorm {
    const NAME: &'static str = "RMSNormalization";

    fn shape(&self) -> Shape {
        self.dims.as_slice().into()
    }

    fn forward<T: Real>(&self, xs: &[T], weight: &[T], _bias: Option<&[T]>) -> Vec<T> {
        let mut ys = xs.to_vec();
        for row in ys.chunks_mut(weight.len().max(1)) {
            let inverse = T::of(self.inverse(row));
            row.iter_mut().zip(weight).for_each(|(y, w)| *y = *y * inverse * *w);
        }
        ys
    }

    /// With `r` one over the root and `M` values, the gradient of `x` is `r·weight·g − x·r³·Σ(weight·g·x)/M`, that of a
    /// weight `Σ g·x·r`.
    fn backward<T: Real>(&self, xs: &[T], weight: &[T], _ys: &[T], grad: &[T], of_input: Option<Ending<T>>) -> Gradients<T> {
        let length = weight.len().max(1);
        let mut of_weight = vec![0.0; weight.len()];
        let mut input = Vec::with_capacity(if of_input.is_some() { xs.len() } else { 0 });
        for (xs, grad) in xs.chunks(length).zip(grad.chunks(length)) {
            let inverse = self.inverse(xs);
            for ((total, x), g) in of_weight.iter_mut().zip(xs).zip(grad) {
                *total += g.wide() * x.wide() * inverse;
            }
            if of_input.is_some() {
                let points = || xs.iter().zip(weight).zip(grad);
                let along = sum(points().map(|((x, w), g)| *w * *g * *x)) * inverse.powi(3) / xs.len() as f64;
                let (along, inverse) = (T::of(along), T::of(inverse));
                input.extend(points().map(|((x, w), g)| *w * *g * inverse - *x * along));
            }
        }
        Gradients { input, weight: of_weight.into_iter().map(T::of).collect(), bias: Vec::new() }
    }

    fn forward_on_gpu(&self, gpu: Gpu, xs: &Tensor, weight: &Tensor, _bias: Option<&Tensor>) -> Result<Storage> {
        self.on_gpu(weight).forward(gpu, xs, weight, None)
    }

    fn backward_on_gpu(&self, gpu: Gpu, tensors: Kept, grad: &Tensor, wants: Wants) -> Result<TensorGradients> {
        self.on_gpu(tensors.weight).backward(gpu, tensors, grad, wants)
    }

    fn reads_output(&self) -> bool {
        false
    }
}

impl RmsNorm {
    /// Each vector as a group from which no mean is taken.
    fn on_gpu(&self, weight: &Tensor) -> Groups {
        let channels = weight.elem_count();
        let examples = self.dims.iter().product::<usize>().checked_div(channels).unwrap_or(0);
        let (examples, channels) = (examples as i64, channels as i64);
        Groups { examples, positions: 1, channels, groups: 1, epsilon: self.epsilon, is_centered: 0, wants_input: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    #[test]
    fn a_vector_of_zeros_stays_one() {
        let xs = Var::new(&[[0f64, 0.], [3., -4.]], &Device::Cpu).unwrap();
        let ys = unit_norm(&xs, 2).unwrap();
        let gradient = ys.sum_all().unwrap().backward().unwrap().get(&xs).unwrap().flatten_all().unwrap();
        let close = |found: &Tensor, expected: [f64; 4]| {
            let found = found.flatten_all().unwrap().to_vec1::<f64>().unwrap();
            let is_close = found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-15);
            assert!(is_close, "{found:?} is not {expected:?}");
        };
        close(&ys, [0., 0., 0.6, -0.8]);
        close(&gradient, [1e12, 1e12, (1. + 0.6 * 0.2) / 5., (1. - 0.8 * 0.2) / 5.]);
    }

    #[cfg(feature = "emulated-cuda")]
    #[test]
    fn a_gpu_gives_the_same_however_threads_share_the_values() {
        for (rows, length) in [(200, 7), (3, 1000), (70, 1)] {
            crate::kernels::op::on_gpu::expect_the_same(&UnitNorm { length }, &[rows, length]);
            let op = RmsNorm { dims: vec![rows, length], epsilon: 1e-3 };
            weighted::on_gpu::expect_the_same(&op, &[rows, length], &[length], None);
        }
    }
}
