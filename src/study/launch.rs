//! From a study file to its end: data, device, run folder, record and loop put together.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::local_trainer::{AtWork, LocalTrainer};
use super::observer::Listener;
use super::run::{Ended, Growth, Study, StudyError, StudySetup};
use crate::data::{self, DataError, DataRequest, Dataset, Download, Loaded, Origin, Places};
use crate::ledger::{
    DataOrigin, Event, Ledger, LedgerError, Provenance, Recorded, Repair, RunFolder,
    RunFolderError, cpu_name, read,
};
use crate::model::{DeviceChoice, DeviceError, OpenDevice};
use crate::notify::{NotifyError, notify_while};
use crate::report::{self, ReportError};
use crate::spec::{DataSpec, Fallback, InputShape, Source, Spec, SpecError, StudyDocument, diff};
use crate::sys::announce::{announce, supervisor_folder};
use crate::sys::clock::RealClock;
use crate::sys::faults::FaultError;
use crate::sys::files::{FileError, real_files};
use crate::sys::heartbeat::Heartbeat;
use crate::sys::lock::{LockError, LockRequest};
use crate::sys::signals::{StopFlag, StopSignal};
use crate::train::{Profiling, Workers, WorkersError};
use burgeon_kernel::CpuError;

/// How to run a study, beyond what its file says.
#[derive(Debug, Clone)]
pub struct Launch {
    /// Whether failed trials are followed by edited ones.
    pub growth: Growth,
    /// Which device trains.
    pub device: DeviceChoice,
    /// CPU threads; all cores unless said.
    pub threads: Option<usize>,
    /// Folder with the MNIST files, looked at before the usual places.
    pub data: Option<PathBuf>,
    /// Whether and whence MNIST is fetched when no folder has it.
    pub download: Download,
    /// Folder that run folders are made in.
    pub runs: PathBuf,
    /// Whether an unfinished run of the same study is gone on with.
    pub resume: Resume,
    /// Whether trials tell where their time goes.
    pub profiling: Profiling,
    /// What to call this process where it is named: in the lock and in the provenance.
    pub command: Vec<String>,
}

impl Default for Launch {
    fn default() -> Self {
        Self {
            growth: Growth::On,
            device: DeviceChoice::Auto,
            threads: None,
            data: None,
            download: Download::usual(),
            runs: "runs".into(),
            resume: Resume::Never,
            profiling: Profiling::Off,
            command: std::env::args().collect(),
        }
    }
}

/// Whether an unfinished run of the same study is gone on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resume {
    /// Every launch makes a new run.
    Never,
    /// The newest run of the study's name, where it is not finished; one that is finished says
    /// what it came to, and is not repeated.
    Auto,
}

/// Whether a run had begun before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resumed {
    /// It begins now.
    No,
    /// It goes on.
    Yes,
}

