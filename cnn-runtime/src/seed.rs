//! Random numbers: one seed decides them all, whatever the number of threads.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The seed that every random number of a model follows from.
///
/// Each use draws from a stream of its own, found from what it is for (`conv2d.weight`, `shuffle`, `dropout_1`) and a
/// counter (the epoch, the step). No stream depends on another, so neither the order of layers nor the number of threads
/// changes a number, and training resumed at a step draws what it would have drawn uninterrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(pub u64);

impl Seed {
    /// The random numbers for the `count`-th use of `purpose`.
    pub fn stream(self, purpose: &str, count: u64) -> ChaCha8Rng {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&self.0.to_le_bytes());
        key[8..16].copy_from_slice(&fnv1a(purpose.as_bytes()).to_le_bytes());
        key[16..24].copy_from_slice(&count.to_le_bytes());
        ChaCha8Rng::from_seed(key)
    }
}

/// The 64-bit FNV-1a hash, which unlike the standard library's is the same in every version.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng;

    #[test]
    fn streams_repeat_and_differ() {
        let draw = |seed: u64, purpose: &str, count| Seed(seed).stream(purpose, count).next_u64();
        assert_eq!(draw(42, "shuffle", 3), draw(42, "shuffle", 3));
        assert_ne!(draw(42, "shuffle", 3), draw(42, "shuffle", 4));
        assert_ne!(draw(42, "shuffle", 3), draw(43, "shuffle", 3));
        assert_ne!(draw(42, "dropout", 3), draw(42, "dropout_1", 3));
    }
}
