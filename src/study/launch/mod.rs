//! From a study to its end: data, device, run folder, record and loop put together.

mod error;
mod images;
mod listener;
mod session;
mod settings;
mod source;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use self::error::{Kind, LaunchError};
pub use self::images::{describe, input_shape};
pub use self::listener::{EventObserver, LaunchListener, Ready, Resumed};
pub(crate) use self::settings::Checked;
pub use self::settings::{Resume, Settings};
pub use self::source::StudySource;

use self::images::{OwnImages, StudyImages};
use self::session::{
    Session, instruction_set, instruction_set_of, is_notification_due, is_over, recorded_growth,
    recorded_study,
};
use self::settings::recordable;
use super::ended::{Ended, Stopped};
use super::gate_check::check_gate;
use super::local_trainer::{AtWork, LocalTrainer};
use super::observer::Silent;
use super::phase::Extension;
use super::recorded_data::absolute;
use super::run::{Growth, Study, StudySetup};
use super::trainer::Trainer;
use crate::data::{DataError, Dataset, Split};
use crate::ledger::{Event, Ledger, RunFolder};
use crate::model::OpenDevice;
use crate::notify::{NotifyError, notify_while};
use crate::report;
use crate::spec::{Override, StudyFile};
use crate::sys::announce::{announce, supervision};
use crate::sys::clock::RealClock;
use crate::sys::files::real_files;
use crate::sys::heartbeat::Heartbeat;
use crate::sys::lock::LockRequest;
use crate::sys::signals::StopFlag;
use crate::train::Workers;
use crate::tune::Policy;

/// Runs a study in a run folder of its own: with lock, record, checkpoints, provenance and report.
///
/// Everything but the study is optional. A program may bring its own images, policy or trainer, and
/// may stop the study and go on with it later.
///
/// ```no_run
/// use burgeon::spec::{Layer, Dense, StudyFile};
/// use burgeon::study::{Ended, Launch};
///
/// # fn main() -> Result<(), burgeon::study::LaunchError> {
/// let mut study = StudyFile::new("digits", vec![Layer::Dense(Dense::of(32))]);
/// study.gate.accuracy = 0.95;
/// match Launch::new(study).run()? {
///     Ended::Finished(finished) => println!("{:?}", finished.result),
///     Ended::Stopped(stopped) => println!("resume {:?}", stopped.run),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
#[must_use = "a launch does nothing until it is run"]
pub struct Launch<'a> {
    study: Option<StudySource>,
    settings: Settings,
    images: Option<OwnImages>,
    policy: Option<Box<dyn Policy + 'a>>,
    trainer: Option<Box<dyn Trainer + 'a>>,
    listener: Option<&'a mut dyn LaunchListener>,
    stop: StopFlag,
    overrides: Vec<Override>,
    extension: Extension,
}

impl<'a> Launch<'a> {
    /// Launches a study: the text of a study file, or a [`StudyFile`] built in code.
    /// [`Launch::default`] launches none, and can [`resume`](Self::resume) a run that has one.
    pub fn new(study: impl Into<StudySource>) -> Self {
        Self { study: Some(study.into()), ..Self::default() }
    }

    /// Where it runs; the defaults of [`Settings`] unless said.
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// The folder that the run folder is made in; `runs` unless said.
    pub fn runs(mut self, folder: impl Into<PathBuf>) -> Self {
        self.settings.runs = folder.into();
        self
    }

    /// Trains on these images instead of those that the study's `[data]` asks for, which then says
    /// `source = "own"`. A run that began with images of one's own needs the same ones to go on.
    pub fn data(self, images: Dataset) -> Self {
        self.named_data("images of the program", images)
    }

    /// As [`data`](Self::data), with a name for the record, the report and the model's card.
    pub fn named_data(mut self, name: impl Into<String>, images: Dataset) -> Self {
        self.images = Some(OwnImages { dataset: images, name: name.into() });
        self
    }

    /// Proposes trials through this policy instead of the study's. A run that began with it needs it
    /// to go on.
    pub fn policy(mut self, policy: impl Policy + 'a) -> Self {
        self.policy = Some(Box::new(policy));
        self
    }

    /// Trains through this trainer instead of [`LocalTrainer`].
    pub fn trainer(mut self, trainer: impl Trainer + 'a) -> Self {
        self.trainer = Some(Box::new(trainer));
        self
    }

    /// Tells this listener what happens.
    pub fn listener(mut self, listener: &'a mut dyn LaunchListener) -> Self {
        self.listener = Some(listener);
        self
    }

    /// Stops when this flag is raised.
    pub fn stop(mut self, stop: &StopFlag) -> Self {
        self.stop = stop.clone();
        self
    }

    /// Settings that a run is asked to go on with. Those that would change its study are refused by
    /// [`resume`](Self::resume); whom it notifies may change.
    pub fn overrides(mut self, overrides: Vec<Override>) -> Self {
        self.overrides = overrides;
        self
    }

    /// Has [`resume`](Self::resume) extend a study that is over.
    pub fn extend(mut self, extension: Extension) -> Self {
        self.extension = extension;
        self
    }

