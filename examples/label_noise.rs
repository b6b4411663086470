//! Measures how wrong labels show: where growth's rule for them comes from.
//!
//! `cargo run --profile quick --example label_noise -- IMAGES MNIST > docs/label-noise.md` draws a share of the labels of
//! every data set that it finds anew (those of `examples/growth_prior.rs`), trains a small and a larger member of the
//! plain family on it, and prints the errors among the validation images, the surest quarter of its answers first.

use std::path::PathBuf;

use burgeon::data::{Dataset, Images, Subset};
use burgeon::spec::{Amount, InputShape, Size, Source};
use burgeon::study::{Ended, Launch, Settings};
use burgeon::unstable::data::{DataRequest, load};
use burgeon::unstable::study::Growth;
use burgeon::unstable::tune::{Member, Variety, label_floor};

type Failure = Box<dyn std::error::Error>;

const HEADER: &str = "\
# Growth with wrong labels

A network is unsure of hard images; wrong labels fall on images that it is sure of as often as on others. Growth takes
the share of errors among the quarter of the validation images of which a member of the plain family is surest for wrong
labels where the next quarter shows at most one and a half times as many, and the network makes at most half the errors
of guessing (`crates/core/src/tune/label_noise.rs`). Where these alone are more than a gate allows, it is said to be out of reach.
The half was set by the rows of CIFAR-10 and trashnet, which therefore say nothing of how well it holds elsewhere.

`cargo run --profile quick --example label_noise -- IMAGES MNIST > docs/label-noise.md` makes this page again. \"Redrawn\" is the
share of labels, of training and validation images alike, that are drawn anew at random; \"wrong\" how many of those differ
from before. The columns 1 to 4 are the errors by quarters of confidence. One seed.

| data | redrawn | wrong | C / C₀ | error | 1 | 2 | 3 | 4 | wrong labels, growth says |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |";

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let images = arguments.next().unwrap_or("data/images".into());
    let mnist = arguments.next().unwrap_or("data".into());
    let sources: [(&str, Source, PathBuf); 6] = [
        ("drawn digits", Source::Synthetic, PathBuf::new()),
        ("MNIST", Source::Idx, mnist),
        ("Fashion-MNIST", Source::Idx, images.join("fashion-mnist")),
        ("Quick-Draw", Source::Idx, images.join("quickdraw-6x3000")),
        ("CIFAR-10", Source::Cifar, images.join("cifar10-lossless4000")),
        ("trashnet", Source::Folder, images.join("trashnet")),
    ];
    println!("{HEADER}");
    for (name, source, path) in sources {
        if source != Source::Synthetic && !path.exists() {
            eprintln!("{name}: left out, as there is no {}", path.display());
            continue;
        }
        let mut request = DataRequest::synthetic(7);
        (request.source, request.path) = (source, Some(path));
        request.validation = Some(Amount::Share(0.25));
        request.framing.size = (source == Source::Folder).then_some(Size { height: 32, width: 32 });
        if source == Source::Synthetic {
            (request.validation, request.train) = (Some(Amount::Count(2000)), Some(12_000));
        }
        let data = load(&request, &mut |_| ())?.dataset;
        for share in [0.0, 0.05, 0.2] {
            let (noisy, wrong) = with_wrong_labels(&data, share)?;
            for compute in [0.25, 4.0] {
                print_row(name, share, wrong, compute, &noisy)?;
            }
        }
    }
    Ok(())
}

/// At most 12,000 training images and 3,000 of validation, of which this share has labels drawn anew; and the share of
/// validation labels that differ.
fn with_wrong_labels(data: &Dataset, share: f64) -> Result<(Dataset, f64), Failure> {
    let classes = data.classes.len();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let mut redrawn = |subset: &Subset, most: usize| -> Result<(Subset, f64), Failure> {
        let count = subset.len().min(most);
        let (mut pixels, mut labels, mut wrong) = (Vec::new(), Vec::new(), 0);
        for at in 0..count {
            // From all over the set, as some are in the order of their classes.
            let position = at * subset.len() / count;
            let label = subset.label(position);
            let given = if random() < share { (random() * classes as f64) as u16 } else { label };
            wrong += usize::from(given != label);
            pixels.extend_from_slice(subset.image(position));
            labels.push(given);
        }
        let images = Images::of_shape(pixels, labels, subset.shape())?;
        Ok((Subset::all(images), wrong as f64 / count as f64))
    };
    let (train, _) = redrawn(&data.train, 12_000)?;
    let (validation, wrong) = redrawn(&data.validation, 3000)?;
    Ok((Dataset::new(train, validation, data.test.clone(), classes)?, wrong))
}

fn print_row(
    name: &str,
    share: f64,
    wrong: f64,
    compute: f64,
    data: &Dataset,
) -> Result<(), Failure> {
    let [channels, height, width] = data.train.shape();
    let input = InputShape { channels, height, width, classes: data.classes.len() };
    let images = data.train.len();
    let member = Member::of(images, compute);
    let mut study = member.study("member", input, images, Variety::first(input, member.epochs));
    study.gate.accuracy = 0.95;
    let runs = tempfile::tempdir()?;
    let settings =
        Settings { runs: runs.path().into(), growth: Growth::Off, ..Settings::default() };
    let launch = Launch::new(study).named_data("a task", data.clone()).settings(settings);
    let Ended::Finished(finished) = launch.run()? else { return Err("stopped".into()) };
    let trial = finished.trials.first().ok_or("no trial")?;
    let groups = trial.probe().map(|probe| probe.by_confidence.clone()).unwrap_or_default();
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    let shares = groups.iter().map(|group| group.wrong as f64 / group.images.max(1) as f64);
    let quarters: Vec<String> = shares.map(percent).collect();
    let said = label_floor(trial, 0.05).map_or("none".to_owned(), percent);
    println!(
        "| {name} | {} | {} | {compute} | {} | {} | {said} |",
        percent(share),
        percent(wrong),
        percent(1.0 - trial.accuracy()),
        quarters.join(" | ")
    );
    Ok(())
}
