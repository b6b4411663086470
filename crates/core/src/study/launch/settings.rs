//! Settings of a launch: device, threads, folders, downloads.
#![cfg_attr(not(feature = "cli"), allow(dead_code, reason = "for the command"))]

use std::path::{Path, PathBuf};

use super::error::LaunchError;
use super::images::input_shape;
use super::listener::LaunchListener;
use super::source::StudySource;
use super::start::StartModel;
use crate::data::{self, DataError, DataRequest, Download, Loaded, Places, Split};
use crate::gate::few_images;
use crate::ledger::{DataOrigin, RunFolder};
use crate::model::DeviceChoice;
use crate::spec::{DataSpec, Fallback, InputShape, Source, Spec, StudyDocument, StudyFile};
use crate::study::Growth;
use crate::study::gate_check::{ConstantAnswer, check_gate};
use crate::study::recorded_data::{absolute, check_same_data, recorded_origin};
use crate::sys::announce::supervisor_folder;
use crate::sys::heartbeat::Heartbeat;
use crate::sys::signals::StopFlag;
use crate::train::{Profiling, Workers, WorkersError};

/// How to run a study, beyond what its file says. [`Launch`](super::Launch) documents which environment
/// variables matter and when something is downloaded.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Whether a trial that misses the gate is followed by an edited one.
    pub growth: Growth,
    /// The device to train on.
    pub device: DeviceChoice,
    /// Number of CPU threads; `None` for one per core. Every study has threads of its own.
    pub threads: Option<usize>,
    /// Folder with the MNIST files, for studies of MNIST; it is an error if it has none. `None` searches the folders that
    /// [`Launch`](super::Launch) lists.
    pub data: Option<PathBuf>,
    /// Whether MNIST may be downloaded when no folder has it, and from where; see
    /// [`Launch::offline`](super::Launch::offline).
    pub download: Download,
    /// Folder in which run folders are created.
    pub runs: PathBuf,
    /// Whether to continue an unfinished run of the same study.
    pub resume: Resume,
    /// Whether trials record where their time goes.
    pub profiling: Profiling,
    /// The command line of this process, for the lock and the provenance.
    pub command: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            growth: Growth::On,
            device: DeviceChoice::Auto,
            threads: None,
            data: None,
            download: Download::published(),
            runs: "runs".into(),
            resume: Resume::Never,
            profiling: Profiling::Off,
            command: std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect(),
        }
    }
}

/// The result of checking a study.
#[derive(Debug)]
pub(crate) struct Checked {
    /// The study.
    pub spec: Spec,
    /// The accuracy of always predicting the most frequent class, or why there are no images to count.
    pub constant_answer: Result<ConstantAnswer, String>,
    /// Why a judgement on so few validation images says little, if it does.
    pub few_images: Option<String>,
}

/// Whether to continue an unfinished run of the same study.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resume {
    /// No: every launch makes a new run folder.
    Never,
    /// Continue the newest run of the study's name if it is unfinished. If it is finished and of the
    /// same study, its result is returned again without training.
    Auto,
}

impl Settings {
    /// Checks the study and loads its images. What can be checked without the images is checked before
    /// they are loaded.
    ///
    /// # Errors
    ///
    /// When the study is invalid or the images cannot be loaded.
    pub fn prepare(
        &self,
        study: &StudyDocument,
        listener: &mut dyn LaunchListener,
    ) -> Result<(Spec, Loaded), LaunchError> {
        // On threads that nothing else in the process uses.
        let workers = self.workers()?;
        let _entered = workers.enter();
        let study = StudySource::from(study);
        let mut file = study.checked()?;
        let start = StartModel::open(&study, &mut file)?;
        for path in [&mut file.data.path, &mut file.data.cache].into_iter().flatten() {
            *path = recordable(&study.base("data.path").join(&path))?;
        }
        let mut loaded = self.load(&file, listener)?;
        loaded.origin.record_in(&mut file.data, &loaded.dataset);
        let spec = study.check(file, input_shape(&loaded.dataset))?;
        if let Some(start) = start {
            start.normalize(&mut loaded.dataset);
            start.inherit(&study, &spec, &loaded.dataset.classes)?;
        }
        Ok((spec, loaded))
    }

