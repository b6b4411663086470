//! `burgeon registry add`: measures a run's best model on the held-out images, and adds it as a version.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use jiff::Timestamp;

use super::writer;
use crate::cli::args::{AddArguments, Common};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::view::{View, grouped, percent};
use crate::cli::{document, launch};
use crate::data::{Dataset, Loaded, Split, Subset};
use crate::drift::{REFERENCE_FILE, ReferenceFileError, reference_of};
use crate::ledger::RunFolder;
use crate::model::{Classifier, InputError, OpenDevice, SavedFiles, SavedModel};
use crate::registry::{
    CALIBRATION_FILE, Calibration, Content, Draft, HeldOut, Manifest, Registry, RegistryError,
    SELF_TEST_FILE, SelfTest, Settings as RegistrySettings, answer, is_model_name,
};
use crate::spec::{Size, StudyDocument, StudyFile};
use crate::study::{Growth, LaunchError, Settings, describe};
use crate::sys::build::Build;
use crate::sys::files::{Files, real_files};
use crate::sys::lock::LockRequest;
use crate::sys::signals::StopFlag;

/// Files of a published model that a version has too, where they are there.
const MODEL_FILES: [&str; 7] = [
    "model.onnx",
    "model-pixels.onnx",
    "model-int8.onnx",
    "model.bpk",
    "pytorch.safetensors",
    "model.py",
    "figures.json",
];
/// Files of a run that a version has too, where they are there.
const RUN_FILES: [&str; 4] = ["study.toml", "provenance.json", "report.html", "report.md"];
const CARD_FILE: &str = "card.md";
const CARD_BYTES_MAX: u64 = 64 << 20;
/// Images of a self-test.
const SELF_TESTED: usize = 8;
/// Images that the time for one is measured on, after some that are not counted.
const TIMED: usize = 100;
const WARM_UP: usize = 10;

/// A version of a run, measured on the registry's held-out images; `dataset` is what it was trained on. Incoming images are
/// compared with `incoming` then, where they are given, instead of the held-out ones.
#[cfg(feature = "serve")]
pub(in crate::cli) fn version_of(
    registry: &Registry,
    run: &RunFolder,
    device: &OpenDevice,
    dataset: &Dataset,
    incoming: Option<&HeldOut>,
) -> Result<Draft, CliError> {
    let saved_files = SavedFiles::read(run.path())?;
    let saved = saved_files.model()?;
    let study = saved.study.parse()?;
    let parts = Parts {
        registry,
        held_out: &registry.held_out()?,
        run,
        saved_files: &saved_files,
        saved: &saved,
        classifier: &saved.classifier(&device.device)?,
        dataset: Some(dataset),
        incoming,
        study: &study,
    };
    measure(&parts)
}

/// Adds a version; creates the registry if the folder has none.
pub(super) fn add(
    folder: &Path,
    arguments: &AddArguments,
    common: &Common,
    output: &Output,
) -> Result<Exit, CliError> {
    let files = real_files().map_err(LaunchError::from)?;
    let run = RunFolder::open(files.clone(), &arguments.run)?;
    // What is added is one state of the run.
    let request = LockRequest::new("burgeon registry add");
    let _lock = run.lock(&request).map_err(LaunchError::from)?;
    let saved_files = SavedFiles::read(&arguments.run)?;
    let saved = saved_files.model()?;
    let settings = launch(common, Growth::Off);
    let workers = settings.workers()?;
    let _entered = workers.enter();
    let device = settings.device.open()?;
    let classifier = saved.classifier(&device.device)?;
    let study = saved.study.parse()?;
    let loaded = load_own(&settings, &run, &study, arguments, output)?;
    let registry = match Registry::open(files.clone(), folder) {
        Err(RegistryError::NoRegistry { .. }) => {
            let held_out = match &arguments.held_out {
                Some(path) => read_held_out(path, arguments.split.into(), &saved, common, output)?,
                None => own_held_out(loaded.as_ref(), arguments.split.into(), &saved)?,
            };
            let name = model_name(&study.name);
            let settings = RegistrySettings::new(&name, study.gate.accuracy);
            // A registry keeps its held-out images, so one that this model cannot be judged on is not created.
            let seen =
                loaded.as_ref().map_or(0, |it| held_out.seen_among(seen_images(&it.dataset)).len());
            settings.promotion.check_seen(seen, held_out.set.images)?;
            let (created, is_new) = Registry::create(&files, folder, &settings, &held_out)?;
            match is_new {
                true => output.print(&format!(
                    "created {} with {} held-out images",
                    folder.display(),
                    grouped(held_out.set.images)
                )),
                // Another process has created it meanwhile, perhaps with other images.
                false if arguments.held_out.is_some() => {
                    return Err(CliError::HeldOutFixed { folder: folder.into() });
                }
                false => {}
            }
            created
        }
        Ok(_) if arguments.held_out.is_some() => {
            return Err(CliError::HeldOutFixed { folder: folder.into() });
        }
        opened => opened?,
    };
    let held_out = registry.held_out()?;
    let draft = measure(&Parts {
        registry: &registry,
        held_out: &held_out,
        run: &run,
        saved_files: &saved_files,
        saved: &saved,
        classifier: &classifier,
        dataset: loaded.as_ref().map(|loaded| &loaded.dataset),
        incoming: None,
        study: &study,
    })?;
    let writer = writer(&registry, super::COMMAND)?;
    let added = writer.add(draft)?;
    // Room is made as the settings say; what is not cleared now is so later.
    let cleared = writer.clear();
    match output.json {
        true => output.result_json(&added)?,
        false => output.result(&format!(
            "version {}: {} of {} held-out images right, {} of them seen in training\n",
            added.version,
            percent(added.accuracy),
            grouped(held_out.set.images),
            grouped(added.seen.len())
        ))?,
    };
    if let Err(error) = cleared {
        output.warn(&format!("old versions were not cleared: {}", crate::sys::error_chain(&error)));
    }
    Ok(Exit::Success)
}

