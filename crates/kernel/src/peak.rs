//! This machine's peak floating-point throughput.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::executor::{Executor, Kernel};
use super::simd::Simd;

/// The most floating-point operations a second that the executor's threads reach together, a multiply-add counting as
/// two: the best of a few tries of some milliseconds, in registers alone.
pub fn peak_flops_per_second(executor: &Executor) -> f64 {
    const TRIES: usize = 5;
    const CHUNKS_PER_THREAD: usize = 4;
    let chunks = executor.threads().count() * CHUNKS_PER_THREAD;
    let mut best = 0.0_f64;
    for _ in 0..TRIES {
        let chains = Chains { flops: AtomicU64::new(0) };
        let start = Instant::now();
        executor.run(chunks, &chains);
        let seconds = start.elapsed().as_secs_f64();
        best = best.max(chains.flops.into_inner() as f64 / seconds);
    }
    best
}

/// Chains of multiply-adds that do not wait for one another.
struct Chains {
    /// Operations done.
    flops: AtomicU64,
}

impl Kernel for Chains {
    #[inline(always)]
    fn run<S: Simd>(&self, s: S, _: usize) {
        const ROUNDS: usize = 100_000;
        // With two factors they fit into sixteen registers.
        const CHAINS: usize = 12;
        let (factor, term) = (s.splat(black_box(0.99)), s.splat(black_box(0.01)));
        let mut sums = [s.zero(); CHAINS];
        for _ in 0..ROUNDS {
            for sum in &mut sums {
                *sum = s.fma(*sum, factor, term);
            }
        }
        let mut total = s.zero();
        for sum in sums {
            total = s.add(total, sum);
        }
        black_box(s.sum(total));
        self.flops.fetch_add((ROUNDS * CHAINS * S::LANES * 2) as u64, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Cpu;

    #[test]
    #[cfg_attr(miri, ignore = "too slow")]
    fn every_instruction_set_has_a_peak() {
        for cpu in Cpu::available() {
            assert!(peak_flops_per_second(&Executor::new(cpu, 1)) > 1e6, "{cpu}");
        }
    }
}
