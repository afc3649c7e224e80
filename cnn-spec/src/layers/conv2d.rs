//! `Conv2D`: a learned filter bank slid over an image.

use crate::convolution::convolution;

convolution! {
    /// A 2-D convolution (cross-correlation) over `N, H, W, C`, as Keras' `Conv2D`.
    Conv2D "conv2d" {
        axes: 2, ones: [1, 1], kernel: "height and width", padding: "The cells added around the image.",
        input: "image", shapes: "`H, W, C` to `H', W', filters`",
        fixed: kernel,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{At, Dim, Shape};

    fn on(shape: Shape, layer: Conv2D) -> Result<Inferred, ShapeError> {
        layer.infer(&[Operand::new("i", shape)])
    }

    #[test]
    fn counts_the_lectures_example() {
        let inferred = on(Shape::new([32, 32, 3]), Conv2D::new(10, [5, 5]).padding(Padding::Explicit([[2, 2]; 2]))).unwrap();
        assert_eq!(inferred.shape, Shape::new([32, 32, 10]));
        assert_eq!(inferred.parameters.count(), 760);
        assert_eq!(inferred.macs, Some(32 * 32 * 10 * 75));
    }

    #[test]
    fn groups_share_the_channels() {
        let inferred = on(Shape::new([8, 8, 4]), Conv2D::new(6, [3, 3]).groups(2).use_bias(false)).unwrap();
        assert_eq!(inferred.parameters.as_slice()[0].dims(), [6, 2, 3, 3]);
        assert_eq!(inferred.parameters.count(), 108);
        let error = on(Shape::new([8, 8, 3]), Conv2D::new(32, [3, 3]).groups(2)).unwrap_err();
        assert_eq!(error.message.as_str(), "the 3 channels of `i` do not divide into 2 groups");
        let error = on(Shape::new([8, 8, 4]), Conv2D::new(9, [3, 3]).groups(2)).unwrap_err();
        assert_eq!(error.message.as_str(), "9 filters do not divide into 2 groups");
        assert_eq!(error.help.as_str(), "use 10 filters, or `groups=1`");
    }

    #[test]
    fn wants_an_image() {
        let error = on(Shape::new([28, 28]), Conv2D::new(32, [3, 3])).unwrap_err();
        assert_eq!(error.message.as_str(), "`Conv2D` takes height, width, channels; `i` is 28×28");
        assert_eq!(error.help.as_str(), "give it a channel axis, as in `Input(28, 28, 1)`");
        assert_eq!(error.at, At::Input(0));
    }

    #[test]
    fn carries_unknown_sizes() {
        let inferred = on(Shape::of(&[Dim::Unknown, Dim::Unknown, Dim::Known(3)]), Conv2D::new(8, [3, 3])).unwrap();
        assert_eq!(inferred.shape.to_string(), "_×_×8");
        assert_eq!(inferred.macs, None);
        assert!(on(Shape::of(&[Dim::Known(8), Dim::Known(8), Dim::Unknown]), Conv2D::new(8, [3, 3])).is_err());
    }

    #[test]
    fn infers_in_const_context() {
        const OUT: Shape = match Conv2D::new(32, [3, 3]).strides([2, 2]).infer(&[Operand::new("i", Shape::new([28, 28, 1]))]) {
            Ok(inferred) => inferred.shape,
            Err(error) => panic!("{}", error.message.as_str()),
        };
        assert_eq!(OUT, Shape::new([13, 13, 32]));
    }
}
