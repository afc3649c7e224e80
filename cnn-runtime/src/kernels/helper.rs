//! A second thread, which waits for its part of each layer without going to sleep.
//!
//! A layer of a small image takes a few microseconds, about as long as waking a thread. While layers follow each other the
//! helper looks for the next one in a loop; it sleeps when none has come for a while. Nobody waits for it to begin: what it
//! has not taken when the caller's own part is done, the caller does.

use crossbeam_utils::CachePadded;
use std::cell::UnsafeCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU8, Ordering::*};
use std::sync::{Mutex, MutexGuard, OnceLock, TryLockError};
use std::thread::{self, Thread};

/// Looks for work, of a few nanoseconds each, before the helper goes to sleep.
const LOOKS: usize = 4096;

/// No work, and the helper looks for some.
const IDLE: u8 = 0;
/// No work, and the helper sleeps or is about to.
const ASLEEP: u8 = 1;
/// There is work that nobody has taken.
const READY: u8 = 2;
/// The helper works.
const TAKEN: u8 = 3;
/// The helper has done its work.
const DONE: u8 = 4;

/// What a helper is to do. It outlives the caller's borrow only in name: [`Helper::share`] returns when it is done.
type Job = *const (dyn Fn() + Sync);

/// What the helper and its caller tell each other.
struct Post {
    state: AtomicU8,
    job: UnsafeCell<Option<Job>>,
}

struct Helper {
    /// By itself in its cache lines: whoever looks at it does not wait for writes to anything else.
    post: CachePadded<Post>,
    panic: Mutex<Option<Box<dyn std::any::Any + Send>>>,
    thread: OnceLock<Thread>,
    /// Held by the one caller it works for.
    caller: Mutex<()>,
}

// SAFETY: `job` is written by the one caller only while the state is `IDLE` or `ASLEEP`, and read by the helper only after it
// has found `READY`, which is stored after the write; the function it points to may be called from any thread.
unsafe impl Sync for Helper {}

/// Calls both, the second on the helper's thread unless that is busy or this one is done first.
pub(super) fn both(first: impl FnOnce(), second: impl Fn() + Sync) {
    match helper().and_then(|helper| Some((helper, helper.reserve()?))) {
        Some((helper, _caller)) => helper.share(first, &second),
        None => {
            first();
            second();
        }
    }
}

/// Whether there is a helper.
pub(super) fn is_there() -> bool {
    helper().is_some()
}

/// The helper of this process, if the threads that may be used are more than one and it could be started.
fn helper() -> Option<&'static Helper> {
    static HELPER: OnceLock<Option<&Helper>> = OnceLock::new();
    *HELPER.get_or_init(|| {
        if rayon::current_num_threads() < 2 {
            return None;
        }
        let helper: &Helper = Box::leak(Box::new(Helper {
            post: CachePadded::new(Post { state: AtomicU8::new(IDLE), job: UnsafeCell::new(None) }),
            panic: Mutex::new(None),
            thread: OnceLock::new(),
            caller: Mutex::new(()),
        }));
        let started = thread::Builder::new().name("cnn-helper".into()).spawn(|| helper.run()).ok()?;
        helper.thread.set(started.thread().clone()).expect("it is set once");
        Some(helper)
    })
}

/// Lets some nanoseconds pass; now and then other threads, one of which may be the one that is waited for.
pub(super) fn pause(looks: &mut usize) {
    const PATIENCE: usize = 256;
    *looks += 1;
    if looks.is_multiple_of(PATIENCE) { thread::yield_now() } else { std::hint::spin_loop() }
}

