//! That what a model allocates lies in large pages where the system has some.
//!
//! It is so of what the main thread allocates, on which a harness would not run tests: this is a program of its own.

use cnn_runtime::prelude::*;

model! {
    Tiny { i = Input(2); x = Dense(2)(i); }
}

fn main() {
    Tiny::new(&Device::Cpu, Seed(1)).expect("a model");
    #[cfg(all(target_os = "linux", target_env = "gnu", target_pointer_width = "64"))]
    linux::expect_large_pages();
}

#[cfg(all(target_os = "linux", target_env = "gnu", target_pointer_width = "64"))]
mod linux {
    use std::fs::read_to_string;
    use std::hint::black_box;

    pub fn expect_large_pages() {
        let is_counted = read_to_string("/proc/sys/vm/overcommit_memory").is_ok_and(|mode| mode.trim() == "2");
        if is_counted || !std::path::Path::new("/sys/kernel/mm/transparent_hugepage").exists() {
            println!("memory: large pages are not asked for on this system");
            return;
        }
        let buffer = black_box(vec![1u8; 16 << 20]);
        let flags = flags(buffer.as_ptr().addr() + (8 << 20));
        assert!(flags.split(' ').any(|flag| flag == "hg"), "large pages have not been asked for: {flags}");
        println!("memory: large pages have been asked for");
    }

    /// What the system says of the memory that `address` lies in.
    fn flags(address: usize) -> String {
        let maps = read_to_string("/proc/self/smaps").expect("this process's memory");
        let mut is_here = false;
        for line in maps.lines() {
            let range = line.split(' ').next().and_then(|range| range.split_once('-'));
            let ends = range.map(|(start, end)| [start, end].map(|end| usize::from_str_radix(end, 16)));
            if let Some([Ok(start), Ok(end)]) = ends {
                is_here = (start..end).contains(&address);
            } else if is_here && let Some(flags) = line.strip_prefix("VmFlags:") {
                return flags.to_string();
            }
        }
        panic!("{address:x} lies nowhere")
    }
}
