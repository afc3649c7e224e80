//! Labelled images to train and test on: in memory, from tensors, or from the files of well-known data sets.

mod cifar10;
mod dataset;
mod fetch;
pub mod idx;
mod kind;
mod mnist;

pub use cifar10::{CIFAR10_CLASSES, cifar10};
pub(crate) use dataset::check_labels;
pub use dataset::{Dataset, Images, Pixels};
pub(crate) use kind::known;
pub use kind::{Any, CIFAR10, FashionMNIST, Kind, MNIST};
pub use mnist::{FASHION_CLASSES, fashion_mnist, mnist};
