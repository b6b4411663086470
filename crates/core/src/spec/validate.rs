//! Range checks on every number of a study, and the shape check on its layers.

// In a circle with study: a study is checked where it is made.

use super::check::Check;
use super::check_layers::check_model;
use super::error::Problem;
use super::name::{RUN_NAME_RULE, is_run_name};
use super::optimizer::Optimizer;
use super::plan::infer;
use super::shape::{InputShape, LayerTable};
use super::study::StudyFile;
use super::train::{CheckpointInterval, GradientClipping, Schedule, TrainSpec};

/// With gradients and Adam's two moments, 4 GB of `f32`.
const PARAMETERS_MAX: usize = 250_000_000;
/// Values that all layers together return for one batch; 8 GiB of `f32`.
const ACTIVATIONS_MAX: usize = 1 << 31;

/// Most channels of an image.
const CHANNELS_MAX: usize = 16;
/// Longest side of an image, in pixels.
const IMAGE_SIDE_MAX: usize = 8192;
/// Most classes.
const CLASSES_MAX: usize = 65_536;

/// Checks everything and infers the layer table.
pub fn validate(file: &StudyFile, input: InputShape) -> Result<LayerTable, Vec<Problem>> {
    // Shapes are inferred only from layers in range: others would be reported a second time.
    check_ranges(file)?;
    let mut check = Check::default();
    check_input(&mut check, input);
    if !check.problems.is_empty() {
        return Err(check.problems);
    }
    let table = infer(&file.model.layers, input).map_err(|problem| vec![problem])?;
    check_size(&mut check, file, &table);
    if check.problems.is_empty() { Ok(table) } else { Err(check.problems) }
}

/// Checks everything that can be checked without knowing the images.
pub fn check_ranges(file: &StudyFile) -> Result<(), Vec<Problem>> {
    let mut check = Check::default();
    check_name(&mut check, &file.name);
    check_data(&mut check, file);
    file.model.check_origin(&mut check);
    check_model(&mut check, &file.model.layers);
    check_train(&mut check, &file.train);
    check_gate_and_tune(&mut check, file);
    if check.problems.is_empty() { Ok(()) } else { Err(check.problems) }
}

/// The input shape is not part of the study file; a model file or a program may give any.
fn check_input(check: &mut Check, input: InputShape) {
    let InputShape { channels, height, width, classes } = input;
    let mut limit = |what: &str, value: usize, min: usize, max: usize| {
        if !(min..=max).contains(&value) {
            check.problem(
                "data",
                format!("{value} {what} are not supported"),
                format!("use images with {min} to {max} {what}"),
            );
        }
    };
    limit("channels", channels, 1, CHANNELS_MAX);
    limit("pixels in height", height, 1, IMAGE_SIDE_MAX);
    limit("pixels in width", width, 1, IMAGE_SIDE_MAX);
    limit("classes", classes, 2, CLASSES_MAX);
}

fn check_name(check: &mut Check, name: &str) {
    if !is_run_name(name) {
        let problem = format!("{name:?} is not a valid study name");
        check.problem("name", problem, format!("use {RUN_NAME_RULE}"));
    }
}

