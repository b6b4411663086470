//! Marks in a network, for those who want to know where its time goes: a mark notes the moment at which the backward
//! pass comes by.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use super::KernelOps;

/// A mark that the backward pass came by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PassedMark {
    /// The number that was given to [`mark`].
    pub number: usize,
    /// When the gradient of what was marked was there.
    pub at: Instant,
}

static PASSED: Mutex<Vec<PassedMark>> = Mutex::new(Vec::new());

/// `x` itself. When its gradient has been worked out, that moment is noted under `number`; devices other than the CPU
/// note nothing.
pub fn mark<const D: usize>(x: Tensor<D>, number: usize) -> Tensor<D> {
    Tensor::from_dispatch(<Dispatch as KernelOps>::marked(x.into_dispatch(), number))
}

/// The marks that were passed since the last call, in the order of time.
pub fn take_passed_marks() -> Vec<PassedMark> {
    std::mem::take(&mut passed())
}

pub(super) fn pass(number: usize) {
    passed().push(PassedMark { number, at: Instant::now() });
}

/// Pushing and taking leave a list whole, so a poisoned one is as good as new.
fn passed() -> MutexGuard<'static, Vec<PassedMark>> {
    PASSED.lock().unwrap_or_else(PoisonError::into_inner)
}
