//! The threads of one study: those of the network's operations and those that prepare images.
//!
//! Several studies and models in one process each have their own, so that the thread count of one is
//! not that of another.

use std::sync::Arc;

use burgeon_kernel::{CpuError, Entered, Executor};

use crate::sys::spread::{EnteredThreads, ImageThreads};

/// Threads to compute with. Clones share them.
#[derive(Debug, Clone)]
pub struct Workers {
    executor: Arc<Executor>,
    images: ImageThreads,
}

/// Why there are the compute threads cannot be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkersError {
    /// The instruction set that `BURGEON_CPU` asks for cannot be had.
    #[error(transparent)]
    Cpu(#[from] CpuError),
    /// The system refused the threads.
    #[error("cannot start {threads} threads")]
    Threads {
        /// How many were asked for.
        threads: usize,
        /// Why.
        source: rayon::ThreadPoolBuildError,
    },
}

impl Workers {
    /// So many threads; as many as the process may use unless said.
    ///
    /// # Errors
    ///
    /// When `BURGEON_CPU` asks for an instruction set that is not there, or the system refuses the
    /// threads.
    pub fn new(threads: Option<usize>) -> Result<Self, WorkersError> {
        let executor = Arc::new(Executor::from_env(threads)?);
        let threads = executor.threads().count();
        let images = ImageThreads::new(threads)
            .map_err(|source| WorkersError::Threads { threads, source })?;
        Ok(Self { executor, images })
    }

    /// How many threads compute.
    pub fn count(&self) -> usize {
        self.executor.threads().count()
    }

    /// Leaves a processor to each of so many threads that compute at the same time.
    pub fn share_among(&self, callers: usize) {
        self.executor.threads().share_among(callers);
    }

    /// Computes with these threads on the calling thread, until what is returned is dropped.
    #[must_use = "the threads are left again when this is dropped"]
    pub fn enter(&self) -> EnteredWorkers {
        EnteredWorkers { _executor: self.executor.enter(), _images: self.images.enter() }
    }
}

/// Leaves the threads that were entered when it is dropped; the last ones entered are left first.
#[derive(Debug)]
pub struct EnteredWorkers {
    _executor: Entered,
    _images: EnteredThreads,
}
