//! `Conv2DTranspose`: a learned filter bank that spreads each cell of an image over a larger one.

use crate::transposed::transposed_convolution;

transposed_convolution! {
    /// A 2-D transposed convolution over `N, H, W, C`, as Keras' `Conv2DTranspose`.
    Conv2DTranspose "conv2d_transpose" {
        axes: 2, ones: [1, 1], kernel: "height and width", of: "Conv2D",
        input: "image", shapes: "`H, W, C` to `H', W', filters`",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Shape;

    #[test]
    fn doubles_an_image_as_a_u_net_does() {
        let layer = Conv2DTranspose::new(8, [2, 2]).strides([2, 2]);
        let inferred = layer.infer(&[Operand::new("i", Shape::new([7, 5, 16]))]).unwrap();
        assert_eq!(inferred.shape, Shape::new([14, 10, 8]));
        assert_eq!(inferred.parameters.as_slice()[0].dims(), [16, 8, 2, 2]);
        assert_eq!(inferred.parameters.count(), 4 * 128 + 8);
    }

    #[test]
    fn each_axis_has_an_output_padding_of_its_own() {
        let layer = Conv2DTranspose::new(1, [3, 3]).strides([2, 3]).padding(Padding::Explicit([[1, 1]; 2]));
        let on = |layer: Conv2DTranspose| layer.infer(&[Operand::new("i", Shape::new([4, 4, 1]))]).map(|inferred| inferred.shape);
        assert_eq!(on(layer.output_padding(Some([1, 2]))), Ok(Shape::new([8, 12, 1])));
        assert!(on(layer.output_padding(Some([2, 2]))).is_err());
    }
}
