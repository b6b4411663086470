//! A study in its run folder: the lock, the record, the loop, and what follows the study's end.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::error::LaunchError;
use super::listener::{LaunchListener, Ready, Resumed};
use super::session::{Session, instruction_set, instruction_set_of, is_notification_due, is_over};
use super::settings::Settings;
use super::{Launch, failure, forgetting};
use crate::cluster::{Cluster, Nodes, Program, scheduler_client};
use crate::ledger::{Event, Ledger, RunFolder};
use crate::model::OpenDevice;
use crate::notify::{
    NotifyError, SendReport, notify_at_study_end, notify_while, queue_at_study_end,
};
use crate::record::Forgetting;
use crate::report::{self, ReportError};
use crate::spec::Spec;
use crate::study::card::{CardError, refresh_card};
use crate::study::ended::Ended;
use crate::study::local_trainer::{LocalTrainer, RunningTrials};
use crate::study::observer::Silent;
use crate::study::recorded_data::absolute;
use crate::study::remote_trainer::RemoteTrainer;
use crate::study::run::Study;
use crate::study::setup::StudySetup;
use crate::study::trainer::Trainer;
use crate::sys::announce::{announce, supervision};
use crate::sys::clock::RealClock;
use crate::sys::fence::Fence;
use crate::sys::files::{FileError, Operation};
use crate::sys::heartbeat::Heartbeat;
use crate::sys::lock::LockRequest;

