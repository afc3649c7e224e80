//! The same values in another shape.

use super::op::{dispatch, with_slices};
use super::real::Real;
use super::tape;
use candle_core::{Result, Shape, Tensor};

/// `xs` in `shape`, without moving a value unless it is noted on the tape: there a copy is far cheaper than what candle's
/// backward pass does for a reshape.
///
/// # Errors
/// If the shape is of another number of values.
pub(crate) fn reshape(xs: &Tensor, shape: &[usize]) -> Result<Tensor> {
    fn note<T: Real>(xs: &Tensor, shape: Shape) -> Result<Tensor> {
        let xs = xs.contiguous()?;
        let values = with_slices([&xs], "Reshape", |[xs]: [&[T]; 1]| xs.to_vec())?;
        let before = xs.shape().clone();
        let backward = |grad: &Tensor| Ok(vec![Some(grad.reshape(before)?)]);
        tape::note(&[&xs], values, shape, |_| Ok(Box::new(backward)))
    }
    let reshaped = xs.reshape(shape)?;
    if !xs.track_op() || !tape::is_recording(xs.device()) {
        return Ok(reshaped);
    }
    dispatch!(xs.dtype(), "Reshape", note(xs, shape.into()))
}
