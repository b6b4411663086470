//! Measures the plain family of networks on many data sets: where growth's priors come from.
//!
//! `cargo run --profile quick --example growth_prior -- IMAGES MNIST OTHER > docs/growth-prior.md` trains members of several
//! computes on subsets of every data set that it finds: the built-in digits, MNIST in the folder `MNIST`, in
//! `IMAGES` those of `fashion-mnist/`, `quickdraw-6x3000/`, `cifar10-lossless4000/` and `trashnet/` (its class
//! folders), and in `OTHER` those that `benches/other_data.py` draws, besides gratings that it draws itself. It prints the table, the exponent of each task, and
//! what a rule fitted to the other families says of each family. Only validation images are read.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use burgeon::data::{DataError, Dataset, Images, Subset};
use burgeon::model::{DeviceChoice, Weights};
use burgeon::record::{EpochRecord, SoFar, StepProgress};
use burgeon::spec::{Amount, Conv, InputShape, Layer, Pool, Size, Source, Spec, StudyFile};
use burgeon::study::{Ended, Launch, Settings};
use burgeon::train::{Flow, Profiling, TrainState, TrainingSetup, Watch, WatchError};
use burgeon::unstable::data::{DataRequest, load};
use burgeon::unstable::spec::training_flops;
use burgeon::unstable::study::Growth;
use burgeon::unstable::tune::{Member, Variety, base_compute, reason_to_prune};

type Failure = Box<dyn std::error::Error>;

/// Images of one task.
struct Task {
    family: String,
    name: String,
    data: Dataset,
    /// Computes of the members to train, as multiples of C₀.
    computes: Vec<f64>,
}

/// One trained member, or another network, of a task.
struct Point {
    compute: f64,
    member: Member,
    curve: Vec<EpochRecord>,
    spec: Spec,
    error: f64,
}

/// What a member makes of images that look different each time.
struct Varied {
    member: Member,
    /// Errors with images as they are, moved, moved with dropout, and moved and mirrored.
    errors: [f64; 4],
    /// What mirrored validation images cost the second of them.
    mirror_cost: Option<f64>,
}

impl Point {
    /// Of fewer errors than a validation split can count, the least that it can.
    fn log_error(&self) -> f64 {
        self.error.max(1e-3).ln()
    }
}

/// All points of a task, with what is known of its data beforehand.
struct Measured {
    family: String,
    name: String,
    input: InputShape,
    images: usize,
    validation: usize,
    points: Vec<Point>,
    /// The logarithm of how many times the errors of a member a plain LeNet of the same compute makes.
    lenet: Option<f64>,
    varied: Vec<Varied>,
    /// Compute and error of the sample that a study's first trial trains.
    sample: Option<[f64; 2]>,
}

const HEADER: &str = "\
# Growth's prior

The policy `grow` predicts validation errors by a power law of compute, ln e = a − α·ln(C / C₀), where C are the
floating-point operations of a training and C₀ those of the smallest sensible member of the plain family
(`crates/core/src/tune/family.rs`). Its prior for a and α (`crates/core/src/tune/prior.rs`), when images are varied
(`crates/core/src/tune/variety.rs`) and when a training is given up (`crates/core/src/tune/pruning.rs`) comes from the measurements below. A
study's own trials soon count for more.

`cargo run --profile quick --example growth_prior -- IMAGES MNIST OTHER > docs/growth-prior.md` makes this page again: it trains
members of several computes on parts of every data set that it finds (those in `OTHER` are drawn by `benches/other_data.py`),
and judges each rule on families of data that it was not fitted to. Errors are those of validation images; a training takes one seed.
";

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let images = arguments.next().unwrap_or("data/images".into());
    let mnist = arguments.next().unwrap_or("data".into());
    let other = arguments.next();
    let measured = measure_all(tasks(&images, &mnist, other.as_deref())?)?;
    println!("{HEADER}");
    print_table(&measured);
    print_exponents(&measured);
    print_rule(&measured);
    print_samples(&measured);
    print_other_forms(&measured);
    print_varied(&measured);
    print_settling(&measured);
    print_given_up(&measured);
    Ok(())
}

