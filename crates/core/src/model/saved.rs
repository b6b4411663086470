//! A saved model: `model.safetensors` and `spec.toml` in one folder.

// In a circle with classifier: a saved model opens as a classifier, whose errors are among those of
// opening.

use std::path::{Path, PathBuf};

use burn::tensor::Device;

use super::classifier::{Classifier, ClassifierError};
use super::model_file::{ModelFile, ModelFileError};
use crate::spec::{InputShape, Spec, SpecError, StudyDocument};
use crate::sys::files::{FileError, Files, RealFiles, parent};

/// File of the weights and the preparation.
pub const WEIGHTS_FILE: &str = "model.safetensors";
/// File of the study of the model's trial.
pub const SPEC_FILE: &str = "spec.toml";
/// Folder of the best model within a run folder.
pub const BEST_FOLDER: &str = "best";
/// A folder with this file is a run folder.
const STUDY_FILE: &str = "study.toml";

/// More than the largest network that a study may have.
const WEIGHTS_BYTES_MAX: u64 = 2 << 30;
const SPEC_BYTES_MAX: u64 = 4 << 20;

/// A model that was read from its folder.
#[derive(Debug, Clone)]
pub struct SavedModel {
    /// The study of the model's trial.
    pub study: StudyDocument,
    /// Weights and preparation.
    pub file: ModelFile,
    /// The folder of the model.
    pub folder: PathBuf,
}

/// A model that cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The folder is neither a run folder nor a model folder.
    #[error(
        "{} is neither a run folder, which has a study.toml, nor a model folder, which has a {WEIGHTS_FILE} and a {SPEC_FILE}",
        folder.display()
    )]
    NoRun {
        /// The folder that was given.
        folder: PathBuf,
    },
    /// The run has no model yet.
    #[error("{} has no model yet: no trial has finished an epoch", folder.display())]
    NoModel {
        /// The run folder.
        folder: PathBuf,
    },
    /// The file is not one that a model can be read from.
    #[error(
        "{} is not a safetensors file; name the {WEIGHTS_FILE} beside it, which also holds the names of the classes, or its folder",
        path.display()
    )]
    NotSafetensors {
        /// The file that was given.
        path: PathBuf,
    },
    /// The model file stands alone.
    #[error("{} has no {SPEC_FILE} beside it, which describes the layers of its network", path.display())]
    NoSpec {
        /// The file that was given.
        path: PathBuf,
    },
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The model file is invalid.
    #[error("{} is not a valid model file", path.display())]
    ModelFile {
        /// The model file.
        path: PathBuf,
        /// What is wrong.
        source: ModelFileError,
    },
    /// The model's study is invalid.
    #[error("the study of the model in {} cannot be used", folder.display())]
    Spec {
        /// The folder.
        folder: PathBuf,
        /// What is wrong.
        source: SpecError,
    },
    /// Weights, preparation and study do not fit together.
    #[error("the model in {} cannot be used", folder.display())]
    Classifier {
        /// The folder.
        folder: PathBuf,
        /// What does not fit.
        source: ClassifierError,
    },
}

/// The files of a saved model as they are on disk.
#[derive(Debug, Clone)]
pub struct SavedFiles {
    /// The folder of the model.
    pub folder: PathBuf,
    /// Path of the model file.
    pub weights_path: PathBuf,
    /// Content of the model file: weights and preparation.
    pub weights: Vec<u8>,
    /// Content of the study of the model's trial.
    pub spec: Vec<u8>,
}

impl SavedFiles {
    /// Reads the files of the best model of a run, of a model folder, or of a `model.safetensors` with its
    /// `spec.toml` beside it.
    ///
    /// # Errors
    ///
    /// [`OpenError`], which names the file.
    pub fn read(path: &Path) -> Result<Self, OpenError> {
        let (folder, weights_path) = match path.is_file() {
            true => (model_file_folder(path)?, path.to_owned()),
            false => {
                let folder = model_folder(path)?;
                let weights = folder.join(WEIGHTS_FILE);
                (folder, weights)
            }
        };
        let spec = RealFiles.read(&folder.join(SPEC_FILE), SPEC_BYTES_MAX)?;
        let weights = RealFiles.read(&weights_path, WEIGHTS_BYTES_MAX)?;
        Ok(Self { folder, weights_path, weights, spec })
    }

    /// The model in these files.
    ///
    /// # Errors
    ///
    /// If its study cannot be parsed, or the model file is invalid.
    pub fn model(&self) -> Result<SavedModel, OpenError> {
        let study = StudyDocument::new(
            self.folder.join(SPEC_FILE).display().to_string(),
            String::from_utf8_lossy(&self.spec).into_owned(),
        );
        let folder = self.folder.clone();
        let data = match study.parse() {
            Ok(file) => file.data,
            Err(source) => return Err(OpenError::Spec { folder, source }),
        };
        let file = ModelFile::from_safetensors_of(&self.weights, &data)
            .map_err(|source| OpenError::ModelFile { path: self.weights_path.clone(), source })?;
        Ok(SavedModel { study, file, folder })
    }
}

impl SavedModel {
    /// Reads the best model of a run (`runs/lenet-5-0001`), the model of a folder such as
    /// `runs/lenet-5-0001/best`, or that of a `model.safetensors` with its `spec.toml` beside it.
    ///
    /// # Errors
    ///
    /// [`OpenError`], which names the file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        SavedFiles::read(path.as_ref())?.model()
    }

    /// The spec of its network.
    ///
    /// # Errors
    ///
    /// If the study is not valid for the input shape in the model file.
    pub fn spec(&self) -> Result<Spec, OpenError> {
        let input: InputShape = self.file.preparation.input();
        self.study
            .validate(input)
            .map_err(|source| OpenError::Spec { folder: self.folder.clone(), source })
    }

    /// A classifier with this model on a device.
    ///
    /// # Errors
    ///
    /// If weights, preparation and study do not fit together.
    pub fn classifier(&self, device: &Device) -> Result<Classifier, OpenError> {
        let spec = self.spec()?;
        Classifier::new(&spec, self.file.clone(), device)
            .map_err(|source| OpenError::Classifier { folder: self.folder.clone(), source })
    }
}

/// The folder of a model file that was given by its own path.
fn model_file_folder(path: &Path) -> Result<PathBuf, OpenError> {
    if path.extension().is_none_or(|extension| extension != "safetensors") {
        return Err(OpenError::NotSafetensors { path: path.to_owned() });
    }
    let folder = parent(path).to_owned();
    match folder.join(SPEC_FILE).is_file() {
        true => Ok(folder),
        false => Err(OpenError::NoSpec { path: path.to_owned() }),
    }
}

fn model_folder(path: &Path) -> Result<PathBuf, OpenError> {
    let holds_model =
        |folder: &Path| folder.join(WEIGHTS_FILE).is_file() && folder.join(SPEC_FILE).is_file();
    let best = path.join(BEST_FOLDER);
    if holds_model(&best) {
        return Ok(best);
    }
    if holds_model(path) {
        return Ok(path.to_owned());
    }
    match path.join(STUDY_FILE).is_file() {
        true => Err(OpenError::NoModel { folder: path.to_owned() }),
        false => Err(OpenError::NoRun { folder: path.to_owned() }),
    }
}
