//! Networks and data small enough to test training with, and numbers to test kernels with.

use crate::data::Dataset;
use crate::{Seed, model};
use rand::RngExt;

model! {
    /// 2×3×2 images, a hidden layer of 8 and `softmax` over 3 classes.
    pub Tiny {
        i = Input(2, 3, 2);
        x = Flatten()(i);
        x = Dense(8, relu)(x);
        x = Dense(3, softmax)(x);
    }

    /// The same images, and one layer to 3 logits.
    pub Other {
        i = Input(2, 3, 2);
        x = Flatten()(i);
        x = Dense(3)(x);
    }
}

/// `count` numbers between −1 and 1 that no short sum repeats, the same in every type.
pub fn numbers<T: From<f32>>(count: usize, seed: usize) -> Vec<T> {
    (0..count).map(|i| T::from(((i * 7919 + seed * 104_729) % 65_537) as f32 / 32_768.5 - 1.0)).collect()
}

/// `count` noisy images of three classes in turn, each bright in another third.
pub fn blobs(count: usize) -> Dataset {
    let mut random = Seed(11).stream("blobs", count as u64);
    let labels: Vec<u32> = (0..count as u32).map(|index| index % 3).collect();
    let pixel = |label: u32, at: u32| if at / 4 == label { 130 } else { 60 };
    let pixels: Vec<u8> = labels
        .iter()
        .flat_map(|label| (0..12).map(|at| pixel(*label, at)).collect::<Vec<u8>>())
        .map(|value| value + random.random_range(0..100))
        .collect();
    Dataset::new(pixels, [2, 3, 2], labels).expect("as many pixels as the labels need")
}
