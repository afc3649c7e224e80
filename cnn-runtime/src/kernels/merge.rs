//! Several tensors become one, element by element.
//!
//! What decides between tensors, maximum and minimum, shares the gradient between equals.

use super::activation::{activate, sums_on_gpu};
use super::arithmetic::{affine, difference, product};
use super::computed::Computed;
use super::fill::{CHUNK, in_chunks};
use super::op::{dispatch, expect_reals, kept, with_slices};
use super::real::Real;
use super::simd::simd;
use super::tape;
use super::weighted::{before_activation, finish};
use crate::gpu::{Gpu, Kernel, Work, arguments, tensor};
use crate::spec::Activation;
use candle_core::{CpuStorage, CudaStorage, CustomOp2, DType, Layout, Result, Shape, Storage, Tensor};

/// `a + b + …`
pub(crate) fn add(xs: &[&Tensor]) -> Result<Tensor> {
    reduce("Add", xs, |a, b| sum(a, b, Activation::Linear))
}

/// `activation(a + b)`, of one shape, for an activation whose slope follows from its output; by candle where it has to be
/// differentiated and is not noted on the tape.
pub(crate) fn sum(a: &Tensor, b: &Tensor, activation: Activation) -> Result<Tensor> {
    let tracked = a.track_op() || b.track_op();
    let is_float = matches!(a.dtype(), DType::F32 | DType::F64) && a.dtype() == b.dtype();
    if !is_float || a.device().is_metal() || (tracked && !tape::is_recording(a.device())) {
        return activate(&(a + b)?, activation);
    }
    let (a, b) = (a.contiguous()?, b.contiguous()?);
    let (values, shape) = (sums(&a, &b, activation)?, a.shape().clone());
    if !tracked {
        return Ok(tensor(values, shape));
    }
    tape::note(&[&a, &b], values, shape, activation == Activation::Relu, move |sums| {
        let sums = kept(sums, activation != Activation::Linear)?;
        Ok(Box::new(move |arrived, _| {
            let grad = before_activation(activation, &sums, arrived)?;
            Ok(vec![Some(grad.clone()), Some(grad)])
        }))
    })
}

/// The values of [`sum`], wherever the tensors are, which lie row by row.
fn sums(a: &Tensor, b: &Tensor, activation: Activation) -> Result<Storage> {
    fn on_cpu<T: Real>(a: &Tensor, b: &Tensor, activation: Activation) -> Result<Storage> {
        let values = with_slices([a, b], "Add", |[a, b]: [&[T]; 2]| {
            in_chunks(a.len(), CHUNK, |number, sums| {
                add_up(&a[number * CHUNK..], &b[number * CHUNK..], sums);
                finish(sums, 1, &[], activation);
            })
        })?;
        Ok(Storage::Cpu(T::to_cpu_storage_owned(values)))
    }
    if a.dims() != b.dims() {
        candle_core::bail!("`Add` needs equal shapes, found {:?} and {:?}", a.dims(), b.dims());
    }
    match Gpu::of(a.device()) {
        Some(gpu) => sums_on_gpu(gpu, a, b, activation),
        None => dispatch!(a.dtype(), "Add", on_cpu(a, b, activation)),
    }
}

simd! {
    fn add_up<T: Real>(a: &[T], b: &[T], sums: &mut [T]) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum = *a + *b;
        }
    }
}

/// `a − b`
pub(crate) fn subtract(xs: &[&Tensor]) -> Result<Tensor> {
    reduce("Subtract", xs, difference)
}

/// `a · b · …`
pub(crate) fn multiply(xs: &[&Tensor]) -> Result<Tensor> {
    reduce("Multiply", xs, product)
}

/// `(a + b + …) / n`
pub(crate) fn average(xs: &[&Tensor]) -> Result<Tensor> {
    affine(&reduce("Average", xs, |a, b| sum(a, b, Activation::Linear))?, 1.0 / xs.len() as f64, 0.0)
}

/// `max(a, b, …)`
pub(crate) fn maximum(xs: &[&Tensor]) -> Result<Tensor> {
    reduce("Maximum", xs, |a, b| Choice { name: "Maximum", largest: true }.apply(a, b))
}

/// `min(a, b, …)`
pub(crate) fn minimum(xs: &[&Tensor]) -> Result<Tensor> {
    reduce("Minimum", xs, |a, b| Choice { name: "Minimum", largest: false }.apply(a, b))
}

pub(super) fn given<'a>(name: &str, xs: &[&'a Tensor]) -> Result<&'a Tensor> {
    match xs {
        [first, ..] => Ok(first),
        [] => candle_core::bail!("`{name}` takes at least two tensors, found 0"),
    }
}

/// Merges tensors of one shape two at a time, the first two first.
fn reduce(name: &str, xs: &[&Tensor], merge: impl Fn(&Tensor, &Tensor) -> Result<Tensor>) -> Result<Tensor> {
    let first = given(name, xs)?;
    xs[1..].iter().try_fold(first.clone(), |merged, x| {
        if x.dims() != merged.dims() {
            candle_core::bail!("`{name}` needs equal shapes, found {:?} and {:?}", merged.dims(), x.dims());
        }
        merge(&merged, x)
    })
}

const FAMILY: &str = "merge";

/// The larger or the smaller of two elements. Of equal ones each has half the gradient, as in PyTorch.
struct Choice {
    name: &'static str,
    largest: bool,
}

/// Whether the first of two elements is the one to choose.
#[inline(always)]
fn is_first<T: Real>(largest: bool, a: T, b: T) -> bool {
    // Neither is larger than what is no number, which is kept, so that it is seen.
    a.is_nan() || if largest { a > b } else { a < b }
}