impl Launch<'_> {
    /// Runs the study in this run folder until it ends. An error that ends it is told as `[notify]` says.
    pub(super) fn execute(
        mut self,
        folder: RunFolder,
        session: Session,
        device: Option<OpenDevice>,
    ) -> Result<Ended, LaunchError> {
        let mut silent = Silent;
        let listener: &mut dyn LaunchListener = match self.listener.take() {
            Some(listener) => listener,
            None => &mut silent,
        };
        let (notify, stop) = (session.spec.file().notify.clone(), self.stop.clone());
        let ended = self.run_in(folder.clone(), session, device, listener);
        if let Err(error) = &ended
            && let Some(told) = failure::tell(error, &folder, &notify, &stop)
        {
            failure::pass_on(&told, listener);
        }
        ended
    }

    /// Locks the run folder, runs the loop, and does what follows a study's end.
    fn run_in(
        self,
        folder: RunFolder,
        session: Session,
        device: Option<OpenDevice>,
        listener: &mut dyn LaunchListener,
    ) -> Result<Ended, LaunchError> {
        let files = Arc::clone(folder.files());
        let lock = folder.lock(&LockRequest::new(self.settings.command.join(" ")))?;
        announce(folder.path())?;
        let heartbeat = Arc::new(Heartbeat::open(folder.path())?);
        let _ = heartbeat.beat();
        let clock = Arc::new(RealClock::default());
        let mut ledger = Ledger::open(&*files, &folder.events_file(), lock.fence(), clock)?;
        let resumed = session.check(ledger.records(), &folder)?;
        if let Some(observer) = listener.recorder() {
            ledger = ledger.observed_by(observer);
        }
        listener.ready(&Ready {
            spec: &session.spec,
            data: &session.images.dataset,
            origin: &session.images.origin,
            report: &session.images.report,
            device: &session.device,
            threads: session.threads,
            folder: &folder,
            inherited: session.inherited.as_ref().map(|inherited| &inherited.record),
            resumed,
            other_instruction_set: instruction_set_of(ledger.records())
                .filter(|last| *last != instruction_set()),
            repaired: ledger.repaired(),
        });
        let was_over = is_over(ledger.records());
        if !was_over {
            match resumed {
                Resumed::No => ledger.append_once(session.started(&folder)).map(drop)?,
                Resumed::Yes => record_resumption(&mut ledger, &folder)?,
            }
            record_basis(&mut ledger, &session)?;
        }
        let notification_is_due = is_notification_due(ledger.records());
        let Session { spec, images, load_seconds, growth, workers, inherited, .. } = session;
        let origin = images.origin;
        let (name, notify) = (spec.name().to_owned(), spec.file().notify.clone());
        let validation_images = images.dataset.validation.len();
        let training_images = images.dataset.train.len();
        let all_images = training_images + validation_images + images.dataset.test.len();
        let measured_on = device.as_ref().filter(|_| spec.file().model.measure_forgetting);
        let measured_on = measured_on.map(|device| device.device.clone().without_autodiff());
        let setup = StudySetup { training_images, validation_images, growth, spec };
        let cluster = elsewhere(&folder, &setup.spec, &self.settings, &ledger, lock.fence())?;
        let trainer: Box<dyn Trainer + '_> = match (self.trainer, device) {
            (Some(trainer), _) => trainer,
            (None, device) => {
                let local = LocalTrainer {
                    data_name: origin.origin.clone(),
                    data: images.dataset,
                    data_hash: images.hash,
                    // Opened in `prepare`, unless the program has a trainer.
                    device: match device {
                        Some(device) => device,
                        None => self.settings.device.open()?,
                    },
                    files,
                    fence: lock.fence(),
                    run: folder.path().into(),
                    start: inherited.map(|inherited| inherited.weights),
                    profiling: self.settings.profiling,
                    running_trials: RunningTrials::new(
                        match workers {
                            Some(workers) => workers,
                            None => self.settings.workers()?,
                        },
                        Arc::clone(&heartbeat),
                    ),
                };
                match cluster {
                    Some(cluster) => {
                        Box::new(RemoteTrainer::new(local, cluster, self.stop.clone()))
                    }
                    None => Box::new(local),
                }
            }
        };
        let mut study =
            Study::new(setup, folder.clone(), ledger, trainer, listener, self.stop.clone());
        if let Some(policy) = self.policy {
            study = study.with_policy(policy);
        }
        let is_extended = !self.extension.is_empty()
            && study.extend_once(self.extension, supervision().as_deref())?;
        if is_extended || !was_over {
            study.loaded(all_images as u64, load_seconds)?;
        }
        let mut ended = study.run()?;
        let _ = heartbeat.beat();
        let mut after = AfterEnd::default();
        if let (Ended::Finished(finished), Some(device)) = (&ended, measured_on) {
            let mut beat = || {
                let _ = heartbeat.beat();
            };
            let (best, stop) = (finished.result.best_trial, &self.stop);
            after.forgotten =
                forgetting::measure(&study, best, &self.settings, &device, stop, &mut beat);
        }
        // Before the notification, whose command may want to send them on.
        after.carded = match ended {
            Ended::Finished(_) => refresh_card(&folder),
            Ended::Stopped(_) => Ok(()),
        };
        after.reported = report::write(&folder).map(drop);
        if let Ended::Finished(finished) = &mut ended {
            finished.data = Some(origin);
            let mut keep_going = || {
                let _ = heartbeat.beat();
                self.stop.requested().is_none()
            };
            queue_at_study_end(&folder, &notify);
            let command = notify.command.as_ref();
            if let Some(command) =
                command.filter(|_| is_extended || !was_over || notification_is_due)
            {
                after.command = notify_while(command, &name, &finished.result, &mut keep_going);
                if matches!(after.command, Err(NotifyError::Stopped { .. })) {
                    study.stopped()?;
                } else if notification_is_due {
                    study.resumed()?;
                }
            }
            after.messages = notify_at_study_end(&folder, &notify, &mut keep_going);
        }
        drop(study);
        after.pass_on(listener);
        Ok(ended)
    }
}