    /// Checks the study, and its gate against the images if they are on this machine. MNIST is not
    /// downloaded, and only some of the built-in digits are drawn. Images of other sources are always
    /// loaded, for their shape.
    ///
    /// # Errors
    ///
    /// If the study is invalid, its gate can be passed without learning, or images that are needed for
    /// their shape cannot be loaded.
    pub(crate) fn check(
        &self,
        study: &StudyDocument,
        listener: &mut dyn LaunchListener,
    ) -> Result<Checked, LaunchError> {
        let mut file = study.parse()?;
        let (spec, loaded) = match file.data.source {
            Source::Mnist | Source::Synthetic => {
                let source = StudySource::from(study);
                let start = StartModel::open(&source, &mut file)?;
                let spec = source.check(file, InputShape::MNIST)?;
                if let Some(start) = start {
                    let digits: Vec<String> = (0..10).map(|digit| digit.to_string()).collect();
                    start.inherit(&source, &spec, &digits)?;
                }
                (spec, self.local_images(study, listener)?)
            }
            _ => {
                let (spec, loaded) = self.prepare(study, listener)?;
                (spec, Ok(loaded))
            }
        };
        let mut few = None;
        let constant_answer = match loaded {
            Ok(Loaded { dataset, report, .. }) => {
                check_gate(&study.into(), &spec, &report, &dataset)?;
                few = few_images(spec.gate(), dataset.validation.len());
                Ok(ConstantAnswer::on(&report, &dataset.classes))
            }
            Err(error) => Err(error.chain()),
        };
        Ok(Checked { spec, constant_answer, few_images: few })
    }

    /// MNIST or the built-in digits, as far as a check of the gate needs them. The inner result is an
    /// error if they are not on this machine, which does not fail the check.
    fn local_images(
        &self,
        study: &StudyDocument,
        listener: &mut dyn LaunchListener,
    ) -> Result<Result<Loaded, DataError>, LaunchError> {
        // Enough to pass the checks on training images.
        const DRAWN_TO_TRAIN: usize = 1000;
        let workers = self.workers()?;
        let _entered = workers.enter();
        let source = StudySource::from(study);
        let file = source.checked()?;
        let mut file =
            StudyFile { data: DataSpec { fallback: Fallback::None, ..file.data.clone() }, ..file };
        let data = &mut file.data;
        if let Some(path) = &mut data.path {
            *path = absolute(&source.base("data.path").join(&path));
        }
        if data.source == Source::Synthetic {
            data.train = Some(data.train.map_or(DRAWN_TO_TRAIN, |train| train.min(DRAWN_TO_TRAIN)));
        }
        let offline = Self { download: Download::Never, ..self.clone() };
        Ok(offline.load(&file, listener))
    }

    /// Loads the images of a study, as its `[data]`, its seed and the folds of its gate say; a relative path starts at
    /// the current folder.
    ///
    /// # Errors
    ///
    /// When they cannot be found, fetched or read.
    pub fn load(
        &self,
        study: &StudyFile,
        listener: &mut dyn LaunchListener,
    ) -> Result<Loaded, DataError> {
        self.load_from(study, None, listener, &StopFlag::new())
    }

    /// Loads the images that a run began with, from the same folder if they are still there.
    ///
    /// # Errors
    ///
    /// If they cannot be loaded, or differ in content or in how validation images are chosen from the
    /// training images.
    pub fn load_recorded(
        &self,
        folder: &RunFolder,
        study: &StudyFile,
        split: Split,
        listener: &mut dyn LaunchListener,
        stop: &StopFlag,
    ) -> Result<Loaded, LaunchError> {
        let then = recorded_origin(folder)?;
        let dir = then.and_then(|then| then.dir).map(PathBuf::from);
        let loaded = self.load_from(study, dir, listener, stop)?;
        check_same_data(folder, &DataOrigin::of(&loaded.origin), split)?;
        Ok(loaded)
    }

