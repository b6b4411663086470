//! The shadow deployment: the candidate classifies the same images, and its predictions are compared and counted, but
//! never sent to clients. Images are skipped when there is no time for them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::metrics::Metrics;
use super::queue::Input;
use super::slots::Slots;
use crate::registry::answer;

/// Most requests that wait for the candidate.
const WAITING_MAX: usize = 16;

/// A request that production has classified.
pub(super) struct Answered {
    input: Input,
    /// The class of each image according to production.
    classes: Vec<usize>,
    /// The version in production.
    version: String,
}

/// The queue of requests for the candidate.
pub(super) struct Shadow(SyncSender<Answered>);

impl Shadow {
    pub(super) fn new() -> (Self, Receiver<Answered>) {
        let (sender, receiver) = sync_channel(WAITING_MAX);
        (Self(sender), receiver)
    }

    /// Queues a request for the candidate, if there is one and the queue has room.
    pub(super) fn offer(
        &self,
        slots: &Slots,
        metrics: &Metrics,
        version: &str,
        input: Input,
        classes: Vec<usize>,
    ) {
        let Some(candidate) = slots.candidate().filter(|served| served.version != version) else {
            return;
        };
        let images = classes.len();
        let answered = Answered { input, classes, version: version.into() };
        if self.0.try_send(answered).is_err() {
            metrics.shadow_dropped(&candidate.version, images);
        }
    }
}

/// Classifies until the queue is closed.
pub(super) fn work(receiver: &Receiver<Answered>, slots: &Slots, metrics: &Metrics) {
    while let Ok(answered) = receiver.recv() {
        let Some(candidate) = slots.candidate().filter(|served| served.version != answered.version)
        else {
            continue;
        };
        let pixels = answered.input.pixels();
        let done = catch_unwind(AssertUnwindSafe(|| candidate.model.logits(&[pixels])));
        let Ok(Ok(logits)) = done else {
            tracing::error!(version = candidate.version, "the candidate failed");
            metrics.shadow_dropped(&candidate.version, answered.classes.len());
            continue;
        };
        let rows = logits.chunks_exact(candidate.model.classes().len().max(1));
        let differ =
            rows.zip(&answered.classes).filter(|(row, class)| answer(row, 1.0).0 != **class);
        metrics.shadow_compared(&candidate.version, answered.classes.len(), differ.count());
    }
}