/// Measures a task on each core at a time: small networks gain little from a second thread.
fn measure_all(tasks: Vec<Task>) -> Result<Vec<Measured>, Failure> {
    let runs = tempfile::tempdir()?;
    let count = tasks.len();
    let waiting = Mutex::new(tasks.into_iter().enumerate());
    let measured = Mutex::new(Vec::new());
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || {
        while let Some((at, task)) = next() {
            let done = measure(task, runs.path()).map_err(|error| error.to_string());
            measured.lock().unwrap_or_else(PoisonError::into_inner).push((at, done));
            eprintln!("task {} of {count} done", at + 1);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let mut measured = measured.into_inner().unwrap_or_else(PoisonError::into_inner);
    measured.sort_by_key(|(at, _)| *at);
    Ok(measured.into_iter().map(|(_, done)| done).collect::<Result<_, _>>()?)
}

/// A few tasks of each data set that is there.
fn tasks(images: &Path, mnist: &Path, other: Option<&Path>) -> Result<Vec<Task>, Failure> {
    let mut tasks = Vec::new();
    let mut sources = [
        ("drawn digits", Source::Synthetic, PathBuf::new()),
        ("MNIST", Source::Idx, mnist.to_owned()),
        ("Fashion-MNIST", Source::Idx, images.join("fashion-mnist")),
        ("Quick-Draw", Source::Idx, images.join("quickdraw-6x3000")),
        ("CIFAR-10", Source::Cifar, images.join("cifar10-lossless4000")),
        ("trashnet", Source::Folder, images.join("trashnet")),
    ]
    .map(|(set, source, path)| (set.to_owned(), set.to_owned(), source, path))
    .to_vec();
    sources.extend(other.map(drawn).transpose()?.into_iter().flatten());
    for (family, set, source, path) in sources {
        if source != Source::Synthetic && !path.exists() {
            eprintln!("{set}: left out, as there is no {}", path.display());
            continue;
        }
        let mut request = DataRequest::synthetic(7);
        request.source = source;
        request.path = (source != Source::Synthetic).then_some(path);
        request.validation = Some(Amount::Share(0.25));
        request.framing.size = (source == Source::Folder).then_some(Size { height: 32, width: 32 });
        if source == Source::Synthetic {
            (request.validation, request.train) = (Some(Amount::Count(2000)), Some(12_000));
        }
        let data = load(&request, &mut |_| ())?.dataset;
        let classes = data.classes.len();
        let all = data.train.len();
        let mut add = |name: &str,
                       train: usize,
                       classes: usize,
                       computes: &[f64]|
         -> Result<(), Failure> {
            let data = part(&data, train.min(all), classes)?;
            let name = if family == set { name.to_owned() } else { format!("{set}, {name}") };
            tasks.push(Task { family: family.clone(), name, data, computes: computes.to_vec() });
            Ok(())
        };
        add("many", 12_000, classes, &[0.0625, 0.25, 1.0, 4.0, 16.0])?;
        if all > 2000 {
            // Where the images are few, what is of interest is where more compute stops to help.
            add("few", 1000, classes, &[0.25, 1.0, 4.0, 16.0])?;
            add("very few", 300, classes, &[1.0, 4.0, 16.0])?;
        }
        if classes > 3 {
            add("three classes", 1500, 3, &[0.25, 1.0, 4.0])?;
        }
    }
    for (name, noise, classes) in [("gratings", 90.0, 8), ("faint gratings", 200.0, 4)] {
        let draw = |count, from| gratings(count, from, classes, noise);
        let data = Dataset::new(draw(3000, 0)?, draw(1500, 10_000)?, draw(10, 20_000)?, classes)?;
        let computes = vec![0.25, 1.0, 4.0];
        tasks.push(Task { family: "gratings".into(), name: name.into(), data, computes });
    }
    Ok(tasks)
}

/// The data sets of a folder by name, each with its family and how it is read.
fn drawn(folder: &Path) -> Result<Vec<(String, String, Source, PathBuf)>, Failure> {
    let mut sets = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if !path.is_dir() {
            continue;
        }
        let source = if path.join("train.csv").exists() {
            Source::Csv
        } else if path.join("classes.txt").exists() {
            Source::Idx
        } else {
            Source::Folder
        };
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // Letters of 26 and of 62 classes are kin.
        let family = name.split('-').next().unwrap_or_default().to_owned();
        sets.push((family, name, source, path));
    }
    sets.sort_by(|(_, a, ..), (_, b, ..)| a.cmp(b));
    Ok(sets)
}

/// Images of the first classes, from all over the set: some files are in the order of their classes, or take turns.
fn part(data: &Dataset, train: usize, classes: usize) -> Result<Dataset, DataError> {
    let of = |subset: &Subset, count: usize| {
        let is_in = |&position: &usize| usize::from(subset.label(position)) < classes;
        let mut all: Vec<usize> = (0..subset.len()).filter(is_in).collect();
        all.sort_by_key(|&position| (position as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        all.truncate(count);
        subset.with_indices(
            all.iter().map(|&position| subset.indices()[position]).collect::<Vec<_>>(),
        )
    };
    Dataset::new(of(&data.train, train)?, of(&data.validation, 2000)?, of(&data.test, 20)?, classes)
}

/// Stripes of one of several directions, of random width, phase and contrast, under noise; 20×20 pixels, in colour.
fn gratings(count: usize, from: u64, classes: usize, noise: f64) -> Result<Subset, DataError> {
    const SIDE: usize = 20;
    let mut pixels = Vec::with_capacity(count * 3 * SIDE * SIDE);
    let mut labels = Vec::with_capacity(count);
    for image in 0..count {
        let mut state = (from + image as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut random = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64 / (1_u64 << 53) as f64
        };
        for _ in 0..4 {
            random();
        }
        let class = (random() * classes as f64) as usize;
        let angle = (class as f64 + 0.6 * (random() - 0.5)) * std::f64::consts::PI / classes as f64;
        let (phase, period) = (random() * 6.3, 1.2 + 1.5 * random());
        let tint = [random(), random(), random()];
        for weight in tint {
            for at in 0..SIDE * SIDE {
                let along = (at % SIDE) as f64 * angle.cos() + (at / SIDE) as f64 * angle.sin();
                let stripe = 128.0 + 90.0 * weight * (along / period * 2.0 + phase).sin();
                pixels.push((stripe + noise * (random() - 0.5)).clamp(0.0, 255.0) as u8);
            }
        }
        labels.push(class as u16);
    }
    Ok(Subset::all(Images::of_shape(pixels, labels, [3, SIDE, SIDE])?))
}

fn measure(task: Task, runs: &Path) -> Result<Measured, Failure> {
    let Task { family, name, data, computes } = task;
    let [channels, height, width] = data.train.shape();
    let input = InputShape { channels, height, width, classes: data.classes.len() };
    let images = data.train.len();
    let validation = data.validation.len();
    let mut points: Vec<Point> = Vec::new();
    for compute in computes {
        let member = Member::of(images, compute);
        let variety = Variety::first(input, member.epochs);
        let study = member.study("member", input, images, variety);
        let (spec, curve) = train(study, input, &data, runs)?;
        let compute = training_flops(&spec, images, member.epochs) / base_compute(input, images);
        let error = 1.0 - best(&curve);
        eprintln!("{family}, {name}, {images} images: {member:?}, error {:.2} %", error * 100.0);
        points.push(Point { compute, member, curve, spec, error });
    }
    let mut varied = Vec::new();
    for member in points.iter().map(|point| point.member).filter(|member| member.epochs > 3) {
        let mut errors = [0.0; 4];
        let mut mirror_cost = None;
        let forms = [Variety::Plain, Variety::Moved, Variety::Dropped, Variety::Moved];
        for (at, variety) in forms.into_iter().enumerate() {
            let mut study = member.study("member", input, images, variety);
            study.train.augment.flip = at == 3;
            let curve = train(study, input, &data, runs)?.1;
            errors[at] = 1.0 - best(&curve);
            if at == 1 {
                let probe = curve.iter().rev().find_map(|epoch| epoch.probe.as_ref());
                mirror_cost = probe.and_then(|probe| probe.mirror_cost);
            }
        }
        eprintln!("{family}, {name}: {member:?} varied: {errors:.4?}, {mirror_cost:?}");
        varied.push(Varied { member, errors, mirror_cost });
    }
    // A network of another form, at a constant rate, of about the compute of C₀.
    let epochs = Member::of(images, 1.0).epochs;
    let layers = vec![
        Layer::Conv(Conv::same(6, 5)),
        Layer::MaxPool(Pool::of(2)),
        Layer::Conv(Conv::same(16, 5)),
        Layer::MaxPool(Pool::of(2)),
    ];
    let mut study = StudyFile::new("lenet", layers);
    study.train.epochs = epochs;
    let (spec, curve) = train(study, input, &data, runs)?;
    let compute = training_flops(&spec, images, epochs) / base_compute(input, images);
    let lenet =
        line(&points).map(|[a, alpha]| (1.0 - best(&curve)).ln() - (a - alpha * compute.ln()));
    let sample = sampled(input, &data)?;
    Ok(Measured { family, name, input, images, validation, points, lenet, varied, sample })
}

/// Stops after the first epoch, and keeps what was measured with it.
#[derive(Default)]
struct FirstEpoch {
    sample: Option<serde_json::Value>,
}

impl Watch for FirstEpoch {
    fn step(&mut self, _progress: &StepProgress) -> Flow {
        Flow::Continue
    }

    fn samples_data(&self) -> bool {
        true
    }

    fn epoch(&mut self, record: &EpochRecord) -> Result<Flow, WatchError> {
        self.sample = serde_json::to_value(&record.probe)?.get("sample").cloned();
        Ok(Flow::Stop)
    }

    fn wants_checkpoint(&mut self, _progress: &StepProgress) -> bool {
        false
    }

    fn checkpoint(&mut self, _state: &TrainState) -> Result<(), WatchError> {
        Ok(())
    }
}

/// Compute, as a multiple of C₀, and error of the sample of a task.
fn sampled(input: InputShape, data: &Dataset) -> Result<Option<[f64; 2]>, Failure> {
    let mut study = StudyFile::new("seedling", vec![Layer::MaxPool(Pool::of(4))]);
    study.gate.accuracy = 1.0;
    let spec = Spec::new(study, input)?;
    let device = DeviceChoice::Cpu.open()?;
    let setup =
        TrainingSetup { spec: &spec, data, device: &device, trial: 1, profiling: Profiling::Off };
    let mut watch = FirstEpoch::default();
    burgeon::train::train(setup, TrainState::start(Weights::initial(&spec, 1)), &mut watch)?;
    let figure = |name: &str| watch.sample.as_ref()?.get(name)?.as_f64();
    let base = base_compute(input, data.train.len());
    Ok(figure("flops").zip(figure("score")).map(|(flops, score)| [flops / base, 1.0 - score]))
}

fn train(
    mut study: StudyFile,
    input: InputShape,
    data: &Dataset,
    runs: &Path,
) -> Result<(Spec, Vec<EpochRecord>), Failure> {
    study.gate.accuracy = 0.9;
    let spec = Spec::new(study.clone(), input)?;
    let settings = Settings {
        runs: runs.into(),
        growth: Growth::Off,
        threads: Some(1),
        ..Settings::default()
    };
    let launch = Launch::new(study).named_data("a task", data.clone()).settings(settings);
    match launch.run()? {
        Ended::Finished(finished) => {
            Ok((spec, finished.trials.into_iter().next().ok_or("no trial")?.curve))
        }
        Ended::Stopped(stopped) => Err(format!("stopped by {}", stopped.reason.name()).into()),
    }
}

fn best(curve: &[EpochRecord]) -> f64 {
    curve.iter().map(|epoch| epoch.validation_accuracy).fold(0.0, f64::max)
}

fn print_table(measured: &[Measured]) {
    println!("| data | task | images | classes | side | channels | w, epochs | C / C₀ | error |");
    println!("| --- | --- | ---: | ---: | ---: | ---: | --- | ---: | ---: |");
    for task in measured {
        for point in &task.points {
            println!(
                "| {} | {} | {} | {} | {} | {} | {}, {} | {:.2} | {:.2} % |",
                task.family,
                task.name,
                task.images,
                task.input.classes,
                task.input.height,
                task.input.channels,
                point.member.width,
                point.member.epochs,
                point.compute,
                point.error * 100.0
            );
        }
    }
}

/// ln e = a − α·ln(C / C₀) through the points: a and α.
fn line(points: &[Point]) -> Option<[f64; 2]> {
    // Errors that can be counted on the fingers say nothing of a power.
    let points = || points.iter().filter(|point| point.error > 4e-3);
    let xy: Vec<[f64; 2]> = points().map(|point| [point.compute.ln(), point.log_error()]).collect();
    let n = xy.len() as f64;
    let mean = |axis: usize| xy.iter().map(|point| point[axis]).sum::<f64>() / n;
    let (x, y) = (mean(0), mean(1));
    let slope = xy.iter().map(|point| (point[0] - x) * (point[1] - y)).sum::<f64>()
        / xy.iter().map(|point| (point[0] - x).powi(2)).sum::<f64>();
    (xy.len() > 1).then_some([y - slope * x, -slope])
}

fn mean_and_deviation(values: &[f64]) -> [f64; 2] {
    let n = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    [mean, (squares / (n - 1.0).max(1.0)).sqrt()]
}

fn print_exponents(measured: &[Measured]) {
    println!("\n| data | task | error at C₀ | α | residual | sampling alone |");
    println!("| --- | --- | ---: | ---: | ---: | ---: |");
    let mut alphas = Vec::new();
    let (mut off, mut well_measured) = (Vec::new(), Vec::new());
    for task in measured {
        let Some([a, alpha]) = line(&task.points) else { continue };
        let residuals: Vec<f64> = task
            .points
            .iter()
            .map(|point| point.log_error() - (a - alpha * point.compute.ln()))
            .collect();
        let squares: f64 = residuals.iter().map(|residual| residual * residual).sum();
        let freedom = task.points.len().saturating_sub(2).max(1) as f64;
        let deviation = (squares / freedom).sqrt();
        let of_point = |point: &Point| (1.0 - point.error) / point.error.max(1e-3);
        let variance: f64 = task.points.iter().map(of_point).sum::<f64>()
            / (task.points.len().max(1) * task.validation) as f64;
        let sampling = variance.sqrt();
        println!(
            "| {} | {} | {:.1} % | {alpha:.2} | {deviation:.2} | {sampling:.2} |",
            task.family,
            task.name,
            a.exp() * 100.0
        );
        alphas.push(alpha);
        off.push(deviation);
        if sampling < 0.1 {
            well_measured.push(deviation);
        }
    }
    let [mean, deviation] = mean_and_deviation(&alphas);
    let root_mean_square = |of: &[f64]| {
        (of.iter().map(|value| value * value).sum::<f64>() / of.len().max(1) as f64).sqrt()
    };
    let (off, least) = (root_mean_square(&off), root_mean_square(&well_measured));
    println!(
        "\nα: {mean:.2} ± {deviation:.2}; points lie {off:.2} from their line (root mean square of ln e), {least:.2} where so many validation images are wrong that sampling alone makes less than 0.1."
    );
    for family in families(measured) {
        let others: Vec<f64> = measured
            .iter()
            .filter(|task| task.family != family)
            .filter_map(|task| line(&task.points).map(|[_, alpha]| alpha))
            .collect();
        let [mean, deviation] = mean_and_deviation(&others);
        println!("Without {family}: {mean:.2} ± {deviation:.2}.");
    }
}

fn families(measured: &[Measured]) -> Vec<&str> {
    let mut families: Vec<&str> = measured.iter().map(|task| task.family.as_str()).collect();
    families.dedup();
    families
}

/// What is known of a task before training: 1, whether its images are in colour, ln of images by 10,000, and ln of
/// classes by 10.
fn known(task: &Measured) -> [f64; 4] {
    [
        1.0,
        f64::from(u8::from(task.input.channels > 1)),
        (task.images as f64 / 10_000.0).ln(),
        (task.input.classes as f64 / 10.0).ln(),
    ]
}

fn print_rule(measured: &[Measured]) {
    println!(
        "\nln error at C₀ = b₀ + b₁·[colour] + b₂·ln(images / 10,000) + b₃·ln(classes / 10):\n"
    );
    let all: Vec<&Measured> = measured.iter().collect();
    println!("all: {:.2?}", fitted(&all));
    let mut misses = Vec::new();
    for family in families(measured) {
        let others: Vec<&Measured> =
            all.iter().copied().filter(|task| task.family != family).collect();
        let rule = fitted(&others);
        for task in all.iter().filter(|task| task.family == family) {
            let Some([a, _]) = line(&task.points) else { continue };
            let said: f64 = known(task).iter().zip(rule).map(|(x, b)| x * b).sum();
            misses.push(a - said);
            println!(
                "{family}, {}: {:.1} % measured, {:.1} % predicted from the others",
                task.name,
                a.exp() * 100.0,
                said.exp() * 100.0
            );
        }
    }
    let squares: f64 = misses.iter().map(|miss| miss * miss).sum();
    println!(
        "\nmisses by {:.2} (root mean square of ln e), families left out.",
        (squares / misses.len().max(1) as f64).sqrt()
    );
}

/// α through a sample and the members of its task, as least squares weigh them.
fn alpha_from_sample(task: &Measured) -> Option<[f64; 2]> {
    let [compute, error] = task.sample?;
    let points = task.points.iter().filter(|point| point.compute > 2.0 * compute);
    let steps: Vec<[f64; 2]> = points
        .map(|point| [(point.compute / compute).ln(), error.ln() - point.log_error()])
        .collect();
    let squares: f64 = steps.iter().map(|[x, _]| x * x).sum();
    let alpha = steps.iter().map(|[x, y]| x * y).sum::<f64>() / squares;
    (error > 4e-3 && !steps.is_empty()).then_some([error.ln(), alpha])
}

fn line_through(points: &[[f64; 2]]) -> [f64; 2] {
    let n = points.len().max(1) as f64;
    let [x, y] = [0, 1].map(|axis| points.iter().map(|point| point[axis]).sum::<f64>() / n);
    let slope = points.iter().map(|point| (point[0] - x) * (point[1] - y)).sum::<f64>()
        / points.iter().map(|point| (point[0] - x).powi(2)).sum::<f64>();
    [y - slope * x, slope]
}

fn print_samples(measured: &[Measured]) {
    println!(
        "\nThe sample: the narrowest member, trained for three hundred steps after the first epoch of a study; α through its error and those of the members above, and what the other families predict from its error e by α = b₀ + b₁·ln e:\n"
    );
    println!("| data | task | C / C₀ | error | α | predicted |");
    println!("| --- | --- | ---: | ---: | ---: | ---: |");
    let mut misses = Vec::new();
    let rule = |without: &str| {
        let tasks = measured.iter().filter(|task| task.family != without);
        line_through(&tasks.filter_map(alpha_from_sample).collect::<Vec<_>>())
    };
    for task in measured {
        let Some([log_error, alpha]) = alpha_from_sample(task) else { continue };
        let [b0, b1] = rule(&task.family);
        let said = b0 + b1 * log_error;
        misses.push((alpha - said).powi(2));
        let compute = task.sample.map_or(0.0, |[compute, _]| compute);
        println!(
            "| {} | {} | {compute:.2} | {:.1} % | {alpha:.2} | {said:.2} |",
            task.family,
            task.name,
            log_error.exp() * 100.0
        );
    }
    let miss = (misses.iter().sum::<f64>() / misses.len().max(1) as f64).sqrt();
    println!("\nall: {:.3?}; misses by {miss:.2} (root mean square), families left out.", rule(""));
}

/// Ridge regression, so that few families do not make wild rules.
fn fitted(tasks: &[&Measured]) -> [f64; 4] {
    let mut matrix = [[0.0; 5]; 4];
    for task in tasks {
        let Some([a, _]) = line(&task.points) else { continue };
        let x = known(task);
        for row in 0..4 {
            for column in 0..4 {
                matrix[row][column] += x[row] * x[column];
            }
            matrix[row][4] += x[row] * a;
        }
    }
    for (at, row) in matrix.iter_mut().enumerate().skip(1) {
        row[at] += 1.0;
    }
    for pivot in 0..4 {
        for row in 0..4 {
            if row != pivot {
                let factor = matrix[row][pivot] / matrix[pivot][pivot];
                let subtracted = matrix[pivot].map(|value| factor * value);
                for (value, less) in matrix[row].iter_mut().zip(subtracted) {
                    *value -= less;
                }
            }
        }
    }
    [0, 1, 2, 3].map(|row| matrix[row][4] / matrix[row][row])
}

fn print_other_forms(measured: &[Measured]) {
    let ratios: Vec<f64> = measured.iter().filter_map(|task| task.lenet).collect();
    let [mean, deviation] = mean_and_deviation(&ratios);
    println!(
        "\nA LeNet at a constant rate makes e^({mean:.2} ± {deviation:.2}) times the errors of a member of the same compute."
    );
}

/// What it is worth that images look different each time.
fn print_varied(measured: &[Measured]) {
    println!(
        "\nErrors with images that look different each time, and what mirrored validation images cost the network that was trained on moved ones:\n"
    );
    println!(
        "| data | task | images | w, epochs | as they are | moved | and dropout | moved and mirrored | cost |\n| --- | --- | ---: | --- | ---: | ---: | ---: | ---: | ---: |"
    );
    for task in measured {
        for Varied { member, errors, mirror_cost } in &task.varied {
            let errors = errors.map(|error| format!("{:.2} %", 100.0 * error)).join(" | ");
            let cost = mirror_cost.map_or("–".into(), |cost| format!("{:.1} %", 100.0 * cost));
            println!(
                "| {} | {} | {} | {}, {} | {errors} | {cost} |",
                task.family, task.name, task.images, member.width, member.epochs
            );
        }
    }
}

/// What is left, at the end of a cycle, of the errors that were made at some point of it.
fn print_settling(measured: &[Measured]) {
    println!(
        "\nErrors at the end as a share of those of the best epoch until then, by how far the cycle has come:\n"
    );
    println!(
        "| of the cycle | median | least of a hundred | trainings, epochs |\n| --- | ---: | ---: | ---: |"
    );
    for tenth in 3..10 {
        let mut shares = Vec::new();
        let mut trainings = 0;
        for point in measured.iter().flat_map(|task| &task.points) {
            let epochs = point.curve.len();
            let is_in = |&epoch: &usize| 10 * epoch / epochs == tenth && epoch >= 1;
            let before = shares.len();
            shares.extend((1..epochs).filter(is_in).map(|epoch| {
                point.error.max(1e-3) / (1.0 - best(&point.curve[..epoch])).max(1e-3)
            }));
            trainings += usize::from(shares.len() > before);
        }
        shares.sort_by(f64::total_cmp);
        let Some(&median) = shares.get(shares.len() / 2) else { continue };
        println!(
            "| {tenth}0 to {}0 % | {median:.2} | {:.2} | {trainings}, {} |",
            tenth + 1,
            shares[shares.len() / 100],
            shares.len()
        );
    }
}

/// How often a trial would have been given up that reached its gate in the end: the gate is what it reached.
fn print_given_up(measured: &[Measured]) {
    let (mut wrong, mut right, mut all) = (0, 0, 0);
    for point in measured.iter().flat_map(|task| &task.points) {
        let gives_up = |gate: f64| {
            let mut file = point.spec.file().clone();
            file.gate.accuracy = gate;
            let Ok(spec) = Spec::new(file, point.spec.input()) else { return false };
            (1..point.curve.len()).any(|epochs| {
                let curve = &point.curve[..epochs];
                let images: u64 = curve.iter().map(|epoch| epoch.images).sum();
                let steps = images as usize / spec.train().batch_size;
                let so_far = SoFar { curve, course: &[], accuracy: 0.0, steps };
                reason_to_prune(&spec, &so_far).is_some()
            })
        };
        let reached = 1.0 - point.error;
        all += 1;
        wrong += usize::from(gives_up(reached));
        right += usize::from(gives_up(1.0 - point.error / 3.0));
    }
    println!(
        "\nOf {all} trainings, {wrong} would have been given up although they reach their gate, and {right} of those that make three times the errors that theirs allows."
    );
    let validation: usize = measured.iter().map(|task| task.validation).sum();
    println!("Validation images: {validation}.");
}
