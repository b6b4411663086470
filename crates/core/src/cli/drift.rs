//! `burgeon drift`: whether images are still like those that a model was accepted on.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use burgeon_drift::counts::{Alternative, binomial, fisher};
use burgeon_drift::{
    AccuracyEstimate, CONSECUTIVE, Detector, PixelStats, Reference, Settings, Status, WINDOW_MIN,
    WindowReport, probability,
};
use serde::Serialize;

use super::args::{Common, DriftArguments};
use super::error::CliError;
use super::exit::Exit;
use super::launch;
use super::output::Output;
use super::view::{View, grouped, percent};
use crate::data::detect::detect;
use crate::data::{DataError, Split, Subset};
use crate::drift::{Prepared, picture_files, prepare, read_reference, reference_of};
use crate::ledger::RunFolder;
use crate::model::{Classifier, SavedModel};
use crate::spec::{Size, StudyFile};
use crate::study::{Growth, LaunchError};
use crate::sys::files::real_files;
use crate::sys::permutation;
use crate::sys::signals::StopFlag;

/// Number of images that are in memory at a time.
const BATCH: usize = 250;

/// Compares images with those that a model was accepted on.
pub fn drift(
    arguments: &DriftArguments,
    common: &Common,
    output: &Output,
) -> Result<Exit, CliError> {
    let saved = SavedModel::open(&arguments.run)?;
    let settings = launch(common, Growth::Off);
    let workers = settings.workers()?;
    let _entered = workers.enter();
    let classifier = saved.classifier(&settings.device.open()?.device)?;
    let study = saved.study.parse()?;
    let images = Incoming::open(&arguments.images, &saved, &study, common, output)?;
    let files = real_files().map_err(LaunchError::from)?;
    let reference = match read_reference(&*files, &arguments.run)? {
        Some(reference) => reference,
        None => of_validation(&arguments.run, &classifier, &study, common, output)?,
    };
    let mut watched = Watched::new(reference, images.len(), arguments)?;
    watched.watch(&images, &classifier, output)?;
    let report = watched.report(study.gate.accuracy);
    match output.json {
        true => output.result_json(&report)?,
        false => output.result(&text(&report, classifier.classes()))?,
    };
    Ok(if report.alarms > 0 { Exit::Refused } else { Exit::Success })
}

/// The reference of a run whose model carries none: from its validation images.
fn of_validation(
    run: &Path,
    classifier: &Classifier,
    study: &StudyFile,
    common: &Common,
    output: &Output,
) -> Result<Reference, CliError> {
    let folder = RunFolder::open(real_files().map_err(LaunchError::from)?, run)?;
    let settings = launch(common, Growth::Off);
    let view = &mut View::new(*output);
    let loaded =
        settings.load_recorded(&folder, study, Split::Validation, view, &StopFlag::new())?;
    let subset = &loaded.dataset.validation;
    let images: Vec<&[u8]> = (0..subset.len()).map(|at| subset.image(at)).collect();
    let answers = classifier.classify(&images)?;
    let labels = (0..subset.len()).map(|at| usize::from(subset.label(at)));
    let answered = answers.iter().map(Vec::as_slice).zip(images).zip(labels);
    let rows = answered.map(|((answer, image), label)| (answer, image, label));
    Ok(reference_of(classifier.classes().len(), subset.shape(), rows)?)
}

/// The images to be compared.
enum Incoming {
    Pictures { files: Vec<PathBuf>, classifies_any_size: bool },
    Set { subsets: Vec<Subset>, classes: Vec<String> },
}

impl Incoming {
    /// The pictures in a folder, or else the images of a data set, all of its splits.
    fn open(
        path: &Path,
        saved: &SavedModel,
        study: &StudyFile,
        common: &Common,
        output: &Output,
    ) -> Result<Self, CliError> {
        if path.is_dir() {
            let files = picture_files(path)?;
            if !files.is_empty() {
                let classifies_any_size = study.data.source.is_framed();
                return Ok(Self::Pictures { files, classifies_any_size });
            }
        }
        let mut set = StudyFile { data: detect(path)?, ..StudyFile::new("drift", Vec::new()) };
        if set.data.source.is_framed() {
            let preparation = &saved.file.preparation;
            set.data.size = Some(Size { height: preparation.height, width: preparation.width });
            set.data.fit = Some(preparation.fit);
            set.data.channels = Some(preparation.channels.count());
        }
        let loaded = launch(common, Growth::Off).load(&set, &mut View::new(*output))?;
        let data = loaded.dataset;
        Ok(Self::Set {
            subsets: vec![data.train, data.validation, data.test],
            classes: data.classes,
        })
    }

