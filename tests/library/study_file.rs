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
    assert!(message.contains("larger than the layer's 28×28 input"), "{message}");
}

#[test]
fn a_kernel_that_is_padded_may_be_larger_than_the_image() {
    let pools = "\"max-pool\", \"max-pool\", \"max-pool\", \"max-pool\"";
    for conv in ["stride = 1", "stride = 2", "padding = { explicit = 1 }"] {
        let layers = format!("{pools}, {{ conv = {{ filters = 4, kernel = 3, {conv} }} }}");
        let spec = with_layers(&layers).unwrap();
        assert_eq!(spec.table().rows[4].output.to_string(), "4×1×1", "{conv}");
    }
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
    assert!(message.contains("unknown key `batchsize`"), "{message}");
    assert!(message.contains("did you mean `batch-size`?"), "{message}");
    let layer = refusal(with_layers("{ convv = { filters = 1, kernel = 1 } }"));
    assert!(layer.contains("did you mean `conv`?"), "{layer}");
}

#[test]
fn a_wrong_type_is_refused_with_its_place() {
    let line = 1 + LENET.lines().position(|line| line == "epochs = 10").unwrap();
    let message = refusal(validate(&LENET.replace("epochs = 10", "epochs = \"ten\"")));
    assert!(message.starts_with(&format!("study.toml:{line}:10:")), "{message}");
    assert!(message.contains("expected a whole number of at least 0"), "{message}");
}