/// The images that the run was trained on and selected by; `None` if that is not to be checked.
fn load_own(
    settings: &Settings,
    run: &RunFolder,
    study: &StudyFile,
    arguments: &AddArguments,
    output: &Output,
) -> Result<Option<Loaded>, CliError> {
    if arguments.unchecked {
        return Ok(None);
    }
    let view = &mut View::new(*output);
    let split = Split::Validation;
    Ok(Some(settings.load_recorded(run, study, split, view, &StopFlag::new())?))
}

/// A split of the run's own data.
fn own_held_out(
    loaded: Option<&Loaded>,
    split: Split,
    saved: &SavedModel,
) -> Result<HeldOut, CliError> {
    match loaded {
        Some(loaded) => Ok(held_out_of(loaded, split, saved)),
        None => Err(CliError::NoHeldOut),
    }
}

/// Other data, brought to the shape of the model.
fn read_held_out(
    path: &Path,
    split: Split,
    saved: &SavedModel,
    common: &Common,
    output: &Output,
) -> Result<HeldOut, CliError> {
    let document = document(Some(path), common, output)?;
    let mut study = document.parse()?;
    let preparation = &saved.file.preparation;
    if !matches!(
        study.data.source,
        crate::spec::Source::Mnist | crate::spec::Source::Synthetic | crate::spec::Source::Idx
    ) {
        study.data.size = Some(Size { height: preparation.height, width: preparation.width });
        study.data.fit = Some(preparation.fit);
        study.data.channels = Some(preparation.channels.count());
    }
    let settings = launch(common, Growth::Off);
    let loaded = settings.load(&study, &mut View::new(*output))?;
    Ok(held_out_of(&loaded, split, saved))
}

fn held_out_of(loaded: &Loaded, split: Split, saved: &SavedModel) -> HeldOut {
    let subset = loaded.dataset.split(split);
    let mut pixels = Vec::with_capacity(subset.len() * subset.image_len());
    for index in 0..subset.len() {
        pixels.extend_from_slice(subset.image(index));
    }
    let labels = (0..subset.len()).map(|index| subset.label(index)).collect();
    let origin = format!("{} images of {}", split.name(), describe(&loaded.origin));
    let fit = fit_of(saved);
    HeldOut::new(&origin, subset.shape(), &fit, &loaded.dataset.classes, pixels, labels)
}

/// How the model brings pictures to its shape.
fn fit_of(saved: &SavedModel) -> String {
    format!("{:?}", saved.file.preparation.fit).to_lowercase()
}

/// A name that can stand in an address.
fn model_name(study: &str) -> String {
    let name: String = study
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' })
        .take(128)
        .collect();
    if is_model_name(&name) { name } else { "model".into() }
}

/// What a version is made of.
struct Parts<'a> {
    registry: &'a Registry,
    held_out: &'a HeldOut,
    run: &'a RunFolder,
    saved_files: &'a SavedFiles,
    saved: &'a SavedModel,
    classifier: &'a Classifier,
    /// What it was trained on, if that is there.
    dataset: Option<&'a Dataset>,
    /// What comes in, if that is not like the held-out images.
    incoming: Option<&'a HeldOut>,
    study: &'a StudyFile,
}

