//! What a launch needs before there is a run folder: the checked study, the device and the images.

use std::time::Instant;

use super::Launch;
use super::error::LaunchError;
use super::forgetting;
use super::images::{StudyImages, input_shape};
use super::listener::LaunchListener;
use super::session::Session;
use super::settings::{Resume, recordable};
use super::source::StudySource;
use super::start::{StartModel, refusal};
use crate::data::{Split, Store};
use crate::ledger::RunFolder;
use crate::model::OpenDevice;
use crate::spec::StudyFile;
use crate::study::observer::Silent;
use crate::study::recorded_data::absolute;
use crate::study::setup::Growth;
use crate::sys::files::real_files;
use crate::train::Workers;

impl Launch<'_> {
    /// Checks the study, opens the device and loads the images. What can be checked without the images
    /// is checked before they are loaded.
    pub(super) fn prepare(
        &mut self,
        study: &StudySource,
        growth: Growth,
        begun: Option<&RunFolder>,
    ) -> Result<(Session, Option<OpenDevice>), LaunchError> {
        let mut file = match &self.images {
            Some(own) => StudyFile { data: own.spec(), ..study.parse()? },
            None => {
                let mut file = study.checked()?;
                if begun.is_none() {
                    self.settings.check_recordable(file.data.source)?;
                }
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
        let began = Instant::now();
        let mut images = match self.images.take() {
            Some(own) => {
                let images = StudyImages::own(own, file.gate.folds, file.train.seed)?;
                if file.gate.folds.is_some() {
                    let pool = images.dataset.train.len() + images.dataset.validation.len();
                    (file.data.validation, file.data.train) = (None, Some(pool));
                }
                images
            }
            None => StudyImages::loaded(match begun {
                // Before the study is checked: other labels may make other classes.
                Some(run) => {
                    self.settings.load_recorded(run, &file, Split::Train, listener, &self.stop)?
                }
                None => self.settings.load_from(&file, None, listener, &self.stop)?,
            }),
        };
        let load_seconds = began.elapsed().as_secs_f64();
        if let Some(origin) = &images.chosen {
            origin.record_in(&mut file.data, &images.dataset);
        }
        if let Some(more) = &self.more {
            let store = Store::of(file.data.cache.clone(), file.data.memory);
            images = images.with_more(more, &store)?;
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
        let session = Session {
            spec,
            images,
            load_seconds,
            device: device_name,
            workers,
            threads,
            growth,
            inherited,
        };
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
}
