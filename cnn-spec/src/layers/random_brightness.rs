//! `RandomBrightness`: images made darker or brighter at random.

use crate::augmentation::Drawn;
use crate::layer::layer;
use crate::{Inferred, Operand, ShapeError, augmentation};

layer! {
    /// While training, adds one random number to every value of an image of `N, H, W, C`, as Keras' `RandomBrightness`, but
    /// for values from 0 to 1 unless told otherwise.
    RandomBrightness "random_brightness" {
        /// What is added, as a share of the value range: `0.2` draws from a fifth darker to a fifth brighter.
        factor: [f64; 2],
        ;
        /// The least and the largest value that pixels have; what goes beyond is cut.
        value_range: [f64; 2] = [0.0, 1.0],
        /// A seed of its own, beside the model's.
        seed: Option<usize> = None,
    }
}

impl RandomBrightness {
    /// The shape of its input.
    ///
    /// # Errors
    /// If the input is no image, or the least of an interval exceeds its largest or a bound.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        let drawn = [
            Drawn { argument: "factor", interval: self.factor, bounds: [-1.0, 1.0], within: "from −1 to 1", example: "0.2" },
            augmentation::value_range(self.value_range),
        ];
        augmentation::infer(Self::NAME, &drawn, inputs)
    }
}
