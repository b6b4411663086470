//! Runs a study with your own policy, here one that always widens the hidden layer.
//!
//! `cargo run --profile quick --example own_policy`

use burgeon::prelude::*;

struct Widen;

impl Policy for Widen {
    fn propose(&self, history: &[TrialRecord], running: &[Proposal]) -> Option<Proposal> {
        if !running.is_empty() {
            return None;
        }
        let edits = vec![Edit::Widen { layer: 0, width: 4 << history.len() }];
        Proposal::new(history.last()?, edits, "twice as wide", Inherit::Weights).ok()
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Noise cannot be classified, so no trial passes the gate, and all trials are used.
    let noise = |count: usize| {
        let pixels: Vec<u8> = (0..count * 64).map(|at| (at * 167 % 251) as u8).collect();
        Images::new(pixels, (0..count).map(|at| (at * 7 % 5 % 2) as u8).collect::<Vec<u8>>(), 8, 8)
    };
    let data = Dataset::new(noise(200)?, noise(50)?, noise(50)?, 2)?;
    let mut study = StudyFile::new("wider", vec![Layer::Dense(Dense::of(4))]);
    (study.train.epochs, study.tune.trials) = (1, 3);
    let runs = tempfile::tempdir()?;
    let ended = Launch::new(study).data(data).policy(Widen).runs(runs.path()).run()?;
    if let Ended::Finished(finished) = ended {
        for trial in finished.trials {
            println!("trial {}: {} parameters", trial.trial, trial.spec.table().parameters());
        }
    }
    Ok(())
}
