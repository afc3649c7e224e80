//! `RandomFlip`: images mirrored at random.

use crate::layer::layer;
use crate::{FlipMode, Inferred, Operand, ShapeError, augmentation};

layer! {
    /// While training, mirrors each image of `N, H, W, C` with probability 1/2.
    ///
    /// Unlike Keras', it does so left to right alone unless told otherwise: few things are as likely upside down.
    RandomFlip "random_flip" {
        ;
        /// The axes along which images may be mirrored.
        mode: FlipMode = FlipMode::Horizontal,
        /// A seed of its own, beside the model's.
        seed: Option<usize> = None,
    }
}

impl RandomFlip {
    /// The shape of its input.
    ///
    /// # Errors
    /// If the input is no image.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        augmentation::infer(Self::NAME, &[], inputs)
    }
}
