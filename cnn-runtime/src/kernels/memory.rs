//! Keeping freed memory for the next step.
//!
//! Every step allocates and frees the same large buffers. By default glibc gives them back to the system and gets them
//! back as fresh pages, each of which costs a fault: more, together, than some layers' arithmetic.

use std::sync::Once;

/// Tells the system's allocator, once for the whole process, to keep what is freed; does nothing where it is not glibc.
pub(crate) fn keep_freed_pages() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        #[cfg(all(target_os = "linux", target_env = "gnu"))]
        // SAFETY: `mallopt` takes any values, may be called at any time, and changes only when the allocator asks the
        // system for memory and returns it.
        unsafe {
            libc::mallopt(libc::M_MMAP_MAX, 0);
            libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
        }
    });
}

#[cfg(test)]
mod tests {
    /// The pages this process has touched for the first time so far.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    fn faults() -> u64 {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        stat.rsplit(") ").next().unwrap().split(' ').nth(7).unwrap().parse().unwrap()
    }

    #[test]
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    fn a_buffer_allocated_again_faults_no_pages() {
        super::keep_freed_pages();
        let touch = || std::hint::black_box(vec![1u8; 16 << 20]).len();
        touch();
        let before = faults();
        touch();
        assert!(faults() - before < 400, "{} faults for 4096 pages", faults() - before);
    }
}
