//! The state of the attempts at a task, as observed in their files.

use std::collections::BTreeMap;
use std::time::Instant;

use super::attempts::{AttemptId, Attempts, End, Listing, ReadError};
use super::retry::{RetryCause, RetryCounts};
use crate::sys::files::Files;
use crate::sys::heartbeat::{Beat, HEARTBEAT_FILE, Position};

const HEARTBEAT_BYTES_MAX: u64 = 64 << 10;

/// The observed state of an attempt.
pub(super) struct ObservedAttempt {
    pub(super) node: Option<String>,
    /// The last content of its heartbeat, and since when it has not changed.
    pub(super) beat: (Vec<u8>, Instant),
    pub(super) position: Position,
    pub(super) end: Option<(End, f64)>,
    pub(super) since: Instant,
    /// How long it is known to have occupied its node.
    pub(super) seconds: f64,
}

/// All attempts at a task.
#[derive(Default)]
pub(super) struct ObservedAttempts(BTreeMap<AttemptId, ObservedAttempt>);

impl ObservedAttempts {
    pub(super) fn get(&self, id: AttemptId) -> Option<&ObservedAttempt> {
        self.0.get(&id)
    }

    /// The attempts of a submission, ascending.
    pub(super) fn of(&self, submission: u32) -> impl DoubleEndedIterator<Item = &ObservedAttempt> {
        let is_of = move |(id, _): &(&AttemptId, &ObservedAttempt)| id.submission == submission;
        self.0.iter().filter(is_of).map(|(_, known)| known)
    }

    /// Updates the observed states.
    ///
    /// # Errors
    ///
    /// If the end of an attempt exists and cannot be read.
    pub(super) fn look_at(
        &mut self,
        files: &dyn Files,
        attempts: &Attempts,
        listing: &Listing,
    ) -> Result<(), ReadError> {
        let last = listing.claims.last().copied();
        for &id in &listing.claims {
            let attempt = attempts.attempt(id);
            let now = Instant::now();
            let known = self.0.entry(id).or_insert_with(|| ObservedAttempt {
                node: None,
                beat: (Vec::new(), now),
                position: Position::default(),
                end: None,
                since: now,
                seconds: 0.0,
            });
            if known.node.is_none() {
                // It may be incomplete. It only determines which node a failure counts against.
                known.node = attempts.claimant(id).ok().map(|claimant| claimant.node);
            }
            if known.end.is_some() {
                continue;
            }
            // Whether an earlier attempt is alive no longer matters, but its progress and its end do.
            if Some(id) == last || known.beat.0.is_empty() {
                let heartbeat = attempt.folder.join(HEARTBEAT_FILE);
                // An unreadable heartbeat is not a sign of life.
                if let Ok(beat) = files.read(&heartbeat, HEARTBEAT_BYTES_MAX)
                    && beat != known.beat.0
                {
                    known.position = position(&beat).unwrap_or(known.position);
                    known.beat = (beat, now);
                }
                known.seconds = now.duration_since(known.since).as_secs_f64();
            }
            if let Some(end) = attempt.end()? {
                known.end = Some((end.end, end.seconds));
            }
        }
        Ok(())
    }

    /// The failures of earlier submissions, and of earlier attempts of the current one, which the scheduler requeued.
    ///
    /// # Errors
    ///
    /// If the outcome of a submission cannot be read, as the remaining budgets are then unknown.
    pub(super) fn retries(
        &self,
        attempts: &Attempts,
        listing: &Listing,
    ) -> Result<RetryCounts, ReadError> {
        let mut retries = RetryCounts::default();
        // A study that ended with an error is resumed after its cause was resolved.
        let forgiven = listing.gave_up.last().copied().unwrap_or(0);
        for &submission in listing.submissions.iter().filter(|number| **number > forgiven) {
            let of_this = listing.claims.iter().filter(|id| id.submission == submission);
            let mut earlier: Vec<AttemptId> = of_this.copied().collect();
            earlier.pop();
            earlier.iter().for_each(|id| retries.add(self.cause_of(*id)));
            if listing.failed.contains(&submission) {
                retries.add(attempts.failure(submission)?.cause);
            }
        }
        Ok(retries)
    }

    /// Why an attempt was followed by another attempt of its submission.
    pub(super) fn cause_of(&self, id: AttemptId) -> RetryCause {
        let end = self.0.get(&id).and_then(|known| known.end.as_ref());
        match end.map(|(end, _)| end) {
            Some(End::Interrupted) if self.has_progress(id) => RetryCause::Interrupted,
            Some(End::Interrupted) => RetryCause::NoProgress,
            Some(End::Failed(_)) => RetryCause::Trial,
            Some(End::Published(_) | End::Superseded | End::Unfit(_)) | None => RetryCause::Node,
        }
    }

    pub(super) fn has_progress(&self, id: AttemptId) -> bool {
        let position = |known: &ObservedAttempt| (known.position.epoch, known.position.step);
        let before = self.0.range(..id).map(|(_, known)| position(known)).max();
        let own = self.0.get(&id).map(position).unwrap_or_default();
        own > before.unwrap_or_default()
    }
}

fn position(beat: &[u8]) -> Option<Position> {
    // Further lines are left over from a longer heartbeat.
    let line = beat.split(|&byte| byte == b'\n').next()?;
    serde_json::from_slice::<Beat>(line).ok().map(|beat| beat.position)
}
