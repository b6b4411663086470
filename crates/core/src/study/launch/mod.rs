//! Running a study from a program: data, device, run folder, record and loop put together.

mod error;
mod execute;
mod failure;
mod forgetting;
mod images;
mod import;
mod listener;
mod overrides;
mod prepare;
mod session;
mod settings;
mod source;
mod start;
mod trial;

use std::path::{Path, PathBuf};

pub use self::error::{Kind, LaunchError};
pub use self::images::{describe, input_shape};
pub(crate) use self::import::{ImportRunError, ImportedRun, WeightsImport, import};
pub use self::listener::{EventObserver, LaunchListener, Ready, Resumed};
pub(crate) use self::settings::Checked;
pub use self::settings::{Resume, Settings};
pub use self::source::StudySource;
pub(crate) use self::trial::{TrialError, TrialWork, attempt};

use self::images::OwnImages;
use self::overrides::overridden_study;
use self::session::recorded_growth;
use self::start::Inherited;
use super::ended::{Ended, Stopped};
use super::gate_check::{check_extended_gate, check_gate};
use super::phase::Extension;
use super::setup::StudyError;
use super::trainer::Trainer;
use crate::data::more::MoreImages;
use crate::data::{DataError, Dataset, Download};
use crate::ledger::RunFolder;
use crate::spec::Override;
use crate::sys::files::real_files;
use crate::sys::signals::StopFlag;
use crate::tune::Policy;

/// Runs a study: loads its images, makes a run folder, trains, grows and judges trials, and writes
/// the report.
///
/// A [`StudyFile`](crate::spec::StudyFile) only describes a study. A launch adds the run folder with its lock against a second
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
    more: Option<MoreImages>,
    policy: Option<Box<dyn Policy + 'a>>,
    trainer: Option<Box<dyn Trainer + 'a>>,
    listener: Option<&'a mut dyn LaunchListener>,
    stop: StopFlag,
    overrides: Vec<Override>,
    extension: Extension,
}

impl<'a> Launch<'a> {
    /// A launch of this study: a [`StudyFile`](crate::spec::StudyFile) built in code, or a
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

    /// Trains on and validates by these images too, beside those of the study's own data.
    #[cfg(feature = "cli")]
    pub(crate) fn more_images(mut self, more: Option<MoreImages>) -> Self {
        self.more = more;
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

    /// Changes keys of a resumed run's study. Only `[notify]` and `[run]` may change: anything else makes
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
        self.execute(folder, session, device)
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
            None => overridden_study(&folder, &self.overrides)?,
        };
        // Before the images are loaded, which may take minutes.
        self.extension.check_gate().map_err(StudyError::from)?;
        let (session, device) = match self.prepare(&study, growth, Some(&folder)) {
            Err(error) => return self.stopped_while_loading(error, Some(folder.path())),
            Ok(prepared) => prepared,
        };
        if let Some(gate) = self.extension.gate {
            let images = &session.images;
            check_extended_gate(&session.spec, gate, &images.report, &images.dataset)?;
        }
        self.execute(folder, session, device)
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
}
