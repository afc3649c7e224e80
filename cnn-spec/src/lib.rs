//! What a convolutional network's layers *are*: their arguments, shape rules, parameters and cost.
//!
//! This crate is the one rule book. The `model!` macro calls it while it expands, the code the macro emits may call it
//! in `const` context, and the runtime calls it for sizes only known when a program runs. Every rule is a `const fn`
//! whose errors carry their own wording, so that a mistake reads the same wherever it is found.
//!
//! ```
//! use cnn_spec::{Conv2D, Operand, Shape};
//!
//! let image = Operand::new("i", Shape::new([28, 28, 1]));
//! let layer = Conv2D::new(32, [3, 3]).strides([2, 2]);
//! let inferred = layer.infer(&[image]).unwrap();
//! assert_eq!(inferred.shape, Shape::new([13, 13, 32]));
//! assert_eq!(inferred.parameters.count(), 320);
//! ```

mod activation;
mod argument;
mod augmentation;
mod axes;
mod checked;
mod columns;
mod constraint;
mod convolution;
mod custom;
mod depthwise;
mod edges;
mod error;
mod graph;
mod initializer;
pub mod kernels;
mod layer;
pub mod layers;
mod list;
mod merge;
mod nested;
mod normalization;
mod parameter;
mod pooling;
mod regularizer;
mod resampling;
pub mod rules;
mod shape;
mod sharing;
mod smallest;
mod stages;
mod stated;
mod text;
mod training;
mod transposed;
mod window;

// In this crate it is `crate::activation::Activation`: rust-analyzer takes `crate::Activation` for the layer of `layers::*`.
pub use activation::Activation;
pub use argument::{Argument, Constant, FromValue, Kind, Refusal, Setting, Value};
pub use axes::Axes;
pub use checked::{Checked, refuse};
pub use columns::{Call, Columns};
pub use constraint::Constraint;
pub use convolution::Convolution;
pub use custom::{Custom, Rule};
pub use depthwise::{DepthwiseConvolution, SeparableConvolution};
pub use error::{At, ShapeError};
pub use graph::{Field, Graph, Node};
pub use initializer::Initializer;
pub use kernels::Kernels;
pub use layer::{Inferred, Reach};
pub use layers::*;
pub use list::{Numbers, Target};
pub use parameter::{Parameter, Parameters};
pub use regularizer::Regularizer;
pub use resampling::{FillMode, FlipMode, Interpolation, Resampling};
pub use shape::{Dim, Operand, Shape};
pub use smallest::smallest;
pub use stages::Stage;
pub use text::Text;
pub use training::{Data, Needs, require};
pub use transposed::{Kept, TransposedConvolution};
pub use window::{Padding, Sliding};
