//! Pictures, as SVG files that need no other program.

mod diagram;
mod history;

use crate::{Error, Result};
use std::path::Path;

/// Why a picture cannot be drawn.
fn failed(path: &Path, problem: impl Into<String>) -> Error {
    Error::Plot { path: path.into(), problem: problem.into() }
}

/// That a file is named as what it will be.
fn check_name(path: &Path) -> Result<()> {
    match path.extension() {
        Some(extension) if extension.eq_ignore_ascii_case("svg") => Ok(()),
        _ => Err(failed(path, "pictures are SVG files\n  help: let the name end in `.svg`")),
    }
}
