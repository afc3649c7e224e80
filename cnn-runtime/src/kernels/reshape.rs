//! The same values in another shape.

use super::tape;
use candle_core::{Result, Tensor};

/// `xs` in `shape`, without moving a value if they lie row by row.
///
/// # Errors
/// If the shape is of another number of values.
pub(crate) fn reshape(xs: &Tensor, shape: &[usize]) -> Result<Tensor> {
    let reshaped = xs.reshape(shape)?;
    Ok(if tape::is_recording(xs.device()) { tape::note_reshaped(xs, reshaped) } else { reshaped })
}
