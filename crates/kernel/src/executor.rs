//! Runs a kernel: its chunks on the threads, each chunk compiled for the chosen instruction set.

use std::sync::OnceLock;

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

    /// The executor of this process, as first needed or as set up by [`Executor::configure_global`].
    ///
    /// Where nothing was configured, it takes the instruction set of `BURGEON_CPU` if that names a usable one, the
    /// machine's best otherwise, and as many threads as the process may use.
    pub fn global() -> &'static Self {
        GLOBAL.get_or_init(|| {
            Self::new(Cpu::from_env().unwrap_or_else(|_| Cpu::detect()), default_thread_count())
        })
    }

    /// Sets up the executor of this process: the instruction set from `BURGEON_CPU`, and `threads` threads, or as many
    /// as the process may use. A later call changes the thread count alone.
    ///
    /// # Errors
    /// `BURGEON_CPU` names an instruction set that is unknown, or that this machine lacks.
    pub fn configure_global(threads: Option<usize>) -> Result<&'static Self, CpuError> {
        let cpu = Cpu::from_env()?;
        let threads = threads.unwrap_or_else(default_thread_count);
        let executor = GLOBAL.get_or_init(|| Self::new(cpu, threads));
        executor.threads.set_count(threads);
        Ok(executor)
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

static GLOBAL: OnceLock<Executor> = OnceLock::new();

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
