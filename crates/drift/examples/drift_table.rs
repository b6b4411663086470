//! What the detector finds of shifts that `shifts.py` made, how soon, and how often it is wrong on clean images.
//!
//! ```text
//! cargo run --profile quick -p burgeon-drift --example drift_table -- table FOLDER [DRAWS]
//! cargo run --profile quick -p burgeon-drift --example drift_table -- false-alarms FOLDER [RUN_TIME]
//! ```
#![expect(clippy::unwrap_used, reason = "a measurement may panic")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use burgeon_drift::{
    Comparison, Detector, PixelStats, Reference, ReferenceBuilder, Settings, Status,
};
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

const SHAPE: [usize; 3] = [1, 28, 28];
const CLASSES: usize = 10;

/// Images with what the model answers.
struct Answered {
    pixels: Vec<PixelStats>,
    probabilities: Vec<f32>,
    labels: Vec<u8>,
}

impl Answered {
    fn read(folder: &Path, name: &str) -> Self {
        let read = |kind: &str| std::fs::read(folder.join(format!("{name}.{kind}"))).unwrap();
        let stats = |image: &[u8]| PixelStats::of_bytes(image, SHAPE).unwrap();
        let value = |bytes: &[u8]| f32::from_le_bytes(bytes.try_into().unwrap());
        Self {
            pixels: read("pixels").chunks_exact(SHAPE.iter().product()).map(stats).collect(),
            probabilities: read("probabilities").chunks_exact(4).map(value).collect(),
            labels: read("labels"),
        }
    }

    fn row(&self, index: usize) -> &[f32] {
        &self.probabilities[index * CLASSES..][..CLASSES]
    }

    fn is_right(&self, index: usize) -> bool {
        let best = |best: usize, at: usize| {
            if self.row(index)[at] > self.row(index)[best] { at } else { best }
        };
        (0..CLASSES).fold(0, best) == usize::from(self.labels[index])
    }

    fn reference(&self, indices: &[usize]) -> Arc<Reference> {
        let mut builder = ReferenceBuilder::new(CLASSES).unwrap();
        for &index in indices {
            let label = Some(self.labels[index].into());
            builder.add(self.row(index), self.pixels[index].clone(), label).unwrap();
        }
        Arc::new(builder.finish().unwrap())
    }
}

