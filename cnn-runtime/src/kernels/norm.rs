//! What the normalisations share: sums over the rows of a matrix whose columns are channels, and the pass that applies what
//! follows from them.
//!
//! All are loops over rows of so many values that a vector register is full, however few the channels: of few channels,
//! several pixels make a row, and their sums are added up at the end.

use super::lanes::{for_lanes, some, some_mut};
use super::real::Real;
use super::simd::simd;
use super::weighted::before_rectifier;

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

/// Calls a function for some columns of some rows at a time, of `$len` values in rows of `$width`, the last of which may be cut off. `$rows` is
/// the range of those rows' values; the function is given the first column and the width before its other arguments.
macro_rules! for_columns {
    ($width:expr, $len:expr, $rows:ident => $function:ident::<$real:ident>($($argument:expr),* $(,)?)) => {{
        /// Rows whose values stay in the nearest cache until all of their columns have been read.
        const ROWS: usize = 32;
        let (width, len): (usize, usize) = ($width, $len);
        let whole = len / width * width;
        for start in (0..whole).step_by(ROWS * width) {
            let $rows = start..whole.min(start + ROWS * width);
            for_lanes!(width, $function::<$real>(width, $($argument),*));
        }
        let $rows = whole..len;
        for_lanes!(len - whole, $function::<$real>(len - whole, $($argument),*));
    }};
}

simd! {
    fn add<T: Real>(sums: &mut [T], xs: &[T]) {
        for_columns!(sums.len(), xs.len(), rows => add_columns::<T>(sums, &xs[rows.clone()]));
    }
}

#[inline(always)]
fn add_columns<T: Real, const N: usize>(first: usize, width: usize, sums: &mut [T], xs: &[T]) {
    let mut sum = *some::<T, N>(sums, first);
    for xs in xs.chunks_exact(width) {
        let xs = some::<T, N>(xs, first);
        for i in 0..N {
            sum[i] += xs[i];
        }
    }
    *some_mut(sums, first) = sum;
}

simd! {
    fn add_squares<T: Real>(sums: &mut [T], xs: &[T], means: &[T]) {
        for_columns!(sums.len(), xs.len(), rows => add_squares_of_columns::<T>(sums, &xs[rows.clone()], means));
    }
}

#[inline(always)]
fn add_squares_of_columns<T: Real, const N: usize>(first: usize, width: usize, sums: &mut [T], xs: &[T], means: &[T]) {
    let (mut sum, mean) = (*some::<T, N>(sums, first), *some::<T, N>(means, first));
    for xs in xs.chunks_exact(width) {
        let xs = some::<T, N>(xs, first);
        for i in 0..N {
            sum[i] += (xs[i] - mean[i]) * (xs[i] - mean[i]);
        }
    }
    *some_mut(sums, first) = sum;
}

simd! {
    fn add_products<T: Real>(sums: &mut [T], products: &mut [T], grad: &[T], xs: &[T], means: &[T]) {
        for_columns!(sums.len(), xs.len(), rows => add_products_of_columns::<T>(
            [sums, products], [&grad[rows.clone()], &xs[rows.clone()]], means,
        ));
    }
}

#[inline(always)]
fn add_products_of_columns<T: Real, const N: usize>(
    first: usize,
    width: usize,
    [sums, products]: [&mut [T]; 2],
    [grad, xs]: [&[T]; 2],
    means: &[T],
) {
    let (mut sum, mut product, mean) = (*some::<T, N>(sums, first), *some::<T, N>(products, first), *some::<T, N>(means, first));
    for (grad, xs) in grad.chunks_exact(width).zip(xs.chunks_exact(width)) {
        let (grad, xs) = (some::<T, N>(grad, first), some::<T, N>(xs, first));
        for i in 0..N {
            sum[i] += grad[i];
            product[i] += grad[i] * (xs[i] - mean[i]);
        }
    }
    (*some_mut(sums, first), *some_mut(products, first)) = (sum, product);
}