/// A version with all that is measured of it.
fn measure(parts: &Parts) -> Result<Draft, CliError> {
    let Parts { registry, held_out, run, saved_files, saved, classifier, dataset, incoming, study } =
        *parts;
    let preparation = &saved.file.preparation;
    let set = &held_out.set;
    let shape = [preparation.channels.count(), preparation.height, preparation.width];
    let unfit = |why: String| CliError::Registry(RegistryError::Unfit { why });
    if shape != set.shape {
        let ([c, h, w], [channels, height, width]) = (shape, set.shape);
        return Err(unfit(format!(
            "its images are {c}×{h}×{w} (channels, height, width), the held-out images {channels}×{height}×{width}"
        )));
    }
    if fit_of(saved) != set.fit {
        return Err(unfit(format!(
            "it brings pictures to its shape by \"{}\", the held-out images were by \"{}\"",
            fit_of(saved),
            set.fit
        )));
    }
    let classes = preparation.classes.len();
    let logits = logits(classifier, (0..set.images).map(|index| held_out.image(index)))?;
    let right: Vec<bool> = logits
        .chunks_exact(classes)
        .zip(&held_out.labels)
        .map(|(row, &label)| answer(row, 1.0).0 == usize::from(label))
        .collect();
    let seen = dataset.map(|data| held_out.seen_among(seen_images(data))).unwrap_or_default();
    let latency_ms = latency(classifier, held_out)?;
    let spec = saved.spec()?;
    let calibration = dataset
        .map(|data| calibration(classifier, &data.validation, (&logits, &held_out.labels)))
        .transpose()?;
    let mut files = vec![
        ("model.safetensors".to_owned(), Content::Bytes(saved_files.weights.clone())),
        ("spec.toml".to_owned(), Content::Bytes(saved_files.spec.clone())),
    ];
    files.extend(copies(registry, &saved_files.folder, &MODEL_FILES)?);
    files.extend(copies(registry, run.path(), &RUN_FILES)?);
    files.extend(card(registry.files().as_ref(), &saved_files.folder, calibration.as_ref())?);
    files.extend(statistics(held_out, &logits, classes, calibration.as_ref())?);
    files.extend(match incoming {
        Some(incoming) => {
            let images = (0..incoming.set.images).map(|index| incoming.image(index));
            reference(incoming, &self::logits(classifier, images)?, classes)?
        }
        None => reference(held_out, &logits, classes)?,
    });
    let count = right.iter().filter(|right| **right).count();
    let manifest = Manifest {
        v: 1,
        version: 0,
        added: Timestamp::UNIX_EPOCH,
        burgeon: Build::current().version.into(),
        study: study.name.clone(),
        run: run.path().display().to_string(),
        weights_hash: saved.file.weights.hash(),
        parameters: spec.table().parameters() as u64,
        shape,
        classes: preparation.classes.clone(),
        held_out: set.sha256.clone(),
        accuracy: count as f64 / right.len().max(1) as f64,
        seen,
        data_checked: dataset.is_some(),
        started_from: started_from(run)?,
        size_bytes: saved_files.weights.len() as u64,
        latency_ms,
        files: BTreeMap::new(),
    };
    Ok(Draft { manifest, right, files })
}

/// Files that are computed from the held-out images when a version is added: the self-test and the calibration. `logits`
/// are `[images, classes]`.
fn statistics(
    held_out: &HeldOut,
    logits: &[f32],
    classes: usize,
    calibration: Option<&Calibration>,
) -> Result<Vec<(String, Content)>, CliError> {
    let json = |error: serde_json::Error| CliError::Output(error.into());
    let images = held_out.set.images;
    let count = images.min(SELF_TESTED);
    let cases = (0..count).map(|at| {
        // Not the first ones, which may all be of one class.
        let index = at * images / count.max(1);
        let row = logits.get(index * classes..(index + 1) * classes).unwrap_or_default();
        (held_out.image(index), softmax(row))
    });
    let self_test = serde_json::to_vec(&SelfTest::new(cases)).map_err(json)?;
    let mut files = vec![(SELF_TEST_FILE.to_owned(), Content::Bytes(self_test))];
    if let Some(calibration) = calibration {
        let bytes = serde_json::to_vec_pretty(calibration).map_err(json)?;
        files.push((CALIBRATION_FILE.to_owned(), Content::Bytes(bytes)));
    }
    Ok(files)
}

