//! `RandomErasing`: a rectangle of each image blotted out at random.

use crate::augmentation::Drawn;
use crate::layer::layer;
use crate::{Inferred, Operand, ShapeError, augmentation};

layer! {
    /// While training, replaces a random rectangle of each image of `N, H, W, C` by noise or by one value, as Keras'
    /// `RandomErasing` (Zhong et al., 2020), but for values from 0 to 1 unless told otherwise.
    RandomErasing "random_erasing" {
        ;
        /// The probability that an image loses a rectangle.
        factor: f64 = 1.0,
        /// The least and the largest area of the rectangle, as a share of the image's.
        scale: [f64; 2] = [0.02, 0.33],
        /// What stands in the rectangle; normal noise, cut to the value range, unless given.
        fill_value: Option<f64> = None,
        /// The least and the largest value that pixels have.
        value_range: [f64; 2] = [0.0, 1.0],
        /// A seed of its own, beside the model's.
        seed: Option<usize> = None,
    }
}

impl RandomErasing {
    /// The shape of its input.
    ///
    /// # Errors
    /// If the input is no image, or the least of an interval exceeds its largest or a bound.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        let drawn = [
            Drawn {
                argument: "factor",
                interval: [self.factor, self.factor],
                bounds: [0.0, 1.0],
                within: "from 0 to 1",
                example: "0.5",
            },
            Drawn { argument: "scale", interval: self.scale, bounds: [0.0, 1.0], within: "from 0 to 1", example: "(0.02, 0.33)" },
            augmentation::value_range(self.value_range),
        ];
        augmentation::infer(Self::NAME, &drawn, inputs)
    }
}
