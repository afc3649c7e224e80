//! `SumPooling2D`: the sum of each window.

use crate::layer::layer;
use crate::{Inferred, Operand, Padding, ShapeError, Sliding, pooling};

layer! {
    /// The sum of each window of each channel of `N, H, W, C`: the mean without the division, which Keras lacks.
    SumPooling2D "sum_pooling2d" {
        /// The window's height and width.
        pool_size: [usize; 2],
        ;
        /// The cells from one window to the next; the window's own size unless given.
        strides | stride: Option<[usize; 2]> = None,
        /// The cells added around the image; they count as 0.
        padding: Padding<2> = Padding::Valid,
        /// Whether a window that does not fit a whole number of times is an error.
        strict: bool = false,
    }
}

impl SumPooling2D {
    /// The window it slides over the image.
    pub const fn window(&self) -> Sliding<2> {
        pooling::window(self.pool_size, self.strides, self.padding, self.strict)
    }

    /// `H, W, C` to `H', W', C` by the window rule.
    ///
    /// # Errors
    /// If the input is no image, the window does not fit it, or the padding could fill a window.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        pooling::sliding(Self::NAME, &self.window(), inputs)
    }
}
