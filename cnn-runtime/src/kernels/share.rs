//! Whether threads share the work of a kernel.
//!
//! Waking a thread takes as long as a small layer. Where a single small image is in hand, or every thread has images of its
//! own, each computes alone.

use rayon::prelude::*;
use std::cell::Cell;
use std::mem::MaybeUninit;

thread_local! {
    static ALONE: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work`, in which this thread asks no other for help with convolutions, products and what else is cut in chunks.
pub(crate) fn alone<R>(work: impl FnOnce() -> R) -> R {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            ALONE.set(self.0);
        }
    }
    let _restore = Restore(ALONE.replace(true));
    work()
}

/// Whether this thread computes alone.
pub(super) fn is_alone() -> bool {
    ALONE.get()
}

/// Calls `work` with each item, on any thread unless this one is alone.
pub(super) fn for_each<I: Send>(items: Vec<I>, work: impl Fn(I) + Send + Sync) {
    match is_alone() {
        true => items.into_iter().for_each(work),
        false => items.into_par_iter().for_each(work),
    }
}

/// Writes a vector of `len` values: calls `write` with the number of each `chunk` of them and the chunk, at least `least`
/// values to a thread, and with a scratch that serves for several.
///
/// # Safety
/// `write` has to write every value of its chunk.
pub(super) unsafe fn new_in_chunks<T: Send, S: Default>(
    len: usize,
    chunk: usize,
    least: usize,
    write: impl Fn(&mut S, usize, &mut [MaybeUninit<T>]) + Sync,
) -> Vec<T> {
    let mut values = Vec::with_capacity(len);
    let (uninit, chunk) = (&mut values.spare_capacity_mut()[..len], chunk.max(1));
    if is_alone() || len <= least {
        let mut scratch = S::default();
        uninit.chunks_mut(chunk).enumerate().for_each(|(number, values)| write(&mut scratch, number, values));
    } else {
        let chunks = uninit.par_chunks_mut(chunk).enumerate().with_min_len(least.div_ceil(chunk).max(1));
        chunks.for_each_init(S::default, |scratch, (number, values)| write(scratch, number, values));
    }
    // SAFETY: the chunks are the first `len` values, and the caller says that each has been written.
    unsafe { values.set_len(len) };
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_alone_until_its_work_is_done_even_if_it_fails() {
        alone(|| {
            alone(|| ());
            assert!(is_alone());
            assert!(!std::thread::spawn(is_alone).join().unwrap());
        });
        assert!(std::panic::catch_unwind(|| alone(|| panic!("broken"))).is_err());
        assert!(!is_alone());
    }

    #[test]
    fn chunks_are_numbered_in_order_alone_and_together() {
        let numbered = || {
            // SAFETY: every value of a chunk is written.
            unsafe { new_in_chunks(10, 4, 0, |(): &mut (), number, values| values.fill(MaybeUninit::new(number))) }
        };
        assert_eq!(numbered(), [0, 0, 0, 0, 1, 1, 1, 1, 2, 2]);
        assert_eq!(alone(numbered), numbered());
    }
}
