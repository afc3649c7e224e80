//! Labelled images to train and test on: in memory, from tensors, or from the files of well-known data sets.

mod cifar10;
mod dataset;
mod feed;
mod fetch;
pub mod idx;
mod kind;
mod mnist;

pub use cifar10::{CIFAR10_CLASSES, cifar10};
pub use dataset::{Dataset, Images, Pixels};
pub(crate) use dataset::{Staged, check_labels};
pub(crate) use feed::Feed;
pub(crate) use kind::known;
pub use kind::{Any, CIFAR10, FashionMNIST, Kind, MNIST};
pub use mnist::{FASHION_CLASSES, fashion_mnist, mnist};
