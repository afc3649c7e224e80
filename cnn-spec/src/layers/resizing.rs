//! `Resizing`: an image of any size becomes one of a given size.

use crate::layer::layer;
use crate::{Inferred, Operand, Resampling, ShapeError, edges};

layer! {
    /// Images `N, H, W, C` sampled anew at a given height and width, as Keras' `Resizing`.
    Resizing "resizing" {
        /// The height of the output.
        height: usize,
        /// The width of the output.
        width: usize,
        ;
        /// How values between pixels are found.
        interpolation: Resampling = Resampling::Bilinear,
        /// Whether the edges are cut off first, so that nothing is stretched.
        crop_to_aspect_ratio: bool = false,
        /// Whether a smaller image is a mean of all its pixels: the kernel reaches as much farther as the image shrinks.
        antialias: bool = false,
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
