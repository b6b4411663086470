//! Runs a hundred studies in one process, four at a time, each with its own thread and run folder.
//!
//! `cargo run --profile quick --example hundred_studies`

use burgeon::prelude::*;
use burgeon::study::Settings;

/// Images of 8×8 pixels, in which the left or the right half is white.
fn halves(count: usize) -> Result<Images, DataError> {
    let white = |at: usize| u8::from((at % 8 < 4) == (at / 64).is_multiple_of(2)) * 255;
    let pixels: Vec<u8> = (0..count * 64).map(white).collect();
    Images::new(pixels, [0_u8, 1].repeat(count / 2), 8, 8)
}

fn study(seed: u64) -> Result<f64, TrainerError> {
    let mut study = StudyFile::new("halves", vec![Layer::Dense(Dense::of(4))]);
    (study.train.seed, study.train.epochs, study.tune.trials) = (seed, 1, 1);
    let runs = tempfile::tempdir()?;
    let data = Dataset::new(halves(64)?, halves(20)?, halves(20)?, 2)?;
    let settings = Settings { threads: Some(1), runs: runs.path().into(), ..Settings::default() };
    let Ended::Finished(finished) = Launch::new(study).data(data).settings(settings).run()? else {
        return Err("no stop was requested".into());
    };
    Ok(finished.result.validation_accuracy)
}

fn main() -> Result<(), TrainerError> {
    let mut accuracies = Vec::new();
    for four in 0..25 {
        let run = |seed: u64| move || study(four * 4 + seed);
        let ended = std::thread::scope(|scope| {
            [0, 1, 2, 3].map(|seed| scope.spawn(run(seed))).map(|study| study.join())
        });
        for accuracy in ended {
            accuracies.push(accuracy.map_err(|_| "a study panicked")??);
        }
    }
    println!("{} studies", accuracies.len());
    Ok(())
}
