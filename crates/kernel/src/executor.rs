//! Runs a kernel: its chunks on the threads, each chunk compiled for the chosen instruction set.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::sync::{Arc, OnceLock};

use super::cpu::{Cpu, CpuError};
use super::simd::Simd;
use super::threads::Threads;

/// Work cut into chunks that may run in any order and at the same time.
pub trait Kernel: Sync {
    /// Does chunk `chunk` of the work with the instructions of `simd`.
    ///
    /// Implementations are `#[inline(always)]`, as is everything they call with `simd`: a function that is not inlined
    /// into the caller is compiled without the instruction set, and every vector operation in it becomes a call.
    fn run<S: Simd>(&self, simd: S, chunk: usize);
}

/// The instruction set and the threads that operations run with.
#[derive(Debug)]
pub struct Executor {
    cpu: Cpu,
    threads: Threads,
}

impl Executor {
    /// An executor with its own pool of `threads` threads, the calling one among them.
    pub fn new(cpu: Cpu, threads: usize) -> Self {
        Self { cpu, threads: Threads::new(threads) }
    }

    /// An executor with the instruction set of `BURGEON_CPU`, or the machine's best, and a pool of `threads` threads,
    /// or as many as the process may use.
    ///
    /// # Errors
    /// `BURGEON_CPU` names an instruction set that is unknown, or that this machine lacks.
    pub fn from_env(threads: Option<usize>) -> Result<Self, CpuError> {
        Ok(Self::new(Cpu::from_env()?, threads.unwrap_or_else(default_thread_count)))
    }

    /// The executor that operations on this thread run with: the one that was [entered](Self::enter) last, or else one
    /// that is shared by all who entered none.
    ///
    /// The shared one takes the instruction set of `BURGEON_CPU` if that names a usable one, the machine's best
    /// otherwise, and as many threads as the process may use.
    pub fn current() -> Arc<Self> {
        let entered = ENTERED.with_borrow(|entered| entered.last().cloned());
        entered.unwrap_or_else(|| {
            Arc::clone(SHARED.get_or_init(|| {
                let cpu = Cpu::from_env().unwrap_or_else(|_| Cpu::detect());
                Arc::new(Self::new(cpu, default_thread_count()))
            }))
        })
    }

    /// Makes this the executor of the calling thread, until what is returned is dropped. Other threads keep theirs.
    #[must_use = "the executor is left again when this is dropped"]
    pub fn enter(self: &Arc<Self>) -> Entered {
        ENTERED.with_borrow_mut(|entered| entered.push(Arc::clone(self)));
        Entered { stays_on_its_thread: PhantomData }
    }

    /// The instruction set in use.
    pub fn cpu(&self) -> Cpu {
        self.cpu
    }

    /// The threads in use.
    pub fn threads(&self) -> &Threads {
        &self.threads
    }

    /// Runs chunks `0..chunks` of `kernel`, and returns when all are done.
    ///
    /// # Panics
    /// A chunk panicked; the first panic is passed on when every chunk has ended.
    pub fn run<K: Kernel>(&self, chunks: usize, kernel: &K) {
        self.threads.run(chunks, |chunk| run_chunk(self.cpu, kernel, chunk));
    }
}

/// Leaves an executor that a thread has [entered](Executor::enter) when it is dropped. The last one entered is left
/// first.
#[derive(Debug)]
pub struct Entered {
    stays_on_its_thread: PhantomData<*const ()>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        ENTERED.with_borrow_mut(Vec::pop);
    }
}

thread_local! {
    static ENTERED: RefCell<Vec<Arc<Executor>>> = const { RefCell::new(Vec::new()) };
}

/// It holds nothing but a thread count and an instruction set, which the machine determines, so that sharing it changes
/// nobody's results.
static SHARED: OnceLock<Arc<Executor>> = OnceLock::new();

fn default_thread_count() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn run_chunk<K: Kernel>(cpu: Cpu, kernel: &K, chunk: usize) {
    use super::cpu::Level;
    use super::simd::Portable;
    match cpu.level() {
        Level::Portable => kernel.run(Portable::new(), chunk),
        // SAFETY: a `Cpu` of this level exists only where detection found its features.
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => unsafe { run_chunk_avx2(kernel, chunk) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => unsafe { run_chunk_avx512(kernel, chunk) },
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn run_chunk_avx2<K: Kernel>(kernel: &K, chunk: usize) {
    // SAFETY: the caller vouches for the features.
    kernel.run(unsafe { super::simd::Avx2::new_unchecked() }, chunk);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
unsafe fn run_chunk_avx512<K: Kernel>(kernel: &K, chunk: usize) {
    // SAFETY: the caller vouches for the features.
    kernel.run(unsafe { super::simd::Avx512::new_unchecked() }, chunk);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_thread_has_the_executor_that_it_entered_last() {
        let two = Arc::new(Executor::new(Cpu::PORTABLE, 2));
        let three = Arc::new(Executor::new(Cpu::PORTABLE, 3));
        let before = Executor::current();
        let in_two = two.enter();
        {
            let _in_three = three.enter();
            assert!(Arc::ptr_eq(&Executor::current(), &three));
            let elsewhere = std::thread::spawn(Executor::current).join().unwrap();
            assert!(Arc::ptr_eq(&elsewhere, &before));
        }
        assert!(Arc::ptr_eq(&Executor::current(), &two));
        drop(in_two);
        assert!(Arc::ptr_eq(&Executor::current(), &before));
    }
}
