//! Writes checkpoints on a background thread while training continues.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::error::CheckpointError;
use super::manifest::Meta;
use super::store::{CheckpointStore, Written};

/// A disk that takes longer than this for one checkpoint counts as stuck.
const PATIENCE_SECONDS: u32 = 900;

/// A thread that writes at most one checkpoint at a time.
///
/// An error is returned by the next call. Dropping the writer waits for the checkpoint in flight.
#[derive(Debug)]
pub struct BackgroundWriter {
    /// `None` once no more checkpoints will come.
    jobs: Option<Sender<Job>>,
    outcomes: Receiver<Result<Written, CheckpointError>>,
    thread: Option<JoinHandle<CheckpointStore>>,
    in_flight: bool,
}

#[derive(Debug)]
struct Job {
    meta: Meta,
    parts: Vec<(String, Vec<u8>)>,
}

impl BackgroundWriter {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// If the system refuses the thread.
    pub fn new(mut store: CheckpointStore) -> Result<Self, CheckpointError> {
        let (jobs, incoming) = channel::<Job>();
        let (outgoing, outcomes) = channel();
        let work = move || {
            for Job { meta, parts } in incoming {
                let views: Vec<_> = parts.iter().map(|(name, bytes)| (&**name, &**bytes)).collect();
                // Fails only if the writer is being dropped and nobody needs the result.
                let _ = outgoing.send(store.write(meta, &views));
            }
            store
        };
        let thread = std::thread::Builder::new()
            .name("checkpoint-writer".into())
            .spawn(work)
            .map_err(CheckpointError::Thread)?;
        Ok(Self { jobs: Some(jobs), outcomes, thread: Some(thread), in_flight: false })
    }

    /// Whether a checkpoint is still being written, as of the last call of another method.
    pub fn is_busy(&self) -> bool {
        self.in_flight
    }

    /// Waits for the checkpoint in flight, starts writing the new one, and returns the one that was in
    /// flight.
    ///
    /// # Errors
    ///
    /// If the one in flight failed; the new one is then not written.
    pub fn submit(
        &mut self,
        meta: Meta,
        parts: Vec<(String, Vec<u8>)>,
    ) -> Result<Option<Written>, CheckpointError> {
        let previous = self.flush()?;
        let is_sent = self.jobs.as_ref().is_some_and(|jobs| jobs.send(Job { meta, parts }).is_ok());
        if !is_sent {
            return Err(CheckpointError::WriterGone);
        }
        self.in_flight = true;
        Ok(previous)
    }

    /// Returns the checkpoint in flight if it is finished. Never waits.
    ///
    /// # Errors
    ///
    /// If it failed.
    pub fn poll(&mut self) -> Result<Option<Written>, CheckpointError> {
        if !self.in_flight {
            return Ok(None);
        }
        let outcome = match self.outcomes.try_recv() {
            Err(TryRecvError::Empty) => return Ok(None),
            Err(TryRecvError::Disconnected) => Err(CheckpointError::WriterGone),
            Ok(outcome) => outcome,
        };
        self.in_flight = false;
        outcome.map(Some)
    }

    /// Waits for the checkpoint in flight and returns it.
    ///
    /// # Errors
    ///
    /// If it failed.
    pub fn flush(&mut self) -> Result<Option<Written>, CheckpointError> {
        if !self.in_flight {
            return Ok(None);
        }
        self.in_flight = false;
        self.outcomes.recv().unwrap_or(Err(CheckpointError::WriterGone)).map(Some)
    }

    /// Like [`flush`](Self::flush), but calls `waiting` every second while it waits. It stops calling it
    /// after 15 minutes, so that a supervisor can detect a stuck disk.
    ///
    /// # Errors
    ///
    /// If it failed.
    pub fn flush_while(
        &mut self,
        waiting: &mut dyn FnMut(),
    ) -> Result<Option<Written>, CheckpointError> {
        if !self.in_flight {
            return Ok(None);
        }
        for _ in 0..PATIENCE_SECONDS {
            match self.outcomes.recv_timeout(Duration::from_secs(1)) {
                Err(RecvTimeoutError::Timeout) => waiting(),
                Err(RecvTimeoutError::Disconnected) => break,
                Ok(outcome) => {
                    self.in_flight = false;
                    return outcome.map(Some);
                }
            }
        }
        self.flush()
    }

    /// Ends the thread, and returns the checkpoint that was in flight and the store.
    ///
    /// # Errors
    ///
    /// When the checkpoint failed.
    pub fn finish(mut self) -> Result<(Option<Written>, CheckpointStore), CheckpointError> {
        let last = self.flush()?;
        let store = self.join().ok_or(CheckpointError::WriterGone)?;
        Ok((last, store))
    }

    fn join(&mut self) -> Option<CheckpointStore> {
        self.jobs = None;
        self.thread.take()?.join().ok()
    }
}

impl Drop for BackgroundWriter {
    fn drop(&mut self) {
        self.join();
    }
}

#[cfg(test)]
mod tests;
