//! `Resizing`: an image of any size becomes one of a given size.

use crate::layer::layer;
use crate::{Inferred, Interpolation, Operand, ShapeError, edges};

layer! {
    /// Images `N, H, W, C` sampled anew at a given height and width, as Keras' `Resizing`.
    Resizing "resizing" {
        /// The height of the output.
        height: usize,
        /// The width of the output.
        width: usize,
        ;
        /// How values between pixels are found.
        interpolation: Interpolation = Interpolation::Bilinear,
        /// Whether the edges are cut off first, so that nothing is stretched.
        crop_to_aspect_ratio: bool = false,
    }
}

impl Resizing {
    /// `H, W, C` to `height, width, C`.
    ///
    /// # Errors
    /// If the input is no image, or a size is 0.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        edges::resized(Self::NAME, [self.height, self.width], inputs)
    }
}