    fn len(&self) -> usize {
        match self {
            Self::Pictures { files, .. } => files.len(),
            Self::Set { subsets, .. } => subsets.iter().map(Subset::len).sum(),
        }
    }

    /// One image, with its label if the model has its class.
    fn image(
        &self,
        index: usize,
        classifier: &Classifier,
    ) -> Result<(Prepared, Option<usize>), DataError> {
        let label_of = |name: &str| classifier.classes().iter().position(|class| class == name);
        match self {
            Self::Pictures { files, classifies_any_size } => {
                let path = &files[index];
                let prepared = prepare(classifier.preparation(), path)?;
                let folder = path.parent().and_then(Path::file_name).unwrap_or_default();
                let label = label_of(&folder.to_string_lossy());
                let input = classifier.input();
                let pixels = match classifies_any_size {
                    true => prepared.pixels.with_size(input.height, input.width),
                    false => prepared.pixels,
                };
                Ok((Prepared { image: prepared.image, pixels }, label))
            }
            Self::Set { subsets, classes } => {
                let mut at = index;
                let fits = |subset: &&Subset| {
                    let is_in = at < subset.len();
                    at -= if is_in { 0 } else { subset.len() };
                    is_in
                };
                let Some(subset) = subsets.iter().find(fits) else {
                    return Err(DataError::Request {
                        problem: format!("there is no image {index}"),
                    });
                };
                let image = subset.image(at).to_vec();
                let name = classes.get(usize::from(subset.label(at)));
                let label = name.and_then(|name| label_of(name));
                match PixelStats::of_bytes(&image, subset.shape()) {
                    Some(pixels) => Ok((Prepared { image, pixels }, label)),
                    None => Err(DataError::Request { problem: "images without pixels".into() }),
                }
            }
        }
    }
}

/// The images seen so far.
struct Watched {
    detector: Detector,
    windows: Vec<JudgedWindow>,
    images: usize,
    unread: usize,
    right: u64,
    labelled: u64,
}

/// A window with what it and the ones before amount to.
#[derive(Debug, Serialize)]
struct JudgedWindow {
    status: Status,
    #[serde(flatten)]
    report: WindowReport,
}

impl Watched {
    fn new(
        reference: Reference,
        images: usize,
        arguments: &DriftArguments,
    ) -> Result<Self, CliError> {
        let too_few =
            CliError::TooFewImages { found: images, least: CONSECUTIVE as usize * WINDOW_MIN };
        let mut settings = Settings::for_images(images).ok_or(too_few)?;
        if let Some(window) = arguments.window {
            settings.window = window;
        }
        if let Some(run_time) = arguments.run_time {
            settings.run_time = run_time;
        }
        let detector = Detector::new(Arc::new(reference), settings)?;
        Ok(Self { detector, windows: Vec::new(), images: 0, unread: 0, right: 0, labelled: 0 })
    }

    /// Sees all images. Their order says nothing about time, and may be that of their classes: it is shuffled, always
    /// alike.
    fn watch(
        &mut self,
        images: &Incoming,
        classifier: &Classifier,
        output: &Output,
    ) -> Result<(), CliError> {
        for chunk in permutation(images.len(), 0).chunks(BATCH) {
            let mut read = Vec::with_capacity(chunk.len());
            for &index in chunk {
                match images.image(index as usize, classifier) {
                    Ok(image) => read.push(image),
                    Err(error) => {
                        self.unread += 1;
                        output.print_error(&CliError::Picture(error));
                    }
                }
            }
            let pixels: Vec<&[u8]> = read.iter().map(|(image, _)| image.image.as_slice()).collect();
            let answers = classifier.classify(&pixels)?;
            for ((image, label), answer) in read.iter().zip(&answers) {
                self.add(answer, &image.pixels, *label)?;
            }
        }
        match self.windows.is_empty() {
            true => Err(CliError::TooFewImages {
                found: self.images,
                least: self.detector.settings().window,
            }),
            false => Ok(()),
        }
    }

    fn add(
        &mut self,
        answer: &[f32],
        pixels: &PixelStats,
        label: Option<usize>,
    ) -> Result<(), CliError> {
        self.images += 1;
        if let Some(label) = label {
            let best = |best: usize, at: usize| if answer[at] > answer[best] { at } else { best };
            self.labelled += 1;
            self.right += u64::from((0..answer.len()).fold(0, best) == label);
        }
        if let Some(report) = self.detector.observe(answer, pixels)?.cloned() {
            self.windows.push(JudgedWindow { status: self.detector.status(), report });
        }
        Ok(())
    }

