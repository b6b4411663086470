//! Where a study runs: device, threads, folders, downloads.

use std::path::{Path, PathBuf};

use super::error::LaunchError;
use super::images::input_shape;
use super::listener::LaunchListener;
use super::source::StudySource;
use crate::data::{self, DataError, DataRequest, Download, Loaded, Places, Split};
use crate::ledger::{DataOrigin, RunFolder};
use crate::model::DeviceChoice;
use crate::spec::{DataSpec, Fallback, InputShape, Source, Spec, StudyDocument};
use crate::study::Growth;
use crate::study::gate_check::{ConstantAnswer, check_gate};
use crate::study::recorded_data::{absolute, check_same_data, recorded_origin};
use crate::sys::announce::supervisor_folder;
use crate::sys::heartbeat::Heartbeat;
use crate::sys::signals::StopFlag;
use crate::train::{Profiling, Workers, WorkersError};

/// How to run a study, beyond what its file says.
///
/// The library reads these of the environment: `HOME` and `XDG_CACHE_HOME` for the folder that
/// downloads are kept in, `BURGEON_DATA` nowhere (it is an option of the command; here it is
/// [`data`](Self::data)), `BURGEON_CPU` for an instruction set, and what a supervisor sets for its
/// child. It downloads MNIST where a study asks for it, no folder has it, and
/// [`download`](Self::download) allows it.
#[derive(Debug, Clone)]
pub struct Settings {
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
    /// What to call this process where it is named: in the lock and in the provenance. Text for
    /// people, in which an argument that is not UTF-8 has replacement characters.
    pub command: Vec<String>,
}

impl Default for Settings {
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
            command: std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect(),
        }
    }
}

/// What a check of a study came to.
#[derive(Debug)]
pub(crate) struct Checked {
    /// The study.
    pub spec: Spec,
    /// What a model comes to that has learned nothing; otherwise why there are no images to tell from.
    pub constant_answer: Result<ConstantAnswer, String>,
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

impl Settings {
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
        // On threads of its own: what else runs in the process keeps its own.
        let workers = self.workers()?;
        let _entered = workers.enter();
        let study = StudySource::from(study);
        let mut file = study.checked()?;
        if let Some(path) = &mut file.data.path {
            *path = recordable(&study.base().join(&path))?;
        }
        let loaded = self.load(&file.data, file.train.seed, listener)?;
        loaded.origin.record_in(&mut file.data, loaded.dataset.validation.len());
        let spec = study.check(file, input_shape(&loaded.dataset))?;
        Ok((spec, loaded))
    }

    /// Checks the study, and its gate against the images if they are at hand: MNIST is looked for, but not downloaded,
    /// and of the built-in digits only those are drawn that the gate reads. Other images are needed for their shape.
    ///
    /// # Errors
    ///
    /// When the study is wrong, its gate can be passed without learning, or images that are needed
    /// cannot be had.
    pub(crate) fn check(
        &self,
        study: &StudyDocument,
        listener: &mut dyn LaunchListener,
    ) -> Result<Checked, LaunchError> {
        let source = study.parse()?.data.source;
        let (spec, loaded) = match source {
            Source::Mnist | Source::Synthetic => {
                (study.validate(InputShape::MNIST)?, self.at_hand(study, listener)?)
            }
            _ => {
                let (spec, loaded) = self.prepare(study, listener)?;
                (spec, Ok(loaded))
            }
        };
        let constant_answer = match loaded {
            Ok(Loaded { dataset, report, .. }) => {
                check_gate(&study.into(), &spec, &report, &dataset.classes)?;
                Ok(ConstantAnswer::on(&report, &dataset.classes))
            }
            Err(error) => Err(error.chain()),
        };
        Ok(Checked { spec, constant_answer })
    }

    /// MNIST or the built-in digits, so far as a gate needs them; what keeps them from being at hand
    /// is no error.
    fn at_hand(
        &self,
        study: &StudyDocument,
        listener: &mut dyn LaunchListener,
    ) -> Result<Result<Loaded, DataError>, LaunchError> {
        // Enough to learn something from, which is asked of all images.
        const DRAWN_TO_TRAIN: usize = 1000;
        let workers = self.workers()?;
        let _entered = workers.enter();
        let source = StudySource::from(study);
        let file = source.checked()?;
        let mut data = DataSpec { fallback: Fallback::None, ..file.data };
        if let Some(path) = &mut data.path {
            *path = absolute(&source.base().join(&path));
        }
        if data.source == Source::Synthetic {
            data.train = Some(data.train.map_or(DRAWN_TO_TRAIN, |train| train.min(DRAWN_TO_TRAIN)));
        }
        let offline = Self { download: Download::Never, ..self.clone() };
        Ok(offline.load(&data, file.train.seed, listener))
    }

    /// Loads the images that `[data]` asks for; a relative path is taken from the current folder.
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
        self.load_from(spec, seed, None, listener, &StopFlag::new())
    }

    /// Loads the images that a run was begun with, from where they were then if they are still there.
    ///
    /// # Errors
    ///
    /// When they cannot be had, or are others: in content, or, where the split is carved out of the
    /// training file, in the way that it is.
    pub fn load_recorded(
        &self,
        folder: &RunFolder,
        spec: &DataSpec,
        seed: u64,
        split: Split,
        listener: &mut dyn LaunchListener,
        stop: &StopFlag,
    ) -> Result<Loaded, LaunchError> {
        let then = recorded_origin(folder)?;
        let dir = then.and_then(|then| then.dir).map(PathBuf::from);
        let loaded = self.load_from(spec, seed, dir, listener, stop)?;
        check_same_data(folder, &DataOrigin::of(&loaded.origin), split)?;
        Ok(loaded)
    }

    pub(super) fn load_from(
        &self,
        spec: &DataSpec,
        seed: u64,
        recorded: Option<PathBuf>,
        listener: &mut dyn LaunchListener,
        stop: &StopFlag,
    ) -> Result<Loaded, DataError> {
        let mut places = Places::usual(self.data.clone(), |name| std::env::var_os(name));
        if spec.source == Source::Mnist {
            places.named = places.named.or_else(|| spec.path.clone());
            places.recorded = recorded;
        }
        let request = DataRequest {
            source: spec.source,
            path: spec.path.clone(),
            fallback: spec.fallback,
            validation: spec.validation,
            test: spec.test,
            train: spec.train,
            framing: data::Framing {
                size: spec.size,
                fit: spec.fit,
                channels: spec.channels,
                labels: spec.labels.clone(),
                skip_unreadable: spec.skip_unreadable,
            },
            places,
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
}

/// A path as a run's study file can keep it.
pub(super) fn recordable(path: &Path) -> Result<PathBuf, DataError> {
    let path = absolute(path);
    match path.to_str() {
        Some(_) => Ok(path),
        None => Err(DataError::Request {
            problem: format!(
                "{}: this name is not UTF-8, so a study file cannot hold it; name the data by another path",
                path.display()
            ),
        }),
    }
}
