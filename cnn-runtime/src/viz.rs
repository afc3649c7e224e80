//! Pictures, as SVG files that need no other program.

mod history;