/// What keeps a study from starting, or ends it before its time.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The study file is wrong; nothing was started.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The device cannot be had; nothing was started.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The images cannot be had.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The run folder cannot be made or read.
    #[error(transparent)]
    Folder(#[from] RunFolderError),
    /// Another process works in the run folder.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The record cannot be read or written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The loop failed.
    #[error(transparent)]
    Study(#[from] StudyError),
    /// The run began with something else.
    #[error(
        "{} cannot go on: {what} changed since it began (hash {then} then, {now} now); undo the change, or start a new run{}",
        folder.display(),
        indented(lines)
    )]
    Changed {
        /// The run folder.
        folder: PathBuf,
        /// What changed.
        what: &'static str,
        /// Its hash in the record.
        then: String,
        /// Its hash now.
        now: String,
        /// The lines of the study file that differ, as [`diff`] gives them, where the run still has
        /// the study that it began with.
        lines: Vec<String>,
    },
    /// A file could not be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The instruction set that `BURGEON_CPU` asks for cannot be had.
    #[error(transparent)]
    Cpu(#[from] CpuError),
    /// There are no threads to compute with.
    #[error(transparent)]
    Workers(WorkersError),
    /// The request for a simulated fault cannot be read.
    #[error(transparent)]
    Fault(#[from] FaultError),
}

/// Hears of a launch as it goes.
pub trait LaunchListener: Listener {
    /// Data is being fetched or drawn.
    fn data(&mut self, _progress: data::Progress) {}

    /// Everything is ready and the loop begins.
    fn ready(&mut self, _ready: &Ready) {}

    /// The study is over or stopped, but its reports could not be written.
    fn report_failed(&mut self, _error: &ReportError) {}

    /// The study is over, but whom it notifies could not be told.
    fn notification_failed(&mut self, _error: &NotifyError) {}

    /// Hears every event and its line from now on; called once, before the first event.
    fn recorder(&mut self) -> Option<EventObserver> {
        None
    }
}

/// Gets every recorded event and its line, without the newline.
pub type EventObserver = Box<dyn FnMut(&Recorded, &str) + Send>;

impl LaunchListener for super::Silent {}

/// What a study is about to run on.
#[derive(Debug)]
pub struct Ready<'a> {
    /// The first trial's spec.
    pub spec: &'a Spec,
    /// The images.
    pub data: &'a Dataset,
    /// Where they come from.
    pub origin: &'a Origin,
    /// What trains.
    pub device: &'a OpenDevice,
    /// CPU threads.
    pub threads: usize,
    /// The run folder.
    pub folder: &'a RunFolder,
    /// Whether the run had begun before.
    pub resumed: Resumed,
    /// What a crash had left of a last event, now removed.
    pub repaired: Option<&'a Repair>,
}

impl Launch {
    /// Runs a study: in a new run folder, or, with [`Resume::Auto`], in the newest one of its name
    /// where that one is not finished.
    ///
    /// # Errors
    ///
    /// [`LaunchError`]; a wrong study file and a missing device are told before anything is
    /// written.
    pub fn run(
        &self,
        study: &StudyDocument,
        listener: &mut dyn LaunchListener,
        stop: &StopFlag,
    ) -> Result<Ended, LaunchError> {
        let device = self.device.open()?;
        let workers = self.workers()?;
        let Some((spec, loaded)) = self.prepare_until(study, listener, stop, &workers)? else {
            return Ok(Ended::Stopped(stop.requested().unwrap_or(StopSignal::Interrupt)));
        };
        let files = real_files()?;
        let latest = match self.resume {
            Resume::Never => None,
            Resume::Auto => RunFolder::find_latest(&files, &self.runs, spec.name())?,
        };
        let session = Session { spec, loaded, device, workers, growth: self.growth };
        let folder = match latest {
            Some(latest) if session.belongs_in(&latest)? => latest,
            _ => {
                let folder = RunFolder::create(files, &self.runs, session.spec.name())?;
                folder.write_provenance(&self.provenance(&session))?;
                // Last: a folder without it is none that anything was begun in.
                folder.write_study(&session.spec.file().to_toml())?;
                folder
            }
        };
        self.enter(folder, session, listener, stop)
    }

    /// Goes on with a run exactly where it stopped.
    ///
    /// # Errors
    ///
    /// [`LaunchError`]; among them [`LaunchError::Changed`] when the study file or the images are
    /// no longer what the run began with.
    pub fn resume(
        &self,
        run: &Path,
        listener: &mut dyn LaunchListener,
        stop: &StopFlag,
    ) -> Result<Ended, LaunchError> {
        let folder = RunFolder::open(real_files()?, run)?;
        let growth = match recorded_command(&folder)?.as_deref() {
            Some("train") => Growth::Off,
            _ => Growth::On,
        };
        let device = self.device.open()?;
        let workers = self.workers()?;
        let study = recorded_study(&folder)?;
        let Some((spec, loaded)) = self.prepare_until(&study, listener, stop, &workers)? else {
            return Ok(Ended::Stopped(stop.requested().unwrap_or(StopSignal::Interrupt)));
        };
        let session = Session { spec, loaded, device, workers, growth };
        self.enter(folder, session, listener, stop)
    }