simd! {
    /// As `add_products`, of the gradient before a rectifier of what [`normalize`] gave with these rows.
    fn add_rectified_products<T: Real>(sums: &mut [T], products: &mut [T], grad: &[T], xs: &[T], factors: [&[T]; 3]) {
        for_columns!(sums.len(), xs.len(), rows => add_rectified_products_of_columns::<T>(
            [sums, products], [&grad[rows.clone()], &xs[rows.clone()]], factors,
        ));
    }
}

#[inline(always)]
fn add_rectified_products_of_columns<T: Real, const N: usize>(
    first: usize,
    width: usize,
    [sums, products]: [&mut [T]; 2],
    [grad, xs]: [&[T]; 2],
    [mean, scale, shift]: [&[T]; 3],
) {
    let (mut sum, mut product) = (*some::<T, N>(sums, first), *some::<T, N>(products, first));
    let (mean, scale, shift) = (*some::<T, N>(mean, first), *some::<T, N>(scale, first), *some::<T, N>(shift, first));
    for (grad, xs) in grad.chunks_exact(width).zip(xs.chunks_exact(width)) {
        let (grad, xs) = (some::<T, N>(grad, first), some::<T, N>(xs, first));
        for i in 0..N {
            let distance = xs[i] - mean[i];
            let grad = before_rectifier(distance * scale[i] + shift[i], grad[i]);
            sum[i] += grad;
            product[i] += grad * distance;
        }
    }
    (*some_mut(sums, first), *some_mut(products, first)) = (sum, product);
}

simd! {
    /// `(x − mean)·scale + shift` of every value; those are rows.
    pub(crate) fn normalize<T: Real>(ys: &mut [T], xs: &[T], factors: [&[T]; 3]) {
        for_columns!(factors[0].len(), ys.len(), rows => normalize_columns::<T>(&mut ys[rows.clone()], &xs[rows.clone()], factors));
    }
}

#[inline(always)]
fn normalize_columns<T: Real, const N: usize>(
    first: usize,
    width: usize,
    ys: &mut [T],
    xs: &[T],
    [mean, scale, shift]: [&[T]; 3],
) {
    let (mean, scale, shift) = (*some::<T, N>(mean, first), *some::<T, N>(scale, first), *some::<T, N>(shift, first));
    for (ys, xs) in ys.chunks_exact_mut(width).zip(xs.chunks_exact(width)) {
        let mut values = *some::<T, N>(xs, first);
        for i in 0..N {
            values[i] = (values[i] - mean[i]) * scale[i] + shift[i];
        }
        *some_mut(ys, first) = values;
    }
}

simd! {
    /// `grad·slope + (x − mean)·along + constant` of every value; but for the first two, those are rows.
    pub(crate) fn undo<T: Real>(out: &mut [T], grad: &[T], xs: &[T], factors: [&[T]; 4]) {
        for_columns!(factors[0].len(), out.len(), rows => undo_columns::<T>(
            &mut out[rows.clone()], [&grad[rows.clone()], &xs[rows.clone()]], factors,
        ));
    }
}

#[inline(always)]
fn undo_columns<T: Real, const N: usize>(
    first: usize,
    width: usize,
    out: &mut [T],
    [grad, xs]: [&[T]; 2],
    [mean, slope, along, constant]: [&[T]; 4],
) {
    let (mean, slope) = (*some::<T, N>(mean, first), *some::<T, N>(slope, first));
    let (along, constant) = (*some::<T, N>(along, first), *some::<T, N>(constant, first));
    for ((out, grad), xs) in out.chunks_exact_mut(width).zip(grad.chunks_exact(width)).zip(xs.chunks_exact(width)) {
        let (grad, mut values) = (some::<T, N>(grad, first), *some::<T, N>(xs, first));
        for i in 0..N {
            values[i] = grad[i] * slope[i] + (values[i] - mean[i]) * along[i] + constant[i];
        }
        *some_mut(out, first) = values;
    }
}