/// Which images of the second half a shift of the classes' shares keeps, with its name.
type Prior = (&'static str, fn(u8, f64) -> bool);

const PRIORS: [Prior; 4] = [
    ("prior: no 0s", |label, _| label != 0),
    ("prior: no 1s", |label, _| label != 1),
    ("prior: half of the 1s", |label, draw| label != 1 || draw < 0.5),
    ("prior: half of 5 to 9", |label, draw| label < 5 || draw < 0.5),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [mode, folder, rest @ ..] = arguments.as_slice() else {
        eprintln!("give `table FOLDER [DRAWS]` or `false-alarms FOLDER [RUN_TIME]`");
        std::process::exit(2);
    };
    let number = |default: f64| rest.first().map_or(default, |text| text.parse().unwrap());
    match mode.as_str() {
        "table" => table(Path::new(folder), number(100.0) as u64),
        _ => false_alarms(Path::new(folder), number(Settings::default().run_time)),
    }
}

/// Shuffled halves of the images.
fn halves(images: usize, seed: u64) -> [Vec<usize>; 2] {
    let mut order: Vec<usize> = (0..images).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    let second = order.split_off(images / 2);
    [order, second]
}

fn table(folder: &Path, draws: u64) {
    let clean = Answered::read(folder, "none");
    let [first, second] = halves(clean.labels.len(), 0);
    let reference = clean.reference(&first);
    println!(
        "| shift | accuracy | ATC | DoC | 50 | 100 | 500 | 1,000 | found by, at 1,000 | named |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    let names = std::fs::read_to_string(folder.join("names.txt")).unwrap();
    for name in names.lines() {
        let shifted = Answered::read(folder, name);
        let indices: Vec<usize> =
            second.iter().copied().filter(|&at| at < shifted.labels.len()).collect();
        line(name, &shifted, &indices, &reference, draws);
    }
    let mut random = ChaCha8Rng::seed_from_u64(1);
    for (name, keeps) in PRIORS {
        let is_kept = |at: &usize| keeps(clean.labels[*at], random.random());
        let indices: Vec<usize> = second.iter().copied().filter(is_kept).collect();
        line(name, &clean, &indices, &reference, draws);
    }
}

/// The share of draws in which the images, in two windows, raise the alarm.
fn line(name: &str, shifted: &Answered, indices: &[usize], reference: &Arc<Reference>, draws: u64) {
    let percent = |share: f64| format!("{:.0}", share * 100.0);
    let right = indices.iter().filter(|at| shifted.is_right(**at)).count();
    let mut found = Vec::new();
    let (mut by, mut faults) = (BTreeMap::new(), BTreeMap::new());
    let mut estimates = [0.0; 2];
    for images in [50, 100, 500, 1000] {
        let settings = Settings { window: images / 2, ..Settings::default() };
        let mut alarms = 0;
        for draw in 0..draws {
            let mut order = indices.to_vec();
            order.shuffle(&mut ChaCha8Rng::seed_from_u64(draw));
            let mut detector = Detector::new(reference.clone(), settings).unwrap();
            for &at in &order[..images] {
                detector.observe(shifted.row(at), &shifted.pixels[at]).unwrap();
            }
            alarms += u64::from(detector.status() == Status::Alarm);
            if images == 1000 {
                let report = detector.history().last().unwrap();
                for finding in report.findings.iter().filter(|finding| finding.is_suspicious) {
                    *by.entry(word(finding.comparison)).or_insert(0) += 1;
                }
                for fault in &report.faults {
                    *faults.entry(format!("{:?}", fault.fault)).or_insert(0) += 1;
                }
                let estimate = report.accuracy.unwrap();
                estimates[0] += estimate.thresholded_confidence / draws as f64;
                estimates[1] += estimate.difference_of_confidences / draws as f64;
            }
        }
        found.push(percent(alarms as f64 / draws as f64));
    }
    let often = |counts: BTreeMap<String, u64>| {
        let often = counts.into_iter().filter(|(_, count)| count * 2 >= draws);
        often.map(|(word, _)| word).collect::<Vec<_>>().join(", ")
    };
    println!(
        "| {name} | {:.1} | {:.1} | {:.1} | {} | {} | {} |",
        100.0 * right as f64 / indices.len() as f64,
        100.0 * estimates[0],
        100.0 * estimates[1],
        found.join(" | "),
        often(by),
        often(faults)
    );
}

fn word(comparison: Comparison) -> String {
    format!("{comparison:?}").to_lowercase()
}

/// Alarms on clean images: the reference is one half, and windows come from the other, shuffled again and again.
fn false_alarms(folder: &Path, run_time: f64) {
    const SPLITS: u64 = 20;
    const PASSES: u64 = 50;
    let clean = Answered::read(folder, "none");
    let settings = Settings { run_time, ..Settings::default() };
    let (mut windows, mut suspicious, mut alarms) = (0, 0, 0);
    for split in 0..SPLITS {
        let [first, second] = halves(clean.labels.len(), 100 + split);
        let mut detector = Detector::new(clean.reference(&first), settings).unwrap();
        let mut own = 0;
        for pass in 0..PASSES {
            let mut order = second.clone();
            order.shuffle(&mut ChaCha8Rng::seed_from_u64(split << 32 | pass));
            for at in order {
                let report = detector.observe(clean.row(at), &clean.pixels[at]).unwrap();
                own += u64::from(report.is_some_and(|report| report.is_suspicious()));
            }
        }
        println!(
            "split {split}: {} windows, {own} suspicious, {} alarms",
            detector.windows(),
            detector.alarms()
        );
        windows += detector.windows();
        suspicious += own;
        alarms += detector.alarms();
    }
    println!(
        "all: {windows} windows, {suspicious} suspicious, {alarms} alarms; asked for one in {run_time}"
    );
}
