//! What is known of the attempts at a piece of work, from their files.

use std::collections::BTreeMap;
use std::time::Instant;

use super::attempts::{Attempts, End, Epoch, Listing};
use super::tally::{Cause, Tally};
use crate::sys::files::Files;
use crate::sys::heartbeat::{Beat, HEARTBEAT_FILE, Position};

const HEARTBEAT_BYTES_MAX: u64 = 64 << 10;

/// What is known of an attempt.
pub(super) struct Known {
    pub(super) node: Option<String>,
    /// The last content of its heartbeat, and since when it has been that.
    pub(super) beat: (Vec<u8>, Instant),
    pub(super) position: Position,
    pub(super) end: Option<(End, f64)>,
    pub(super) since: Instant,
    /// How long it is known to have held its node.
    pub(super) seconds: f64,
}

/// All attempts at a piece of work.
#[derive(Default)]
pub(super) struct KnownAttempts(BTreeMap<Epoch, Known>);

impl KnownAttempts {
    pub(super) fn get(&self, epoch: Epoch) -> Option<&Known> {
        self.0.get(&epoch)
    }

    /// Those of a submission, ascending.
    pub(super) fn of(&self, submission: u32) -> impl DoubleEndedIterator<Item = &Known> {
        let is_of = move |(epoch, _): &(&Epoch, &Known)| epoch.submission == submission;
        self.0.iter().filter(is_of).map(|(_, known)| known)
    }

    /// Brings what is known of the attempts up to date.
    pub(super) fn look_at(&mut self, files: &dyn Files, attempts: &Attempts, listing: &Listing) {
        let last = listing.claims.last().copied();
        for &epoch in &listing.claims {
            let attempt = attempts.attempt(epoch);
            let now = Instant::now();
            let known = self.0.entry(epoch).or_insert_with(|| Known {
                node: None,
                beat: (Vec::new(), now),
                position: Position::default(),
                end: None,
                since: now,
                seconds: 0.0,
            });
            if known.node.is_none() {
                known.node = attempts.runs_on(epoch).map(|runs_on| runs_on.node);
            }
            if known.end.is_some() {
                continue;
            }
            // What an earlier attempt still does matters no more, but how far it came, and how it ended, does.
            if Some(epoch) == last || known.beat.0.is_empty() {
                let heartbeat = attempt.folder.join(HEARTBEAT_FILE);
                // One that cannot be read now is no sign of life.
                if let Ok(beat) = files.read(&heartbeat, HEARTBEAT_BYTES_MAX)
                    && beat != known.beat.0
                {
                    known.position = position(&beat).unwrap_or(known.position);
                    known.beat = (beat, now);
                }
                known.seconds = now.duration_since(known.since).as_secs_f64();
            }
            if let Some(end) = attempt.end() {
                known.end = Some((end.end, end.seconds));
            }
        }
    }

    /// What came of earlier submissions, and of earlier attempts of the current one, which the scheduler has requeued.
    pub(super) fn tally(&self, attempts: &Attempts, listing: &Listing) -> Tally {
        let mut tally = Tally::default();
        // Whoever resumes a study that was given up has seen to the cause.
        let forgiven = listing.gave_up.last().copied().unwrap_or(0);
        for &submission in listing.submissions.iter().filter(|number| **number > forgiven) {
            let of_this = listing.claims.iter().filter(|epoch| epoch.submission == submission);
            let mut earlier: Vec<Epoch> = of_this.copied().collect();
            earlier.pop();
            earlier.iter().for_each(|epoch| tally.add(self.cause_of(*epoch)));
            if listing.over.contains(&submission) {
                // One that cannot be read is nobody's fault.
                let over = attempts.over(submission);
                tally.add(over.map_or(Cause::Interrupted, |over| over.cause));
            }
        }
        tally
    }

    /// Why an attempt was followed by another one of its submission.
    pub(super) fn cause_of(&self, epoch: Epoch) -> Cause {
        let end = self.0.get(&epoch).and_then(|known| known.end.as_ref());
        match end.map(|(end, _)| end) {
            Some(End::Interrupted) if self.has_progress(epoch) => Cause::Interrupted,
            Some(End::Interrupted) => Cause::Fruitless,
            Some(End::Failed(_)) => Cause::Trial,
            Some(End::Published(_) | End::Lost | End::Unfit(_)) | None => Cause::Node,
        }
    }

    pub(super) fn has_progress(&self, epoch: Epoch) -> bool {
        let position = |known: &Known| (known.position.epoch, known.position.step);
        let before = self.0.range(..epoch).map(|(_, known)| position(known)).max();
        let own = self.0.get(&epoch).map(position).unwrap_or_default();
        own > before.unwrap_or_default()
    }
}

fn position(beat: &[u8]) -> Option<Position> {
    // Later lines are remains of a longer beat.
    let line = beat.split(|&byte| byte == b'\n').next()?;
    serde_json::from_slice::<Beat>(line).ok().map(|beat| beat.position)
}