    fn report(self, gate: f64) -> DriftReport {
        let Self { detector, windows, images, unread, right, labelled } = self;
        let reference = detector.reference();
        let labels = (labelled > 0).then(|| {
            let wrong = labelled - right;
            let before = reference.right().map(|right| right as u64);
            let table =
                before.map(|before| [[right, wrong], [before, reference.images() as u64 - before]]);
            LabelledAccuracy {
                images: labelled,
                accuracy: right as f64 / labelled as f64,
                gate,
                p_gate: binomial(right, labelled, gate, Alternative::Less),
                p_reference: table.map(|table| fisher(table, Alternative::Less)),
            }
        });
        DriftReport {
            images,
            unread,
            reference_images: reference.images(),
            reference_accuracy: reference.accuracy(),
            window: detector.settings().window,
            run_time: detector.settings().run_time,
            level: detector.level(),
            alarms: detector.alarms(),
            labels,
            windows,
        }
    }
}

/// What was found.
#[derive(Debug, Serialize)]
struct DriftReport {
    images: usize,
    unread: usize,
    reference_images: usize,
    reference_accuracy: Option<f64>,
    window: usize,
    run_time: f64,
    level: f64,
    alarms: u64,
    labels: Option<LabelledAccuracy>,
    windows: Vec<JudgedWindow>,
}

/// The accuracy on the images whose labels are known, all together.
#[derive(Debug, Serialize)]
struct LabelledAccuracy {
    images: u64,
    accuracy: f64,
    gate: f64,
    /// The probability of an accuracy as low, at one that equals the gate's.
    p_gate: f64,
    /// The probability of one as low, at one that equals the reference's.
    p_reference: Option<f64>,
}

/// Windows that are listed one by one.
const LISTED: usize = 20;

fn text(report: &DriftReport, classes: &[String]) -> String {
    let mut text = format!(
        "compared with {} held-out images{}\n{} images, {} windows of {}; a window is suspicious at p = {:.2e} or below, for one false alarm in {} windows\n",
        grouped(report.reference_images),
        report
            .reference_accuracy
            .map_or(String::new(), |it| format!(", of which {} were right", percent(it))),
        grouped(report.images),
        grouped(report.windows.len()),
        grouped(report.window),
        report.level,
        grouped(report.run_time as usize),
    );
    if report.unread > 0 {
        let _ = writeln!(text, "{} files could not be read", grouped(report.unread));
    }
    text.push('\n');
    for (index, window) in report.windows.iter().enumerate().take(LISTED) {
        let _ = writeln!(text, "{}", line(index + 1, window, classes));
    }
    if let more @ 1.. = report.windows.len().saturating_sub(LISTED) {
        let _ = writeln!(text, "and {} more windows, which --json has", grouped(more));
    }
    text.push('\n');
    let estimates: Vec<&AccuracyEstimate> =
        report.windows.iter().filter_map(|window| window.report.accuracy.as_ref()).collect();
    if !estimates.is_empty() {
        let sum: f64 = estimates.iter().map(|estimate| estimate.thresholded_confidence).sum();
        let _ = writeln!(
            text,
            "accuracy, estimated without labels: {}, if the model's confidence means what it meant",
            percent(sum / estimates.len() as f64)
        );
    }
    if let Some(labels) = &report.labels {
        let _ = writeln!(
            text,
            "accuracy on {} images with labels: {}; chance of one as low at the gate of {}: {}{}",
            grouped(labels.images as usize),
            percent(labels.accuracy),
            percent(labels.gate),
            probability(labels.p_gate),
            labels.p_reference.map_or(String::new(), |p| format!(
                "; at the accuracy on the held-out images: {}",
                probability(p)
            ))
        );
    }
    text + &verdict(report)
}

fn verdict(report: &DriftReport) -> String {
    match report.alarms {
        0 => "no alarm: what differs may be chance, or is too small\n".into(),
        1 => "alarm: the images no longer resemble those that the model was accepted on\n".into(),
        more => format!(
            "{more} alarms: the images no longer resemble those that the model was accepted on\n"
        ),
    }
}

fn line(number: usize, window: &JudgedWindow, classes: &[String]) -> String {
    let status = match window.status {
        Status::Waiting | Status::Quiet => "quiet",
        Status::Suspicious => "suspicious",
        Status::Alarm => "ALARM",
    };
    let parts = window.report.words(classes);
    format!(
        "window {number}: {status}{}{}",
        if parts.is_empty() { "" } else { ": " },
        parts.join("; ")
    )
}
