//! The gradient of a convolution's input on vectors where much of what pixels would see lies beyond the output, as it does if images are
//! small: what each window passes on is one row of a product, and is added where the window lies.

use super::conv::Conv;
use super::direct::Direct;
use super::factor::{Factor, Pair};
use super::fill::in_chunks;
use super::gathered::Packed;
use super::patches::scatter;
use super::share::{alone, threads};
use super::weighted::Ending;
use crate::Precision;

/// The gradient of the input, from that of the output before any activation and the weights, `F, C, KH, KW` for images, if this
/// takes less time than `direct`.
pub(super) fn input_gradient<const N: usize>(
    conv: &Conv<N>,
    direct: &Direct,
    weight: &[f32],
    grad: &[f32],
    ending: Ending<f32>,
) -> Option<Vec<f32>> {
    /// To write a sum, and to add it where it belongs, takes as long as the products of so many filters.
    const OF_SUM: usize = 8;
    /// Values that windows pass on at a time, which stay in a core's cache until they are added: 128 KiB.
    const VALUES: usize = 32 * 1024;
    let (geometry, filters, precision) =
        (&conv.geometry, conv.filters, if direct.rounds { conv.precision } else { Precision::F32 });
    let (pixels, patch, image_len) = (geometry.pixels(), conv.patch_len(), geometry.image_len());
    let (products, of_sum) = (pixels * geometry.taps(), if direct.rounds { Pair::NUMBERS * OF_SUM } else { OF_SUM });
    if direct.products() * filters <= products * (filters + of_sum) || pixels * patch > VALUES {
        return None;
    }
    // A row for each filter, in the order of patches, from weights that lie nearer to each other than those of `Conv::pack`.
    let rows = in_chunks(weight.len(), patch, |filter, row| {
        for (tap, row) in row.chunks_exact_mut(geometry.channels).enumerate() {
            let of_tap = weight[filter * patch + tap..].iter().step_by(geometry.taps());
            row.iter_mut().zip(of_tap).for_each(|(to, from)| *to = *from);
        }
    });
    let right = Packed::of_rows(precision, &rows, patch);
    let parts = geometry.batch.div_ceil(VALUES / (pixels * patch)).next_multiple_of(threads());
    let images = geometry.batch.div_ceil(parts.max(1)).max(1);
    Some(in_chunks(geometry.batch * image_len, images * image_len, |number, input| {
        let (first, count) = (number * images * pixels, input.len() / image_len * pixels);
        let grad = &grad[first * filters..(first + count) * filters];
        let passed = alone(|| right.product([count, filters], grad, Ending::default()));
        for (image, passed) in input.chunks_exact_mut(image_len).zip(passed.chunks_exact(pixels * patch)) {
            scatter(geometry, passed, 0..pixels, 0..geometry.channels, image);
        }
        ending.finish(input, geometry.channels, number * images * image_len);
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::conv::tests::{Passes, expect_passes};
    use crate::kernels::gathered::lanes;
    use crate::kernels::share::in_pairs;
    use crate::spec::{Activation, Conv2D, Padding};

    /// Whether `f32` takes this way, whose gradients, and those of `bf16` if it takes it too, are those of patches.
    fn agrees(conv: Conv2D, dims: [usize; 4]) -> usize {
        let at = |precision: Precision| {
            let rounds = [Pair::serve(precision) && conv.filters != 7; 2];
            expect_passes(conv.convolution(), &dims, Activation::Linear, rounds, |conv, numbers| {
                let conv = Conv { precision, ..*conv };
                let direct = Direct::of_input(&conv.geometry, conv.filters, 1, precision);
                let gradient = || input_gradient(&conv, direct.as_ref()?, &numbers.weight, &numbers.grad, numbers.of_input());
                let input = gradient();
                assert_eq!(alone(gradient), input, "by one thread");
                assert_eq!(in_pairs(gradient), input, "by two threads");
                Passes { output: None, sums: None, input }
            })
        };
        let (takes, rounded_takes) = (at(Precision::F32), at(Precision::Bf16));
        assert!(rounded_takes <= takes, "sums take longer beside products of pairs");
        takes
    }

    #[test]
    fn what_windows_pass_on_adds_up_to_the_gradient_of_patches() {
        let mut passes = 0;
        for (filters, channels) in [(32, 16), (45, 20), (128, 64), (7, 24)] {
            let conv = |size: usize, stride: usize| Conv2D::new(filters, [size; 2]).strides([stride; 2]);
            for batch in [1, 9] {
                passes += agrees(conv(5, 1), [batch, 6, 6, channels]);
                passes += agrees(conv(3, 2), [batch, 3, 6, channels]);
                if filters < 8 {
                    continue;
                }
                passes += agrees(conv(3, 2).padding(Padding::Explicit([[0, 1], [1, 0]])), [batch, 5, 6, channels]);
                passes += agrees(conv(5, 1), [batch, 9, 7, channels]);
                passes += agrees(conv(2, 1).dilation_rate([3, 2]), [batch, 8, 6, channels]);
            }
        }
        assert_eq!(passes, if lanes() > 1 { 2 * (3 * 5 + 2) } else { 0 });
    }

    #[test]
    fn it_is_left_where_it_would_take_longer() {
        let image = |side: usize| [4, side, side, 16];
        assert_eq!(agrees(Conv2D::new(32, [3, 3]).padding(Padding::Same), image(8)), 0, "pixels see all there is");
        assert_eq!(agrees(Conv2D::new(32, [3, 3]).strides([2, 2]).padding(Padding::Same), image(8)), 0);
        assert_eq!(agrees(Conv2D::new(4, [5, 5]), image(10)), 0, "few filters to a sum");
        assert_eq!(agrees(Conv2D::new(32, [5, 5]), image(10)), usize::from(lanes() > 1));
        assert_eq!(agrees(Conv2D::new(32, [5, 5]), image(16)), 0, "windows pass on more than a cache holds");
    }
}