    /// Refuses a folder for MNIST that a run could not record, so that it would not be found again.
    pub(super) fn check_recordable(&self, source: Source) -> Result<(), DataError> {
        let places = Places::default_folders(self.data.clone(), |name| std::env::var_os(name));
        match places.named.filter(|_| source == Source::Mnist) {
            Some(named) => recordable(&named).map(drop),
            None => Ok(()),
        }
    }

    pub(super) fn load_from(
        &self,
        study: &StudyFile,
        recorded: Option<PathBuf>,
        listener: &mut dyn LaunchListener,
        stop: &StopFlag,
    ) -> Result<Loaded, DataError> {
        let spec = &study.data;
        let mut places = Places::default_folders(self.data.clone(), |name| std::env::var_os(name));
        if spec.source == Source::Mnist {
            if let (Some(named), Some(path)) = (&places.named, &spec.path)
                && absolute(named) != absolute(path)
            {
                listener.data(data::Progress::PathPassedOver { path, named });
            }
            places.named = named_folder(places.named, spec.path.as_deref(), recorded.as_deref());
            places.recorded = recorded;
        } else if let Some(named) = &places.named
            && spec.path.as_ref().is_none_or(|path| absolute(named) != absolute(path))
        {
            let (source, path) = (spec.source, spec.path.as_deref());
            listener.data(data::Progress::FolderPassedOver { named, source, path });
        }
        let request = DataRequest {
            source: spec.source,
            path: spec.path.clone(),
            fallback: spec.fallback,
            validation: spec.validation,
            test: spec.test,
            train: spec.train,
            folds: study.gate.folds,
            framing: data::Framing {
                size: spec.size,
                fit: spec.fit,
                channels: spec.channels,
                labels: spec.labels.clone(),
                skip_unreadable: spec.skip_unreadable,
            },
            store: data::Store::of(spec.cache.clone(), spec.memory),
            places,
            download: self.download.clone(),
            seed: study.train.seed,
            stop: stop.clone(),
        };
        // There is no run folder yet to write heartbeats into.
        let heartbeat = supervisor_folder().and_then(|folder| Heartbeat::open(&folder).ok());
        data::load(&request, &mut |progress| {
            if let Some(heartbeat) = &heartbeat {
                let _ = heartbeat.beat();
            }
            listener.data(progress);
        })
    }

    /// The compute threads of a study, shared with nothing else in the process.
    ///
    /// # Errors
    ///
    /// When `BURGEON_CPU` names an unknown or unavailable instruction set, or the system refuses to start
    /// the threads.
    pub fn workers(&self) -> Result<Workers, LaunchError> {
        Workers::new(self.threads).map_err(|error| match error {
            WorkersError::Cpu(error) => error.into(),
            other => LaunchError::Workers(other),
        })
    }
}

/// The folder that must hold MNIST: the one that the user names, or the study's. That one may have been passed over when a
/// run began, and may never have held it, so the folder that the run has recorded is taken before it if it is still there.
fn named_folder(
    named: Option<PathBuf>,
    path: Option<&Path>,
    recorded: Option<&Path>,
) -> Option<PathBuf> {
    let recorded = recorded.filter(|dir| dir.is_dir());
    named.or_else(|| path.map(|path| recorded.unwrap_or(path).to_owned()))
}

/// The absolute path, which must be UTF-8 to be written into the study file of a run.
pub(super) fn recordable(path: &Path) -> Result<PathBuf, DataError> {
    let path = absolute(path);
    match path.to_str() {
        Some(_) => Ok(path),
        None => Err(DataError::Request {
            problem: format!(
                "{}: this path is not UTF-8, so a run cannot record it; use another path",
                path.display()
            ),
        }),
    }
}

#[cfg(test)]
mod tests;
