//! Studies that start with the weights of a trained model.

use std::fs;
use std::path::{Path, PathBuf};

use burgeon::model::ModelFile;
use burgeon::record::{Split, StepProgress};
use burgeon::spec::{Conv, Dense, Layer, Optimizer, Pool, SgdParameters, Source, StudyFile};
use burgeon::study::{
    Ended, Finished, Growth, Kind, Launch, LaunchError, LaunchListener, Listener, Resume, Settings,
    StopFlag,
};
use burgeon::unstable::data::synthetic::digits;
use burgeon::unstable::ledger::{Event, read, uninterrupted};
use burgeon::unstable::record::{Forgetting, InheritedModel};
use burgeon::unstable::sys::files::RealFiles;
use sha2::{Digest, Sha256};

use crate::small_sets::{image_file, label_file, write_set};

/// The classes of the second study by label, with the digit that is drawn for each. Six are unknown to
/// [`first_study`]'s model, as a name, or left out.
const CLASSES: [(&str, u16); 4] = [("9", 9), ("3", 3), ("eight", 8), ("1", 1)];

/// A folder for runs and data.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A run of [`first_study`].
    fn with_first_run() -> (Self, PathBuf) {
        let place = Self::new();
        let run = finish(launch(&first_study(), &place.path("runs"))).run;
        (place, run)
    }

    /// IDX files of the digits in [`CLASSES`].
    fn digits(&self, train: usize, test: usize) -> PathBuf {
        let folder = self.path("digits");
        let drawn = |split, count, seed| {
            let images = digits(split, count, seed, |_| {});
            let class =
                |at: usize| CLASSES.iter().position(|(_, digit)| *digit == images.label(at));
            let chosen: Vec<(usize, usize)> =
                (0..count).filter_map(|at| Some((at, class(at)?))).collect();
            let pixels: Vec<u8> =
                chosen.iter().flat_map(|&(at, _)| images.image(at).to_vec()).collect();
            let labels: Vec<u8> = chosen.iter().map(|&(_, class)| class as u8).collect();
            (image_file(28, 28, &pixels), label_file(&labels))
        };
        let (train, test) = (drawn(Split::Train, train, 7), drawn(Split::Test, test, 7));
        write_set(&folder, &[train.0, train.1, test.0, test.1]);
        let names: Vec<&str> = CLASSES.iter().map(|(name, _)| *name).collect();
        fs::write(folder.join("classes.txt"), names.join("\n")).unwrap();
        folder
    }
}

fn layers() -> Vec<Layer> {
    vec![Layer::Conv(Conv::same(6, 3)), Layer::MaxPool(Pool::of(4)), Layer::Dense(Dense::of(24))]
}

/// Ten classes of drawn digits.
fn first_study() -> StudyFile {
    let mut study = StudyFile::new("first", layers());
    study.data.source = Source::Synthetic;
    study.data.train = Some(1500);
    study.data.validation = Some(burgeon::spec::Amount::Count(300));
    study.train.epochs = 3;
    study.train.batch_size = 32;
    study.train.learning_rate = 0.004;
    study.gate.accuracy = 0.2;
    study
}

/// Four classes, three of which the model in `from` knows.
fn second_study(from: &Path, data: &Path) -> StudyFile {
    let mut study = StudyFile::new("second", Vec::new());
    study.model.from = Some(from.to_owned());
    study.data.source = Source::Idx;
    study.data.path = Some(data.to_owned());
    study.data.validation = Some(burgeon::spec::Amount::Count(120));
    study.train.epochs = 1;
    study.train.batch_size = 16;
    study.train.learning_rate = 0.0005;
    study.gate.accuracy = 0.1;
    study.gate.allow_majority = true;
    study
}

/// With steps too small to change any weight but zeros.
fn without_learning(study: StudyFile) -> StudyFile {
    let mut study = study;
    study.train.optimizer = Optimizer::Sgd(SgdParameters { momentum: 0.0, nesterov: false });
    study.train.learning_rate = 1e-30;
    study
}

fn settings(runs: &Path) -> Settings {
    Settings { growth: Growth::Off, threads: Some(2), runs: runs.into(), ..Settings::default() }
}

fn launch(study: &StudyFile, runs: &Path) -> Launch<'static> {
    Launch::new(study).settings(settings(runs))
}

#[track_caller]
fn finish(launch: Launch) -> Finished {
    match launch.run().unwrap() {
        Ended::Finished(finished) => finished,
        stopped @ Ended::Stopped(_) => panic!("{stopped:?}"),
    }
}