    fn enter(
        &self,
        folder: RunFolder,
        session: Session,
        listener: &mut dyn LaunchListener,
        stop: &StopFlag,
    ) -> Result<Ended, LaunchError> {
        let files = Arc::clone(folder.files());
        let lock = folder.lock(&LockRequest::new(self.command.join(" ")))?;
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
            data: &session.loaded.dataset,
            origin: &session.loaded.origin,
            device: &session.device,
            threads: session.workers.count(),
            folder: &folder,
            resumed,
            repaired: ledger.repaired(),
        });
        let is_finished =
            |recorded: &Recorded| matches!(recorded.event, Event::StudyFinished { .. });
        let was_finished = ledger.records().iter().any(is_finished);
        let was_cut = is_notification_due(ledger.records());
        if resumed == Resumed::No {
            ledger.append_once(session.started(&folder))?;
            if let Some(reason) = session.loaded.origin.fallback_reason() {
                ledger.append_once(Event::DataFallback { reason: reason.into() })?;
            }
        } else if !was_finished {
            let trials = ledger.records().iter();
            let trials = trials
                .filter(|recorded| matches!(recorded.event, Event::TrialFinished { .. }))
                .count() as u32;
            let run = folder.path().display().to_string();
            ledger.append(Event::StudyResumed { run, trials })?;
        }
        let data_hash = data_hash(&session.loaded);
        let name = session.spec.name().to_owned();
        let command = session.spec.file().notify.command.clone();
        let setup = StudySetup {
            validation_images: session.loaded.dataset.validation.len(),
            growth: session.growth,
            spec: session.spec,
        };
        let trainer = LocalTrainer {
            data_name: describe(&session.loaded.origin),
            data: session.loaded.dataset,
            data_hash,
            device: session.device,
            files,
            fence: lock.fence(),
            run: folder.path().into(),
            profiling: self.profiling,
            at_work: AtWork::new(session.workers, Arc::clone(&heartbeat)),
        };
        let mut study = Study::new(setup, folder.clone(), ledger, trainer, listener, stop.clone());
        let ended = study.run()?;
        let _ = heartbeat.beat();
        // Before anybody is notified, who may want to send them on.
        let reported = report::write(&folder);
        let mut notified = Ok(());
        if let (Ended::Finished(finished), Some(command)) = (&ended, command)
            && (!was_finished || was_cut)
        {
            let mut go_on = || {
                let _ = heartbeat.beat();
                stop.requested().is_none()
            };
            notified = notify_while(&command, &name, finished, &mut go_on);
            if matches!(notified, Err(NotifyError::Stopped { .. })) {
                study.stopped()?;
            } else if was_cut {
                study.resumed()?;
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

    /// Reads and checks the study, and loads its images. What can be checked without the images is
    /// checked before they are looked for.
    ///
    /// # Errors
    ///
    /// When the study is wrong or the images cannot be had.
    pub fn prepare(
        &self,
        study: &StudyDocument,
        listener: &mut dyn LaunchListener,
    ) -> Result<(Spec, Loaded), LaunchError> {
        self.prepare_with(study, listener, &StopFlag::new())
    }

    /// As [`prepare`](Self::prepare), on the study's own threads; `None` when it was stopped.
    fn prepare_until(
        &self,
        study: &StudyDocument,
        listener: &mut dyn LaunchListener,
        stop: &StopFlag,
        workers: &Workers,
    ) -> Result<Option<(Spec, Loaded)>, LaunchError> {
        let _entered = workers.enter();
        match self.prepare_with(study, listener, stop) {
            Err(LaunchError::Data(DataError::Stopped)) => Ok(None),
            prepared => prepared.map(Some),
        }
    }

    fn prepare_with(
        &self,
        study: &StudyDocument,
        listener: &mut dyn LaunchListener,
        stop: &StopFlag,
    ) -> Result<(Spec, Loaded), LaunchError> {
        let file = study.parse()?;
        if file.data.source != Source::Idx {
            study.validate(InputShape::MNIST)?;
        }
        let loaded = self.load_with(&file.data, file.train.seed, listener, stop)?;
        let spec = study.validate(input_shape(&loaded.dataset))?;
        Ok((spec, loaded))
    }

    /// Loads the images that `[data]` asks for.
    ///
    /// # Errors
    ///
    /// When they cannot be had.
    pub fn load(
        &self,
        spec: &DataSpec,
        seed: u64,
        listener: &mut dyn LaunchListener,
    ) -> Result<Loaded, DataError> {
        self.load_with(spec, seed, listener, &StopFlag::new())
    }

    fn load_with(
        &self,
        spec: &DataSpec,
        seed: u64,
        listener: &mut dyn LaunchListener,
        stop: &StopFlag,
    ) -> Result<Loaded, DataError> {
        let request = DataRequest {
            source: match (spec.source, &spec.path) {
                (Source::Mnist, _) => data::Source::Mnist,
                (Source::Idx, path) => data::Source::Idx { path: path.clone().unwrap_or_default() },
                (Source::Synthetic, _) => data::Source::Synthetic,
            },
            fallback: match spec.fallback {
                Fallback::Synthetic => data::Fallback::Synthetic,
                Fallback::None => data::Fallback::None,
            },
            sizes: data::SplitSizes { validation: spec.validation, train: spec.train, test: None },
            places: Places::usual(self.data.clone(), |name| std::env::var_os(name)),
            download: self.download.clone(),
            seed,
            stop: stop.clone(),
        };
        // There is no run folder yet to give signs of life in.
        let heartbeat = supervisor_folder().and_then(|folder| Heartbeat::open(&folder).ok());
        data::load(&request, &mut |progress| {
            if let Some(heartbeat) = &heartbeat {
                let _ = heartbeat.beat();
            }
            listener.data(progress);
        })
    }

    /// Threads to compute with, of this study's own: what else runs in the process keeps its own.
    ///
    /// # Errors
    ///
    /// When `BURGEON_CPU` asks for an instruction set that is not there, or the system refuses the
    /// threads.
    pub fn workers(&self) -> Result<Workers, LaunchError> {
        Workers::new(self.threads).map_err(|error| match error {
            WorkersError::Cpu(error) => error.into(),
            other => LaunchError::Workers(other),
        })
    }

    fn provenance(&self, session: &Session) -> Provenance {
        let build = |value: &str| (!value.is_empty()).then(|| value.to_owned());
        let origin = &session.loaded.origin;
        Provenance {
            version: env!("CARGO_PKG_VERSION").into(),
            commit: build(env!("BURGEON_BUILD_COMMIT")),
            dirty: build(env!("BURGEON_BUILD_DIRTY")).map(|dirty| dirty == "true"),
            command: self.command.clone(),
            device: session.device.name.clone(),
            threads: session.workers.count(),
            cpu: cpu_name(),
            seed: session.spec.train().seed,
            spec_hash: session.spec.hash(),
            data: DataOrigin {
                origin: describe(origin),
                fallback: origin.fallback_reason().map(str::to_owned),
                sha256: digests(origin),
            },
            started_at: Timestamp::now(),
        }
    }
}

/// Everything that a study runs on, before there is a folder for it.
struct Session {
    spec: Spec,
    loaded: Loaded,
    device: OpenDevice,
    workers: Workers,
    growth: Growth,
}

impl Session {
    fn started(&self, folder: &RunFolder) -> Event {
        let data = &self.loaded.dataset;
        Event::StudyStarted {
            name: self.spec.name().into(),
            command: match self.growth {
                Growth::On => "tune".into(),
                Growth::Off => "train".into(),
            },
            run: folder.path().display().to_string(),
            spec_hash: self.spec.hash(),
            data_hash: data_hash(&self.loaded),
            seed: self.spec.train().seed,
            device: self.device.name.clone(),
            threads: self.workers.count(),
            train_images: data.train.len(),
            validation_images: data.validation.len(),
            test_images: data.test.len(),
            threshold: self.spec.gate().accuracy,
            trials: self.spec.tune().trials as u32,
        }
    }

    /// Whether this study goes on in the newest run of its name. A finished run of another study
    /// is left alone; an unfinished one is [`check`](Self::check)ed when it is entered.
    fn belongs_in(&self, latest: &RunFolder) -> Result<bool, LaunchError> {
        let records = read(&**latest.files(), &latest.events_file())?;
        let is_finished =
            records.iter().any(|recorded| matches!(recorded.event, Event::StudyFinished { .. }));
        Ok(!is_finished || self.check(&records, latest).is_ok())
    }

    /// Compares with what the run began with.
    fn check(&self, records: &[Recorded], folder: &RunFolder) -> Result<Resumed, LaunchError> {
        let begun = records.iter().find_map(|recorded| match &recorded.event {
            Event::StudyStarted { spec_hash, data_hash, .. } => Some((spec_hash, data_hash)),
            _ => None,
        });
        let Some((spec_then, data_then)) = begun else {
            return Ok(Resumed::No);
        };
        let (spec_now, data_now) = (self.spec.hash(), data_hash(&self.loaded));
        let changed = |what, then: &String, now, lines| LaunchError::Changed {
            folder: folder.path().into(),
            what,
            then: then.clone(),
            now,
            lines,
        };
        if *spec_then != spec_now {
            let lines = self.difference(folder);
            return Err(changed("the study file", spec_then, spec_now, lines));
        }
        if *data_then != data_now {
            return Err(changed("the images", data_then, data_now, Vec::new()));
        }
        Ok(Resumed::Yes)
    }

    /// The lines in which this study differs from the one in the run folder; none where that cannot
    /// be read.
    fn difference(&self, folder: &RunFolder) -> Vec<String> {
        let begun =
            recorded_study(folder).ok().and_then(|study| study.validate(self.spec.input()).ok());
        begun.map_or_else(Vec::new, |begun| diff(&begun, &self.spec))
    }
}

/// Whether a study is over, but was stopped before it could say so.
fn is_notification_due(records: &[Recorded]) -> bool {
    let last = records.iter().rev().find_map(|recorded| match recorded.event {
        Event::StudyStopped { .. } => Some(true),
        Event::StudyFinished { .. } | Event::StudyResumed { .. } => Some(false),
        _ => None,
    });
    last == Some(true)
}

/// The study that a run was made for.
fn recorded_study(folder: &RunFolder) -> Result<StudyDocument, RunFolderError> {
    Ok(StudyDocument::new(folder.study_file().display().to_string(), folder.read_study()?))
}

fn indented(lines: &[String]) -> String {
    lines.iter().map(|line| format!("\n  {line}")).collect()
}

/// The command that a run began with, where its record tells.
fn recorded_command(folder: &RunFolder) -> Result<Option<String>, LedgerError> {
    let records = read(&**folder.files(), &folder.events_file())?;
    Ok(records.into_iter().find_map(|recorded| match recorded.event {
        Event::StudyStarted { command, .. } => Some(command),
        _ => None,
    }))
}

/// What the data hands to a network.
pub fn input_shape(data: &Dataset) -> InputShape {
    let [channels, height, width] = data.input_shape();
    InputShape { channels, height, width, classes: data.classes.len() }
}

/// Where images come from, in words.
pub fn describe(origin: &Origin) -> String {
    match origin {
        Origin::Mnist { dir, .. } => format!("MNIST in {}", dir.display()),
        Origin::Idx { dir, .. } => format!("IDX files in {}", dir.display()),
        Origin::Synthetic { generator, seed, .. } => {
            format!("built-in digits (generator {generator}, seed {seed})")
        }
    }
}

fn digests(origin: &Origin) -> std::collections::BTreeMap<String, String> {
    match origin {
        Origin::Mnist { files, .. } | Origin::Idx { files, .. } => {
            let name =
                |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            files.iter().map(|file| (name(&file.path), file.sha256.clone())).collect()
        }
        Origin::Synthetic { .. } => std::collections::BTreeMap::new(),
    }
}

/// SHA-256 in hex over what the images are and how they are split.
pub fn data_hash(loaded: &Loaded) -> String {
    let data = &loaded.dataset;
    let mut hash = Sha256::new();
    hash.update(serde_json::to_string(&digests(&loaded.origin)).unwrap_or_default());
    if let Origin::Synthetic { generator, seed, .. } = &loaded.origin {
        hash.update(format!("synthetic {generator} {seed}"));
    }
    hash.update(format!("{} {} {}", data.train.len(), data.validation.len(), data.test.len()));
    hex::encode(hash.finalize())
}
