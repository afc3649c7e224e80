//! Which threads share the work of a kernel.
//!
//! Waking threads takes as long as a small layer. Where every thread has images of its own, each computes alone. Where there are two,
//! a [helper](super::helper) that is awake takes about half of each layer, of a single image or of a batch; it is about the same half
//! each time, so that what a layer reads is in the cache of the thread that wrote it. More threads are those of rayon's pool.

use super::helper;
use rayon::prelude::*;
use scopeguard::guard;
use std::cell::Cell;
use std::collections::VecDeque;
use std::mem::MaybeUninit;
use std::sync::{Mutex, MutexGuard, TryLockError};

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

/// Runs `work`, which all threads of the pool share.
pub(crate) fn together<R>(work: impl FnOnce() -> R) -> R {
    with(Threads::All, work)
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
    let _restore = guard(THREADS.replace(threads), |before| THREADS.set(before));
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
    for_each_with(items, || (), |(), item| work(item));
}

/// The same, with what each thread makes before its first item.
pub(super) fn for_each_with<I: Send, S>(
    items: Vec<I>,
    make: impl Fn() -> S + Send + Sync,
    work: impl Fn(&mut S, I) + Send + Sync,
) {
    match THREADS.get() {
        Threads::All => items.into_par_iter().for_each_init(make, work),
        Threads::Two if items.len() > 1 => {
            let items = Mutex::new(VecDeque::from(items));
            let until_done = |take: fn(&mut VecDeque<I>, usize) -> Vec<I>| {
                let mut made = make();
                loop {
                    let mut items = locked(&items);
                    // Fewer and fewer at a time, so that both are done at about the same time.
                    let count = items.len().div_ceil(8);
                    let some = take(&mut items, count);
                    // Asked now, and not by another look, for which the lock may have to come from the other thread's cache.
                    let are_last = items.is_empty();
                    drop(items);
                    some.into_iter().for_each(|item| work(&mut made, item));
                    if are_last {
                        return;
                    }
                }
            };
            helper::both(|| until_done(first), || alone(|| until_done(last)));
        }
        _ => {
            let mut made = make();
            items.into_iter().for_each(|item| work(&mut made, item));
        }
    }
}

/// What is in a lock that nobody holds for as long as it takes to go to sleep and to be woken: two threads that do the same work often come
/// for it at the same time.
fn locked<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    let mut looks = 0;
    loop {
        match lock.try_lock() {
            Ok(held) => return held,
            Err(TryLockError::WouldBlock) => helper::pause(&mut looks),
            Err(TryLockError::Poisoned(_)) => unreachable!("nothing panics while it is held"),
        }
    }
}

fn first<I>(items: &mut VecDeque<I>, count: usize) -> Vec<I> {
    items.drain(..count).collect()
}

fn last<I>(items: &mut VecDeque<I>, count: usize) -> Vec<I> {
    items.drain(items.len() - count..).collect()
}

/// What `work` makes of each item, in their order, on as many threads as [`for_each`].
pub(super) fn map<I: Send, R: Send>(items: Vec<I>, work: impl Fn(I) -> R + Send + Sync) -> Vec<R> {
    let mut found: Vec<Option<R>> = items.iter().map(|_| None).collect();
    for_each(items.into_iter().zip(&mut found).collect(), |(item, found)| *found = Some(work(item)));
    found.into_iter().map(|found| found.expect("every item has been worked on")).collect()
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
    /// Parts to a thread.
    const PARTS: usize = 32;
    let mut values = Vec::with_capacity(len);
    let (uninit, chunk) = (&mut values.spare_capacity_mut()[..len], chunk.max(1));
    if is_in_pool() && len > least {
        let chunks = uninit.par_chunks_mut(chunk).enumerate().with_min_len(least.div_ceil(chunk).max(1));
        chunks.for_each_init(S::default, |scratch, (number, values)| write(scratch, number, values));
    } else {
        // So many chunks at a time that each thread can take of the other's, and has at least `least` values.
        let share = chunk * uninit.len().div_ceil(chunk).div_ceil(PARTS * threads()).max(least.div_ceil(chunk)).max(1);
        for_each_with(uninit.chunks_mut(share).enumerate().collect(), S::default, |scratch, (number, values)| {
            let first = number * (share / chunk);
            values.chunks_mut(chunk).enumerate().for_each(|(number, values)| write(scratch, first + number, values));
        });
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
            in_pairs(|| assert!(threads() <= 2));
            assert_eq!(threads(), 1);
            assert!(std::thread::spawn(is_in_pool).join().unwrap());
        });
        assert!(std::panic::catch_unwind(|| alone(|| panic!("broken"))).is_err());
        assert!(is_in_pool());
    }

    #[test]
    fn every_item_is_worked_on_once_and_in_its_place() {
        for count in [0, 1, 2, 7, 8, 9, 100] {
            let squares = || map((0..count).collect(), |i: usize| i * i);
            let expected: Vec<usize> = (0..count).map(|i| i * i).collect();
            assert_eq!([together(squares), in_pairs(squares), alone(squares)], std::array::from_fn(|_| expected.clone()));
        }
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
