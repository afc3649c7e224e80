//! `RandomCrop`: another part of an image every time.

use crate::layer::layer;
use crate::{Inferred, Operand, ShapeError, edges};

layer! {
    /// While training, a part of each image of `N, H, W, C` at a random place; otherwise its middle. An image too small for it
    /// is first made larger, its proportions kept.
    ///
    /// Unlike Keras', the place differs from image to image of a batch, and predictions see the middle at the scale that
    /// training sees.
    RandomCrop "random_crop" {
        /// The height of the output.
        height: usize,
        /// The width of the output.
        width: usize,
        ;
        /// A seed of its own, beside the model's.
        seed: Option<usize> = None,
    }
}

impl RandomCrop {
    /// `H, W, C` to `height, width, C`.
    ///
    /// # Errors
    /// If the input is no image, or a size is 0.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        edges::resized(Self::NAME, [self.height, self.width], inputs)
    }
}
