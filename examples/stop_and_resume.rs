//! Builds a study in code, stops it after an epoch, and resumes it in another launch.
//!
//! `cargo run --profile quick --example stop_and_resume`

use burgeon::prelude::*;
use burgeon::spec::{Amount, Source};

/// Requests a stop after the first epoch.
struct StopAfterAnEpoch(StopFlag);

impl Listener for StopAfterAnEpoch {
    fn epoch(&mut self, _trial: u32, record: &EpochRecord) {
        println!("epoch {} is done", record.epoch);
        self.0.request();
    }
}

impl LaunchListener for StopAfterAnEpoch {}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut study = StudyFile::new("digits", vec![Layer::Dense(Dense::of(16))]);
    study.data.source = Source::Synthetic;
    (study.data.train, study.data.validation) = (Some(1000), Some(Amount::Count(200)));
    (study.train.epochs, study.gate.accuracy, study.tune.trials) = (3, 0.5, 1);
    let runs = tempfile::tempdir()?;
    let stop = StopFlag::new();
    let mut listener = StopAfterAnEpoch(stop.clone());
    let launch = Launch::new(study).runs(runs.path()).listener(&mut listener).stop(&stop);
    let Ended::Stopped(stopped) = launch.run()? else {
        return Err("a stop was requested".into());
    };
    // The run folder has all that is needed: the study, the events, and the training state.
    let run = stopped.run.ok_or("an epoch was trained, so there is a run folder")?;
    let Ended::Finished(finished) = Launch::default().resume(&run)? else {
        return Err("no stop was requested".into());
    };
    let epochs = finished.trials[0].curve.len();
    println!("{:?} after {epochs} epochs", finished.result.outcome);
    if epochs == 3 { Ok(()) } else { Err("an epoch is missing".into()) }
}
