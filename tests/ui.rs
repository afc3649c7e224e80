//! What people get wrong, and what the compiler tells them: one mistake a file, with the error beside it.
//!
//! `TRYBUILD=overwrite cargo test --test ui` writes the errors anew, to be read before they are kept.

#[test]
fn ui() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("../tests/ui/*.rs");
}
