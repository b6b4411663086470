//! The threads of one study: those that compute the network and those that prepare images.
//!
//! Studies in the same process each have their own threads, and so their own thread count.

use std::sync::Arc;

use burgeon_kernel::{CpuError, Entered, Executor};

use crate::sys::spread::{EnteredThreads, ImageThreads};

/// Threads to compute with. Clones share them.
#[derive(Debug, Clone)]
pub struct Workers {
    executor: Arc<Executor>,
    images: ImageThreads,
}

/// Why the compute threads cannot be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkersError {
    /// The instruction set that `BURGEON_CPU` names is unknown or not available.
    #[error(transparent)]
    Cpu(#[from] CpuError),
    /// The system refused the threads.
    #[error("cannot start {threads} threads")]
    Threads {
        /// The requested number of threads.
        threads: usize,
        /// The cause.
        source: rayon::ThreadPoolBuildError,
    },
}

impl Workers {
    /// Starts this many threads, or, for `None`, as many as the process may use.
    ///
    /// # Errors
    ///
    /// If `BURGEON_CPU` names an unknown or unavailable instruction set, or the system refuses the threads.
    pub fn new(threads: Option<usize>) -> Result<Self, WorkersError> {
        let executor = Arc::new(Executor::from_env(threads)?);
        let threads = executor.threads().count();
        let images = ImageThreads::new(threads)
            .map_err(|source| WorkersError::Threads { threads, source })?;
        Ok(Self { executor, images })
    }

    /// The number of threads that compute.
    pub fn count(&self) -> usize {
        self.executor.threads().count()
    }

    /// Divides the threads among `callers` calling threads that compute at the same time.
    pub fn share_among(&self, callers: usize) {
        self.executor.threads().share_among(callers);
    }

    /// Makes the calling thread compute with these threads, until the returned guard is dropped.
    #[must_use = "the threads are used only until this is dropped"]
    pub fn enter(&self) -> EnteredWorkers {
        EnteredWorkers { _executor: self.executor.enter(), _images: self.images.enter() }
    }
}

/// Guard of [`Workers::enter`]. Guards must be dropped in reverse order.
#[derive(Debug)]
pub struct EnteredWorkers {
    _executor: Entered,
    _images: EnteredThreads,
}
