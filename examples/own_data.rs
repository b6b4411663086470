//! Trains on your own images, stops, and resumes the run.
//!
//! `cargo run --profile quick --example own_data`

use burgeon::data::{DataError, Dataset, Images, Subset};
use burgeon::spec::{Dense, Layer, StudyFile};
use burgeon::study::StopFlag;
use burgeon::study::{Ended, Kind, Launch};

/// Images of 8×8 pixels, in which the left or the right half is white.
fn halves(count: usize) -> Result<Subset, DataError> {
    let labels: Vec<u8> = (0..count).map(|image| (image % 2) as u8).collect();
    let white = |image: usize, pixel: usize| (pixel % 8 < 4) == image.is_multiple_of(2);
    let pixels = (0..count * 64).map(|at| if white(at / 64, at % 64) { 255 } else { 0 });
    Ok(Subset::all(Images::new(pixels.collect::<Vec<u8>>(), labels, 8, 8)?))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let images = Dataset::new(halves(600)?, halves(100)?, halves(100)?, 2)?;
    let mut study = StudyFile::new("halves", vec![Layer::Dense(Dense::of(8))]);
    study.gate.accuracy = 0.95;
    let runs = tempfile::tempdir()?;
    let stop = StopFlag::new();
    stop.request();
    let launch = Launch::new(study).named_data("halves", images.clone());
    let Ended::Stopped(stopped) = launch.runs(runs.path()).stop(&stop).run()? else {
        return Err("a stop was requested".into());
    };
    let run = stopped.run.ok_or("own images need no loading, so there is a run folder")?;
    // The run cannot be resumed without its images.
    let error = Launch::default().resume(&run);
    assert!(matches!(error, Err(error) if error.kind() == Kind::MissingData));
    let launch = Launch::default().named_data("halves", images);
    if let Ended::Finished(finished) = launch.resume(&run)? {
        println!("{:?} on {:?}", finished.result, finished.data.map(|data| data.origin));
    }
    Ok(())
}
