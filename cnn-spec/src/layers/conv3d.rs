//! `Conv3D`: a learned filter bank slid through a volume.

use crate::convolution::convolution;

convolution! {
    /// A 3-D convolution (cross-correlation) over `N, D, H, W, C`, as Keras' `Conv3D`.
    Conv3D "conv3d" {
        axes: 3, ones: [1, 1, 1], kernel: "depth, height and width", padding: "The cells added around the volume.",
        input: "volume", shapes: "`D, H, W, C` to `D', H', W', filters`",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Reach, Shape};

    fn on(shape: Shape, layer: Conv3D) -> Result<Inferred, ShapeError> {
        layer.infer(&[Operand::new("i", shape)])
    }

    #[test]
    fn slides_along_three_axes() {
        let inferred = on(Shape::new([9, 8, 7, 2]), Conv3D::new(4, [3, 2, 1]).strides([2, 1, 3])).unwrap();
        assert_eq!(inferred.shape, Shape::new([4, 7, 3, 4]));
        assert_eq!(inferred.parameters.as_slice()[0].dims(), [4, 2, 3, 2, 1]);
        assert_eq!(inferred.parameters.count(), 4 * 12 + 4);
        assert_eq!(inferred.reach, Reach::Window { span: [2, 1], strides: [1, 3] });
    }

    #[test]
    fn wants_a_volume() {
        let error = on(Shape::new([9, 9, 9]), Conv3D::new(4, [3; 3])).unwrap_err();
        assert_eq!(error.message.as_str(), "`Conv3D` takes depth, height, width, channels; `i` is 9×9×9");
        assert_eq!(error.help.as_str(), "give it a channel axis, as in `Input(9, 9, 9, 1)`");
    }
}