    /// Runs the study: in a new run folder, or, with [`Resume::Auto`], in the newest one of its name
    /// where that one is not finished.
    ///
    /// # Errors
    ///
    /// [`LaunchError`]; a wrong study file and a missing device are told before anything is
    /// written.
    pub fn run(mut self) -> Result<Ended, LaunchError> {
        let study = self.study.take().ok_or(LaunchError::NoStudy)?;
        let (session, device) = match self.prepare(&study, self.settings.growth, None) {
            Err(error) => return self.stopped_while_loading(error, None),
            Ok(prepared) => prepared,
        };
        let images = &session.images;
        check_gate(&study, &session.spec, &images.report, &images.dataset.classes)?;
        let files = real_files()?;
        let runs = &self.settings.runs;
        let latest = match self.settings.resume {
            Resume::Never => None,
            Resume::Auto => RunFolder::find_latest(&files, runs, session.spec.name())?,
        };
        let folder = match latest {
            Some(latest) if session.belongs_in(&latest)? => latest,
            _ => {
                let (spec, provenance) =
                    (&session.spec, session.provenance(&self.settings.command));
                RunFolder::begin(files, runs, spec.name(), &provenance, &spec.file().to_toml())?
            }
        };
        self.enter(folder, session, device)
    }

    /// Goes on with a run exactly where it stopped, or extends it. A run that is over says what it
    /// came to. Where a study was given, it has to be the one that the run began with.
    ///
    /// # Errors
    ///
    /// [`LaunchError`]; among them [`LaunchError::Changed`] when the study file or the images are
    /// no longer what the run began with, and [`LaunchError::Fixed`] when it should go on with
    /// other settings.
    pub fn resume(mut self, run: impl AsRef<Path>) -> Result<Ended, LaunchError> {
        let folder = RunFolder::open(real_files()?, run.as_ref())?;
        let growth = recorded_growth(&folder)?;
        let study = match self.study.take() {
            Some(study) => study,
            None => self.study_of(&folder)?,
        };
        let (session, device) = match self.prepare(&study, growth, Some(&folder)) {
            Err(error) => return self.stopped_while_loading(error, Some(folder.path())),
            Ok(prepared) => prepared,
        };
        self.enter(folder, session, device)
    }

    /// A stop that was asked for while images were loaded is no error.
    fn stopped_while_loading(
        &self,
        error: LaunchError,
        run: Option<&Path>,
    ) -> Result<Ended, LaunchError> {
        match (error, self.stop.requested()) {
            (LaunchError::Data(DataError::Stopped), Some(reason)) => {
                Ok(Ended::Stopped(Stopped { run: run.map(Path::to_path_buf), reason }))
            }
            (error, _) => Err(error),
        }
    }

    /// The study that a run began with, but for whom it notifies.
    fn study_of(&self, folder: &RunFolder) -> Result<StudySource, LaunchError> {
        let recorded = recorded_study(folder)?;
        if self.overrides.is_empty() {
            return Ok(recorded.into());
        }
        let begun = recorded.parse()?;
        let changed = recorded.with_overrides(self.overrides.clone());
        let asked = changed.parse()?;
        let but_notify = StudyFile { notify: begun.notify.clone(), ..asked.clone() };
        if but_notify == begun {
            return Ok(changed.into());
        }
        let settings: Vec<String> =
            self.overrides.iter().map(|set| format!("--set {set}")).collect();
        Err(LaunchError::Fixed {
            folder: folder.path().into(),
            settings: settings.join(" "),
            lines: changed_lines(&begun.to_toml(), &but_notify.to_toml()),
        })
    }

    /// Checks the study and gets what it runs on. What can be checked without the images is checked
    /// before they are looked for.
    fn prepare(
        &mut self,
        study: &StudySource,
        growth: Growth,
        begun: Option<&RunFolder>,
    ) -> Result<(Session, Option<OpenDevice>), LaunchError> {
        let mut file = match &self.images {
            Some(own) => StudyFile { data: own.spec(), ..study.parse()? },
            None => {
                let mut file = study.checked()?;
                if let Some(path) = &mut file.data.path {
                    // In runs of version 0.1.0 it may be relative, which meant the current folder.
                    *path = match begun {
                        Some(_) => absolute(path),
                        None => recordable(&study.base().join(&path))?,
                    };
                }
                file
            }
        };
        let (device, workers) = match self.trainer {
            None => (Some(self.settings.device.open()?), Some(self.settings.workers()?)),
            Some(_) => (None, None),
        };
        let threads = match &workers {
            Some(workers) => workers.count(),
            None => self.settings.threads.unwrap_or(1),
        };
        let entered = workers.as_ref().map(Workers::enter);
        let images = match self.images.take() {
            Some(own) => StudyImages::own(own)?,
            None => {
                let mut silent = Silent;
                let listener: &mut dyn LaunchListener = match &mut self.listener {
                    Some(listener) => &mut **listener,
                    None => &mut silent,
                };
                let (data, seed) = (&file.data, file.train.seed);
                StudyImages::loaded(match begun {
                    // Before the study is checked: other labels may make other classes.
                    Some(run) => self.settings.load_recorded(
                        run,
                        data,
                        seed,
                        Split::Train,
                        listener,
                        &self.stop,
                    )?,
                    None => self.settings.load_from(data, seed, None, listener, &self.stop)?,
                })
            }
        };
        if let Some(origin) = &images.chosen {
            origin.record_in(&mut file.data, images.dataset.validation.len());
        }
        let spec = study.check(file, input_shape(&images.dataset))?;
        let name = device.as_ref().map_or("a trainer of the program", |device| &device.name);
        let device_name = name.to_owned();
        drop(entered);
        let session = Session { spec, images, device: device_name, workers, threads, growth };
        Ok((session, device))
    }

