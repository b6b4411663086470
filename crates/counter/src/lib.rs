//! Counter-based randomness: every random number is a function of where it is needed (trial, purpose, epoch, step), not
//! of earlier random numbers.
//!
//! Invariant: for a given counter, the stream is the same on every machine and in every build of one release. The
//! generator is ChaCha8, which is a fixed cipher; how `rand` derives numbers from its bits may change between releases, so
//! `Cargo.toml` pins one exactly and a test checks the numbers that are drawn.

use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;
use rand::{Rng, RngExt, SeedableRng};

/// What a random number is for. It makes streams with otherwise equal counters different.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u64)]
pub enum Purpose {
    /// Which images of the training file become validation images.
    ValidationSplit = 1,
    /// The order of the images in an epoch.
    EpochOrder = 2,
    /// The augmentation of one image in one epoch.
    Augmentation = 3,
    /// A built-in digit of the training split.
    SyntheticTrain = 4,
    /// A built-in digit of the validation split.
    SyntheticValidation = 5,
    /// A built-in digit of the test split.
    SyntheticTest = 6,
    /// Which images of the test file are kept when their number is limited.
    TestLimit = 7,
    /// The initial weights of a network.
    InitialWeights = 8,
    /// Which activations a step drops.
    Dropout = 9,
    /// The choices of a search policy.
    Policy = 10,
    /// Which activations a step of a range test drops.
    RangeTest = 11,
    /// Which training images a network is probed with.
    Probe = 12,
}

/// A 64-bit seed for one use of randomness.
///
/// The words are absorbed one after another, each followed by the finalizer of SplitMix64 (Steele, Lea and Flood,
/// "Fast splittable pseudorandom number generators", OOPSLA 2014), so that counters which differ in one bit give
/// unrelated seeds and the order of the words matters.
pub fn counter_seed(study: u64, trial: u64, purpose: Purpose, epoch: u64, step: u64) -> u64 {
    [study, trial, purpose as u64, epoch, step]
        .into_iter()
        .fold(0, |state, word| split_mix((state ^ word).wrapping_add(GOLDEN_GAMMA)))
}

/// The number at `index` of a seed's sequence, uniform in `[0, 1)`, without drawing those before it.
pub fn uniform_at(seed: u64, index: u64) -> f64 {
    let bits = split_mix(seed.wrapping_add(GOLDEN_GAMMA.wrapping_mul(index.wrapping_add(1))));
    (bits >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
}

const GOLDEN_GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

fn split_mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A short stream of random numbers, started from a counter.
#[derive(Debug)]
pub struct CounterRng(ChaCha8Rng);

impl CounterRng {
    /// The stream of a seed made by [`counter_seed`].
    pub fn new(seed: u64) -> Self {
        let mut key = [0; 32];
        for (lane, bytes) in key.chunks_exact_mut(8).enumerate() {
            let word = split_mix(seed.wrapping_add(GOLDEN_GAMMA.wrapping_mul(lane as u64 + 1)));
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        Self(ChaCha8Rng::from_seed(key))
    }

    /// 32 random bits.
    pub fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// Fills a buffer with random bytes.
    pub fn fill_bytes(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }

    /// A number in `0..bound`, uniform to within 2⁻³².
    ///
    /// # Panics
    /// If `bound` is 0.
    pub fn below(&mut self, bound: u32) -> u32 {
        self.0.random_range(0..bound)
    }

    /// Uniform in `[0, 1)`.
    pub fn unit(&mut self) -> f32 {
        self.0.random()
    }

    /// Uniform in `[low, high)`.
    pub fn uniform(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// An approximately normal number with mean 0 and standard deviation 1, never beyond ±3.5.
    ///
    /// The sum of four uniform numbers: unlike a true normal it needs no logarithm, whose last bit differs between
    /// platforms, and has no outliers.
    pub fn approximate_normal(&mut self) -> f32 {
        let sum = self.unit() + self.unit() + self.unit() + self.unit();
        (sum - 2.0) * SQRT_3
    }

    /// Shuffles in place, uniformly over all orders.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        items.shuffle(&mut self.0);
    }
}

const SQRT_3: f32 = 1.732_050_8;

/// The numbers `0..len` in random order.
///
/// # Panics
/// If `len` does not fit into 32 bits.
pub fn permutation(len: usize, seed: u64) -> Vec<u32> {
    assert!(len <= u32::MAX as usize, "a data set has fewer than 2^32 images");
    let mut order: Vec<u32> = (0..len as u32).collect();
    CounterRng::new(seed).shuffle(&mut order);
    order
}

#[cfg(test)]
mod tests;