#[track_caller]
fn refusal(study: &StudyFile, runs: &Path) -> String {
    let error = launch(study, runs).run().unwrap_err();
    assert_eq!(error.kind(), Kind::BadStudy, "{error}");
    let LaunchError::Spec(error) = error else { panic!("{error}") };
    assert!(!runs.join("second-0001").exists(), "a run was begun: {error}");
    error.to_string()
}

fn model(run: &Path) -> ModelFile {
    ModelFile::from_safetensors(&fs::read(run.join("best/model.safetensors")).unwrap()).unwrap()
}

/// The weights of a class in the head, its bias last.
fn row(model: &ModelFile, class: &str) -> Vec<f32> {
    let at = model.preparation.classes.iter().position(|name| name == class).unwrap();
    let classes = model.preparation.classes.len();
    let weight = &model.weights.get("head.weight").unwrap().values;
    let bias = model.weights.get("head.bias").unwrap().values[at];
    weight.iter().skip(at).step_by(classes).copied().chain([bias]).collect()
}

fn events(run: &Path) -> Vec<Event> {
    uninterrupted(&read(&RealFiles, &run.join("events.jsonl")).unwrap())
}

fn inherited(run: &Path) -> InheritedModel {
    let inherited = events(run).into_iter().find_map(|event| match event {
        Event::ModelInherited(inherited) => Some(inherited),
        _ => None,
    });
    inherited.unwrap()
}

fn forgotten(run: &Path) -> Option<Forgetting> {
    events(run).into_iter().find_map(|event| match event {
        Event::ForgettingMeasured { forgetting, .. } => Some(forgetting),
        _ => None,
    })
}

#[test]
fn rows_of_known_classes_are_kept_bit_for_bit_in_the_order_of_the_new_ones() {
    let (place, first) = Place::with_first_run();
    let data = place.digits(1200, 200);
    let study = without_learning(second_study(&first, &data));
    let second = finish(launch(&study, &place.path("runs"))).run;
    let (old, new) = (model(&first), model(&second));
    assert_eq!(new.preparation.classes, ["9", "3", "eight", "1"]);
    for class in ["9", "3", "1"] {
        assert_eq!(row(&new, class), row(&old, class), "{class}");
    }
    for (name, array) in old.weights.iter().filter(|(name, _)| !name.starts_with("head")) {
        assert_eq!(array, new.weights.get(name).unwrap(), "{name}");
    }
    let same_pixels =
        |model: &ModelFile| (model.preparation.mean.clone(), model.preparation.std.clone());
    assert_eq!(same_pixels(&new), same_pixels(&old));
    let inherited = inherited(&second);
    assert_eq!(inherited.kept, ["9", "3", "1"]);
    assert_eq!(inherited.new, ["eight"]);
    assert_eq!(inherited.dropped, ["0", "2", "4", "5", "6", "7", "8"]);
    assert_eq!(inherited.weights_hash, old.weights.hash());
    assert_eq!(inherited.from, first.display().to_string());
    let kept = fs::read(second.join("start/model.safetensors")).unwrap();
    assert_eq!(kept, fs::read(first.join("best/model.safetensors")).unwrap());
    let recorded = fs::read_to_string(second.join("study.toml")).unwrap();
    assert!(recorded.contains(&format!("from-sha256 = \"{}\"", inherited.sha256)), "{recorded}");
    // What is published needs no other model.
    let published = fs::read_to_string(second.join("best/spec.toml")).unwrap();
    assert!(!published.contains("from"), "{published}");
}

#[test]
fn the_same_data_starts_with_the_accuracy_that_the_model_had() {
    let (place, first) = Place::with_first_run();
    let mut study = without_learning(StudyFile { name: "second".into(), ..first_study() });
    study.model.from = Some(first.join("best/model.safetensors"));
    let sha256 = Sha256::digest(fs::read(first.join("best/model.safetensors")).unwrap());
    study.model.from_sha256 = Some(hex::encode_upper(sha256));
    study.train.epochs = 1;
    let ended = finish(launch(&study, &place.path("runs")));
    let accuracy = |run: &Path| fs::read_to_string(run.join("accuracy.txt")).unwrap();
    assert_eq!(accuracy(&ended.run), accuracy(&first));
    assert!(inherited(&ended.run).new.is_empty());
}