simd! {
    fn choose<T: Real>(largest: bool, a: &[T], b: &[T], ys: &mut [T]) {
        for ((y, a), b) in ys.iter_mut().zip(a).zip(b) {
            *y = if is_first(largest, *a, *b) { *a } else { *b };
        }
    }
}

simd! {
    /// Writes the gradient of `a`, or of `b` if that `is_second`, for that of the elements chosen from both.
    fn share_out<T: Real>(largest: bool, is_second: bool, a: &[T], b: &[T], grad: &[T], ys: &mut [T]) {
        let half = T::one() / (T::one() + T::one());
        for (((y, a), b), grad) in ys.iter_mut().zip(a).zip(b).zip(grad) {
            let is_chosen = is_first(largest, *a, *b) != is_second;
            let share = if is_chosen { T::one() } else { T::zero() };
            *y = *grad * if *a == *b { half } else { share };
        }
    }
}

impl Choice {
    /// Of each element of `a` and `b` the one to choose; they are of one shape.
    fn apply(self, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        let (a, b) = (a.contiguous()?, b.contiguous()?);
        let (values, shape) = (self.values(&a, &b)?, a.shape().clone());
        if !a.track_op() && !b.track_op() {
            return Ok(tensor(values, shape));
        }
        if !tape::is_recording(a.device()) {
            return a.apply_op2(&b, ChoiceOperation { choice: self, output: Computed::new(values, shape) });
        }
        tape::note(&[&a, &b], values, shape, false, |_| {
            let (a, b) = (a.detach(), b.detach());
            Ok(Box::new(move |arrived, _| Ok(self.gradients(&a, &b, &arrived.gradient)?.map(Some).into())))
        })
    }

    /// The values, wherever the tensors are, which lie row by row.
    fn values(&self, a: &Tensor, b: &Tensor) -> Result<Storage> {
        fn on_cpu<T: Real>(choice: &Choice, a: &Tensor, b: &Tensor) -> Result<Storage> {
            let values = with_slices([a, b], choice.name, |[a, b]: [&[T]; 2]| {
                in_chunks(a.len(), CHUNK, |number, ys| choose(choice.largest, &a[number * CHUNK..], &b[number * CHUNK..], ys))
            })?;
            Ok(Storage::Cpu(T::to_cpu_storage_owned(values)))
        }
        let Some(gpu) = Gpu::of(a.device()) else { return dispatch!(a.dtype(), self.name, on_cpu(self, a, b)) };
        expect_reals([a, b], self.name)?;
        let (count, dtype) = (a.elem_count(), a.dtype());
        let mut ys = gpu.empty(dtype, count)?;
        let arguments = arguments![&mut ys, a, b, count, i32::from(self.largest)];
        // SAFETY: it reads `count` values of `a` and `b` and writes as many of `ys`, which all have.
        unsafe { gpu.launch(&Kernel::new(FAMILY, "choices", dtype), Work::Each(count), arguments) }?;
        Ok(ys)
    }

    /// The gradients of both.
    fn gradients(&self, a: &Tensor, b: &Tensor, grad: &Tensor) -> Result<[Tensor; 2]> {
        fn on_cpu<T: Real>(choice: &Choice, a: &Tensor, b: &Tensor, grad: &Tensor) -> Result<[Tensor; 2]> {
            let gradient = |is_second: bool| {
                with_slices([a, b, grad], choice.name, |[a, b, grad]: [&[T]; 3]| {
                    in_chunks(a.len(), CHUNK, |number, ys| {
                        let [a, b, grad] = [a, b, grad].map(|values| &values[number * CHUNK..]);
                        share_out(choice.largest, is_second, a, b, grad, ys);
                    })
                })
            };
            let (first, second) = (gradient(false)?, gradient(true)?);
            let tensor = |values: Vec<T>| Tensor::from_vec(values, a.shape(), a.device());
            Ok([tensor(first)?, tensor(second)?])
        }
        let grad = grad.contiguous()?;
        let Some(gpu) = Gpu::of(a.device()) else { return dispatch!(a.dtype(), self.name, on_cpu(self, a, b, &grad)) };
        expect_reals([a, b, &grad], self.name)?;
        let (count, dtype) = (a.elem_count(), a.dtype());
        let (mut first, mut second) = (gpu.empty(dtype, count)?, gpu.empty(dtype, count)?);
        let arguments = arguments![&mut first, &mut second, a, b, &grad, count, i32::from(self.largest)];
        // SAFETY: it reads `count` values of each and writes as many of both gradients, which all have.
        unsafe { gpu.launch(&Kernel::new(FAMILY, "choice_gradients", dtype), Work::Each(count), arguments) }?;
        Ok([tensor(first, a.shape()), tensor(second, a.shape())])
    }
}

/// A choice in candle's graph.
struct ChoiceOperation {
    choice: Choice,
    output: Computed,
}

impl CustomOp2 for ChoiceOperation {
    fn name(&self) -> &'static str {
        self.choice.name
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        self.output.take_from_cpu()
    }

    fn cuda_fwd(&self, _: &CudaStorage, _: &Layout, _: &CudaStorage, _: &Layout) -> Result<(CudaStorage, Shape)> {
        self.output.take_from_cuda()
    }

    fn bwd(&self, a: &Tensor, b: &Tensor, _ys: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let [first, second] = self.choice.gradients(&a.detach(), &b.detach(), &grad.detach())?;
        Ok((Some(first), Some(second)))
    }
}
