//! `RandomContrast`: the contrast of images changed at random.

use crate::augmentation::Drawn;
use crate::layer::layer;
use crate::{Inferred, Operand, ShapeError, augmentation};

layer! {
    /// While training, multiplies the distance of each value of an image of `N, H, W, C` from its channel's mean by a random
    /// factor, as Keras' `RandomContrast`, but for values from 0 to 1 unless told otherwise.
    RandomContrast "random_contrast" {
        /// What is added to a factor of 1: `0.2` draws factors from 0.8 to 1.2.
        factor: [f64; 2],
        ;
        /// The least and the largest value that pixels have; what goes beyond is cut.
        value_range: [f64; 2] = [0.0, 1.0],
        /// A seed of its own, beside the model's.
        seed: Option<usize> = None,
    }
}

impl RandomContrast {
    /// The shape of its input.
    ///
    /// # Errors
    /// If the input is no image, or the least of an interval exceeds its largest or a bound.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        let drawn = [
            Drawn { argument: "factor", interval: self.factor, bounds: [-1.0, 10.0], within: "from −1 to 10", example: "0.2" },
            augmentation::value_range(self.value_range),
        ];
        augmentation::infer(Self::NAME, &drawn, inputs)
    }
}