#[test]
fn a_continued_study_beats_a_fresh_one_with_as_few_steps() {
    let (place, first) = Place::with_first_run();
    let data = place.digits(1200, 200);
    let continued = second_study(&first, &data);
    let mut fresh = StudyFile { name: "fresh".into(), ..continued.clone() };
    fresh.model = first_study().model;
    let [continued, fresh] =
        [continued, fresh].map(|study| finish(launch(&study, &place.path("runs"))).result);
    let (continued, fresh) = (continued.validation_accuracy, fresh.validation_accuracy);
    assert!(continued > fresh + 0.03, "{continued} after continuing, {fresh} afresh");
}

/// Stops a study after some steps.
struct StopAfter {
    steps: usize,
    stop: StopFlag,
}

impl Listener for StopAfter {
    fn step(&mut self, _: u32, progress: &StepProgress) {
        if progress.step >= self.steps {
            self.stop.request();
        }
    }
}

impl LaunchListener for StopAfter {}

/// Runs a study until its third step.
fn stopped(study: &StudyFile, settings: Settings) -> PathBuf {
    let stop = StopFlag::new();
    let mut listener = StopAfter { steps: 3, stop: stop.clone() };
    let launch = Launch::new(study).settings(settings).listener(&mut listener).stop(&stop);
    match launch.run().unwrap() {
        Ended::Stopped(stopped) => stopped.run.unwrap(),
        finished @ Ended::Finished(_) => panic!("{finished:?}"),
    }
}

#[test]
fn a_resumed_study_ends_with_the_same_bits_without_the_model_it_came_from() {
    let (place, first) = Place::with_first_run();
    let mut study = second_study(&first, &place.digits(1200, 200));
    study.model.measure_forgetting = true;
    let whole = finish(launch(&study, &place.path("whole"))).run;
    let cut = stopped(&study, settings(&place.path("cut")));
    let auto = Settings { resume: Resume::Auto, ..settings(&place.path("auto")) };
    let also_cut = stopped(&study, auto.clone());
    // Before its first step, so that only the weights it starts with are there.
    fs::remove_dir_all(also_cut.join("trials")).unwrap();
    fs::remove_dir_all(&first).unwrap();
    let Ended::Finished(resumed) =
        Launch::default().settings(settings(&place.path("cut"))).resume(&cut).unwrap()
    else {
        panic!("nobody asked for a stop")
    };
    let resumed_by_itself = finish(Launch::new(&study).settings(auto.clone())).run;
    assert_eq!(resumed_by_itself, also_cut);
    let bytes = |run: &Path| fs::read(run.join("best/model.safetensors")).unwrap();
    for run in [&resumed.run, &resumed_by_itself] {
        assert!(bytes(run) == bytes(&whole), "other bits in {}", run.display());
        assert_eq!(events(run), events(&whole));
    }
    // Digits 1, 3 and 9 of the 300 old validation images.
    let forgotten = forgotten(&whole).unwrap();
    assert_eq!((forgotten.classes, forgotten.images), (3, 90));
    assert!(forgotten.before > 0.5 && forgotten.after > 0.2, "{forgotten:?}");
    let report = fs::read_to_string(whole.join("report.md")).unwrap();
    assert!(report.contains("3 classes kept, 1 new (eight)"), "{report}");
    assert!(report.contains("(90 images of 3 shared classes)"), "{report}");
    // A finished study gives its result again; another one cannot begin with a model that is gone.
    assert_eq!(finish(Launch::new(&study).settings(auto.clone())).run, also_cut);
    study.train.epochs = 2;
    let error = Launch::new(&study).settings(auto).run().unwrap_err();
    assert!(matches!(error, LaunchError::Spec(_)), "{error}");
    assert!(!place.path("auto").join("second-0002").exists());
}

#[test]
fn a_run_whose_copy_of_the_model_is_damaged_names_it() {
    let (place, first) = Place::with_first_run();
    let study = second_study(&first, &place.digits(1200, 200));
    let run = stopped(&study, settings(&place.path("runs")));
    let copy = run.join("start/model.safetensors");
    let mut bytes = fs::read(&copy).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&copy, bytes).unwrap();
    let error = Launch::default().settings(settings(&place.path("runs"))).resume(&run).unwrap_err();
    assert!(matches!(error, LaunchError::LostModel(_)), "{error}");
    assert!(error.to_string().contains(&first.display().to_string()), "{error}");
    fs::copy(first.join("best/model.safetensors"), copy).unwrap();
    Launch::default().settings(settings(&place.path("runs"))).resume(&run).unwrap();
    // Another model at the same place is another study.
    let auto = Settings { resume: Resume::Auto, ..settings(&place.path("other")) };
    stopped(&study, auto.clone());
    fs::copy(run.join("best/model.safetensors"), first.join("best/model.safetensors")).unwrap();
    fs::copy(run.join("best/spec.toml"), first.join("best/spec.toml")).unwrap();
    let error = Launch::new(&study).settings(auto).run().unwrap_err();
    assert_eq!(error.kind(), Kind::Changed, "{error}");
    assert!(error.to_string().contains("from-sha256"), "{error}");
}