/// What later images are compared with.
fn reference(
    held_out: &HeldOut,
    logits: &[f32],
    classes: usize,
) -> Result<Option<(String, Content)>, CliError> {
    let answers: Vec<Vec<f32>> = logits.chunks_exact(classes.max(1)).map(softmax).collect();
    let answered = answers.iter().zip(&held_out.labels).enumerate();
    let rows = answered.map(|(index, (answer, &label))| {
        (answer.as_slice(), held_out.image(index), usize::from(label))
    });
    match reference_of(classes, held_out.set.shape, rows) {
        Ok(reference) => {
            let json = serde_json::to_vec(&reference);
            let bytes = json.map_err(|error| CliError::Output(error.into()))?;
            Ok(Some((REFERENCE_FILE.to_owned(), Content::Bytes(bytes))))
        }
        // Of few held-out images, or of very many classes, there is none.
        Err(ReferenceFileError::Reference(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn softmax(row: &[f32]) -> Vec<f32> {
    let most = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let shares: Vec<f32> = row.iter().map(|logit| (logit - most).exp()).collect();
    let sum: f32 = shares.iter().sum();
    shares.into_iter().map(|share| share / sum).collect()
}

/// Logits, `[images, classes]`.
fn logits<'a>(
    classifier: &Classifier,
    images: impl Iterator<Item = &'a [u8]>,
) -> Result<Vec<f32>, InputError> {
    let images: Vec<&[u8]> = images.collect();
    Ok(classifier.logits(&images)?.concat())
}

fn calibration(
    classifier: &Classifier,
    validation: &Subset,
    held_out: (&[f32], &[u16]),
) -> Result<Calibration, InputError> {
    let own = logits(classifier, (0..validation.len()).map(|index| validation.image(index)))?;
    let labels: Vec<u16> = (0..validation.len()).map(|index| validation.label(index)).collect();
    Ok(Calibration::of((&own, &labels), held_out, classifier.classes().len()))
}

/// Hashes of all images that the model was trained on or selected by.
fn seen_images(data: &Dataset) -> impl Iterator<Item = [u8; 32]> {
    [&data.train, &data.validation].into_iter().flat_map(|subset| {
        let hash = |index| HeldOut::hash_image(subset.shape(), subset.image(index));
        (0..subset.len()).map(hash)
    })
}

/// The median of the milliseconds that one image takes.
fn latency(classifier: &Classifier, held_out: &HeldOut) -> Result<f64, InputError> {
    let mut times = Vec::with_capacity(TIMED);
    for round in 0..WARM_UP + TIMED {
        let image = held_out.image(round % held_out.set.images.max(1));
        let began = Instant::now();
        classifier.logits(&[image])?;
        if round >= WARM_UP {
            times.push(began.elapsed().as_secs_f64() * 1e3);
        }
    }
    times.sort_by(f64::total_cmp);
    Ok(times.get(times.len() / 2).copied().unwrap_or(0.0))
}

/// Those of the files that are there. One that cannot be reached is an error, or a version would silently lack it.
fn copies(
    registry: &Registry,
    folder: &Path,
    names: &[&str],
) -> Result<Vec<(String, Content)>, CliError> {
    let mut copies = Vec::new();
    for name in names {
        let path = folder.join(name);
        if registry.files().kind(&path).map_err(CliError::File)?.is_some() {
            copies.push(((*name).to_owned(), Content::Copy(path)));
        }
    }
    Ok(copies)
}

/// The model card, with what answers of "unsure" cost.
fn card(
    files: &dyn Files,
    folder: &Path,
    calibration: Option<&Calibration>,
) -> Result<Option<(String, Content)>, CliError> {
    let mut text = match files.read(&folder.join(CARD_FILE), CARD_BYTES_MAX) {
        Err(error) if error.is_not_found() => return Ok(None),
        read => read.map_err(CliError::File)?,
    };
    text.extend(calibration.map(Calibration::section).unwrap_or_default().into_bytes());
    Ok(Some((CARD_FILE.to_owned(), Content::Bytes(text))))
}

/// The model that the run's study began with.
fn started_from(run: &RunFolder) -> Result<Option<String>, CliError> {
    let name = run.study_file().display().to_string();
    let study = StudyDocument::new(name, run.read_study()?).parse()?;
    let hash = study.model.from_sha256.unwrap_or_default();
    Ok(study.model.from.map(|from| format!("{} {hash}", from.display()).trim().to_owned()))
}
