//! Study files: what is accepted, and how what is not accepted is answered.

use burgeon::spec::{Edit, InputShape, Layer, Override, Spec, SpecError, StudyDocument, StudyFile};
use proptest::prelude::*;

const LENET: &str = include_str!("../../models/lenet.toml");

fn validate(text: &str) -> Result<Spec, SpecError> {
    StudyDocument::new("study.toml", text).validate(InputShape::MNIST)
}

fn with_layers(layers: &str) -> Result<Spec, SpecError> {
    validate(&format!("[model]\nlayers = [\n{layers}\n]\n"))
}

fn refusal(result: Result<Spec, SpecError>) -> String {
    result.expect_err("the study should be refused").to_string()
}

fn overridden(text: &str, sets: &[&str]) -> Result<Spec, SpecError> {
    let sets: Vec<Override> = sets.iter().map(|set| set.parse().unwrap()).collect();
    StudyDocument::new("study.toml", text).with_overrides(sets).validate(InputShape::MNIST)
}

#[test]
fn lenet_has_the_shapes_and_costs_of_the_paper() {
    let spec = validate(LENET).unwrap();
    let outputs: Vec<String> = spec.table().rows.iter().map(|row| row.output.to_string()).collect();
    assert_eq!(outputs, ["6×28×28", "6×14×14", "16×10×10", "16×5×5", "120", "84", "10"]);
    assert_eq!(spec.table().parameters(), 61_706);
}

#[test]
fn every_default_is_written_out_and_read_back_equal() {
    let spec = validate(LENET).unwrap();
    let text = spec.file().to_toml();
    assert!(text.contains("label-smoothing"), "{text}");
    let again = validate(&text).unwrap();
    assert_eq!(again, spec);
    assert_eq!(again.hash(), spec.hash());
}

#[test]
fn the_hash_sees_what_decides_the_weights_and_not_the_name() {
    let spec = validate(LENET).unwrap();
    assert_eq!(overridden(LENET, &["name=other"]).unwrap().hash(), spec.hash());
    assert_ne!(overridden(LENET, &["train.seed=43"]).unwrap().hash(), spec.hash());
}

#[test]
fn names_alone_stand_for_their_defaults() {
    let text = "[model]\nlayers = [\"batch-norm\", \"max-pool\", \"global-avg-pool\"]\n[train]\noptimizer = \"sgd\"\nschedule = \"one-cycle\"\n";
    let spec = validate(text).unwrap();
    assert_eq!(spec.layers().len(), 3);
    assert_eq!(spec.train().optimizer.name(), "sgd");
    assert_eq!(spec.train().schedule.name(), "one-cycle");
}

#[test]
fn a_pool_that_eats_its_input_is_refused_where_it_stands() {
    let message =
        refusal(with_layers("  { max-pool = { size = 14 } },\n  { max-pool = { size = 3 } },"));
    assert!(message.starts_with("study.toml:4:25: `model.layers[1].max-pool.size`"), "{message}");
    assert!(message.contains("use at most 2"), "{message}");
}

#[test]
fn a_kernel_larger_than_the_image_is_refused() {
    let message =
        refusal(with_layers("{ conv = { filters = 4, kernel = 29, padding = \"valid\" } }"));
    assert!(message.contains("study.toml:3:34"), "{message}");
    assert!(message.contains("larger than the 28×28 image"), "{message}");
}

#[test]
fn zero_filters_nan_rates_and_negative_numbers_are_refused() {
    assert!(
        refusal(with_layers("{ conv = { filters = 0, kernel = 3 } }")).contains("from 1 to 4096")
    );
    let nan = format!("{LENET}\n").replace("learning-rate = 0.002", "learning-rate = nan");
    assert!(refusal(validate(&nan)).contains("`train.learning-rate`: NaN is out of range"));
    let negative = LENET.replace("epochs = 10", "epochs = -10");
    assert!(refusal(validate(&negative)).contains("study.toml:"), "negative epochs");
}

