//! Distinguishes errors by their kind, which tells what a program can do about them.
//!
//! `cargo run --profile quick --example errors_by_kind`

use burgeon::prelude::*;
use burgeon::spec::Source;

fn advice(error: &LaunchError) -> &'static str {
    match error.kind() {
        Kind::NoSpace => "free space on the disk, then resume",
        Kind::Locked => "another process works on this run",
        Kind::MissingData => "provide the images",
        Kind::BadStudy => "correct the study file",
        Kind::NotARun => "give a run folder",
        _ => "read the message",
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runs = tempfile::tempdir()?;
    let mut lost = StudyFile::new("lost", vec![Layer::Dense(Dense::of(8))]);
    lost.data.source = Source::Idx;
    lost.data.path = Some(runs.path().join("nowhere"));
    let wrong = StudyDocument::new("wrong.toml", "name = 3");
    for failed in [
        Launch::new(lost).runs(runs.path()).run(),
        Launch::new(wrong).runs(runs.path()).run(),
        Launch::default().resume(runs.path()),
    ] {
        let error = failed.err().ok_or("it should have failed")?;
        println!("{:?}: {} ({error})", error.kind(), advice(&error));
    }
    Ok(())
}
