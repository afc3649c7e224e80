//! `MaxPooling3D`: the largest value of each window.

use crate::layer::layer;
use crate::{Inferred, Operand, Padding, ShapeError, Sliding, pooling};

layer! {
    /// The maximum of each window of each channel of `N, D, H, W, C`, as Keras' `MaxPooling3D`.
    MaxPooling3D "max_pooling3d" {
        ;
        /// The window's depth, height and width.
        pool_size: [usize; 3] = [2, 2, 2],
        /// The cells from one window to the next; the window's own size unless given.
        strides | stride: Option<[usize; 3]> = None,
        /// The cells added around the volume; they never win.
        padding: Padding<3> = Padding::Valid,
        /// Whether a window that does not fit a whole number of times is an error.
        strict: bool = false,
    }
}

impl MaxPooling3D {
    /// The window it slides over the volume.
    pub const fn window(&self) -> Sliding<3> {
        pooling::window(self.pool_size, self.strides, self.padding, self.strict)
    }

    /// `D, H, W, C` to `D', H', W', C` by the window rule.
    ///
    /// # Errors
    /// If the input is no volume, the window does not fit it, or the padding could fill a window.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        pooling::sliding(Self::NAME, &self.window(), inputs)
    }
}
