//! The fused CPU operations behind the models, with their gradients.
//!
//! An operation is a function over slices that takes an [`Executor`]: the instruction set to use and the threads to
//! share the work with. Operations cut their work into chunks by shape alone, and reduce chunk results in index order.
//!
//! Invariant: an operation's result is the same, bit for bit, for any number of threads.
//! Invariant: `unsafe` lives below this module alone.

pub mod activation;
pub mod backend;
pub mod batch_norm;
pub mod conv;
pub mod cpu;
pub mod dense;
pub mod executor;
pub mod loss;
mod memory;
pub mod muon;
pub mod optimizer;
mod peak;
pub mod pool;
pub mod product;
pub mod scratch;
pub mod simd;
pub mod sum;
pub mod threads;
pub mod windows;

#[cfg(test)]
mod testing;

pub use activation::Activation;
pub use cpu::{Cpu, CpuError};
pub use dense::Dense;
pub use executor::{Entered, Executor, Kernel};
pub use loss::{BatchLoss, CrossEntropy};
pub use memory::keep_freed_memory;
pub use peak::peak_flops_per_second;
pub use threads::{DisjointMut, Threads};
