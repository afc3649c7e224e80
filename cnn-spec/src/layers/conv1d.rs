//! `Conv1D`: a learned filter bank slid along a sequence.

use crate::convolution::convolution;

convolution! {
    /// A 1-D convolution (cross-correlation) over `N, L, C`, as Keras' `Conv1D`.
    Conv1D "conv1d" {
        axes: 1, ones: [1], kernel: "length", padding: "The cells added around the sequence. `causal` adds them all before it.",
        input: "sequence", shapes: "`L, C` to `L', filters`",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Reach, Shape};

    fn on(shape: Shape, layer: Conv1D) -> Result<Inferred, ShapeError> {
        layer.infer(&[Operand::new("i", shape)])
    }

    #[test]
    fn slides_along_the_steps() {
        let inferred = on(Shape::new([128, 3]), Conv1D::new(16, [5]).strides([2])).unwrap();
        assert_eq!(inferred.shape, Shape::new([62, 16]));
        assert_eq!(inferred.parameters.as_slice()[0].dims(), [16, 3, 5]);
        assert_eq!((inferred.parameters.count(), inferred.macs), (256, Some(62 * 16 * 15)));
        assert_eq!(inferred.reach, Reach::Window { span: [5, 1], strides: [2, 1] });
    }

    #[test]
    fn causal_padding_keeps_the_length() {
        let causal = Conv1D::new(4, [3]).padding(Padding::Causal).dilation_rate([4]);
        assert_eq!(on(Shape::new([10, 2]), causal).unwrap().shape, Shape::new([10, 4]));
        assert_eq!(on(Shape::new([10, 2]), causal.strides([3])).unwrap().shape, Shape::new([4, 4]));
    }

    #[test]
    fn wants_a_sequence() {
        let error = on(Shape::new([128]), Conv1D::new(16, [5])).unwrap_err();
        assert_eq!(error.message.as_str(), "`Conv1D` takes steps, channels; `i` is 128");
        assert_eq!(error.help.as_str(), "give it a channel axis, as in `Input(128, 1)`");
        let error = on(Shape::new([4, 3]), Conv1D::new(16, [5])).unwrap_err();
        assert_eq!(error.message.as_str(), "kernel 5 does not fit the sequence `i` of length 4");
    }
}
