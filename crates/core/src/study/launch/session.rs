//! Everything that a study runs with, compared with what its run began with.

use burgeon_kernel::Executor;
use jiff::Timestamp;

use super::error::LaunchError;
use super::images::StudyImages;
use super::listener::Resumed;
use super::start::Inherited;
use crate::data::Split;
use crate::ledger::{
    Event, LedgerError, Provenance, Recorded, RunFolder, RunFolderError, cpu_name, read,
};
use crate::spec::{Spec, StudyDocument, diff};
use crate::study::Growth;
use crate::study::recorded_data::check_same_data;
use crate::sys::build::Build;
use crate::train::Workers;

/// Everything that a study runs with, before there is a run folder.
pub(super) struct Session {
    pub(super) spec: Spec,
    pub(super) images: StudyImages,
    /// Seconds until the images were loaded.
    pub(super) load_seconds: f64,
    /// Name of the device.
    pub(super) device: String,
    /// `None` if the program's own trainer computes on its own threads.
    pub(super) workers: Option<Workers>,
    pub(super) threads: usize,
    pub(super) growth: Growth,
    /// What the first trial inherits; `None` if it starts with fresh weights.
    pub(super) inherited: Option<Inherited>,
}

impl Session {
    /// The first event of the record.
    pub(super) fn started(&self, folder: &RunFolder) -> Event {
        let data = &self.images.dataset;
        Event::StudyStarted {
            name: self.spec.name().into(),
            command: match self.growth {
                Growth::On => "tune".into(),
                Growth::Off => "train".into(),
            },
            run: folder.path().display().to_string(),
            spec_hash: self.spec.hash(),
            data_hash: self.images.hash.clone(),
            seed: self.spec.train().seed,
            device: self.device.clone(),
            threads: self.threads,
            train_images: data.train.len(),
            validation_images: data.validation.len(),
            test_images: data.test.len(),
            threshold: self.spec.gate().accuracy,
            trials: self.spec.tune().trials as u32,
            instruction_set: Some(instruction_set().into()),
        }
    }

    /// The provenance of a run that starts now.
    pub(super) fn provenance(&self, command: &[String]) -> Provenance {
        let build = Build::current();
        Provenance {
            version: build.version.into(),
            commit: build.commit.map(str::to_owned),
            dirty: build.dirty,
            command: command.to_vec(),
            device: self.device.clone(),
            threads: self.threads,
            cpu: cpu_name(),
            instruction_set: Some(instruction_set().into()),
            seed: self.spec.train().seed,
            spec_hash: self.spec.hash(),
            data: self.images.origin.clone(),
            started_at: Timestamp::now(),
        }
    }

    /// Whether this study continues the newest run of its name. A finished run of another study is left
    /// alone; an unfinished one is [`check`](Self::check)ed later.
    pub(super) fn belongs_in(&self, latest: &RunFolder) -> Result<bool, LaunchError> {
        let records = read(&**latest.files(), &latest.events_file())?;
        Ok(!is_over(&records) || self.check(&records, latest).is_ok())
    }

    /// Compares study and images with those that the run began with. A record without them, such as that of
    /// a `Study` without a launch, cannot be compared; then only the checkpoints of its trials are.
    pub(super) fn check(
        &self,
        records: &[Recorded],
        folder: &RunFolder,
    ) -> Result<Resumed, LaunchError> {
        let begun = records.iter().find_map(|recorded| match &recorded.event {
            Event::StudyStarted { spec_hash, data_hash, .. } => Some((spec_hash, data_hash)),
            _ => None,
        });
        let Some((spec_then, data_then)) = begun else {
            let has_trials =
                records.iter().any(|recorded| matches!(recorded.event, Event::TrialStarted { .. }));
            return Ok(if has_trials || is_over(records) { Resumed::Yes } else { Resumed::No });
        };
        // First, because changed labels may mean other classes and so another spec.
        check_same_data(folder, &self.images.origin, Split::Train)?;
        let changed = |what, then: &String, now: &str, lines| LaunchError::Changed {
            folder: folder.path().into(),
            what,
            then: then.clone(),
            now: now.into(),
            lines,
        };
        let spec_now = self.spec.hash();
        if *spec_then != spec_now {
            let lines = self.difference(folder);
            return Err(changed("the study file", spec_then, &spec_now, lines));
        }
        if *data_then != self.images.hash {
            return Err(changed("the images", data_then, &self.images.hash, Vec::new()));
        }
        Ok(Resumed::Yes)
    }

    /// The lines in which this study differs from the one in the run folder; none if that cannot be
    /// read.
    fn difference(&self, folder: &RunFolder) -> Vec<String> {
        let begun =
            recorded_study(folder).ok().and_then(|study| study.validate(self.spec.input()).ok());
        begun.map_or_else(Vec::new, |begun| diff(&begun, &self.spec))
    }
}

/// The instruction set that this process computes with.
pub(super) fn instruction_set() -> &'static str {
    Executor::current().cpu().name()
}

/// The instruction set that a run last computed with; `None` if it is not recorded.
pub(super) fn instruction_set_of(records: &[Recorded]) -> Option<&str> {
    records.iter().rev().find_map(|recorded| match &recorded.event {
        Event::StudyStarted { instruction_set, .. }
        | Event::StudyResumed { instruction_set, .. } => instruction_set.as_deref(),
        _ => None,
    })
}

/// Whether the study, or its last extension, is finished.
pub(super) fn is_over(records: &[Recorded]) -> bool {
    let last = records.iter().rev().find(|recorded| {
        matches!(recorded.event, Event::StudyFinished { .. } | Event::StudyExtended { .. })
    });
    last.is_some_and(|recorded| matches!(recorded.event, Event::StudyFinished { .. }))
}

/// Whether a study finished, but was stopped before its notification was sent.
pub(super) fn is_notification_due(records: &[Recorded]) -> bool {
    let last = records.iter().rev().find_map(|recorded| match recorded.event {
        Event::StudyStopped { .. } => Some(true),
        Event::StudyFinished { .. } | Event::StudyResumed { .. } | Event::StudyExtended { .. } => {
            Some(false)
        }
        _ => None,
    });
    last == Some(true)
}

/// The study that a run was made for.
pub(super) fn recorded_study(folder: &RunFolder) -> Result<StudyDocument, RunFolderError> {
    Ok(StudyDocument::new(folder.study_file().display().to_string(), folder.read_study()?))
}

/// Whether the run began with growth; yes if that is not recorded.
pub(super) fn recorded_growth(folder: &RunFolder) -> Result<Growth, LedgerError> {
    let records = read(&**folder.files(), &folder.events_file())?;
    let command = records.into_iter().find_map(|recorded| match recorded.event {
        Event::StudyStarted { command, .. } => Some(command),
        _ => None,
    });
    Ok(match command.as_deref() {
        Some("train") => Growth::Off,
        _ => Growth::On,
    })
}
