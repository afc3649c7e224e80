//! Everything that can go wrong at run time, each error with what was expected, what came, and where.

use crate::gpu::{self, Trouble};
use crate::spec::ShapeError;
use std::backtrace::Backtrace;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// The result of everything in this crate that is not itself a candle operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong at run time.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A tensor operation failed.
    #[error("{}", said(.0))]
    Candle(candle_core::Error),

    /// A GPU cannot be used, or not for this.
    #[error("{problem}\n  note: {}\n  help: {help}", said(.source))]
    Gpu {
        /// What is wrong with it.
        problem: &'static str,
        /// A fix.
        help: &'static str,
        /// What its driver or its libraries say.
        source: candle_core::Error,
    },

    /// The operating system refused a file.
    #[error("cannot {action} `{}`: {source}", path.display())]
    Io {
        /// What was tried: `read`, `write`.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },

    /// A file does not hold what it should.
    #[error("`{}` {problem}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What was expected and what was found.
        problem: String,
    },

    /// The parts of a data set do not fit one another.
    #[error("{0}")]
    Data(String),

    /// A model does not fit its data set, its loss, or what it was asked for.
    #[error("{0}")]
    Mismatch(String),

    /// An argument has a value that means nothing.
    #[error("{0}")]
    Argument(String),

    /// A model was asked to do what needs a loss before it was given one.
    #[error("`{0}` needs to know the loss\n  help: call `model.compile(optimizer, loss, metrics)` first")]
    NotCompiled(&'static str),

    /// The loss is no longer a number.
    #[error(
        "the loss became {loss} in epoch {epoch} at step {step}; the weights are those before this step\n  note: {cause}\n  help: {help}"
    )]
    NotFinite {
        /// `NaN` or an infinity.
        loss: f64,
        /// The epoch of this `fit`, from 1.
        epoch: usize,
        /// The step of the epoch, from 1.
        step: usize,
        /// What the batch shows about the cause.
        cause: String,
        /// A fix.
        help: String,
    },

    /// A checkpoint is that of another network.
    #[error("`{}` does not fit `{model}`; nothing was loaded{}", path.display(), listed(differences))]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// The name of the model or the layer it was to be loaded into.
        model: String,
        /// Every tensor that is missing, unexpected, or of another shape or type.
        differences: Vec<String>,
    },

    /// A picture could not be drawn.
    #[error("cannot draw `{}`: {problem}", path.display())]
    Plot {
        /// The file.
        path: PathBuf,
        /// Why.
        problem: String,
    },
}

/// A rule that holds for a whole network, found broken at run time.
impl From<ShapeError> for Error {
    fn from(error: ShapeError) -> Self {
        Error::Mismatch(error.to_string())
    }
}

impl From<candle_core::Error> for Error {
    fn from(source: candle_core::Error) -> Self {
        match gpu::trouble(&said(&source)) {
            Some(Trouble { problem, help, .. }) => Error::Gpu { problem, help, source },
            None => Error::Candle(source),
        }
    }
}

impl Error {
    pub(crate) fn file(path: &Path, problem: impl Into<String>) -> Self {
        Error::File { path: path.into(), problem: problem.into() }
    }

    /// Turns the operating system's refusal to `action` a file into an error that names it.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Error::Io { action, path: path.into(), source }
    }
}

fn listed(lines: &[String]) -> String {
    lines.iter().map(|line| format!("\n  {line}")).collect()
}

/// What an error of candle says, without the backtrace that it takes along where `RUST_BACKTRACE` asks for one.
fn said(error: &candle_core::Error) -> String {
    match error {
        candle_core::Error::WithBacktrace { inner, .. } => said(inner),
        candle_core::Error::Context { inner, context } => format!("{context}\n{}", said(inner)),
        candle_core::Error::WithPath { inner, path } => format!("path: {path:?} {}", said(inner)),
        other => other.to_string(),
    }
}

fn backtrace(error: &candle_core::Error) -> Option<&Backtrace> {
    match error {
        candle_core::Error::WithBacktrace { backtrace, .. } => Some(backtrace),
        candle_core::Error::Context { inner, .. } | candle_core::Error::WithPath { inner, .. } => backtrace(inner),
        _ => None,
    }
}

/// As [`fmt::Display`], so that an error `main` returns is printed for people; with the backtrace of candle's errors, if they have one.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)?;
        match self {
            Error::Candle(source) | Error::Gpu { source, .. } => {
                backtrace(source).map_or(Ok(()), |backtrace| write!(f, "\n\n{backtrace}"))
            }
            _ => Ok(()),
        }
    }
}

/// The sizes of a tensor as errors and summaries write them, such as `32×1×3×3`.
pub(crate) fn sizes(dims: &[usize]) -> String {
    if dims.is_empty() {
        return "a scalar".into();
    }
    dims.iter().map(usize::to_string).collect::<Vec<_>>().join("×")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_driver_says_is_told_in_words() {
        let error = |text: &str| Error::from(candle_core::Error::Cuda(text.into())).to_string();
        let text = "DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")";
        let expected = format!(
            "the GPU has no memory left\n  note: {text}\n  help: train with a smaller `batch_size`, and see with `nvidia-smi` what else is on it"
        );
        assert_eq!(error(text), expected);
        assert!(
            error("DriverError(CUDA_ERROR_NO_BINARY_FOR_GPU, \"\")").starts_with("this program was built for GPUs of another")
        );
        let without = Error::from(candle_core::Error::NotCompiledWithCudaSupport).to_string();
        assert!(without.starts_with("this program was built without CUDA"), "{without}");
        assert_eq!(error("something else"), "something else");
    }

    #[test]
    fn a_backtrace_is_no_part_of_what_an_error_says() {
        let inner = Box::new(candle_core::Error::Msg("no such thing".into()));
        let backtrace = Box::new(Backtrace::force_capture());
        let error = candle_core::Error::WithBacktrace { inner, backtrace }.with_path("weights").context("in a layer");
        let error = Error::from(error);
        let said = "in a layer\npath: \"weights\" no such thing";
        assert_eq!(error.to_string(), said);
        let debug = format!("{error:?}");
        assert!(debug.starts_with(&format!("{said}\n\n")) && debug.contains("error::tests"), "{debug}");
    }
}
