//! Tests of `cluster::attempts`.

use super::*;
use crate::record::Ending;
use crate::sys::simulated_disk::SimulatedDisk;

fn attempts() -> Attempts {
    let files = SimulatedDisk::default().share();
    let attempts = Attempts::in_folder(&files, "/run/trials/001/attempts");
    attempts.write_task(b"{}").unwrap();
    attempts
}

fn submit(attempts: &Attempts, number: u32) {
    let submission = Submission { name: format!("job {number}"), at: Timestamp::UNIX_EPOCH };
    attempts.begin(number, &submission, "#!/bin/sh\n").unwrap();
}

fn trained() -> End {
    End::Published(Outcome::Trained {
        curve: Vec::new(),
        ending: Ending::Completed,
        train_seconds: 1.5,
        images_per_second: 2.5,
    })
}

#[test]
fn every_attempt_gets_an_epoch_of_its_own_above_those_before_it() {
    let attempts = attempts();
    assert!(matches!(attempts.claim(None, &this_node()), Err(ClaimError::Nothing)));
    submit(&attempts, 1);
    let first = attempts.claim(Some(1), &this_node()).unwrap();
    let second = attempts.claim(Some(1), &this_node()).unwrap();
    submit(&attempts, 2);
    let third = attempts.claim(None, &this_node()).unwrap();
    let epochs = [&first, &second, &third].map(|claim| claim.attempt.epoch.to_string());
    assert_eq!(epochs, ["0001-01", "0001-02", "0002-01"]);
    let late = attempts.claim(Some(1), &this_node());
    assert!(matches!(late, Err(ClaimError::Replaced { submission: 1, last: 2 })));
    assert_eq!(attempts.runs_on(third.attempt.epoch).unwrap().pid, std::process::id());
}

#[test]
fn a_node_that_still_sees_an_earlier_listing_begins_a_later_submission() {
    let attempts = attempts();
    // Nothing of this trial is to be seen from there yet.
    let epoch = attempts.claim(Some(1), &this_node()).unwrap().attempt.epoch;
    assert_eq!(epoch.to_string(), "0001-01");
    submit(&attempts, 1);
    let claim = attempts.claim(Some(2), &this_node()).unwrap();
    assert_eq!(claim.attempt.epoch.to_string(), "0002-01");
    assert!(claim.is_newest());
}

#[test]
fn an_attempt_that_lost_its_epoch_publishes_nothing() {
    let attempts = attempts();
    submit(&attempts, 1);
    let old = attempts.claim(None, &this_node()).unwrap();
    assert!(old.is_newest());
    let new = attempts.claim(None, &this_node()).unwrap();
    assert!(!old.is_newest() && new.is_newest());
    assert_eq!(old.end(trained(), 1.0).unwrap(), End::Lost);
    assert_eq!(new.end(trained(), 1.0).unwrap(), trained());
    let ends = attempts.all().unwrap().into_iter().map(|attempt| attempt.end().unwrap().end);
    assert_eq!(ends.collect::<Vec<_>>(), [trained(), End::Lost]);
}

#[test]
fn a_later_submission_takes_the_epoch_before_its_job_begins() {
    let attempts = attempts();
    submit(&attempts, 1);
    let old = attempts.claim(None, &this_node()).unwrap();
    submit(&attempts, 2);
    assert!(!old.is_newest());
    assert_eq!(old.end(trained(), 1.0).unwrap(), End::Lost);
}

#[test]
fn claims_made_at_once_are_all_different() {
    let folder = tempfile::tempdir().unwrap();
    let files: Arc<dyn Files> = Arc::new(crate::sys::files::RealFiles);
    let attempts = Attempts::in_folder(&files, folder.path());
    submit(&attempts, 1);
    let epochs = std::thread::scope(|scope| {
        let claim = || attempts.claim(None, &this_node()).unwrap().attempt.epoch;
        let threads: Vec<_> = (0..16).map(|_| scope.spawn(claim)).collect();
        let epochs = threads.into_iter().map(|thread| thread.join().unwrap());
        epochs.collect::<std::collections::BTreeSet<_>>()
    });
    assert_eq!(epochs.len(), 16);
}

#[test]
fn files_of_other_names_are_left_out() {
    let attempts = attempts();
    submit(&attempts, 1);
    for name in ["submission-2.json", "claim-0001-1.json", "claim-x.json", "job-00001.json"] {
        attempts.write(name, &1).unwrap();
    }
    let listing = attempts.list().unwrap();
    assert_eq!(listing, Listing { submissions: vec![1], ..Listing::default() });
}
