//! A network to look at: its layers as a Markdown table, its architecture as an SVG picture.
//!
//! Both are drawn from an [`Architecture`], which `model!` has while it expands, for the documentation of the type it declares,
//! and which a program has of any [`cnn_spec::Graph`]. Neither needs more than a screen for a deep network: blocks are drawn once,
//! and a run of equal ones is one row or one box with its count.
//!
//! ```
//! use cnn_draw::{Architecture, table};
//! use cnn_spec::{Dense, Graph, Input, Layer, Node, Shape};
//!
//! let input = Layer::Input(Input::new(Shape::new([784])));
//! let dense = Layer::Dense(Dense::new(10));
//! let nodes = [
//!     Node { name: "input", tensor: "i", layer: input, inputs: &[], shape: Shape::new([784]), frozen: false },
//!     Node { name: "dense", tensor: "x", layer: dense, inputs: &[0], shape: Shape::new([10]), frozen: false },
//! ];
//! let graph = Graph { name: "Linear", nodes: nodes.to_vec().leak(), inputs: &[0], outputs: &[1] };
//! assert!(table(&Architecture::from(&graph)).contains("| `dense`   | Dense(10) "));
//! ```

mod architecture;
mod family;
mod layered;
mod notation;
mod outline;
mod panel;
mod svg;
mod table;
mod text;
mod volumes;

pub use architecture::{Architecture, Layer};
pub use family::Family;
pub use notation::{Argument, arguments};
pub use svg::{picture, standalone};
pub use table::table;
pub use text::{grouped, shape};
