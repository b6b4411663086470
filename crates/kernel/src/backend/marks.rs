//! Marks in a network, to profile it: a mark records the moment at which the backward
//! pass reaches it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use super::{KernelOps, has_kernels};

/// A mark that the backward pass has reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PassedMark {
    /// The number that was given to [`Marks::mark`].
    pub number: usize,
    /// When the gradient of the marked tensor was ready.
    pub at: Instant,
}

/// Where the marks of one network are recorded; clones record to the same list. Networks with `Marks` of their own can
/// train at the same time without seeing each other's.
#[derive(Clone, Debug, Default)]
pub struct Marks(Arc<Mutex<Vec<PassedMark>>>);

impl Marks {
    /// `x` itself. When its gradient has been computed, that moment is recorded as `number`; devices other than the
    /// CPU record nothing.
    pub fn mark<const D: usize>(&self, x: Tensor<D>, number: usize) -> Tensor<D> {
        let mark = Mark { number, noted_in: self.clone() };
        let x = x.into_dispatch();
        Tensor::from_dispatch(match has_kernels(&x.kind) {
            true => <Dispatch as KernelOps>::marked(x, mark),
            false => x,
        })
    }

    /// The marks that were passed since the last call, in the order of time.
    pub fn take_passed(&self) -> Vec<PassedMark> {
        // A panic while pushing or taking leaves the list consistent, so poisoning is ignored.
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A mark that the backward pass has not reached yet.
#[derive(Clone, Debug)]
pub struct Mark {
    number: usize,
    noted_in: Marks,
}

impl Mark {
    pub(super) fn pass(self) {
        let passed = PassedMark { number: self.number, at: Instant::now() };
        self.noted_in.0.lock().unwrap_or_else(PoisonError::into_inner).push(passed);
    }
}