#[test]
fn an_unknown_key_is_refused_with_what_was_meant() {
    let message = refusal(validate(&LENET.replace("batch-size", "batchsize")));
    assert!(message.contains("unknown field `batchsize`"), "{message}");
    assert!(message.contains("did you mean `batch-size`?"), "{message}");
    let layer = refusal(with_layers("{ convv = { filters = 1, kernel = 1 } }"));
    assert!(layer.contains("did you mean `conv`?"), "{layer}");
}

#[test]
fn a_wrong_type_is_refused_with_its_place() {
    let line = 1 + LENET.lines().position(|line| line == "epochs = 10").unwrap();
    let message = refusal(validate(&LENET.replace("epochs = 10", "epochs = \"ten\"")));
    assert!(message.starts_with(&format!("study.toml:{line}:10:")), "{message}");
    assert!(message.contains("expected usize"), "{message}");
}

#[test]
fn image_layers_behind_flat_ones_are_refused() {
    let message =
        refusal(with_layers("{ dense = { units = 9 } },\n{ conv = { filters = 1, kernel = 3 } }"));
    assert!(message.contains("needs an image, but receives 9 flat features"), "{message}");
}

#[test]
fn every_problem_is_told_at_once() {
    let text =
        "[model]\nlayers = []\n[train]\nepochs = 0\nbatch-size = 0\n[gate]\naccuracy = 2.0\n";
    assert_eq!(validate(text).unwrap_err().problems.len(), 3);
}

#[test]
fn networks_that_fit_no_memory_are_refused() {
    let layers = "{ dense = { units = 65536 } }, { dense = { units = 65536 } }";
    assert!(refusal(with_layers(layers)).contains("do not fit in memory"));
}

#[test]
fn overrides_reach_every_key_and_are_checked_like_the_file() {
    let sets = ["train.epochs=3", "train.optimizer=adamw", "model.layers[0].conv.filters=4"];
    let spec = overridden(LENET, &sets).unwrap();
    assert_eq!(spec.train().epochs, 3);
    assert_eq!(spec.train().optimizer.name(), "adamw");
    assert!(matches!(&spec.layers()[0], Layer::Conv(conv) if conv.filters == 4));
    let message = refusal(overridden(LENET, &["train.epochs=0"]));
    assert!(message.contains("--set train.epochs"), "{message}");
    let message = refusal(overridden(LENET, &["train.epocs=1"]));
    assert!(message.contains("--set train.epocs=1"), "{message}");
    assert!("train.epochs".parse::<Override>().is_err());
    assert!(
        refusal(overridden(LENET, &["model.layers[99].conv.filters=4"])).contains("past the end")
    );
}

#[test]
fn an_edited_spec_is_a_complete_study_file() {
    let spec = validate(LENET).unwrap();
    let edits = [
        Edit::AddConvBlock { at: 4, filters: 32, kernel: 3, pool: true },
        Edit::Widen { layer: 0, width: 12 },
        Edit::AddDense { at: 8, units: 32 },
        Edit::AddEpochs { epochs: 2 },
        Edit::SetLearningRate { rate: 0.01 },
    ];
    let grown = edits.iter().fold(spec, |spec, edit| edit.apply(&spec).unwrap());
    assert_eq!(grown.layers().len(), 9);
    assert_eq!(validate(&grown.file().to_toml()).unwrap(), grown);
}

#[test]
fn an_edit_that_cannot_work_is_an_error() {
    let spec = validate(LENET).unwrap();
    assert!(Edit::Widen { layer: 1, width: 12 }.apply(&spec).is_err());
    assert!(Edit::SetLearningRate { rate: f64::NAN }.apply(&spec).is_err());
}

#[test]
fn same_padding_halves_rounding_up_at_stride_two() {
    let spec = with_layers("{ conv = { filters = 1, kernel = 4, stride = 2 } }, { conv = { filters = 1, kernel = 3, stride = 3 } }").unwrap();
    let outputs: Vec<String> = spec.table().rows.iter().map(|row| row.output.to_string()).collect();
    assert_eq!(outputs, ["1×14×14", "1×5×5", "10"]);
}

