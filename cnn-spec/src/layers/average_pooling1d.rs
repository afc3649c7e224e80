//! `AveragePooling1D`: the mean of each window.

use crate::layer::layer;
use crate::{Inferred, Operand, Padding, ShapeError, Sliding, pooling};

layer! {
    /// The mean of each window of each channel of `N, W, C`, of the cells that lie inside the sequence, as Keras' `AveragePooling1D`.
    AveragePooling1D "average_pooling1d" {
        /// The window's length.
        pool_size: [usize; 1],
        ;
        /// The cells from one window to the next; the window's own size unless given.
        strides | stride: Option<[usize; 1]> = None,
        /// The cells added around the sequence; they never count.
        padding: Padding<1> = Padding::Valid,
        /// Whether a window that does not fit a whole number of times is an error.
        strict: bool = false,
    }
}

impl AveragePooling1D {
    /// The window it slides over the sequence.
    pub const fn window(&self) -> Sliding<1> {
        pooling::window(self.pool_size, self.strides, self.padding, self.strict)
    }

    /// `W, C` to `W', C` by the window rule.
    ///
    /// # Errors
    /// If the input is no sequence, the window does not fit it, or the padding could fill a window.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        pooling::sliding(Self::NAME, &self.window(), inputs)
    }
}
