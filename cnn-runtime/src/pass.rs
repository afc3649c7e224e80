//! On which thread a pass over a batch runs, and what of that thread's state it sees.

use crate::{Precision, kernels, layers};
use candle_core::Tensor;
use scopeguard::guard;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Runs `work`, the operations of a pass over the batch `xs`, where its kernels find the threads to share them with.
///
/// One of two threads is this one, unless it is of a pool already, so that none has to be woken where passes follow each other. Where
/// there are more, it is one of the pool: work goes from one to the next, where a thread that is not of the pool would go to sleep during each. Some others stay
/// awake meanwhile.
///
/// It stays on this thread for a GPU, as candle gives every thread a queue of work of its own there, and where the `largest`
/// tensor of one example is not known, or so large that being woken does not matter: allocators have less room for threads
/// than for a process.
pub(crate) fn shared<R: Send>(xs: &Tensor, largest: Option<usize>, work: impl FnOnce() -> R + Send) -> R {
    /// Values in the largest tensor of a pass that is worth it; glibc's heaps of threads are of 64 MiB.
    const LARGE: usize = 4 << 20;
    /// Threads that stay awake: of more, few have a part of a layer so small that waking one takes as long.
    const AWAKE: usize = 4;
    let batch = xs.dims().first().copied().unwrap_or(1);
    if xs.device().is_cpu() && rayon::current_num_threads() == 2 && rayon::current_thread_index().is_none() {
        return by_itself(Precision::current(), || kernels::in_pairs(work));
    }
    if !xs.device().is_cpu() || largest.is_none_or(|largest| largest.saturating_mul(batch) > LARGE) {
        return work();
    }
    let (is_done, precision) = (AtomicBool::new(false), Precision::current());
    rayon::scope(|scope| {
        let _done = guard(&is_done, |is_done| is_done.store(true, Ordering::Release));
        let this = rayon::current_thread_index();
        for _ in 1..rayon::current_num_threads().min(AWAKE) {
            let is_done = &is_done;
            scope.spawn(move |_| stay_awake(this, is_done));
        }
        by_itself(precision, work)
    })
}

/// Runs a pass as if this thread, which may be in the middle of another and waiting for parts of that, had just begun.
fn by_itself<R>(precision: Precision, work: impl FnOnce() -> R) -> R {
    kernels::together(|| kernels::unrecorded(|| layers::uncollected(|| precision.during(work))))
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

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};
    use rayon::prelude::*;
    use std::panic::AssertUnwindSafe;

    fn small() -> Tensor {
        Tensor::zeros((2, 3), DType::F32, &Device::Cpu).unwrap()
    }

    /// Calls `test` where there are this machine's threads, and among three.
    fn with_more_threads(test: impl Fn() + Sync + Send) {
        test();
        rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap().install(test);
    }

    #[test]
    fn passes_of_several_threads_and_within_each_other_end() {
        with_more_threads(|| {
            let xs = small();
            let pass = || shared(&xs, Some(3), || (0..1000usize).into_par_iter().map(|i| i % 7).sum::<usize>());
            let expected = pass();
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    let passes = || assert_eq!(shared(&xs, Some(3), || rayon::join(pass, pass)), (expected, expected));
                    scope.spawn(move || (0..200).for_each(|_| passes()));
                }
            });
            assert!(std::panic::catch_unwind(AssertUnwindSafe(|| shared(&xs, Some(3), || panic!("broken")))).is_err());
            assert_eq!(pass(), expected);
        });
    }

    #[test]
    fn passes_over_large_or_unknown_tensors_and_of_two_threads_stay_where_they_are() {
        let xs = small();
        let is_in_pool = |largest| shared(&xs, largest, || rayon::current_thread_index().is_some());
        let are_two = rayon::current_num_threads() == 2;
        let found = [Some(3), Some(1 << 21), Some(usize::MAX), None].map(is_in_pool);
        assert_eq!(found, [!are_two, !are_two, false, false]);
    }

    #[test]
    fn a_pass_has_the_precision_of_its_caller() {
        with_more_threads(|| {
            let current = || shared(&small(), Some(3), Precision::current);
            assert_eq!(Precision::Bf16.during(current), Precision::Bf16);
            assert_eq!(current(), Precision::F32);
        });
    }

    #[test]
    fn a_pass_sees_nothing_of_the_one_its_thread_was_in() {
        with_more_threads(|| {
            let (inner, outer) = rayon::scope(|_| {
                let inner = || shared(&small(), Some(3), || (kernels::is_recording(&Device::Cpu), layers::is_collecting()));
                let outer = kernels::record(|| layers::collect(|| Ok((inner(), layers::is_collecting()))));
                outer.unwrap().0.0
            });
            assert_eq!((inner, outer), ((false, false), true));
        });
    }
}
