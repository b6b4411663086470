//! The trained model that a study starts from: `[model] from`.
//!
//! A run keeps a copy of the model in `start/`, so that it can be resumed even if the original is gone.
//! The copy is byte for byte the file that was found, and `study.toml` holds its SHA-256 (`from-sha256`),
//! which is part of the study's hash.
//!
//! The normalization of pixels is inherited with the weights: the same picture then gives the same
//! features as before, so that the inherited rows of the head keep their meaning.

use std::error::Error;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::error::{LaunchError, LostModel};
use super::source::StudySource;
use crate::data::Dataset;
use crate::ledger::RunFolder;
use crate::model::{
    ClassMatch, SPEC_FILE, SavedFiles, SavedModel, WEIGHTS_FILE, Weights, inherited_weights,
};
use crate::record::InheritedModel;
use crate::spec::{InputShape, Problem, Size, Spec, SpecError, StudyDocument, StudyFile};
use crate::study::recorded_data::absolute;
use crate::sys::error_chain;

/// The number of the trial that starts with the model's weights.
pub(in crate::study) const FIRST_TRIAL: u32 = 1;

/// A trained model that a study starts with.
pub(super) struct StartModel {
    from: PathBuf,
    sha256: String,
    model: SavedModel,
    /// The spec of the model's own network.
    spec: Spec,
    /// What a new run keeps of it: names and contents.
    files: Vec<(&'static str, Vec<u8>)>,
    /// Whether it was read from where the study says, not from the copy of a run.
    is_original: bool,
    /// Why no new run can start from it; a run that has already begun can continue.
    cannot_begin: Option<SpecError>,
}

/// What the first trial inherits.
pub(super) struct Inherited {
    pub(super) weights: Weights,
    pub(super) record: InheritedModel,
    /// What a new run keeps of the model: names and contents.
    pub(super) files: Vec<(&'static str, Vec<u8>)>,
    /// Why no new run can start from it; a run that has already begun can continue.
    pub(super) cannot_begin: Option<SpecError>,
}

impl StartModel {
    /// Reads the model that the study names, and fills in what `file` leaves to the model: layers, and how
    /// pictures are brought to one shape. `None` if the study starts from no model.
    ///
    /// # Errors
    ///
    /// If the model cannot be read, or is not the one with `from-sha256`.
    pub(super) fn open(
        study: &StudySource,
        file: &mut StudyFile,
    ) -> Result<Option<Self>, SpecError> {
        let Some(from) = &file.model.from else {
            return Ok(None);
        };
        let from = absolute(&study.base("model.from").join(from));
        file.model.from = Some(from.clone());
        let wrong = |message: String, help: &str| refusal(study, "model.from", message, help);
        if from.to_str().is_none() {
            let message =
                format!("{} is not UTF-8, so a study file cannot hold it", from.display());
            return Err(wrong(message, "use another path"));
        }
        let unusable = |error: &dyn Error| {
            wrong(
                error_chain(error),
                "name a run folder with a model, or its best/model.safetensors",
            )
        };
        let files = SavedFiles::read(&from).map_err(|error| unusable(&error))?;
        let model = files.model().map_err(|error| unusable(&error))?;
        let spec = model.spec().map_err(|error| unusable(&error))?;
        let sha256 = hex::encode(Sha256::digest(&files.weights));
        if let Some(wanted) = &file.model.from_sha256
            && !wanted.eq_ignore_ascii_case(&sha256)
        {
            let path = files.weights_path.display();
            let message = format!("{path} has the SHA-256 {sha256}");
            return Err(refusal(
                study,
                "model.from-sha256",
                message,
                "use that hash, or remove the key",
            ));
        }
        file.model.from_sha256 = Some(sha256.clone());
        let files = vec![(WEIGHTS_FILE, files.weights), (SPEC_FILE, files.spec)];
        let start =
            Self { from, sha256, model, spec, files, is_original: true, cannot_begin: None };
        start.check_weights(study)?;
        start.complete(file);
        Ok(Some(start))
    }

    /// Reads the copy of the model that a run keeps, and completes `file` as [`open`](Self::open) does.
    ///
    /// # Errors
    ///
    /// If the copy is missing, damaged, or not the model that the run started with.
    pub(super) fn kept(run: &RunFolder, file: &mut StudyFile) -> Result<Option<Self>, LaunchError> {
        let Some(from) = file.model.from.clone() else {
            return Ok(None);
        };
        let lost = |why: String| LostModel { folder: run.start(), from: from.clone(), why };
        let recorded = Self::recorded(run)?.model.from_sha256;
        let files = SavedFiles::read(&run.start()).map_err(|error| lost(error_chain(&error)))?;
        let sha256 = hex::encode(Sha256::digest(&files.weights));
        if let Some(recorded) = recorded.filter(|recorded| *recorded != sha256) {
            let why = format!("{WEIGHTS_FILE}: sha256 {recorded} recorded, {sha256} now");
            return Err(lost(why).into());
        }
        let model = files.model().map_err(|error| lost(error_chain(&error)))?;
        let spec = model.spec().map_err(|error| lost(error_chain(&error)))?;
        let (is_original, cannot_begin, files) = (false, None, Vec::new());
        let start = Self { from, sha256, model, spec, files, is_original, cannot_begin };
        start.complete(file);
        Ok(Some(start))
    }