#[test]
fn image_layers_behind_flat_ones_are_refused() {
    let message =
        refusal(with_layers("{ dense = { units = 9 } },\n{ conv = { filters = 1, kernel = 3 } }"));
    assert!(message.contains("needs an image as input, but receives 9 flat features"), "{message}");
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
    assert!(refusal(with_layers(layers)).contains("are more than the supported"));
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

fn table(layers: &str) -> Vec<(String, String, String, usize)> {
    let spec = with_layers(layers).unwrap();
    let rows = spec.table().numbered();
    rows.into_iter()
        .map(|(number, row)| (number, row.name.clone(), row.output.to_string(), row.parameters))
        .collect()
}

fn outputs(layers: &str) -> Vec<String> {
    table(layers).into_iter().map(|(_, _, output, _)| output).collect()
}

#[test]
fn pools_reach_over_the_border_where_they_are_told_to() {
    // ⌊(28 + 2 − 3) / 2⌋ + 1, as the stem of a residual network has it.
    assert_eq!(outputs("{ max-pool = { size = 3, stride = 2, padding = 1 } }")[0], "1×14×14");
    assert_eq!(
        outputs("{ avg-pool = { size = 3, stride = 1, padding = \"same\" } }")[0],
        "1×28×28"
    );
    assert_eq!(outputs("{ max-pool = { size = 3, padding = \"same\" } }")[0], "1×10×10");
    assert_eq!(outputs("{ max-pool = { size = 3 } }")[0], "1×9×9");
    let spec = with_layers(
        "{ max-pool = { size = 3, stride = 2, padding = 1 } }, { avg-pool = { padding = \"same\" } }",
    );
    let spec = spec.unwrap();
    let text = spec.file().to_toml();
    assert!(text.contains("padding = 1") && text.contains("padding = \"same\""), "{text}");
    assert_eq!(validate(&text).unwrap(), spec);
    // What is not said stays unsaid, so that studies of earlier versions keep their hash.
    let plain = with_layers("{ max-pool = { size = 3 } }, { conv = { filters = 2, kernel = 3 } }");
    let text = plain.unwrap().file().to_toml();
    assert!(!text.contains("groups"), "{text}");
    assert_eq!(text.matches("padding").count(), 1, "{text}");
}

#[test]
fn padding_of_a_pool_that_makes_no_sense_is_refused_where_it_stands() {
    let refused = |padding: &str| {
        refusal(with_layers(&format!("{{ max-pool = {{ size = 3, padding = {padding} }} }}")))
    };
    let message = refused("2");
    assert!(message.contains("`model.layers[0].max-pool.padding`"), "{message}");
    assert!(message.contains("use at most 1, or \"same\""), "{message}");
    for padding in ["-1", "\"valid\"", "1.5", "true"] {
        let message = refused(padding);
        assert!(message.starts_with("study.toml:3:"), "{message}");
        assert!(message.contains("a whole number of pixels, or \"same\""), "{message}");
    }
}

const STAGE: &str = "{ conv = { filters = 8, kernel = 3 } },
  { residual = { layers = [
    { conv = { filters = 8, kernel = 3, activation = \"none\" } }, { batch-norm = { activation = \"relu\" } },
    { conv = { filters = 8, kernel = 3, activation = \"none\" } }, \"batch-norm\",
  ] } },
  { residual = { layers = [
    { conv = { filters = 16, kernel = 3, stride = 2 } }, { conv = { filters = 16, kernel = 3 } },
  ], activation = \"none\" } },
  \"global-avg-pool\"";

#[test]
fn a_residual_block_has_an_identity_or_a_projection_as_the_shapes_ask() {
    let rows = table(STAGE);
    let column = |index: usize| -> Vec<&str> {
        rows.iter().map(|row| [&*row.0, &*row.1, &*row.2][index]).collect()
    };
    assert_eq!(
        column(0),
        ["1", "2", "2.1", "2.2", "2.3", "2.4", "3", "3.1", "3.2", "3.p", "4", "5"]
    );
    assert_eq!(rows[1].1, "residual of 4 layers, relu");
    assert_eq!(rows[6].1, "residual of 2 layers");
    assert_eq!(rows[9].1, "projection to 16, stride 2");
    let images = ["8×28×28", "16×14×14"];
    assert_eq!((rows[1].2.as_str(), rows[6].2.as_str()), (images[0], images[1]));
    // Two convolutions of 8 × 8 × 9 + 8, and two batch-norms of 16.
    assert_eq!(rows[1].3, 2 * (576 + 8) + 2 * 16);
    assert_eq!(rows[9].3, 8 * 16 + 16);
    assert_eq!(rows[6].3, (8 * 16 * 9 + 16) + (16 * 16 * 9 + 16) + rows[9].3);
    // A batch-norm follows the projection where one stands in the branch.
    let normalized = STAGE.replace("{ conv = { filters = 16, kernel = 3 } },", "\"batch-norm\",");
    let projection = table(&normalized).into_iter().find(|row| row.0 == "3.p").unwrap();
    assert_eq!(projection.1, "projection to 16, stride 2, batch-norm");
    assert_eq!(projection.3, 8 * 16 + 16 + 32);
    let spec = with_layers(STAGE).unwrap();
    let text = spec.file().to_toml();
    assert_eq!(validate(&text).unwrap(), spec, "{text}");
    assert!(text.contains("\n    { conv = { filters = 16"), "a layer a line:\n{text}");
}

#[test]
fn residual_blocks_that_cannot_be_are_refused_where_they_stand() {
    let block =
        |layers: &str| refusal(with_layers(&format!("{{ residual = {{ layers = [{layers}] }} }}")));
    let key = "`model.layers[0].residual.layers";
    let message = block("{ conv = { filters = 4, kernel = 3, padding = \"valid\" } }");
    assert!(message.contains(&format!("{key}`")), "{message}");
    assert!(message.contains("no 1×1 projection of the shortcut gives"), "{message}");
    let message = block("{ dense = { units = 4 } }");
    assert!(message.contains(&format!("{key}[0].dense`")), "{message}");
    let message = block("\"global-avg-pool\"");
    assert!(message.contains("returns flat features"), "{message}");
    assert!(block("").contains("is empty"));
    let message = block("{ conv = { filters = 4, kernel = 40 } }");
    assert!(message.contains(&format!("{key}[0].conv.kernel`")), "{message}");
    let message = block("{ max-pool = { size = 14 } }, { max-pool = { size = 3 } }");
    assert!(message.contains(&format!("{key}[1].max-pool.size`")), "{message}");
    assert!(message.starts_with("study.toml:3:"), "{message}");
    let flat = refusal(with_layers(
        "{ dense = { units = 4 } }, { residual = { layers = [\"batch-norm\"] } }",
    ));
    assert!(
        flat.contains("`model.layers[1].residual`") && flat.contains("needs an image"),
        "{flat}"
    );
    let mut nested = "\"batch-norm\"".to_owned();
    for depth in 1..8 {
        nested = format!("{{ residual = {{ layers = [{nested}] }} }}");
        assert_eq!(with_layers(&nested).is_ok(), depth <= 4, "{depth}");
    }
    assert!(refusal(with_layers(&nested)).contains("nest at most 4"));
    let deep = "{ residual = { layers = [".repeat(5000);
    assert!(with_layers(&deep).is_err());
    let many = "{ residual = { layers = [".to_owned() + &"\"batch-norm\", ".repeat(65) + "] } }";
    assert!(refusal(with_layers(&many)).contains("65 layers are too many"));
}

#[test]
fn groups_divide_channels_and_filters() {
    let spec = |groups| {
        with_layers(&format!(
            "{{ conv = {{ filters = 8, kernel = 3 }} }}, {{ conv = {{ filters = 12, kernel = 3, groups = {groups} }} }}"
        ))
    };
    let grouped = spec(4).unwrap();
    assert_eq!(grouped.table().rows[1].name, "conv 12 of 3×3, same, 4 groups, relu");
    assert_eq!(grouped.table().rows[1].parameters, 12 * 2 * 9 + 12);
    assert_eq!(validate(&grouped.file().to_toml()).unwrap(), grouped);
    let message = refusal(spec(6));
    assert!(
        message.contains(
            "`model.layers[1].conv.groups`: the 8 input channels cannot be divided into 6 groups"
        ),
        "{message}"
    );
    assert!(message.contains("use 1, 2 or 4"), "{message}");
    let message = refusal(spec(8));
    assert!(message.contains("12 filters cannot be divided into 8 groups"), "{message}");
    assert!(refusal(spec(0)).contains("from 1 to 4096"));
}

#[test]
fn edits_reach_into_residual_blocks() {
    let spec = with_layers(STAGE).unwrap();
    let inside = |layer, edit| Edit::Inside { layer, edit: Box::new(edit) };
    let wide = inside(1, Edit::Widen { layer: 0, width: 12 });
    assert_eq!(wide.to_string(), "in block 2: widen layer 1 to 12");
    let edited = wide.apply(&spec).unwrap();
    assert_eq!(edited.table().rows[1].inner[0].output.channels(), 12);
    assert_eq!(edited.table().rows[1].output, spec.table().rows[1].output);
    let json = serde_json::to_string(&wide).unwrap();
    assert_eq!(serde_json::from_str::<Edit>(&json).unwrap(), wide);
    let error = inside(0, Edit::Widen { layer: 0, width: 12 }).apply(&spec).unwrap_err();
    assert!(error.to_string().contains("cannot be applied to the layer at index 0"), "{error}");
    assert!(inside(1, Edit::SetEpochs { epochs: 3 }).apply(&spec).is_err());
    assert!(inside(1, Edit::AddDense { at: 9, units: 3 }).apply(&spec).is_err());
    let added = Edit::AddResidual { at: 3, filters: 6, kernel: 3 }.apply(&spec).unwrap();
    let Layer::Residual(block) = &added.layers()[3] else { panic!("{:?}", added.layers()) };
    // Behind a block without an activation anything may arrive.
    assert_eq!(block.activation.name(), "none");
    assert_eq!(added.table().rows[3].inner[0].output.channels(), 6);
    assert_eq!(added.table().rows[3].output, spec.table().rows[2].output);
    let added = Edit::AddResidual { at: 1, filters: 6, kernel: 3 }.apply(&spec).unwrap();
    assert_eq!(added.layers()[1].activation().unwrap().name(), "relu");
    let dropped = Edit::RemoveLayer { layer: 1 }.apply(&added).unwrap();
    assert_eq!(dropped.layers(), spec.layers());
    // What is said of every layer is said of those within as well.
    let bent = Edit::SetActivation { activation: burgeon::spec::Activation::Gelu };
    let bent = bent.apply(&spec).unwrap().file().to_toml();
    assert!(!bent.contains("relu") && bent.matches("gelu").count() == 5, "{bent}");
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
        "train.optimizer.adam.beta-1", "train.optimizer.muon.momentum", "train.checkpoint.every-seconds",
        "model.layers[0].conv.groups", "model.layers[1].max-pool.padding",
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
