//! Compares records of the same study, one of which was interrupted.

use std::collections::HashMap;

use super::event::Event;
use super::recorded::Recorded;

/// The events of a study as if it had not been interrupted: sorted by trial, without times, without
/// events of interruptions and checkpoints, and without repetitions, of which the last values count.
/// Two runs of the same study on the CPU give equal lists.
pub fn uninterrupted(records: &[Recorded]) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    let mut places = HashMap::new();
    for record in records {
        let Some(key) = record.event.key() else {
            continue;
        };
        let event = record.event.without_times();
        match places.get(&key) {
            Some(&place) => events[place] = event,
            None => {
                places.insert(key, events.len());
                events.push(event);
            }
        }
    }
    events.sort_by_key(|event| match event.key() {
        Some(("study finished", ..)) => u32::MAX,
        Some((_, trial, _)) => trial,
        None => 0,
    });
    events
}

/// Names something that happens once in a study: what, in which trial, in which epoch.
pub(super) type EventKey = (&'static str, u32, u32);

impl Event {
    /// What this event is the record of; `None` for events that may come any number of times.
    pub(super) fn key(&self) -> Option<EventKey> {
        Some(match *self {
            Self::StudyStarted { .. } => ("study started", 0, 0),
            Self::DataFallback { .. } => ("data fallback", 0, 0),
            Self::DataExamined { .. } => ("data examined", 0, 0),
            Self::ModelInherited(_) => ("model inherited", 0, 0),
            Self::ForgettingMeasured { trial, .. } => ("forgetting measured", trial, 0),
            Self::TrialStarted { trial, .. } => ("trial started", trial, 0),
            Self::Grafted { trial, .. } => ("grafted", trial, 0),
            Self::EpochFinished { trial, epoch, .. } => ("epoch finished", trial, epoch),
            Self::FoldFinished { trial, fold, .. } => ("fold finished", trial, fold),
            Self::TrialFinished { trial, .. } => ("trial finished", trial, 0),
            Self::RatesTested { trial, .. } => ("rates tested", trial, 0),
            Self::GateDecided { trial, .. } => ("gate decided", trial, 0),
            Self::CheckpointsRemoved { trial } => ("checkpoints removed", trial, 0),
            Self::StudyExtended { extension, .. } => ("study extended", 0, extension),
            Self::StudyFinished { .. } => ("study finished", 0, 0),
            Self::CheckpointWritten { .. }
            | Self::CheckpointRejected { .. }
            | Self::TrialProfiled { .. }
            | Self::ImagesLoaded { .. }
            | Self::StudyResumed { .. }
            | Self::JobSubmitted { .. }
            | Self::JobEnded { .. }
            | Self::NodeExcluded { .. }
            | Self::TestSplitRead { .. }
            | Self::TrialResumed { .. }
            | Self::StudyStopped { .. }
            | Self::SupervisorRestarted { .. }
            | Self::SupervisorGaveUp { .. }
            | Self::Unknown { .. } => return None,
        })
    }

    /// The same event with all measured times at zero, and without the run folder's name and the
    /// machine's instruction set.
    pub(super) fn without_times(&self) -> Self {
        let mut event = self.clone();
        match &mut event {
            Self::EpochFinished { seconds, evaluation_seconds, probe, .. } => {
                *seconds = 0.0;
                *evaluation_seconds = None;
                if let Some(sample) = probe.as_mut().and_then(|probe| probe.sample.as_mut()) {
                    sample.seconds = 0.0;
                }
            }
            Self::FoldFinished { seconds, .. } | Self::CheckpointWritten { seconds, .. } => {
                *seconds = 0.0;
            }
            Self::TrialFinished { train_seconds, images_per_second, .. } => {
                *train_seconds = 0.0;
                *images_per_second = 0.0;
            }
            Self::StudyFinished(result) => {
                result.seconds = 0.0;
                result.run.clear();
            }
            Self::StudyStarted { run, instruction_set, .. } => {
                run.clear();
                // It depends on the machine, not on the study.
                *instruction_set = None;
            }
            Self::TrialStarted { expected_seconds, .. } => *expected_seconds = None,
            Self::StudyExtended { request, .. } => *request = None,
            _ => {}
        }
        event
    }
}

#[cfg(test)]
mod tests;