#[test]
fn a_study_built_in_code_needs_no_text() {
    let file = StudyFile::new("in-code", vec![]);
    let spec = Spec::new(file, InputShape::MNIST).unwrap();
    assert_eq!(spec.table().parameters(), 7850);
}

#[test]
fn the_shipped_studies_are_valid() {
    for entry in std::fs::read_dir("models").unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let text = std::fs::read_to_string(&path).unwrap();
            if let Err(error) =
                StudyDocument::new(path.display().to_string(), text).validate(InputShape::MNIST)
            {
                panic!("{error}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_mutated_study_file_is_accepted_or_refused_by_name(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4_u8), 1..8)
    ) {
        let mut bytes = LENET.as_bytes().to_vec();
        for (index, byte, kind) in edits {
            let at = index.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte % 128),
                2 if bytes.len() > 1 => {
                    bytes.remove(at);
                }
                2 => {}
                _ => bytes.truncate(at.max(1)),
            }
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Err(error) = validate(&text) {
            prop_assert!(error.to_string().starts_with("study.toml:"), "{error}");
        }
    }

    #[test]
    fn numbers_of_any_size_never_panic(value in prop_oneof![
        Just("0".to_owned()), Just("-1".to_owned()), Just("nan".to_owned()), Just("inf".to_owned()),
        any::<i64>().prop_map(|n| n.to_string()), any::<f64>().prop_map(|n| format!("{n:e}")),
    ], key in prop::sample::select(vec![
        "train.epochs", "train.batch-size", "train.learning-rate", "train.seed", "train.warm-up",
        "gate.accuracy", "gate.confidence", "tune.trials", "tune.parameters", "data.validation",
        "model.layers[0].conv.filters", "model.layers[0].conv.kernel", "model.layers[0].conv.stride",
        "model.layers[1].max-pool.size", "model.layers[4].dense.units", "train.augment.shift",
        "train.optimizer.adam.beta-1", "train.checkpoint.every-seconds",
    ])) {
        let _ = overridden(LENET, &[&format!("{key}={value}")]);
    }
}

#[test]
fn images_that_cannot_be_trained_on_are_refused_whatever_claims_them() {
    let good = InputShape::MNIST;
    let wrong = [
        (InputShape { classes: 0, ..good }, "0 classes"),
        (InputShape { classes: 1, ..good }, "1 classes"),
        (InputShape { channels: 0, ..good }, "0 channels"),
        (InputShape { channels: usize::MAX, ..good }, "channels"),
        (InputShape { height: 0, ..good }, "0 pixels in height"),
        (InputShape { width: usize::MAX, ..good }, "pixels in width"),
    ];
    for (input, part) in wrong {
        for text in [LENET, "[model]\nlayers = []\n"] {
            let error = StudyDocument::new("study.toml", text).validate(input).unwrap_err();
            assert!(error.to_string().contains(part), "{error}");
        }
    }
    let colour = InputShape { channels: 3, height: 64, width: 48, classes: 2 };
    assert!(StudyDocument::new("study.toml", LENET).validate(colour).is_ok());
}

#[test]
fn digits_are_centred_where_the_source_has_digits_unless_said_otherwise() {
    let centres = |data: &str| {
        let text = format!("[data]\n{data}\n[model]\nlayers = []\n");
        let file = StudyDocument::new("study.toml", text).parse().unwrap();
        // What is not said stays unsaid, so that studies of earlier versions keep their hash.
        assert_eq!(file.to_toml().contains("centre-digits"), data.contains("centre-digits"));
        file.data.centres_digits()
    };
    assert!(centres("source = \"mnist\"") && centres("source = \"synthetic\""));
    assert!(!centres("source = \"idx\"\npath = \"x\""));
    assert!(!centres("source = \"mnist\"\ncentre-digits = false"));
    assert!(centres("source = \"idx\"\npath = \"x\"\ncentre-digits = true"));
}