fn check_data(check: &mut Check, file: &StudyFile) {
    use super::data::{Amount, Size, Source};
    let data = &file.data;
    let source = data.source.name();
    for (key, amount) in [("data.validation", data.validation), ("data.test", data.test)] {
        match amount {
            Some(Amount::Count(count)) => check.integer(key, count, 1, 100_000_000),
            Some(Amount::Share(share)) if !(share > 0.0 && share < 1.0) => check.problem(
                key,
                format!("{share} is not a share of the images"),
                "use a whole number of images, or a share above 0 and below 1",
            ),
            Some(Amount::Share(_)) | None => {}
        }
    }
    if let Some(train) = data.train {
        check.integer("data.train", train, 1, 100_000_000);
    }
    match (data.source, &data.path) {
        (Source::Idx | Source::Folder | Source::Cifar, None) => check.problem(
            "data.source",
            format!("`{source}` needs a folder to read"),
            "add `path = \"folder\"` to [data]",
        ),
        (Source::Npz | Source::Csv, None) => check.problem(
            "data.source",
            format!("`{source}` needs a file to read"),
            format!("add `path = \"images.{source}\"` to [data]"),
        ),
        (Source::Synthetic | Source::Own, Some(_)) => check.problem(
            "data.path",
            format!("`{source}` data is not read from files"),
            "remove it, or set `source = \"folder\"`",
        ),
        _ => {}
    }
    if let Some(Size { height, width }) = data.size {
        check.integer("data.size", height, 1, IMAGE_SIDE_MAX);
        check.integer("data.size", width, 1, IMAGE_SIDE_MAX);
    }
    if let Some(channels) = data.channels
        && channels != 1
        && channels != 3
    {
        check.problem(
            "data.channels",
            format!("images have 1 channel (grey) or 3 (colour), not {channels}"),
            "use 1 or 3",
        );
    }
    let framing = [
        ("data.size", data.size.is_some()),
        ("data.fit", data.fit.is_some()),
        ("data.channels", data.channels.is_some()),
        ("data.test", data.test.is_some()),
    ];
    for (key, is_set) in framing {
        if is_set && !data.source.is_framed() {
            check.problem(
                key,
                format!("has no effect on `{source}` images, which are used as they are"),
                "remove it, or use the source `folder`, `cifar`, `npz` or `csv`",
            );
        }
    }
    for (key, is_set) in
        [("data.memory", data.memory.is_some()), ("data.cache", data.cache.is_some())]
    {
        if is_set && matches!(data.source, Source::Synthetic | Source::Own) {
            check.problem(key, format!("`{source}` images are held in memory"), "remove it");
        }
    }
    let folder_only =
        [("data.labels", data.labels.is_some()), ("data.skip-unreadable", data.skip_unreadable)];
    for (key, is_set) in folder_only {
        if is_set && data.source != Source::Folder {
            let problem =
                format!("has no effect on `{source}` data, which is not a folder of pictures");
            check.problem(key, problem, "remove it, or set `source = \"folder\"`");
        }
    }
}

fn check_train(check: &mut Check, train: &TrainSpec) {
    check.integer("train.epochs", train.epochs, 1, 100_000);
    check.integer("train.batch-size", train.batch_size, 1, 65_536);
    check.positive("train.learning-rate", train.learning_rate, 1e6);
    check.share("train.warm-up", train.warm_up);
    check.within("train.weight-decay", train.weight_decay, 0.0, 1e6);
    check.share("train.label-smoothing", train.label_smoothing);
    if let Some(decay) = train.weight_average {
        let fits = decay > 0.0 && decay < 1.0;
        check.number("train.weight-average", decay, fits, "between 0 and 1, such as 0.999");
    }
    check_optimizer(check, &train.optimizer);
    check_schedule(check, "train.schedule", &train.schedule);
    match train.gradient_clipping {
        None => {}
        Some(GradientClipping::Value(bound)) => {
            check.positive("train.gradient-clipping.value", bound, 1e9);
        }
        Some(GradientClipping::Norm(bound)) => {
            check.positive("train.gradient-clipping.norm", bound, 1e9);
        }
    }
    if let Some(stopping) = train.early_stopping {
        check.integer("train.early-stopping.patience", stopping.patience, 1, 100_000);
        check.fraction("train.early-stopping.min-improvement", stopping.min_improvement);
    }
    check.at_most("train.augment.shift", train.augment.shift as usize, "pixels", 64);
    check.within("train.augment.rotate", train.augment.rotate, 0.0, 180.0);
    check.share("train.augment.scale", train.augment.scale);
    check.within("train.augment.elastic", train.augment.elastic, 0.0, 64.0);
    for (key, share) in [
        ("train.augment.brightness", train.augment.brightness),
        ("train.augment.contrast", train.augment.contrast),
        ("train.augment.saturation", train.augment.saturation),
    ] {
        check.within(key, share, 0.0, 1.0);
    }
    check.at_most("train.augment.cutout", train.augment.cutout as usize, "pixels", 4096);
    if i64::try_from(train.seed).is_err() {
        check.problem(
            "train.seed",
            format!("{} is too large", train.seed),
            format!("use a whole number from 0 to {}", i64::MAX),
        );
    }
    let (key, every) = match train.checkpoint {
        CheckpointInterval::EverySeconds(every) => ("train.checkpoint.every-seconds", every),
        CheckpointInterval::EverySteps(every) => ("train.checkpoint.every-steps", every),
    };
    check.integer(key, usize::try_from(every).unwrap_or(usize::MAX), 1, 1_000_000_000);
}