    /// As [`open`](Self::open), or, if the model cannot be read, the copy of it that `latest` keeps, the
    /// newest run of the study.
    ///
    /// # Errors
    ///
    /// If the model cannot be read, and that run has no copy of it.
    pub(super) fn open_or_kept(
        study: &StudySource,
        file: &mut StudyFile,
        latest: impl FnOnce(&str) -> Option<RunFolder>,
    ) -> Result<Option<Self>, LaunchError> {
        let unread = match Self::open(study, file) {
            Ok(start) => return Ok(start),
            Err(unread) => unread,
        };
        let is_of_this = |run: &RunFolder| {
            Self::recorded(run).is_ok_and(|recorded| recorded.model.from == file.model.from)
        };
        let Some(run) = latest(&file.name).filter(is_of_this) else {
            return Err(unread.into());
        };
        let kept = Self::kept(&run, file)?;
        Ok(kept.map(|start| start.only_for_resuming(unread)))
    }

    /// The study that a run was made for.
    fn recorded(run: &RunFolder) -> Result<StudyFile, LaunchError> {
        let name = run.study_file().display().to_string();
        Ok(StudyDocument::new(name, run.read_study()?).parse()?)
    }

    /// Whether it was read from where the study says, not from the copy of a run.
    pub(super) fn is_original(&self) -> bool {
        self.is_original
    }

    /// The same model, but no new run can start from it, for this reason.
    pub(super) fn only_for_resuming(self, why: SpecError) -> Self {
        Self { cannot_begin: Some(why), ..self }
    }

    /// The folder or file that it was read from.
    pub(super) fn path(&self) -> &Path {
        &self.from
    }

    /// Adds a file to those that a new run keeps.
    pub(super) fn keep(&mut self, name: &'static str, content: Vec<u8>) {
        self.files.push((name, content));
    }

    fn check_weights(&self, study: &StudySource) -> Result<(), SpecError> {
        let file = &self.model.file;
        let why = match file.weights.check(&self.spec) {
            Err(error) => error_chain(&error),
            Ok(()) => return Ok(()),
        };
        let message = format!("the model in {} cannot be used: {why}", self.from.display());
        Err(refusal(study, "model.from", message, "name another model"))
    }

    /// Fills in what a study leaves to the model.
    fn complete(&self, file: &mut StudyFile) {
        file.model.from_sha256.get_or_insert_with(|| self.sha256.clone());
        if file.model.layers.is_empty() {
            file.model.layers = self.spec.layers().to_vec();
        }
        if file.data.source.is_framed() {
            let prepared = &self.model.file.preparation;
            let InputShape { channels, height, width, .. } = prepared.input();
            file.data.size.get_or_insert(Size { height, width });
            file.data.channels.get_or_insert(channels);
            file.data.fit.get_or_insert(prepared.fit);
        }
    }

    /// Gives the images the normalization that the model was trained with.
    pub(super) fn normalize(&self, data: &mut Dataset) {
        data.normalize(self.model.file.preparation.normalization());
    }

    /// The weights that the first trial starts with.
    ///
    /// # Errors
    ///
    /// If the images have another shape than the model's, or its weights do not fit the study's layers.
    pub(super) fn inherit(
        self,
        study: &StudySource,
        spec: &Spec,
        classes: &[String],
    ) -> Result<Inherited, SpecError> {
        self.check_input(study, spec)?;
        let Self { from, sha256, model, spec: own, files, cannot_begin, .. } = self;
        let known = &model.file.preparation.classes;
        let matched = ClassMatch::of(known, classes);
        let inherited = inherited_weights(&own, &model.file.weights, spec, &matched, FIRST_TRIAL);
        let (weights, edits) = inherited.map_err(|error| {
            let message = format!("the model in {}: {}", from.display(), error_chain(&error));
            let help = "leave `layers` out, or set them to [], for those of the model, or change their \
                        numbers of filters and units, or add layers";
            refusal(study, "model.layers", message, help)
        })?;
        let names = |of: &[String], indices: Vec<usize>| {
            indices.into_iter().filter_map(|index| of.get(index).cloned()).collect()
        };
        let record = InheritedModel {
            from: from.display().to_string(),
            sha256,
            weights_hash: model.file.weights.hash(),
            edits,
            kept: names(classes, matched.kept()),
            new: names(classes, matched.fresh()),
            dropped: names(known, matched.dropped.clone()),
        };
        Ok(Inherited { weights, record, files, cannot_begin })
    }

    fn check_input(&self, study: &StudySource, spec: &Spec) -> Result<(), SpecError> {
        let shape = |input: InputShape| [input.channels, input.height, input.width];
        let (taken, found) = (shape(self.spec.input()), shape(spec.input()));
        if taken == found {
            return Ok(());
        }
        let words = |[channels, height, width]: [usize; 3]| format!("{channels}×{height}×{width}");
        let message = format!(
            "the model in {} takes images of {} (channels, height, width), but the data has {}",
            self.from.display(),
            words(taken),
            words(found)
        );
        let [channels, height, width] = taken;
        let help = match spec.data().source.is_framed() {
            true => format!(
                "set `size = [{height}, {width}]` and `channels = {channels}` in [data], or leave both out"
            ),
            false => "use images of the model's shape, or another model".into(),
        };
        Err(refusal(study, "model.from", message, &help))
    }
}

/// A problem of the study, with its line.
pub(super) fn refusal(study: &StudySource, key: &str, message: String, help: &str) -> SpecError {
    let problem = Problem { key: key.into(), message, help: help.into(), location: None };
    study.locate(SpecError { origin: String::new(), text: None, problems: vec![problem] })
}
