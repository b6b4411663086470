//! Running a study from a program: data, device, run folder, record and loop put together.

mod error;
mod failure;
mod forgetting;
mod images;
mod import;
mod listener;
mod session;
mod settings;
mod source;
mod start;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use self::error::{Kind, LaunchError};
pub use self::images::{describe, input_shape};
pub(crate) use self::import::{ImportRunError, ImportedRun, WeightsImport, import};
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
use self::start::{Inherited, StartModel, refusal};
use super::card::refresh_card;
use super::ended::{Ended, Stopped};
use super::gate_check::check_gate;
use super::local_trainer::{LocalTrainer, RunningTrials};
use super::observer::Silent;
use super::phase::Extension;
use super::recorded_data::absolute;
use super::run::Study;
use super::setup::{Growth, StudySetup};
use super::trainer::Trainer;
use crate::data::{DataError, Dataset, Download, Split};
use crate::ledger::{Event, Ledger, RunFolder};
use crate::model::OpenDevice;
use crate::notify::{NotifyError, Told, keep_due, notify_while, tell_due};
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

/// Runs a study: loads its images, makes a run folder, trains, grows and judges trials, and writes
/// the report.
///
/// A [`StudyFile`] only describes a study. A launch adds the run folder with its lock against a second
/// process, the event log, checkpoints to resume from, provenance, the best model and the report.
/// Everything but the study is optional: a program may bring its own images, policy, trainer and
/// listener.
///
/// ```
/// use burgeon::prelude::*;
/// use burgeon::spec::{Amount, Source};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut study = StudyFile::new("digits", vec![Layer::Dense(Dense::of(16))]);
/// study.data.source = Source::Synthetic; // digits drawn by burgeon itself
/// (study.data.train, study.data.validation) = (Some(600), Some(Amount::Count(200)));
/// (study.train.epochs, study.gate.accuracy) = (2, 0.3);
/// let runs = tempfile::tempdir()?;
/// match Launch::new(study).runs(runs.path()).run()? {
///     Ended::Finished(finished) => {
///         assert_eq!(finished.result.outcome, Outcome::Accepted);
///         assert!(finished.run.join("report.html").exists());
///         let classifier = Classifier::open(&finished.run)?;
///         assert_eq!(classifier.classify(&[vec![0; 28 * 28]])?[0].len(), 10);
///     }
///     Ended::Stopped(stopped) => println!("continue with resume({:?})", stopped.run),
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Environment and network
///
/// Besides its arguments, a launch depends on these:
///
/// - A study whose `[data]` has `source = "mnist"`, the default, looks for MNIST in
///   the folder that [`Settings::data`], else `BURGEON_DATA`, else `[data] path` names. If none of them
///   names one, it looks in `data/` below the current folder and in `burgeon/mnist` below
///   `XDG_CACHE_HOME` or `~/.cache`, and if neither has it, MNIST **is downloaded** into the latter
///   (about 11 MB, checked by hash), unless [`offline`](Self::offline) forbids that. With
///   `fallback = "synthetic"` the built-in digits stand in if that fails too, and
///   [`Finished::data`](super::Finished::data) says so. Other sources, and [`data`](Self::data), use no
///   network.
/// - `BURGEON_CPU` names the instruction set to compute with: `portable`, `avx2` or `avx512`.
/// - `BURGEON_SUPERVISED` and `BURGEON_SUPERVISOR` are set by `burgeon supervise` for its child.
///
/// Other variables `BURGEON_…` are options of the command, and the library ignores them. A study with
/// a `[notify]` command runs that command at its end; one with `[notify]` mail or webhooks connects to their
/// servers then, for ten seconds at most, and keeps in the run folder what it could not send.
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
    /// A launch of this study: a [`StudyFile`] built in code, or a
    /// [`StudyDocument`](crate::spec::StudyDocument) with the text of a study file.
    /// [`Launch::default`] has no study, and can only [`resume`](Self::resume).
    pub fn new(study: impl Into<StudySource>) -> Self {
        Self { study: Some(study.into()), ..Self::default() }
    }

    /// Device, threads, folders and so on; by default those of [`Settings::default`].
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// The folder in which the run folder is created; by default `runs`.
    pub fn runs(mut self, folder: impl Into<PathBuf>) -> Self {
        self.settings.runs = folder.into();
        self
    }

    /// Never downloads anything. If MNIST is in none of the folders that are searched, that is then an
    /// error of the kind [`Kind::MissingData`], unless the study allows the built-in digits to be used instead.
    pub fn offline(mut self) -> Self {
        self.settings.download = Download::Never;
        self
    }

    /// Trains on these images instead of those that the study's `[data]` names; the recorded study then
    /// has `source = "own"`. To [`resume`](Self::resume) the run, give it the same images again.
    pub fn data(self, images: Dataset) -> Self {
        self.named_data("images of the program", images)
    }

    /// Like [`data`](Self::data), with a name for the record, the report and the model card.
    pub fn named_data(mut self, name: impl Into<String>, images: Dataset) -> Self {
        self.images = Some(OwnImages { dataset: images, name: name.into() });
        self
    }

    /// Uses this policy instead of the one that the study's `[tune]` names. To [`resume`](Self::resume)
    /// the run, give it the same policy again.
    pub fn policy(mut self, policy: impl Policy + 'a) -> Self {
        self.policy = Some(Box::new(policy));
        self
    }

    /// Uses this trainer instead of training with burn on this machine. To [`resume`](Self::resume) the
    /// run, give it the same trainer again.
    pub fn trainer(mut self, trainer: impl Trainer + 'a) -> Self {
        self.trainer = Some(Box::new(trainer));
        self
    }

    /// Reports progress to this listener.
    pub fn listener(mut self, listener: &'a mut dyn LaunchListener) -> Self {
        self.listener = Some(listener);
        self
    }

    /// Stops the study when [`StopFlag::request`] is called on this flag or a clone of it; after a step
    /// at the latest, with everything saved that [`resume`](Self::resume) needs.
    pub fn stop(mut self, stop: &StopFlag) -> Self {
        self.stop = stop.clone();
        self
    }

    /// Changes keys of a resumed run's study. Only `[notify]` may change: anything else makes
    /// [`resume`](Self::resume) fail with [`LaunchError::Fixed`].
    pub fn overrides(mut self, overrides: Vec<Override>) -> Self {
        self.overrides = overrides;
        self
    }

    /// Makes [`resume`](Self::resume) extend a finished study by trials or epochs, or to another gate.
    pub fn extend(mut self, extension: Extension) -> Self {
        self.extension = extension;
        self
    }

    /// Runs the study to its end, or until a stop is requested. It runs in a new run folder or, with
    /// [`Resume::Auto`], in the newest one of its name if that run is unfinished.
    ///
    /// # Errors
    ///
    /// [`LaunchError`]. An invalid study, missing images and a missing device are found before
    /// anything is written; after that, the run can be resumed once the cause is removed.
    pub fn run(mut self) -> Result<Ended, LaunchError> {
        let study = self.study.take().ok_or(LaunchError::NoStudy)?;
        let (session, device) = match self.prepare(&study, self.settings.growth, None) {
            Err(error) => return self.stopped_while_loading(error, None),
            Ok(prepared) => prepared,
        };
        let images = &session.images;
        check_gate(&study, &session.spec, &images.report, &images.dataset)?;
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
                let start = match &session.inherited {
                    Some(Inherited { cannot_begin: Some(error), .. }) => {
                        return Err(error.clone().into());
                    }
                    Some(inherited) => &inherited.files[..],
                    None => &[],
                };
                let start: Vec<(&str, &[u8])> =
                    start.iter().map(|(name, content)| (*name, &content[..])).collect();
                let study = spec.file().to_toml();
                RunFolder::begin(files, runs, spec.name(), &provenance, &study, &start)?
            }
        };
        self.enter(folder, session, device)
    }

    /// Continues a run exactly where it was stopped or killed, or extends it. A finished run that is not
    /// extended returns its result again, without training. A study that is given must be the one
    /// that the run began with; usually none is given, because the run folder holds it.
    ///
    /// ```
    /// use burgeon::prelude::*;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pixels = [[0; 64], [255; 64]].concat(); // a black image and a white one
    /// let images = |pairs| Images::new(pixels.repeat(pairs), [0_u8, 1].repeat(pairs), 8, 8);
    /// let data = Dataset::new(images(20)?, images(5)?, images(5)?, 2)?;
    /// let mut study = StudyFile::new("mine", vec![Layer::Dense(Dense::of(4))]);
    /// study.tune.trials = 1;
    /// let runs = tempfile::tempdir()?;
    /// let stop = StopFlag::new();
    /// stop.request(); // as a listener or another thread may do at any time
    /// let launch = Launch::new(study).data(data.clone()).runs(runs.path()).stop(&stop);
    /// let Ended::Stopped(stopped) = launch.run()? else { unreachable!("a stop was requested") };
    /// // There is no run folder if it was stopped while the images were loaded.
    /// let run = stopped.run.ok_or("these images were loaded already")?;
    /// let ended = Launch::default().data(data).resume(&run)?;
    /// assert!(matches!(ended, Ended::Finished(finished) if finished.trials.len() == 1));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`LaunchError`]; among them [`LaunchError::Changed`] and [`LaunchError::OtherData`] if the study
    /// or the images differ from those that the run began with, and [`LaunchError::Fixed`] if
    /// [`overrides`](Self::overrides) would change the study.
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

    /// Turns the error of a requested stop during loading into [`Ended::Stopped`].
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

    /// The study that a run began with; only its `[notify]` may be overridden.
    fn study_of(&self, folder: &RunFolder) -> Result<StudySource, LaunchError> {
        let recorded = recorded_study(folder)?;
        if self.overrides.is_empty() {
            return Ok(recorded.into());
        }
        let begun = recorded.parse()?;
        let changed = recorded.with_overrides(self.overrides.clone());
        let requested_study = changed.parse()?;
        let with_old_notify = StudyFile { notify: begun.notify.clone(), ..requested_study.clone() };
        if with_old_notify == begun {
            return Ok(changed.into());
        }
        let settings: Vec<String> =
            self.overrides.iter().map(|set| format!("--set {set}")).collect();
        Err(LaunchError::Fixed {
            folder: folder.path().into(),
            settings: settings.join(" "),
            lines: changed_lines(&begun.to_toml(), &with_old_notify.to_toml()),
        })
    }

    /// Checks the study, opens the device and loads the images. What can be checked without the images
    /// is checked before they are loaded.
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
                        None => recordable(&study.base("data.path").join(&path))?,
                    };
                }
                if let Some(cache) = &mut file.data.cache {
                    *cache = recordable(&study.base("data.path").join(&cache))?;
                }
                file
            }
        };
        file.notify.resolve_paths(|key, path| recordable(&study.base(key).join(path)))?;
        let mut start = self.start_model(study, &mut file, begun)?;
        let (device, workers) = match self.trainer {
            None => (Some(self.settings.device.open()?), Some(self.settings.workers()?)),
            Some(_) => (None, None),
        };
        let threads = match &workers {
            Some(workers) => workers.count(),
            None => self.settings.threads.unwrap_or(1),
        };
        let entered = workers.as_ref().map(Workers::enter);
        let mut silent = Silent;
        let listener: &mut dyn LaunchListener = match &mut self.listener {
            Some(listener) => &mut **listener,
            None => &mut silent,
        };
        if file.model.measure_forgetting && begun.is_none() {
            start = forgetting::keep_old_run(start, study, &self.settings, listener, &self.stop)?;
        }
        let mut images = match self.images.take() {
            Some(own) => StudyImages::own(own)?,
            None => {
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
        let inherited = match start {
            Some(start) => {
                start.normalize(&mut images.dataset);
                Some(start.inherit(study, &spec, &images.dataset.classes)?)
            }
            None => None,
        };
        let name = device.as_ref().map_or("a trainer of the program", |device| &device.name);
        let device_name = name.to_owned();
        drop(entered);
        let session =
            Session { spec, images, device: device_name, workers, threads, growth, inherited };
        Ok((session, device))
    }

    /// The model that the study starts from, if any. Settings that the study leaves to the model are filled in in `file`.
    fn start_model(
        &self,
        study: &StudySource,
        file: &mut StudyFile,
        begun: Option<&RunFolder>,
    ) -> Result<Option<StartModel>, LaunchError> {
        if file.model.from.is_some() && self.trainer.is_some() {
            let message =
                "the program's own trainer cannot start from a model's weights".to_owned();
            let help = "remove it, or train without that trainer";
            return Err(refusal(study, "model.from", message, help).into());
        }
        if let Some(run) = begun {
            return StartModel::kept(run, file);
        }
        let files = real_files()?;
        StartModel::open_or_kept(study, file, |name| match self.settings.resume {
            Resume::Never => None,
            // A folder that cannot be listed is reported when the run begins.
            Resume::Auto => RunFolder::find_latest(&files, &self.settings.runs, name).ok()?,
        })
    }

    fn enter(
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
        let ended = self.work(folder.clone(), session, device, listener);
        if let Err(error) = &ended
            && let Some(told) = failure::tell(error, &folder, &notify, &stop)
        {
            failure::pass_on(&told, listener);
        }
        ended
    }

    /// Works in a run folder until the study ends.
    fn work(
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
        match resumed {
            Resumed::No => ledger.append_once(session.started(&folder)).map(drop)?,
            Resumed::Yes if !was_over => record_resumption(&mut ledger, &folder)?,
            Resumed::Yes => {}
        }
        if !was_over {
            record_basis(&mut ledger, &session)?;
        }
        let notification_is_due = is_notification_due(ledger.records());
        let Session { spec, images, growth, workers, inherited, .. } = session;
        let origin = images.origin;
        let (name, notify) = (spec.name().to_owned(), spec.file().notify.clone());
        let validation_images = images.dataset.validation.len();
        let measured_on = device.as_ref().filter(|_| spec.file().model.measure_forgetting);
        let measured_on = measured_on.map(|device| device.device.clone().without_autodiff());
        let setup = StudySetup { validation_images, growth, spec };
        let trainer: Box<dyn Trainer + '_> = match (self.trainer, device) {
            (Some(trainer), _) => trainer,
            (None, device) => Box::new(LocalTrainer {
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
        let mut forgotten = Ok(None);
        if let (Ended::Finished(finished), Some(device)) = (&ended, measured_on) {
            let mut beat = || {
                let _ = heartbeat.beat();
            };
            let (best, stop) = (finished.result.best_trial, &self.stop);
            forgotten = forgetting::measure(&study, best, &self.settings, &device, stop, &mut beat);
        }
        // Before the notification, whose command may want to send them on.
        let carded = match ended {
            Ended::Finished(_) => refresh_card(&folder),
            Ended::Stopped(_) => Ok(()),
        };
        let reported = report::write(&folder);
        let (mut notified, mut told) = (Ok(()), Told::default());
        if let Ended::Finished(finished) = &mut ended {
            finished.data = Some(origin);
            let mut keep_going = || {
                let _ = heartbeat.beat();
                self.stop.requested().is_none()
            };
            keep_due(&folder, &notify);
            let command = notify.command.as_ref();
            if let Some(command) =
                command.filter(|_| is_extended || !was_over || notification_is_due)
            {
                notified = notify_while(command, &name, &finished.result, &mut keep_going);
                if matches!(notified, Err(NotifyError::Stopped { .. })) {
                    study.stopped()?;
                } else if notification_is_due {
                    study.resumed()?;
                }
            }
            told = tell_due(&folder, &notify, &mut keep_going);
        }
        drop(study);
        match &forgotten {
            Ok(None) => {}
            Ok(Some(forgetting)) => listener.forgetting(Ok(forgetting)),
            Err(error) => listener.forgetting(Err(&**error)),
        }
        if let Err(error) = carded {
            listener.card_failed(&error);
        }
        if let Err(error) = reported {
            listener.report_failed(&error);
        }
        failure::pass_on(&told, listener);
        if let Err(error) = notified {
            listener.notification_failed(&error);
        }
        Ok(ended)
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

/// The lines that only one of two texts has: removed ones after `- `, added ones after `+ `.
fn changed_lines(before: &str, after: &str) -> Vec<String> {
    let has = |text: &str, line: &str| text.lines().any(|other| other == line);
    let removed = before.lines().filter(|line| !has(after, line)).map(|line| format!("- {line}"));
    let added = after.lines().filter(|line| !has(before, line)).map(|line| format!("+ {line}"));
    removed.chain(added).collect()
}