fn check_optimizer(check: &mut Check, optimizer: &Optimizer) {
    match optimizer {
        Optimizer::Sgd(sgd) => {
            check.share("train.optimizer.sgd.momentum", sgd.momentum);
            if sgd.nesterov && sgd.momentum == 0.0 {
                check.problem(
                    "train.optimizer.sgd.nesterov",
                    "has no effect with a momentum of zero".into(),
                    "set a momentum such as 0.9, or remove nesterov",
                );
            }
        }
        Optimizer::Adam(adam) | Optimizer::AdamW(adam) => {
            let name = optimizer.name();
            check.share(&format!("train.optimizer.{name}.beta-1"), adam.beta_1);
            check.share(&format!("train.optimizer.{name}.beta-2"), adam.beta_2);
            check.positive(&format!("train.optimizer.{name}.epsilon"), adam.epsilon, 1.0);
        }
        Optimizer::Muon(muon) => check.share("train.optimizer.muon.momentum", muon.momentum),
    }
}

fn check_gate_and_tune(check: &mut Check, file: &StudyFile) {
    check.fraction("gate.accuracy", file.gate.accuracy);
    for (key, floor) in [
        ("gate.balanced-accuracy", file.gate.balanced_accuracy),
        ("gate.least-recall", file.gate.least_recall),
    ] {
        if let Some(floor) = floor {
            check.fraction(key, floor);
        }
    }
    if let Some(confidence) = file.gate.confidence {
        let fits = confidence > 0.0 && confidence < 1.0;
        check.number("gate.confidence", confidence, fits, "between 0 and 1");
    }
    if let Some(folds) = file.gate.folds {
        check.integer("gate.folds", folds, 2, 20);
        if file.data.validation.is_some() {
            check.problem(
                "data.validation",
                "has no effect beside `gate.folds`, which divides all images that are not test images \
                 into folds, of which the first is for validation"
                    .into(),
                "remove it, or remove `folds` from [gate]",
            );
        }
    }
    check.integer("tune.trials", file.tune.trials, 1, 100_000);
    check.integer("tune.jobs", file.tune.jobs, 1, 256);
    if let Some(seconds) = file.tune.seconds {
        check.positive("tune.seconds", seconds, 1e9);
    }
    if let Some(seconds) = file.train.seconds {
        check.positive("train.seconds", seconds, 1e9);
    }
    check_space(check, file);
    file.notify.check(check);
    file.run.check(check);
}

fn check_schedule(check: &mut Check, key: &str, schedule: &Schedule) {
    match *schedule {
        Schedule::Constant {} => {}
        Schedule::Cosine { floor } => check.fraction(&format!("{key}.cosine.floor"), floor),
        Schedule::OneCycle { peak_at, start, floor } => {
            check.share(&format!("{key}.one-cycle.peak-at"), peak_at);
            check.fraction(&format!("{key}.one-cycle.start"), start);
            check.fraction(&format!("{key}.one-cycle.floor"), floor);
        }
    }
}