/// The cluster that the study's trials train on; `None` if they train in this process.
fn elsewhere(
    folder: &RunFolder,
    spec: &Spec,
    settings: &Settings,
    ledger: &Ledger,
    fence: Fence,
) -> Result<Option<Cluster>, LaunchError> {
    let run = &spec.file().run;
    let Some(scheduler) = scheduler_client(run) else { return Ok(None) };
    let excluded = ledger.records().iter().filter_map(|recorded| match &recorded.event {
        Event::NodeExcluded { node, .. } => Some(node.clone()),
        _ => None,
    });
    let path = absolute(folder.path());
    let program = current_program()?;
    let mut command = vec![program.display().to_string()];
    let options = [
        ("--threads", Some(run.cpus.to_string())),
        ("--device", Some(settings.device.to_string())),
        ("--data", settings.data.as_ref().map(|data| absolute(data).display().to_string())),
    ];
    for (name, value) in options {
        command.extend(value.map(|value| [name.to_owned(), value]).into_iter().flatten());
    }
    let began = folder.read_provenance()?.started_at;
    let digest = Sha256::digest(format!("{} {began}", path.display()));
    let program = Program {
        key: format!("burgeon-{}-{}", folder.name(), &hex::encode(digest)[..8]),
        command,
        // The same bits on every node: those of the instruction set that this process has.
        environment: vec![("BURGEON_CPU".into(), instruction_set().into())],
    };
    let files = (folder.files(), fence);
    Ok(Some(Cluster::new(run, scheduler, Nodes::excluding(excluded), program, files, &path)))
}

/// The program that this process runs, which the jobs run too.
fn current_program() -> Result<PathBuf, LaunchError> {
    let unknown =
        |source| FileError::new(Operation::Inspect, Path::new("/proc/self/exe"), 0, source);
    Ok(std::env::current_exe().map_err(unknown)?)
}

/// What came of the work after a study's end. A failure in it changes neither the study's result nor the launch's.
struct AfterEnd {
    forgotten: Result<Option<Forgetting>, Box<dyn Error + Send + Sync>>,
    carded: Result<(), CardError>,
    reported: Result<(), ReportError>,
    /// The command of `[notify]`.
    command: Result<(), NotifyError>,
    /// Its mail and webhooks.
    messages: SendReport,
}

impl Default for AfterEnd {
    fn default() -> Self {
        Self {
            forgotten: Ok(None),
            carded: Ok(()),
            reported: Ok(()),
            command: Ok(()),
            messages: SendReport::default(),
        }
    }
}

impl AfterEnd {
    fn pass_on(self, listener: &mut dyn LaunchListener) {
        match &self.forgotten {
            Ok(None) => {}
            Ok(Some(forgetting)) => listener.forgetting(Ok(forgetting)),
            Err(error) => listener.forgetting(Err(&**error)),
        }
        if let Err(error) = self.carded {
            listener.card_failed(&error);
        }
        if let Err(error) = self.reported {
            listener.report_failed(&error);
        }
        failure::pass_on(&self.messages, listener);
        if let Err(error) = self.command {
            listener.notification_failed(&error);
        }
    }
}

/// Records what a study starts from: its data and, if there is one, its model. A resumed process does so too
/// if they are not recorded yet, because a crash may have come first.
fn record_basis(ledger: &mut Ledger, session: &Session) -> Result<(), LaunchError> {
    if let Some(inherited) = &session.inherited {
        ledger.append_once(Event::ModelInherited(inherited.record.clone()))?;
    }
    let is_examined = |event: &Event| matches!(event, Event::DataExamined { .. });
    if ledger.records().iter().any(|recorded| is_examined(&recorded.event)) {
        return Ok(());
    }
    if let Some(reason) = &session.images.origin.fallback {
        ledger.append_once(Event::DataFallback { reason: reason.clone() })?;
    }
    let images = &session.images;
    ledger.append_once(Event::DataExamined {
        classes: images.dataset.classes.clone(),
        counts: images.report.counts.clone(),
        findings: images.report.findings.clone(),
        image: Some(images.dataset.input_shape()),
    })?;
    Ok(())
}

/// Records that a run is resumed.
fn record_resumption(ledger: &mut Ledger, folder: &RunFolder) -> Result<(), LaunchError> {
    let records = ledger.records().iter();
    let finished = records.filter(|recorded| matches!(recorded.event, Event::TrialFinished { .. }));
    let trials = finished.count() as u32;
    let run = folder.path().display().to_string();
    Ok(ledger.append(Event::StudyResumed {
        run,
        trials,
        instruction_set: Some(instruction_set().into()),
    })?)
}
