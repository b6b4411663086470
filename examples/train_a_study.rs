//! Trains a study from its file, and prints each epoch.
//!
//! `cargo run --profile quick --example train_a_study -- models/single-conv.toml`

use burgeon::record::EpochRecord;
use burgeon::spec::StudyDocument;
use burgeon::study::StopFlag;
use burgeon::study::{Ended, Launch, LaunchListener, Listener};

struct Narrator;

impl Listener for Narrator {
    fn epoch(&mut self, trial: u32, record: &EpochRecord) {
        let accuracy = record.validation_accuracy * 100.0;
        println!("trial {trial}, epoch {}: {accuracy:.2} % on validation images", record.epoch);
    }
}

impl LaunchListener for Narrator {}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).unwrap_or_else(|| "models/single-conv.toml".into());
    let study = StudyDocument::new(path.as_str(), std::fs::read_to_string(&path)?);
    let stop = StopFlag::on_signals()?;
    match Launch::new(study).listener(&mut Narrator).stop(&stop).run()? {
        Ended::Finished(finished) => {
            println!("{:?}: see {}", finished.result.outcome, finished.run.display())
        }
        Ended::Stopped(stopped) => println!("stopped by {}", stopped.reason.name()),
    }
    Ok(())
}