#[test]
fn other_layers_are_grafted_or_refused() {
    let (place, first) = Place::with_first_run();
    let data = place.digits(1200, 200);
    let mut study = second_study(&first, &data);
    study.model.layers = layers();
    study.model.layers[2] = Layer::Dense(Dense::of(40));
    let wider = finish(launch(&study, &place.path("wider"))).run;
    assert_eq!(inherited(&wider).edits.len(), 1);
    assert_eq!(model(&wider).weights.get("layers.2.bias").unwrap().shape, [40]);
    study.model.layers = vec![Layer::GlobalAvgPool {}];
    let message = refusal(&study, &place.path("refused"));
    assert!(message.contains("`model.layers`: the model in"), "{message}");
    assert!(message.contains("leave `layers` out"), "{message}");
}

#[test]
fn what_is_no_model_is_refused_by_name() {
    let (place, first) = Place::with_first_run();
    let data = place.digits(1200, 200);
    let copy = place.path("copy");
    fs::create_dir(&copy).unwrap();
    fs::copy(first.join("best/spec.toml"), copy.join("spec.toml")).unwrap();
    let good = fs::read(first.join("best/model.safetensors")).unwrap();
    let weights = copy.join("model.safetensors");
    let mut study = second_study(&copy, &data);
    let refused = |content: &[u8], expected: &str| {
        fs::write(&weights, content).unwrap();
        let message = refusal(&study, &place.path("refused"));
        assert!(message.starts_with("`model.from`: "), "{message}");
        assert!(message.contains("copy"), "{message}");
        assert!(message.contains(expected), "{expected}: {message}");
    };
    refused(&good[..good.len() / 2], "is not a valid model file");
    refused(&[], "is not a valid model file");
    refused(b"PK\x03\x04 something else", "is not a valid model file");
    let foreign = model(&first).weights.to_safetensors(None).unwrap();
    refused(&foreign, "it was not written by burgeon");
    let mut broken = model(&first);
    let mut bias = broken.weights.get("head.bias").unwrap().clone();
    bias.values[0] = f32::NAN;
    broken.weights.insert("head.bias", bias.clone());
    refused(&broken.to_safetensors().unwrap(), "`head.bias` has numbers that are not finite");
    (bias.shape, bias.values[0]) = (vec![2, 5], 0.0);
    broken.weights.insert("head.bias", bias);
    refused(&broken.to_safetensors().unwrap(), "`head.bias` has the shape");
    fs::write(&weights, &good).unwrap();
    study.model.from_sha256 = Some("0".repeat(64));
    assert!(refusal(&study, &place.path("refused")).starts_with("`model.from-sha256`: "));
    study.model.from_sha256 = None;
    study.model.measure_forgetting = true;
    let message = refusal(&study, &place.path("refused"));
    assert!(
        message.contains("measure-forgetting`") && message.contains("not a run folder"),
        "{message}"
    );
    study.model.measure_forgetting = false;
    study.model.from = Some(first.join("best/model.bpk"));
    assert!(refusal(&study, &place.path("refused")).contains("is not a safetensors file"));
    study.model.from = Some(place.path("nowhere"));
    assert!(refusal(&study, &place.path("refused")).contains("neither a run folder"));
    // Images of another shape.
    study.model.from = Some(copy);
    let small: Vec<u8> = (0..40 * 36).map(|at| (at % 251) as u8).collect();
    let labels: Vec<u8> = (0..40).map(|at| at % 4).collect();
    let set = [image_file(6, 6, &small), label_file(&labels)];
    write_set(&data, &[set[0].clone(), set[1].clone(), set[0].clone(), set[1].clone()]);
    study.data.validation = Some(burgeon::spec::Amount::Count(8));
    let message = refusal(&study, &place.path("refused"));
    assert!(message.contains("takes images of 1×28×28"), "{message}");
    assert!(message.contains("the data has 1×6×6"), "{message}");
}
