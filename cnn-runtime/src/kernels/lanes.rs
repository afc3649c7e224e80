//! Loops over as many values at once as fill a vector.
//!
//! A loop over slices, some of which are written, is compiled with a look at whether they overlap: where it is short, that takes longer than
//! the loop. Arrays that are read before others are written need none, and neither do vectors, which compilers do not have to find.

use super::real::Real;
use pulp::Simd;

/// Calls a function for each few of so many values, as many as fill a vector while there are: the first argument is where they start.
///
/// The function has to be `#[inline(always)]`, to be compiled for the instructions that its caller is.
macro_rules! for_lanes {
    ($values:expr, $function:ident::<$real:ident>($($argument:expr),* $(,)?)) => {{
        let (values, mut first) = ($values, 0);
        for_lanes!(@ 16, first, values, $function::<$real>($($argument),*));
        for_lanes!(@ 4, first, values, $function::<$real>($($argument),*));
        for_lanes!(@ 1, first, values, $function::<$real>($($argument),*));
    }};
    (@ $lanes:literal, $first:ident, $values:ident, $function:ident::<$real:ident>($($argument:expr),*)) => {
        while $values - $first >= $lanes {
            $function::<$real, $lanes>($first, $($argument),*);
            $first += $lanes;
        }
    };
}
pub(super) use for_lanes;

/// Some values of a slice.
#[inline(always)]
pub(super) fn some<T, const N: usize>(values: &[T], first: usize) -> &[T; N] {
    values[first..].first_chunk().expect("as many values as are asked for")
}

/// As [`some`], to be changed.
#[inline(always)]
pub(super) fn some_mut<T, const N: usize>(values: &mut [T], first: usize) -> &mut [T; N] {
    values[first..].first_chunk_mut().expect("as many values as are asked for")
}

/// How many numbers a vector holds.
#[inline(always)]
pub(super) fn lanes_of<T: Real, S: Simd>() -> usize {
    size_of::<T::Vector<S>>() / size_of::<T>()
}

/// The numbers from `first` on as a vector.
///
/// # Safety
/// They have to be there.
#[inline(always)]
pub(super) unsafe fn vector<T: Real, S: Simd>(values: *const T, first: usize) -> T::Vector<S> {
    // SAFETY: the caller's; a vector is made of any numbers.
    unsafe { values.add(first).cast::<T::Vector<S>>().read_unaligned() }
}

/// Writes a vector where the numbers from `first` on lie.
///
/// # Safety
/// There has to be room for them, borrowed exclusively.
#[inline(always)]
pub(super) unsafe fn set_vector<T: Real, S: Simd>(values: *mut T, first: usize, vector: T::Vector<S>) {
    // SAFETY: the caller's.
    unsafe { values.add(first).cast::<T::Vector<S>>().write_unaligned(vector) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[inline(always)]
    fn count<T: Into<usize> + Copy, const N: usize>(first: usize, values: &[T], counts: &mut [usize]) {
        let values = some::<T, N>(values, first);
        some_mut::<usize, N>(counts, first).iter_mut().zip(values).for_each(|(count, value)| *count += (*value).into());
    }

    #[test]
    fn every_value_is_among_the_few_of_one_call() {
        fn counts_once<T: Into<usize> + Copy>(values: &[T]) -> Vec<usize> {
            let mut counts = vec![0; values.len()];
            for_lanes!(values.len(), count::<T>(values, &mut counts));
            counts
        }
        for len in [0, 1, 4, 15, 16, 17, 39, 64] {
            assert_eq!(counts_once(&vec![1u8; len]), vec![1; len]);
        }
    }
}
