//! What the rest stands on: counters for randomness, files, clocks, locks.

mod counter;

pub use counter::{CounterRng, Purpose, counter_seed, permutation, uniform_at};
