//! Keeping freed memory for the next step, in large pages.
//!
//! Every step allocates and frees the same large buffers. By default glibc gives them back to the system and gets them
//! back as fresh pages, each of which costs a fault: more, together, than some layers' arithmetic. Where the system gives
//! [large pages](https://docs.kernel.org/admin-guide/mm/transhuge.html) to those who ask, there are fewer faults, and a processor finds
//! what it reads with fewer looks at tables.

use std::sync::Once;

/// Tells the system's allocator, once for the whole process, to keep what is freed, and asks for large pages; does nothing where
/// it is not glibc.
pub(crate) fn keep_freed_pages() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        #[cfg(all(target_os = "linux", target_env = "gnu"))]
        {
            // SAFETY: `mallopt` takes any values, and the two numbers it writes here say only when the allocator asks the system for
            // memory and returns it. Threads that allocate meanwhile go by the old ones or the new ones, of which either will do.
            unsafe {
                libc::mallopt(libc::M_MMAP_MAX, 0);
                libc::mallopt(libc::M_TRIM_THRESHOLD, -1);
            }
            #[cfg(target_pointer_width = "64")]
            grow_in_large_pages();
        }
    });
}

/// Lets the heap of the main thread have room to grow, which is of large pages as far as the system has some. It takes addresses,
/// but no memory before there is something in it. Other threads have heaps of their own, of ordinary pages.
#[cfg(all(target_os = "linux", target_env = "gnu", target_pointer_width = "64"))]
fn grow_in_large_pages() {
    const ROOM: usize = 4 << 30;
    /// The bytes of a large page.
    const PAGE: usize = 2 << 20;
    // Where room counts as memory, none is taken.
    let is_counted = std::fs::read_to_string("/proc/sys/vm/overcommit_memory").is_ok_and(|mode| mode.trim() == "2");
    if is_counted {
        return;
    }
    // SAFETY: what is freed has just been allocated, if it could be; advice, of pages within it, changes none of their bytes.
    unsafe {
        let room = libc::malloc(ROOM);
        if !room.is_null() {
            libc::madvise(room.add(room.align_offset(PAGE)), ROOM - PAGE, libc::MADV_HUGEPAGE);
            libc::free(room);
        }
    }
}

#[cfg(test)]
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod tests {
    use super::keep_freed_pages;
    use std::fs::read_to_string;

    /// The pages this process has touched for the first time so far.
    fn faults() -> u64 {
        let stat = read_to_string("/proc/thread-self/stat").unwrap();
        stat.rsplit(") ").next().unwrap().split(' ').nth(7).unwrap().parse().unwrap()
    }

    #[test]
    fn a_buffer_allocated_again_faults_no_pages() {
        keep_freed_pages();
        let touch = || std::hint::black_box(vec![1u8; 16 << 20]).len();
        touch();
        let before = faults();
        touch();
        assert!(faults() - before < 400, "{} faults for 4096 pages", faults() - before);
    }
}
