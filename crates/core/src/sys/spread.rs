//! Runs parallel work on images on the threads of the study that the calling thread works for.
//!
//! A library must not configure rayon's global pool, which belongs to the whole process; so each study has its
//! own pool.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::sync::Arc;

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};

/// A pool of threads. Clones share it.
#[derive(Debug, Clone)]
pub struct ImageThreads(Arc<ThreadPool>);

impl ImageThreads {
    /// A pool of `threads` threads.
    ///
    /// # Errors
    ///
    /// If the system refuses the threads.
    pub fn new(threads: usize) -> Result<Self, ThreadPoolBuildError> {
        let name = |index| format!("images-{index}");
        let pool = ThreadPoolBuilder::new().num_threads(threads).thread_name(name).build()?;
        Ok(Self(Arc::new(pool)))
    }

    /// Makes [`run_in_pool`] on the calling thread use this pool, until the returned guard is dropped.
    #[must_use = "the pool is used only until this is dropped"]
    pub fn enter(&self) -> EnteredThreads {
        ENTERED.with_borrow_mut(|entered| entered.push(self.clone()));
        EnteredThreads { not_send: PhantomData }
    }
}

/// Guard of [`ImageThreads::enter`]. Guards must be dropped in reverse order.
#[derive(Debug)]
pub struct EnteredThreads {
    not_send: PhantomData<*const ()>,
}

impl Drop for EnteredThreads {
    fn drop(&mut self) {
        ENTERED.with_borrow_mut(Vec::pop);
    }
}

thread_local! {
    static ENTERED: RefCell<Vec<ImageThreads>> = const { RefCell::new(Vec::new()) };
}

/// Calls `work`, whose parallel iterators run on the pool that the calling thread has entered, or else on
/// rayon's global pool.
pub fn run_in_pool<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    match ENTERED.with_borrow(|entered| entered.last().cloned()) {
        Some(ImageThreads(pool)) => pool.install(work),
        None => work(),
    }
}

#[cfg(test)]
mod tests;
