//! What a convolutional network *does*: layers, training, data, checkpoints and pictures, on candle.
//!
//! Networks are declared with [`model!`], which checks every shape while the program compiles and expands into plain
//! candle code. Tensors are channels-last throughout: `N, H, W, C` for a batch of `N` images.
//!
//! ```no_run
//! use cnn_runtime::prelude::*;
//!
//! model! {
//!     Digits {
//!         i = Input(28, 28, 1);
//!         x = Conv2D(32, 3, stride=2, relu)(i);
//!         x = Dense(10, softmax)(Flatten()(x));
//!     }
//! }
//!
//! let (train, test) = data::mnist("mnist")?;
//! let mut digits = Digits::new(&Device::cuda_if_available(0)?, Seed(42))?;
//! digits.compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy]).fit(&train, Fit::epochs(5))?;
//! println!("{}", digits.evaluate(&test)?);
//! digits.save("digits.safetensors")?;
//! # Ok::<(), cnn_runtime::Error>(())
//! ```
//!
//! The language is on the page of [`model!`], its layers, with their arguments and formulas, in [`spec::layers`]. [`Model`] trains, evaluates, predicts, saves and draws;
//! [`data`] reads images, [`train`] has losses, optimizers and metrics, [`layers::CustomLayer`] is for layers of your own.

// The code `model!` emits names this crate; so that the macro also works inside it, the crate names itself.
extern crate self as cnn_runtime;

mod checkpoint;
mod context;
pub mod data;
mod error;
// Builds without one of the two, or both, check all that is done with GPUs and use less of it.
#[cfg_attr(not(all(feature = "cuda", feature = "emulated-cuda")), allow(dead_code))]
mod gpu;
mod kernels;
pub mod layers;
mod model;
mod network;
mod offered;
mod pass;
mod plan;
mod precision;
mod predictor;
pub mod prelude;
mod seed;
mod summary;
#[cfg(test)]
mod testing;
pub mod train;
mod viz;
mod weights;
#[cfg(feature = "zoo")]
pub mod zoo;

/// Declares networks, as in this example; the rules follow it.
///
/// ```
/// use cnn_runtime::prelude::*;
///
/// model! {
///     /// Which of ten things a 28×28 picture shows.
///     pub Classifier {
///         i = Input(28, 28, 1);
///         x = Conv2D(32, 3, stride=2, relu)(i);
///         x = Flatten()(x);
///         x = Dense(10, softmax)(x);
///     }
/// }
///
/// assert_eq!(Classifier::GRAPH.nodes[1].shape.to_string(), "13×13×32");
/// assert_eq!(Classifier::GRAPH.count_params(), 54_410);
/// ```
///
/// Sizes may be constants, and parameters of the model; the compiler then applies the same rules where the model is used.
///
/// ```
/// # use cnn_runtime::prelude::*;
/// const CLASSES: usize = 10;
///
/// model! {
///     /// A classifier of square images.
///     pub Square<const SIDE: usize> {
///         i = Input(SIDE, SIDE, 3);
///         x = Conv2D(32, 5, stride=2, relu)(i);
///         x = Conv2D(64, 5, relu)(x);
///         x = GlobalAveragePooling2D()(x);
///         x = Dense(CLASSES, softmax)(x);
///     }
/// }
///
/// let model = Square::<13>::new(&Device::Cpu, Seed(42))?;
/// # Ok::<(), cnn_runtime::Error>(())
/// ```
///
/// ```compile_fail,E0080
/// # use cnn_runtime::prelude::*;
/// # model! {
/// #     pub Square<const SIDE: usize> {
/// #         i = Input(SIDE, SIDE, 3);
/// #         x = Conv2D(32, 5, stride=2, relu)(i);
/// #         x = Conv2D(64, 5, relu)(x);
/// #         x = GlobalAveragePooling2D()(x);
/// #         x = Dense(10, softmax)(x);
/// #     }
/// # }
/// // error: kernel 5×5 does not fit the 4×4 image `x`, after Input 12×12×3 → Conv2D 4×4×32
/// let model = Square::<12>::new(&Device::Cpu, Seed(42))?;
/// # Ok::<(), cnn_runtime::Error>(())
/// ```
pub use cnn_macros::model;
pub use cnn_spec as spec;
pub use context::Context;
pub use error::{Error, Result};
pub use model::{Blueprint, Model};
pub use network::Network;
pub use precision::Precision;
pub use predictor::Predictor;
pub use seed::Seed;
pub use summary::Summary;
pub use weights::Weights;

// What expanded models name, so that a user's crate needs no dependency on candle of its own.
pub use {candle_core, candle_nn};

/// The README's programs compile.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
