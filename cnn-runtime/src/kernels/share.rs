//! Which threads share the work of a kernel.
//!
//! Waking threads takes as long as a small layer. Where every thread has images of its own, each computes alone; of a single
//! image, a [helper](super::helper) that is awake takes half of each layer.

use super::helper;
use candle_core::Tensor;
use rayon::prelude::*;
use std::cell::Cell;
use std::collections::VecDeque;
use std::mem::MaybeUninit;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

#[derive(Clone, Copy, PartialEq)]
enum Threads {
    /// As many as rayon has.
    All,
    /// This one and the helper.
    Two,
    /// This one.
    One,
}

thread_local! {
    static THREADS: Cell<Threads> = const { Cell::new(Threads::All) };
}

/// Runs `work`, the operations of a pass over the batch `xs`, on a thread of the pool: it goes from one to the next, where a
/// thread that is not of the pool would go to sleep during each. Some others stay awake meanwhile.
///
/// It stays on this thread for a GPU, as candle gives every thread a queue of work of its own there, and where the `largest`
/// tensor of one example is not known, or so large that being woken does not matter: allocators have less room for threads than for a process.
pub(crate) fn in_pool<R: Send>(xs: &Tensor, largest: Option<usize>, work: impl FnOnce() -> R + Send) -> R {
    /// Values in the largest tensor of a pass that is worth it; glibc's heaps of threads are of 64 MiB.
    const LARGE: usize = 4 << 20;
    /// Threads that stay awake: of more, few have a part of a layer so small that waking one takes as long.
    const AWAKE: usize = 4;
    struct Done<'a>(&'a AtomicBool);
    impl Drop for Done<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Release);
        }
    }
    let batch = xs.dims().first().copied().unwrap_or(1);
    if !xs.device().is_cpu() || largest.is_none_or(|largest| largest.saturating_mul(batch) > LARGE) {
        return work();
    }
    let is_done = AtomicBool::new(false);
    rayon::scope(|scope| {
        let _done = Done(&is_done);
        let this = rayon::current_thread_index();
        for _ in 1..rayon::current_num_threads().min(AWAKE) {
            let is_done = &is_done;
            scope.spawn(move |_| stay_awake(this, is_done));
        }
        work()
    })
}

/// Takes what thread `caller` shares until it `is_done`, or there has been nothing for a while.
///
/// That it ends by itself matters: rayon may call it on a thread that waits for a part of the very work it is to take.
fn stay_awake(caller: Option<usize>, is_done: &AtomicBool) {
    const PATIENCE: Duration = Duration::from_millis(1);
    if rayon::current_thread_index() == caller {
        return;
    }
    let mut idle_since = Instant::now();
    while !is_done.load(Ordering::Acquire) {
        if rayon::yield_now() == Some(rayon::Yield::Executed) {
            idle_since = Instant::now();
        } else if idle_since.elapsed() > PATIENCE {
            return;
        }
        std::hint::spin_loop();
    }
}

/// Runs `work`, in which this thread asks no other for help with convolutions, products and what else is cut in chunks.
pub(crate) fn alone<R>(work: impl FnOnce() -> R) -> R {
    with(Threads::One, work)
}

/// Runs `work`, in which this thread shares such things with one other.
pub(crate) fn in_pairs<R>(work: impl FnOnce() -> R) -> R {
    with(if helper::is_there() { Threads::Two } else { Threads::One }, work)
}

fn with<R>(threads: Threads, work: impl FnOnce() -> R) -> R {
    struct Restore(Threads);
    impl Drop for Restore {
        fn drop(&mut self) {
            THREADS.set(self.0);
        }
    }
    let _restore = Restore(THREADS.replace(threads));
    work()
}

/// The threads that share this thread's work.
pub(super) fn threads() -> usize {
    match THREADS.get() {
        Threads::All => rayon::current_num_threads(),
        Threads::Two => 2,
        Threads::One => 1,
    }
}

/// Whether work is shared by all threads of the pool, and not by fewer.
pub(super) fn is_in_pool() -> bool {
    THREADS.get() == Threads::All
}