    fn enter(
        self,
        folder: RunFolder,
        session: Session,
        device: Option<OpenDevice>,
    ) -> Result<Ended, LaunchError> {
        let mut silent = Silent;
        let listener: &mut dyn LaunchListener = match self.listener {
            Some(listener) => listener,
            None => &mut silent,
        };
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
            resumed,
            other_instruction_set: instruction_set_of(ledger.records())
                .filter(|last| *last != instruction_set()),
            repaired: ledger.repaired(),
        });
        let was_over = is_over(ledger.records());
        match resumed {
            Resumed::No => begin(&mut ledger, &session, &folder)?,
            Resumed::Yes if !was_over => go_on(&mut ledger, &folder)?,
            Resumed::Yes => {}
        }
        let was_cut = is_notification_due(ledger.records());
        let Session { spec, images, growth, workers, .. } = session;
        let origin = images.origin;
        let (name, command) = (spec.name().to_owned(), spec.file().notify.command.clone());
        let validation_images = images.dataset.validation.len();
        let setup = StudySetup { validation_images, growth, spec };
        let trainer: Box<dyn Trainer + '_> = match (self.trainer, device) {
            (Some(trainer), _) => trainer,
            (None, device) => Box::new(LocalTrainer {
                data_name: origin.origin.clone(),
                data: images.dataset,
                data_hash: images.hash,
                // Opened already unless there is a trainer.
                device: match device {
                    Some(device) => device,
                    None => self.settings.device.open()?,
                },
                files,
                fence: lock.fence(),
                run: folder.path().into(),
                profiling: self.settings.profiling,
                at_work: AtWork::new(
                    match workers {
                        Some(workers) => workers,
                        None => self.settings.workers()?,
                    },
                    Arc::clone(&heartbeat),
                ),
            }),
        };
        let mut study =
            Study::new(setup, folder.clone(), ledger, trainer, listener, self.stop.clone());
        if let Some(policy) = self.policy {
            study = study.with_policy(policy);
        }
        let is_extended = !self.extension.is_empty()
            && study.extend_once(self.extension, supervision().as_deref())?;
        let mut ended = study.run()?;
        let _ = heartbeat.beat();
        // Before anybody is notified, who may want to send them on.
        let reported = report::write(&folder);
        let mut notified = Ok(());
        if let Ended::Finished(finished) = &mut ended {
            finished.data = Some(origin);
            if let Some(command) = command.filter(|_| is_extended || !was_over || was_cut) {
                let mut go_on = || {
                    let _ = heartbeat.beat();
                    self.stop.requested().is_none()
                };
                notified = notify_while(&command, &name, &finished.result, &mut go_on);
                if matches!(notified, Err(NotifyError::Stopped { .. })) {
                    study.stopped()?;
                } else if was_cut {
                    study.resumed()?;
                }
            }
        }
        drop(study);
        if let Err(error) = reported {
            listener.report_failed(&error);
        }
        if let Err(error) = notified {
            listener.notification_failed(&error);
        }
        Ok(ended)
    }
}

/// Records what a run begins with.
fn begin(ledger: &mut Ledger, session: &Session, folder: &RunFolder) -> Result<(), LaunchError> {
    ledger.append_once(session.started(folder))?;
    if let Some(reason) = &session.images.origin.fallback {
        ledger.append_once(Event::DataFallback { reason: reason.clone() })?;
    }
    let images = &session.images;
    ledger.append_once(Event::DataExamined {
        classes: images.dataset.classes.clone(),
        counts: images.report.counts.clone(),
        findings: images.report.findings.clone(),
    })?;
    Ok(())
}

/// Records that a run goes on that had stopped.
fn go_on(ledger: &mut Ledger, folder: &RunFolder) -> Result<(), LaunchError> {
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

/// The lines that one text has and the other has not: `- ` before those that go, `+ ` before those
/// that come.
fn changed_lines(before: &str, after: &str) -> Vec<String> {
    let has = |text: &str, line: &str| text.lines().any(|other| other == line);
    let gone = before.lines().filter(|line| !has(after, line)).map(|line| format!("- {line}"));
    let come = after.lines().filter(|line| !has(before, line)).map(|line| format!("+ {line}"));
    gone.chain(come).collect()
}
