//! Code of `model!` for editors alone: names among those that could stand in their place.

/// What rust-analyzer reads, and the compiler does not.
#[cfg(rust_analyzer)]
#[doc(hidden)]
#[macro_export]
macro_rules! __offered {
    ($($code:tt)*) => { $($code)* };
}

/// What rust-analyzer reads, and the compiler does not.
#[cfg(not(rust_analyzer))]
#[doc(hidden)]
#[macro_export]
macro_rules! __offered {
    ($($code:tt)*) => {};
}