impl Helper {
    /// Takes it for one caller, unless it works for another.
    fn reserve(&self) -> Option<MutexGuard<'_, ()>> {
        match self.caller.try_lock() {
            Ok(caller) => Some(caller),
            // A caller that panicked has waited for the helper before.
            Err(TryLockError::Poisoned(caller)) => Some(caller.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    fn share(&self, first: impl FnOnce(), second: &(dyn Fn() + Sync)) {
        // SAFETY: the state is `IDLE` or `ASLEEP`, in which only the caller, which this is, touches the job. The lifetime is
        // forgotten, but the job is not called after this function returns: below it is taken back or waited for.
        unsafe { *self.post.job.get() = Some(std::mem::transmute::<*const (dyn Fn() + Sync + '_), Job>(second)) };
        if self.post.state.swap(READY, AcqRel) == ASLEEP {
            self.thread.get().expect("it is set before the helper is used").unpark();
        }
        let ended = catch_unwind(AssertUnwindSafe(first));
        // A helper that has not begun is found awake by its next caller, or goes back to sleep.
        if self.post.state.compare_exchange(READY, IDLE, AcqRel, Acquire).is_ok() {
            second();
        } else {
            let mut looks = 0;
            while self.post.state.load(Acquire) != DONE {
                pause(&mut looks);
            }
            self.post.state.store(IDLE, Release);
            let panic = self.panic.lock().expect("nothing panics while it is held").take();
            if let Some(panic) = panic {
                resume_unwind(panic);
            }
        }
        if let Err(panic) = ended {
            resume_unwind(panic);
        }
    }

    fn run(&self) {
        loop {
            self.wait();
            if self.post.state.compare_exchange(READY, TAKEN, AcqRel, Acquire).is_err() {
                continue;
            }
            // SAFETY: the caller wrote the job before `READY`, and keeps what it points to until the state is `DONE`.
            let job = unsafe { &*(*self.post.job.get()).expect("a job comes with `READY`") };
            if let Err(panic) = catch_unwind(AssertUnwindSafe(job)) {
                *self.panic.lock().expect("nothing panics while it is held") = Some(panic);
            }
            self.post.state.store(DONE, Release);
        }
    }

    /// Returns when there may be work.
    fn wait(&self) {
        let mut looks = 0;
        while looks < LOOKS {
            if self.post.state.load(Acquire) == READY {
                return;
            }
            pause(&mut looks);
        }
        if self.post.state.compare_exchange(IDLE, ASLEEP, AcqRel, Acquire).is_ok() {
            thread::park();
            // Woken for no reason, or after the caller has done the work itself: it looks for a while again.
            let _ = self.post.state.compare_exchange(ASLEEP, IDLE, AcqRel, Acquire);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, AtomicUsize};
    use std::time::Duration;

    #[test]
    fn both_parts_are_done_once_each_time() {
        let (first, second) = (AtomicUsize::new(0), AtomicUsize::new(0));
        for round in 1..20_000 {
            if round % 2_000 == 0 {
                thread::sleep(Duration::from_millis(2));
            }
            both(|| _ = first.fetch_add(1, Relaxed), || _ = second.fetch_add(1, Relaxed));
            assert_eq!((first.load(Relaxed), second.load(Relaxed)), (round, round));
        }
    }

    #[test]
    fn callers_of_several_threads_do_not_mix() {
        let total = AtomicUsize::new(0);
        thread::scope(|scope| {
            for number in 0..4 {
                let total = &total;
                scope.spawn(move || {
                    for _ in 0..2_000 {
                        both(|| _ = total.fetch_add(number, Relaxed), || _ = total.fetch_add(10, Relaxed));
                    }
                });
            }
        });
        assert_eq!(total.into_inner(), 2_000 * (1 + 2 + 3) + 8_000 * 10);
    }

    #[test]
    fn a_part_that_fails_is_heard_of_and_the_next_one_is_done() {
        let fails = |which: usize| {
            let fail = |part: usize| {
                if part == which {
                    panic!("part {part}")
                }
            };
            catch_unwind(|| both(|| fail(0), || fail(1))).is_err()
        };
        for _ in 0..100 {
            assert!(fails(0) && fails(1) && !fails(2));
        }
        let is_helped = || {
            let is_helper = AtomicBool::new(false);
            let is_taken = || thread::current().name() == Some("cnn-helper");
            both(|| thread::sleep(Duration::from_millis(1)), || is_helper.store(is_taken(), Relaxed));
            is_helper.into_inner()
        };
        assert!(helper().is_none() || (0..1000).any(|_| is_helped()), "the helper is gone");
    }
}
