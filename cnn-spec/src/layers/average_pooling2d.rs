//! `AveragePooling2D`: the mean of each window.

use crate::layer::layer;
use crate::{Inferred, Operand, Padding, ShapeError, Sliding, pooling};

layer! {
    /// The mean of each window of each channel of `N, H, W, C`, of the cells that lie inside the image, as Keras' `AveragePooling2D`.
    AveragePooling2D "average_pooling2d" {
        /// The window's height and width.
        pool_size: [usize; 2],
        ;
        /// The cells from one window to the next; the window's own size unless given.
        strides | stride: Option<[usize; 2]> = None,
        /// The cells added around the image; they never count.
        padding: Padding<2> = Padding::Valid,
        /// Whether a window that does not fit a whole number of times is an error.
        strict: bool = false,
    }
}

impl AveragePooling2D {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{At, Shape};

    fn on(size: [usize; 2], layer: AveragePooling2D) -> Result<Shape, ShapeError> {
        let input = Operand::new("i", Shape::new([size[0], size[1], 8]));
        layer.infer(&[input]).map(|inferred| inferred.shape)
    }

    #[test]
    fn steps_by_its_own_size_unless_told() {
        assert_eq!(on([28, 27], AveragePooling2D::new([2, 2])), Ok(Shape::new([14, 13, 8])));
        assert_eq!(on([10, 10], AveragePooling2D::new([3, 2]).strides(Some([1, 2]))), Ok(Shape::new([8, 5, 8])));
        assert_eq!(on([5, 5], AveragePooling2D::new([2, 2]).padding(Padding::Same)), Ok(Shape::new([3, 3, 8])));
    }

    #[test]
    fn blames_the_argument_that_gave_the_stride() {
        let strict = AveragePooling2D::new([4, 4]).strict(true);
        let error = on([14, 14], strict).unwrap_err();
        assert_eq!(error.at, At::Element("pool_size", 0));
        assert_eq!(error.note.as_str(), "(14 + 2·0 − 4)/4 + 1 = 3.5");
        let error = on([13, 13], strict.strides(Some([2, 2]))).unwrap_err();
        assert_eq!(error.at, At::Element("strides", 0));
    }

    #[test]
    fn refuses_a_window_of_padding_alone() {
        let error = on([8, 8], AveragePooling2D::new([2, 2]).padding(Padding::Explicit([[0, 0], [2, 0]]))).unwrap_err();
        assert_eq!(error.message.as_str(), "padding of 2 would fill a window of 2");
    }
}
