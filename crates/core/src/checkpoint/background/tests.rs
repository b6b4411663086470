//! Tests of `checkpoint::background`.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use super::*;
use crate::sys::faults::{Fault, FaultKind, FaultyFiles, OnCrash};
use crate::sys::fence::Fence;
use crate::sys::files::Files;
use crate::sys::simulated_disk::SimulatedDisk;

fn meta(epoch: u32) -> Meta {
    Meta {
        trial: 1,
        epoch,
        step: 0,
        spec_hash: String::new(),
        data_hash: String::new(),
        best: false,
        state: Value::Null,
    }
}

fn writer(files: Arc<dyn Files>) -> BackgroundWriter {
    let store = CheckpointStore::open(files, "/checkpoints", Fence::none()).unwrap();
    BackgroundWriter::new(store).unwrap()
}

fn parts() -> Vec<(String, Vec<u8>)> {
    vec![("weights.bpk".into(), vec![7; 1000])]
}

#[test]
fn every_checkpoint_handed_over_is_answered_once() {
    let mut writer = writer(SimulatedDisk::default().share());
    assert_eq!(writer.submit(meta(1), parts()).unwrap(), None);
    assert!(writer.is_busy());
    let first = writer.submit(meta(2), parts()).unwrap().unwrap();
    assert_eq!(first.place.epoch, 1);
    assert_eq!(writer.flush().unwrap().unwrap().place.epoch, 2);
    assert_eq!(writer.poll().unwrap(), None);
    writer.submit(meta(3), parts()).unwrap();
    let (last, mut store) = writer.finish().unwrap();
    assert_eq!(last.unwrap().place.epoch, 3);
    assert_eq!(store.newest_valid().unwrap().checkpoint.unwrap().meta.epoch, 3);
}

#[test]
fn an_error_shows_at_the_next_call_and_the_writer_goes_on() {
    let disk = SimulatedDisk::default();
    let fault = Fault { kind: FaultKind::Io, at: 6 };
    let faulty = FaultyFiles::new(disk.share(), fault, OnCrash::FailFromThenOn);
    let mut writer = writer(Arc::new(faulty));
    writer.submit(meta(1), parts()).unwrap();
    assert!(matches!(writer.submit(meta(2), parts()), Err(CheckpointError::Write { .. })));
    writer.submit(meta(3), parts()).unwrap();
    assert_eq!(writer.flush().unwrap().unwrap().place.epoch, 3);
}

#[test]
fn dropping_the_writer_finishes_the_checkpoint_in_flight() {
    let disk = SimulatedDisk::default();
    let mut writer = writer(disk.share());
    writer.submit(meta(1), parts()).unwrap();
    drop(writer);
    assert_eq!(disk.list(Path::new("/checkpoints")).unwrap(), ["e0001-s000000"]);
}