fn check_space(check: &mut Check, file: &StudyFile) {
    let space = &file.tune.space;
    // An empty list of these leaves the choice to the data.
    let optional = [
        ("convs", space.convs.len()),
        ("convs-per-stage", space.convs_per_stage.len()),
        ("filters", space.filters.len()),
        ("epochs", space.epochs.len()),
    ];
    let lengths = [
        ("width", space.width.len()),
        ("kernel", space.kernel.len()),
        ("batch-norm", space.batch_norm.len()),
        ("dense-layers", space.dense_layers.len()),
        ("units", space.units.len()),
        ("activation", space.activation.len()),
        ("dropout", space.dropout.len()),
        ("schedule", space.schedule.len()),
        ("batch-size", space.batch_size.len()),
        ("optimizer", space.optimizer.len()),
        ("shift", space.shift.len()),
        ("flip", space.flip.len()),
    ];
    let bounds = optional.map(|length| (length, 0)).into_iter();
    for ((key, length), least) in bounds.chain(lengths.map(|length| (length, 1))) {
        if !(least..=1000).contains(&length) {
            let key = format!("tune.space.{key}");
            check.problem(
                &key,
                format!("has {length} values"),
                format!("list {least} to 1000 of them"),
            );
        }
    }
    let each = |check: &mut Check, key: &str, values: &[usize], min: usize, max: usize| {
        for &value in values {
            check.integer(&format!("tune.space.{key}"), value, min, max);
        }
    };
    each(check, "convs", &space.convs, 0, 16);
    each(check, "convs-per-stage", &space.convs_per_stage, 1, 8);
    each(check, "width", &space.width, 1, 4096);
    each(check, "filters", &space.filters, 1, 4096);
    each(check, "kernel", &space.kernel, 1, 31);
    each(check, "dense-layers", &space.dense_layers, 0, 16);
    each(check, "units", &space.units, 1, 65_536);
    each(check, "batch-size", &space.batch_size, 1, 65_536);
    each(check, "epochs", &space.epochs, 1, 100_000);
    for &rate in &space.dropout {
        check.share("tune.space.dropout", rate);
    }
    for &shift in &space.shift {
        check.within("tune.space.shift", shift, 0.0, 0.5);
    }
    for schedule in &space.schedule {
        check_schedule(check, "tune.space.schedule", schedule);
    }
    let [low, high] = space.learning_rate;
    let fits = low > 0.0 && low <= high && high <= 1e6;
    if !fits {
        check.problem(
            "tune.space.learning-rate",
            format!("[{low}, {high}] is not a range of learning rates"),
            "use [lowest, highest], both above 0 and at most 1000000",
        );
    }
}

fn check_size(check: &mut Check, file: &StudyFile, table: &LayerTable) {
    let parameters = table.parameters();
    if parameters > PARAMETERS_MAX {
        check.problem(
            "model.layers",
            format!("{parameters} parameters are more than the supported {PARAMETERS_MAX}"),
            "use fewer filters or units, or a pool before the first dense layer",
        );
    }
    let activations = table.activations().saturating_mul(file.train.batch_size);
    if activations > ACTIVATIONS_MAX {
        check.problem(
            "train.batch-size",
            format!(
                "the layers return {activations} values for a batch of {}, more than the supported \
                 {ACTIVATIONS_MAX}",
                file.train.batch_size
            ),
            format!(
                "use a batch-size of at most {}",
                (ACTIVATIONS_MAX / table.activations().max(1)).max(1)
            ),
        );
    }
    if let Some(limit) = file.tune.flops
        && table.flops() > limit
    {
        check.problem(
            "tune.flops",
            format!(
                "the first network already needs {} floating-point operations for an image, over the limit of {limit}",
                table.flops()
            ),
            "raise the limit or start smaller",
        );
    }
    if let Some(limit) = file.tune.parameters
        && parameters > limit
    {
        check.problem(
            "tune.parameters",
            format!(
                "the first network already has {parameters} parameters, over the limit of {limit}"
            ),
            "raise the limit or start smaller",
        );
    }
}
