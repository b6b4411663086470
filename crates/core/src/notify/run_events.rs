//! The events of a run that people are told of: its ends, and the end of its supervision.

use std::path::Path;

use jiff::Timestamp;

use super::announcement::Announcement;
use super::outbox::{Existing, Outbox, OutboxError};
use crate::ledger::{Event, Provenance, Recorded, RunFolder, RunFolderError, read};
use crate::report::Report;
use crate::spec::NotifySpec;

/// Puts messages about every event that people are told of into the run's outbox: the end of the study and of each
/// of its extensions, and whenever its supervisor gave up. Those that are in it already, sent or not, are
/// left, or adapted to `notify` as `existing` says.
///
/// # Errors
///
/// If the record cannot be read, or a message cannot be made or written.
pub fn queue_run_events(
    folder: &RunFolder,
    notify: &NotifySpec,
    existing: Existing,
) -> Result<(), OutboxError> {
    if tells_nobody(notify) {
        return Ok(());
    }
    let records = read(&**folder.files(), &folder.events_file())?;
    let outbox = Outbox::of(folder);
    let mut source = AnnouncementSource { folder, origin: origin(&records, folder)?, facts: None };
    for (key, place) in announced_events(&records) {
        if !outbox.is_complete(&key, notify, existing)? {
            let announcement = source.announce(key, &records[..=place])?;
            outbox.queue(&announcement, notify, existing)?;
        }
    }
    Ok(())
}

/// Puts a message about an error that ended the study into the run's outbox.
///
/// # Errors
///
/// If the record cannot be read, or the message cannot be made or written.
pub fn queue_failure(
    folder: &RunFolder,
    notify: &NotifySpec,
    error: &str,
) -> Result<(), OutboxError> {
    if tells_nobody(notify) {
        return Ok(());
    }
    let records = read(&**folder.files(), &folder.events_file())?;
    let starts = records.iter().filter(|recorded| {
        matches!(recorded.event, Event::StudyStarted { .. } | Event::StudyResumed { .. })
    });
    // One for each time that the study was started.
    let key = format!("failed-{}", starts.count());
    let mut source = AnnouncementSource { folder, origin: origin(&records, folder)?, facts: None };
    let announcement = source.announce(key, &records)?.of_failure(error);
    Outbox::of(folder).queue(&announcement, notify, Existing::Keep)
}

fn tells_nobody(notify: &NotifySpec) -> bool {
    notify.mail.is_none() && notify.webhook.is_empty()
}

/// The events that people are told of: their keys, and their places in the record.
fn announced_events(records: &[Recorded]) -> Vec<(String, usize)> {
    let (mut extensions, mut given_up) = (0_u32, 0_u32);
    let mut found = Vec::new();
    for (place, recorded) in records.iter().enumerate() {
        match recorded.event {
            Event::StudyExtended { .. } => extensions += 1,
            Event::StudyFinished(_) => found.push((format!("finished-{extensions}"), place)),
            Event::SupervisorGaveUp { .. } => {
                given_up += 1;
                found.push((format!("gave-up-{given_up}"), place));
            }
            _ => {}
        }
    }
    found
}

/// What tells a run from every other: how its record begins, with the time to a thousandth of a second.
fn origin(records: &[Recorded], folder: &RunFolder) -> Result<Vec<u8>, RunFolderError> {
    let mut origin = folder.read_study()?.into_bytes();
    if let Some(first) = records.first() {
        origin.extend(format!("\n{:.3} {:?}", first.at, first.event).bytes());
    }
    Ok(origin)
}

/// What announcements of a run are made of.
struct AnnouncementSource<'a> {
    folder: &'a RunFolder,
    origin: Vec<u8>,
    /// Study and provenance, once they are read.
    facts: Option<(String, Option<Provenance>)>,
}

impl AnnouncementSource<'_> {
    /// What is said about the last of these events.
    fn announce(&mut self, key: String, records: &[Recorded]) -> Result<Announcement, OutboxError> {
        let (study, provenance) = match &self.facts {
            Some(facts) => facts.clone(),
            None => {
                let provenance = match self.folder.read_provenance() {
                    Ok(provenance) => Some(provenance),
                    Err(RunFolderError::File(error)) if error.is_not_found() => None,
                    Err(error) => return Err(error.into()),
                };
                self.facts.insert((self.folder.read_study()?, provenance)).clone()
            }
        };
        let report = Report::from_records(records).with_provenance(provenance).with_study(study);
        let at = records.last().map_or(Timestamp::UNIX_EPOCH, |last| last.at);
        let run = std::path::absolute(self.folder.path());
        let run = run.unwrap_or_else(|_| self.folder.path().to_path_buf());
        Ok(Announcement::new(&report, key, self.origin.clone(), at, Path::new(&run)))
    }
}
