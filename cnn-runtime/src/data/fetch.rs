//! Reading a data file whole, unpacked if it is gzip.

use crate::{Error, Result};
use flate2::read::MultiGzDecoder;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The file `directory/name`, or `name.gz` beside it.
pub(super) fn find(directory: &Path, name: &str) -> Result<PathBuf> {
    let plain = directory.join(name);
    let packed = directory.join(format!("{name}.gz"));
    match [plain, packed].into_iter().find(|path| path.is_file()) {
        Some(path) => Ok(path),
        None if directory.is_dir() => Err(Error::file(directory, format!("has neither `{name}` nor `{name}.gz`"))),
        None => Err(Error::file(directory, "is not a directory")),
    }
}

/// The bytes of a file; gzip is known by its first bytes, whatever the name.
pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    let bytes = fs::read(path).map_err(Error::io("read", path))?;
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes);
    }
    let mut unpacked = Vec::new();
    let result = MultiGzDecoder::new(bytes.as_slice()).read_to_end(&mut unpacked);
    result.map_err(|error| Error::file(path, format!("is a damaged gzip file: {error}")))?;
    Ok(unpacked)
}
