//! What the normalisations share: sums over the rows of a matrix whose columns are channels, and the pass that applies what
//! follows from them.
//!
//! All are loops over rows of so many values that a vector register is full, however few the channels: of few channels,
//! several pixels make a row, and their sums are added up at the end.

use super::real::Real;
use super::simd::simd;

/// Values that one thread takes at a time, in whole pixels: enough to be worth its while, few enough to stay in its cache.
const PIECE: usize = 32 * 1024;

/// Values that are written at a time: so few that they are still in the nearest cache after they have been cleared.
const PART: usize = 4 * 1024;

/// The values of one piece of a matrix of so many channels; it follows from the shape alone.
pub(crate) fn piece(channels: usize) -> usize {
    (PIECE / channels).max(1) * channels
}

/// As many whole rows, of several pixels where channels are few, as are written at a time.
pub(crate) fn part(channels: usize) -> usize {
    PART.div_ceil(width(channels)) * width(channels)
}

/// The values in a row for so many channels: a multiple of them, and at least some registers full.
pub(crate) fn width(channels: usize) -> usize {
    channels * (64 / channels).max(1)
}

/// `values` of each channel, repeated to fill a row.
pub(crate) fn row<T: Real>(values: impl Iterator<Item = f64> + Clone, channels: usize) -> Vec<T> {
    values.cycle().take(width(channels)).map(T::of).collect()
}

/// The sums of each channel, from those of each place in a row.
fn fold<T: Real>(sums: &[T], channels: usize) -> Vec<f64> {
    let mut folded = vec![0.0; channels];
    for pixel in sums.chunks_exact(channels) {
        folded.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += value.wide());
    }
    folded
}

simd! {
    fn add<T: Real>(sums: &mut [T], xs: &[T]) {
        for xs in xs.chunks(sums.len()) {
            sums.iter_mut().zip(xs).for_each(|(sum, x)| *sum += *x);
        }
    }
}

simd! {
    fn add_squares<T: Real>(sums: &mut [T], xs: &[T], means: &[T]) {
        for xs in xs.chunks(sums.len()) {
            for ((sum, x), mean) in sums.iter_mut().zip(xs).zip(means) {
                *sum += (*x - *mean) * (*x - *mean);
            }
        }
    }
}

simd! {
    fn add_products<T: Real>(sums: &mut [T], products: &mut [T], grad: &[T], xs: &[T], means: &[T]) {
        let width = sums.len();
        for (grad, xs) in grad.chunks(width).zip(xs.chunks(width)) {
            for ((((sum, product), g), x), mean) in sums.iter_mut().zip(products.iter_mut()).zip(grad).zip(xs).zip(means) {
                *sum += *g;
                *product += *g * (*x - *mean);
            }
        }
    }
}

simd! {
    /// `(x − mean)·scale + shift` of every value; the rest are of one row.
    pub(crate) fn normalize<T: Real>(ys: &mut [T], xs: &[T], mean: &[T], scale: &[T], shift: &[T]) {
        let width = mean.len();
        for (ys, xs) in ys.chunks_mut(width).zip(xs.chunks(width)) {
            for ((((y, x), mean), scale), shift) in ys.iter_mut().zip(xs).zip(mean).zip(scale).zip(shift) {
                *y = (*x - *mean) * *scale + *shift;
            }
        }
    }
}

simd! {
    /// `grad·slope + (x − mean)·along + constant` of every value; the rest are of one row.
    pub(crate) fn undo<T: Real>(
        out: &mut [T], grad: &[T], xs: &[T], mean: &[T], slope: &[T], along: &[T], constant: &[T],
    ) {
        let width = mean.len();
        for ((out, grad), xs) in out.chunks_mut(width).zip(grad.chunks(width)).zip(xs.chunks(width)) {
            let values = out.iter_mut().zip(grad).zip(xs);
            let factors = mean.iter().zip(slope).zip(along).zip(constant);
            for (((out, g), x), (((mean, slope), along), constant)) in values.zip(factors) {
                *out = *g * *slope + (*x - *mean) * *along + *constant;
            }
        }
    }
}

/// The sum of each channel.
pub(crate) fn sums<T: Real>(xs: &[T], channels: usize) -> Vec<f64> {
    let mut sums = vec![T::zero(); width(channels)];
    add(&mut sums, xs);
    fold(&sums, channels)
}

/// The sum of the squared distances of each channel from its mean.
pub(crate) fn squares<T: Real>(xs: &[T], means: &[f64]) -> Vec<f64> {
    let mut sums = vec![T::zero(); width(means.len())];
    add_squares(&mut sums, xs, &row::<T>(means.iter().copied(), means.len()));
    fold(&sums, means.len())
}

/// For each channel, the sum of the gradient, and that of the gradient times the distance from the mean.
pub(crate) fn products<T: Real>(grad: &[T], xs: &[T], means: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let mut sums = vec![T::zero(); width(means.len())];
    let mut products = sums.clone();
    add_products(&mut sums, &mut products, grad, xs, &row::<T>(means.iter().copied(), means.len()));
    (fold(&sums, means.len()), fold(&products, means.len()))
}

/// Adds each value of `values` to `totals`.
pub(crate) fn add_up(totals: &mut [f64], values: &[f64]) {
    totals.iter_mut().zip(values).for_each(|(total, value)| *total += *value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_several_pixels_add_up_to_channels() {
        for channels in [1, 3, 7, 64, 65] {
            for pixels in [1, 2, 9, 200] {
                let xs: Vec<f64> = (0..pixels * channels).map(|i| (i * i % 101) as f64).collect();
                let of = |channel: usize| xs.iter().skip(channel).step_by(channels);
                let expected: Vec<f64> = (0..channels).map(|channel| of(channel).sum()).collect();
                assert_eq!(sums(&xs, channels), expected);
                let means: Vec<f64> = expected.iter().map(|sum| (sum / pixels as f64).round()).collect();
                let expected: Vec<f64> =
                    (0..channels).map(|channel| of(channel).map(|x| (x - means[channel]).powi(2)).sum()).collect();
                assert_eq!(squares(&xs, &means), expected);
                assert_eq!(products(&xs, &xs, &means).0, sums(&xs, channels));
            }
        }
    }
}