/// Calls `work` with each item, on several threads if several share this one's work. A helper begins with the last, so that it has
/// about the same items each time, and what they read is still in its cache.
pub(crate) fn for_each<I: Send>(items: Vec<I>, work: impl Fn(I) + Send + Sync) {
    match THREADS.get() {
        Threads::All => items.into_par_iter().for_each(work),
        Threads::Two if items.len() > 1 => {
            let items = Mutex::new(VecDeque::from(items));
            let next =
                |take: fn(&mut VecDeque<I>) -> Option<I>| take(&mut items.lock().expect("nothing panics while it is held"));
            let until_done = |take| std::iter::from_fn(|| next(take)).for_each(&work);
            helper::both(|| until_done(VecDeque::pop_front), || alone(|| until_done(VecDeque::pop_back)));
        }
        _ => items.into_iter().for_each(work),
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
    if is_in_pool() && len > least {
        let chunks = uninit.par_chunks_mut(chunk).enumerate().with_min_len(least.div_ceil(chunk).max(1));
        chunks.for_each_init(S::default, |scratch, (number, values)| write(scratch, number, values));
    } else {
        // So many chunks to a thread that each has at least `least` values.
        let share = chunk * uninit.len().div_ceil(chunk).div_ceil(threads()).max(least.div_ceil(chunk)).max(1);
        for_each(uninit.chunks_mut(share).enumerate().collect(), |(number, values)| {
            let (mut scratch, first) = (S::default(), number * (share / chunk));
            values.chunks_mut(chunk).enumerate().for_each(|(number, values)| write(&mut scratch, first + number, values));
        });
    }
    // SAFETY: the chunks are the first `len` values, and the caller says that each has been written.
    unsafe { values.set_len(len) };
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};
    use std::panic::AssertUnwindSafe;

    #[test]
    fn a_thread_is_alone_until_its_work_is_done_even_if_it_fails() {
        alone(|| {
            in_pairs(|| assert!(threads() <= 2));
            assert_eq!(threads(), 1);
            assert!(std::thread::spawn(is_in_pool).join().unwrap());
        });
        assert!(std::panic::catch_unwind(|| alone(|| panic!("broken"))).is_err());
        assert!(is_in_pool());
    }

    #[test]
    fn passes_of_several_threads_and_within_each_other_end() {
        let xs = Tensor::zeros((2, 3), DType::F32, &Device::Cpu).unwrap();
        let pass = || in_pool(&xs, Some(3), || (0..1000usize).into_par_iter().map(|i| i % 7).sum::<usize>());
        let expected = pass();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    (0..200).for_each(|_| assert_eq!(in_pool(&xs, Some(3), || rayon::join(pass, pass)), (expected, expected)))
                });
            }
        });
        assert!(std::panic::catch_unwind(AssertUnwindSafe(|| in_pool(&xs, Some(3), || panic!("broken")))).is_err());
        assert_eq!(pass(), expected);
    }

    #[test]
    fn passes_over_large_or_unknown_tensors_stay_where_they_are() {
        let xs = Tensor::zeros((2, 3), DType::F32, &Device::Cpu).unwrap();
        let is_in_pool = |largest| in_pool(&xs, largest, || rayon::current_thread_index().is_some());
        assert_eq!([Some(3), Some(1 << 21), Some(usize::MAX), None].map(is_in_pool), [true, true, false, false]);
    }

    #[test]
    fn chunks_are_numbered_in_order_however_many_threads_there_are() {
        let numbered = |len: usize| {
            // SAFETY: every value of a chunk is written.
            unsafe { new_in_chunks(len, 4, 0, |(): &mut (), number, values| values.fill(MaybeUninit::new(number))) }
        };
        assert_eq!(numbered(10), [0, 0, 0, 0, 1, 1, 1, 1, 2, 2]);
        for len in 0..40 {
            assert_eq!(alone(|| numbered(len)), numbered(len));
            assert_eq!(in_pairs(|| numbered(len)), numbered(len));
        }
    }
}
