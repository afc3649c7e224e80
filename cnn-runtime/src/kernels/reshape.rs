//! The same values in another shape.

use super::activation;
use super::op::{dispatch, with_slices};
use super::real::Real;
use super::tape;
use crate::gpu::Gpu;
use candle_core::{Result, Storage, Tensor};

/// `xs` in `shape`, without moving a value unless it is noted on the tape: there a copy is far cheaper than what candle's
/// backward pass does for a reshape.
///
/// # Errors
/// If the shape is of another number of values.
pub(crate) fn reshape(xs: &Tensor, shape: &[usize]) -> Result<Tensor> {
    let reshaped = xs.reshape(shape)?;
    if !xs.track_op() || !tape::is_recording(xs.device()) {
        return Ok(reshaped);
    }
    let xs = xs.contiguous()?;
    let before = xs.shape().clone();
    tape::note(&[&xs], copy(&xs)?, shape.into(), false, |_| {
        Ok(Box::new(|arrived, _| Ok(vec![Some(arrived.gradient.reshape(before)?)])))
    })
}

/// A copy of the values of `xs`, which lie row by row.
fn copy(xs: &Tensor) -> Result<Storage> {
    fn on_cpu<T: Real>(xs: &Tensor) -> Result<Storage> {
        with_slices([xs], "Reshape", |[xs]: [&[T]; 1]| Storage::Cpu(T::to_cpu_storage_owned(xs.to_vec())))
    }
    match Gpu::of(xs.device()) {
        Some(gpu) => activation::values_on_gpu(gpu, xs, "linear", [0.0; 3]),
        None => dispatch!(xs.dtype(), "Reshape", on_cpu(xs)),
    }
}
