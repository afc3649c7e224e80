//! The rules that all poolings share: over sliding windows, over windows that adapt to a size, over everything.

use crate::layer::{height_and_width, image_of};
use crate::{Dim, Inferred, Operand, Padding, Reach, Shape, ShapeError, Sliding, rules};

/// The window of a pooling, which steps by its own size unless `strides` says otherwise.
pub(crate) const fn window<const N: usize>(
    pool_size: [usize; N],
    strides: Option<[usize; N]>,
    padding: Padding<N>,
    strict: bool,
) -> Sliding<N> {
    let (strides, stride_argument) = match strides {
        Some(strides) => (strides, "strides"),
        None => (pool_size, "pool_size"),
    };
    Sliding {
        noun: "window",
        size_argument: "pool_size",
        stride_argument,
        size: pool_size,
        strides,
        dilation: [1; N],
        padding,
        strict,
    }
}

/// The output of a pooling over `window`: the spatial axes by the window rule, the channels as they are.
pub(crate) const fn sliding<const N: usize>(
    layer: &str,
    window: &Sliding<N>,
    inputs: &[Operand],
) -> Result<Inferred, ShapeError> {
    let input = match rules::spatial::<N>(layer, inputs) {
        Ok(input) => input,
        Err(error) => return Err(error),
    };
    if let Err(error) = window.reaches_the_input() {
        return Err(error);
    }
    match window.output(input) {
        Ok(output) => Ok(Inferred::shape(image_of(output, input.shape.channels()))
            .reach(Reach::Window { span: height_and_width(window.size), strides: height_and_width(window.strides) })
            .sum(window.sums(input))),
        Err(error) => Err(error),
    }
}

/// The output of a pooling whose `i`-th of `O` windows over `N` cells is `⌊i·N/O⌋` to `⌈(i + 1)·N/O⌉`.
pub(crate) const fn adaptive<const N: usize>(
    layer: &str,
    output_size: [usize; N],
    inputs: &[Operand],
) -> Result<Inferred, ShapeError> {
    let input = match rules::spatial::<N>(layer, inputs) {
        Ok(input) => input,
        Err(error) => return Err(error),
    };
    if let Err(error) = rules::each_size("output_size", &output_size) {
        return Err(error);
    }
    let mut output = [Dim::Unknown; N];
    let mut axis = 0;
    while axis < N {
        output[axis] = Dim::Known(output_size[axis]);
        axis += 1;
    }
    Ok(Inferred::shape(image_of(output, input.shape.channels())).reach(Reach::Whole))
}

/// The output of a pooling over all cells of each channel.
pub(crate) const fn global<const N: usize>(layer: &str, keepdims: bool, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
    let input = match rules::spatial::<N>(layer, inputs) {
        Ok(input) => input,
        Err(error) => return Err(error),
    };
    let channels = input.shape.channels();
    let shape = if keepdims { image_of([Dim::Known(1); N], channels) } else { Shape::of(&[channels]) };
    Ok(Inferred::shape(shape).reach(Reach::Whole))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AdaptiveAveragePooling1D, At, GlobalMaxPooling1D, GlobalMaxPooling3D, MaxPooling1D, MaxPooling3D, SumPooling2D};

    fn shape(inferred: Result<Inferred, ShapeError>) -> Shape {
        inferred.unwrap().shape
    }

    #[test]
    fn one_and_three_axes_follow_the_window_rule() {
        let steps = [Operand::new("x", Shape::new([10, 8]))];
        assert_eq!(shape(MaxPooling1D::new().infer(&steps)), Shape::new([5, 8]));
        assert_eq!(shape(MaxPooling1D::new().pool_size([3]).strides(Some([2])).infer(&steps)), Shape::new([4, 8]));
        let volume = [Operand::new("x", Shape::new([9, 8, 7, 2]))];
        assert_eq!(shape(MaxPooling3D::new().infer(&volume)), Shape::new([4, 4, 3, 2]));
        assert_eq!(shape(MaxPooling3D::new().padding(Padding::Same).infer(&volume)), Shape::new([5, 4, 4, 2]));
        let error = MaxPooling3D::new().pool_size([2, 9, 2]).infer(&volume).unwrap_err();
        assert_eq!(error.message.as_str(), "window 2×9×2 does not fit the 9×8×7 volume `x`");
        assert_eq!(error.at, At::Element("pool_size", 1));
    }

    #[test]
    fn the_sum_takes_its_window_as_the_mean_does() {
        let image = [Operand::new("x", Shape::new([7, 7, 3]))];
        assert_eq!(shape(SumPooling2D::new([2, 2]).infer(&image)), Shape::new([3, 3, 3]));
        assert!(SumPooling2D::new([0, 2]).infer(&image).is_err());
    }

    #[test]
    fn adaptive_sizes_are_given_and_global_ones_are_gone() {
        let steps = [Operand::new("x", Shape::of(&[Dim::Unknown, Dim::Known(8)]))];
        assert_eq!(shape(AdaptiveAveragePooling1D::new([4]).infer(&steps)), Shape::new([4, 8]));
        assert_eq!(AdaptiveAveragePooling1D::new([0]).infer(&steps).unwrap_err().at, At::Element("output_size", 0));
        assert_eq!(shape(GlobalMaxPooling1D::new().infer(&steps)), Shape::new([8]));
        assert_eq!(shape(GlobalMaxPooling1D::new().keepdims(true).infer(&steps)), Shape::new([1, 8]));
        let volume = [Operand::new("x", Shape::new([9, 8, 7, 2]))];
        assert_eq!(shape(GlobalMaxPooling3D::new().infer(&volume)), Shape::new([2]));
        assert_eq!(shape(GlobalMaxPooling3D::new().keepdims(true).infer(&volume)), Shape::new([1, 1, 1, 2]));
    }
}