simd! {
    /// As [`undo`], from the gradient after a rectifier of what [`normalize`] gave with the first three rows, whose scale is the slope.
    pub(crate) fn undo_rectified<T: Real>(out: &mut [T], grad: &[T], xs: &[T], factors: [&[T]; 5]) {
        for_columns!(factors[0].len(), out.len(), rows => undo_rectified_columns::<T>(
            &mut out[rows.clone()], [&grad[rows.clone()], &xs[rows.clone()]], factors,
        ));
    }
}

#[inline(always)]
fn undo_rectified_columns<T: Real, const N: usize>(
    first: usize,
    width: usize,
    out: &mut [T],
    [grad, xs]: [&[T]; 2],
    [mean, scale, shift, along, constant]: [&[T]; 5],
) {
    let (mean, scale, shift) = (*some::<T, N>(mean, first), *some::<T, N>(scale, first), *some::<T, N>(shift, first));
    let (along, constant) = (*some::<T, N>(along, first), *some::<T, N>(constant, first));
    for ((out, grad), xs) in out.chunks_exact_mut(width).zip(grad.chunks_exact(width)).zip(xs.chunks_exact(width)) {
        let (grad, mut values) = (some::<T, N>(grad, first), *some::<T, N>(xs, first));
        for i in 0..N {
            let distance = values[i] - mean[i];
            let grad = before_rectifier(distance * scale[i] + shift[i], grad[i]);
            values[i] = grad * scale[i] + distance * along[i] + constant[i];
        }
        *some_mut(out, first) = values;
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

/// The same of the gradient before a rectifier of what [`normalize`] gave, from that after it.
pub(crate) fn rectified_products<T: Real>(grad: &[T], xs: &[T], rows: [&[T]; 3], channels: usize) -> (Vec<f64>, Vec<f64>) {
    let mut sums = vec![T::zero(); width(channels)];
    let mut products = sums.clone();
    add_rectified_products(&mut sums, &mut products, grad, xs, rows);
    (fold(&sums, channels), fold(&products, channels))
}

/// Adds each value of `values` to `totals`.
pub(crate) fn add_up(totals: &mut [f64], values: &[f64]) {
    totals.iter_mut().zip(values).for_each(|(total, value)| *total += *value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::numbers;

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

    #[test]
    fn a_rectifier_is_undone_on_the_way() {
        for (channels, pixels) in [(3, 700), (16, 129), (70, 41)] {
            let of = |purpose| numbers::<f64>(pixels * channels, purpose);
            let (xs, grad) = (of(1), of(2));
            let rows = [3, 4, 5, 6, 7].map(|purpose| row::<f64>(numbers::<f64>(channels, purpose).into_iter(), channels));
            let [mean, scale, shift, along, constant] = rows.each_ref().map(Vec::as_slice);
            let mut ys = vec![0.0; xs.len()];
            normalize(&mut ys, &xs, [mean, scale, shift]);
            let before: Vec<f64> = grad.iter().zip(&ys).map(|(g, y)| if *y > 0.0 { *g } else { 0.0 }).collect();
            let found = rectified_products(&grad, &xs, [mean, scale, shift], channels);
            assert_eq!(found, products(&before, &xs, &mean[..channels]));
            let (mut found, mut expected) = (ys.clone(), ys);
            undo_rectified(&mut found, &grad, &xs, [mean, scale, shift, along, constant]);
            undo(&mut expected, &before, &xs, [mean, scale, along, constant]);
            assert_eq!(found, expected);
            let value = |i: usize| {
                before[i] * scale[i % channels] + (xs[i] - mean[i % channels]) * along[i % channels] + constant[i % channels]
            };
            assert_eq!(expected, (0..xs.len()).map(value).collect::<Vec<f64>>());
        }
    }
}
