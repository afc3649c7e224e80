//! The gradient of a convolution's input on vectors where images are so small that much of what their pixels would see lies beyond the
//! output: what each window passes on is one row of a product, and is added where the window lies.

use super::conv::Conv;
use super::direct::Direct;
use super::fill::in_chunks;
use super::gathered::Packed;
use super::patches::scatter;
use super::share::alone;
use super::weighted::Ending;
use crate::spec::Activation;

/// The gradient of the input, from that of the output before any activation and the weights, `F, C, KH, KW` for images, if this
/// takes less time than `direct`.
pub(super) fn input_gradient<const N: usize>(conv: &Conv<N>, direct: &Direct, weight: &[f32], grad: &[f32]) -> Option<Vec<f32>> {
    /// Filters whose products take about as long as to write their sum and to add it where it belongs.
    const OF_SUM: usize = 8;
    /// Values that windows pass on at a time, and that stay in a core's cache until they are added: 128 KiB.
    const VALUES: usize = 32 * 1024;
    let (geometry, filters) = (&conv.geometry, conv.filters);
    let (pixels, patch, image_len) = (geometry.pixels(), conv.patch_len(), geometry.image_len());
    let products = pixels * geometry.taps();
    if direct.products() * filters <= products * (filters + OF_SUM) {
        return None;
    }
    let rows = in_chunks(weight.len(), patch, |filter, row| {
        for (tap, row) in row.chunks_exact_mut(geometry.channels).enumerate() {
            let of_tap = weight[filter * patch + tap..].iter().step_by(geometry.taps());
            row.iter_mut().zip(of_tap).for_each(|(to, from)| *to = *from);
        }
    });
    let right = Packed::of_rows(conv.precision, &rows, patch);
    let images = (VALUES / (pixels * patch)).max(1);
    let grads = |first: usize, count: usize| &grad[first * pixels * filters..][..count * pixels * filters];
    Some(in_chunks(geometry.batch * image_len, images * image_len, |number, input| {
        let count = input.len() / image_len;
        let ending = Ending { bias: None, added: None, activation: Activation::Linear };
        let passed = alone(|| right.product([count * pixels, filters], grads(number * images, count), ending));
        for (image, passed) in input.chunks_exact_mut(image_len).zip(passed.chunks_exact(pixels * patch)) {
            scatter(geometry, passed, 0..pixels, 0..geometry.channels, image);
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Precision;
    use crate::kernels::conv::tests::{Passes, expect_passes};
    use crate::kernels::factor::Pair;
    use crate::kernels::gathered::lanes;
    use crate::kernels::share::in_pairs;
    use crate::spec::{Conv2D, Padding};

    /// How many of two precisions take this way, whose gradients are those of patches.
    fn agrees(conv: Conv2D, dims: [usize; 4]) -> usize {
        let at = |precision: Precision| {
            let rounds = [Pair::serve(precision); 2];
            expect_passes(conv.convolution(), &dims, Activation::Linear, rounds, |conv, numbers| {
                let conv = Conv { precision, ..*conv };
                let direct = Direct::of_input(&conv.geometry, conv.filters, 1, precision);
                let gradient = || input_gradient(&conv, direct.as_ref()?, &numbers.weight, &numbers.grad);
                let input = gradient();
                assert_eq!(alone(gradient), input, "by one thread");
                assert_eq!(in_pairs(gradient), input, "by two threads");
                Passes { output: None, sums: None, input }
            })
        };
        at(Precision::F32) + at(Precision::Bf16)
    }

    #[test]
    fn what_windows_pass_on_adds_up_to_the_gradient_of_patches() {
        let mut passes = 0;
        for (filters, channels) in [(32, 16), (45, 20), (128, 64)] {
            let conv = |size: usize, stride: usize| Conv2D::new(filters, [size; 2]).strides([stride; 2]);
            for batch in [1, 9] {
                passes += agrees(conv(3, 2), [batch, 6, 6, channels]);
                passes += agrees(conv(3, 2).padding(Padding::Explicit([[0, 1], [1, 0]])), [batch, 5, 6, channels]);
                passes += agrees(conv(5, 1), [batch, 9, 7, channels]);
                passes += agrees(conv(2, 1).dilation_rate([3, 2]), [batch, 8, 6, channels]);
            }
        }
        assert_eq!(passes, if lanes() > 1 { 2 * 3 * 2 * 4 } else { 0 });
    }

    #[test]
    fn pixels_that_see_all_there_is_are_computed_where_they_lie() {
        let dims = [4, 16, 16, 16];
        assert_eq!(agrees(Conv2D::new(32, [3, 3]).padding(Padding::Same), dims), 0);
        assert_eq!(agrees(Conv2D::new(32, [3, 3]).strides([2, 2]).padding(Padding::Same), dims), 0);
        assert_eq!(agrees(Conv2D::new(4, [5, 5]), dims), 0, "few filters to a sum");
    }
}
