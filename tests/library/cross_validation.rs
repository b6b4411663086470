//! Cross-validation with real networks.

use burgeon::data::{Dataset, Images};
use burgeon::prelude::*;
use burgeon::unstable::sys::{CounterRng, Purpose, counter_seed};

const IMAGES: usize = 200;

/// Noise, with labels that have nothing to do with it.
fn noise(images: usize, seed: u64) -> Images {
    let mut rng = CounterRng::new(counter_seed(seed, 0, Purpose::SyntheticTrain, 0, 0));
    let pixels: Vec<u8> = (0..images * 64).map(|_| rng.below(256) as u8).collect();
    let labels: Vec<u8> = (0..images).map(|_| rng.below(2) as u8).collect();
    Images::new(pixels, labels, 8, 8).unwrap()
}

/// A second trial that trains an epoch more from the last state of the first, so that it knows what that one knew.
struct Heir;

impl Policy for Heir {
    fn propose(&self, history: &[TrialRecord], _: &[Proposal]) -> Option<Proposal> {
        let last = history.last()?;
        let edits = vec![Edit::AddEpochs { epochs: 1 }];
        Proposal::new(last, edits, "heir", Inherit::State).ok()
    }
}

#[test]
fn of_labels_that_mean_nothing_a_child_knows_nothing_either() {
    let mut study = StudyFile::new("noise", vec![Layer::Dense(Dense::of(256))]);
    (study.train.epochs, study.train.batch_size) = (30, 10);
    // Within reach of chance, so that every fold is measured, and not below it.
    (study.gate.accuracy, study.gate.folds) = (0.6, Some(4));
    study.tune.trials = 2;
    let data = Dataset::new(noise(IMAGES * 3 / 4, 1), noise(IMAGES / 4, 2), noise(20, 3), 2);
    let runs = tempfile::tempdir().unwrap();
    let launch = Launch::new(study).data(data.unwrap()).policy(Heir).runs(runs.path());
    let Ended::Finished(finished) = launch.run().unwrap() else { panic!("nobody asked to stop") };
    assert_eq!(finished.trials.len(), 2);
    for trial in &finished.trials {
        let last = trial.curve.last().unwrap();
        // It knows nearly all of the images by heart that it, or its parent, has seen.
        assert!(last.train_accuracy > 0.9, "{}", last.train_accuracy);
        let images: u64 = trial.folds.iter().map(|fold| fold.images).sum();
        assert!(trial.folds.len() >= 3 && images >= 140, "{:?}", trial.folds);
        let (right, seen) = trial
            .folds
            .iter()
            .filter(|fold| fold.fold > 1)
            .fold((0, 0), |(right, seen), fold| (right + fold.correct, seen + fold.images));
        // Four standard deviations; of images that it had seen, nearly all would be right.
        let deviation = 0.5 / (seen as f64).sqrt();
        let share = right as f64 / seen as f64;
        assert!((share - 0.5).abs() < 4.0 * deviation, "{right} of {seen}: {share}");
    }
}
