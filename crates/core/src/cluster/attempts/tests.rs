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
fn every_attempt_gets_an_id_of_its_own_above_those_before_it() {
    let attempts = attempts();
    assert!(matches!(attempts.claim(None, &this_node()), Err(ClaimError::NotSubmitted)));
    submit(&attempts, 1);
    let first = attempts.claim(Some(1), &this_node()).unwrap();
    let second = attempts.claim(Some(1), &this_node()).unwrap();
    submit(&attempts, 2);
    let third = attempts.claim(None, &this_node()).unwrap();
    let ids = [&first, &second, &third].map(|claim| claim.attempt.id.to_string());
    assert_eq!(ids, ["0001-01", "0001-02", "0002-01"]);
    let late = attempts.claim(Some(1), &this_node());
    assert!(matches!(late, Err(ClaimError::Replaced { submission: 1, last: 2 })));
    assert_eq!(attempts.claimant(third.attempt.id).unwrap().pid, std::process::id());
}

#[test]
fn a_node_that_still_sees_an_earlier_listing_begins_a_later_submission() {
    let attempts = attempts();
    // Nothing of this trial is to be seen from there yet.
    let first = attempts.claim(Some(1), &this_node()).unwrap().attempt.id;
    assert_eq!(first.to_string(), "0001-01");
    submit(&attempts, 1);
    let claim = attempts.claim(Some(2), &this_node()).unwrap();
    assert_eq!(claim.attempt.id.to_string(), "0002-01");
    assert!(claim.is_newest().unwrap());
}

#[test]
fn an_attempt_that_was_superseded_publishes_nothing() {
    let attempts = attempts();
    submit(&attempts, 1);
    let old = attempts.claim(None, &this_node()).unwrap();
    assert!(old.is_newest().unwrap());
    let new = attempts.claim(None, &this_node()).unwrap();
    assert!(!old.is_newest().unwrap() && new.is_newest().unwrap());
    assert_eq!(old.end(trained(), 1.0).unwrap(), End::Superseded);
    assert_eq!(new.end(trained(), 1.0).unwrap(), trained());
    let ends =
        attempts.all().unwrap().into_iter().map(|attempt| attempt.end().unwrap().unwrap().end);
    assert_eq!(ends.collect::<Vec<_>>(), [trained(), End::Superseded]);
}

#[test]
fn a_later_submission_supersedes_attempts_before_its_job_begins() {
    let attempts = attempts();
    submit(&attempts, 1);
    let old = attempts.claim(None, &this_node()).unwrap();
    submit(&attempts, 2);
    assert!(!old.is_newest().unwrap());
    assert_eq!(old.end(trained(), 1.0).unwrap(), End::Superseded);
}

#[test]
fn claims_made_at_once_are_all_different() {
    let folder = tempfile::tempdir().unwrap();
    let files: Arc<dyn Files> = Arc::new(crate::sys::files::RealFiles);
    let attempts = Attempts::in_folder(&files, folder.path());
    submit(&attempts, 1);
    let ids = std::thread::scope(|scope| {
        let claim = || attempts.claim(None, &this_node()).unwrap().attempt.id;
        let threads: Vec<_> = (0..16).map(|_| scope.spawn(claim)).collect();
        let ids = threads.into_iter().map(|thread| thread.join().unwrap());
        ids.collect::<std::collections::BTreeSet<_>>()
    });
    assert_eq!(ids.len(), 16);
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

/// Puts a folder where a file was, so that it cannot be read, like a bad sector.
fn make_unreadable(attempts: &Attempts, name: &str) -> PathBuf {
    let path = attempts.folder.join(name);
    let _ = attempts.files.remove_file(&path);
    attempts.files.create_folders(&path).unwrap();
    path
}

#[test]
fn what_cannot_be_read_is_not_taken_for_missing() {
    let folder = tempfile::tempdir().unwrap();
    let files: Arc<dyn Files> = Arc::new(crate::sys::files::RealFiles);
    let attempts = Attempts::in_folder(&files, folder.path());
    submit(&attempts, 1);
    assert_eq!(attempts.job(1).unwrap(), None);
    assert_eq!(attempts.accepted().unwrap(), None);
    let claim = attempts.claim(None, &this_node()).unwrap();
    assert_eq!(claim.attempt.end().unwrap(), None);
    for name in ["job-0001.json", "over-0001.json", "accepted.json", "submission-0001.json"] {
        make_unreadable(&attempts, name);
    }
    make_unreadable(&attempts, "0001-01/end.json");
    assert!(matches!(attempts.job(1), Err(ReadError::File(_))));
    assert!(matches!(attempts.failure(1), Err(ReadError::File(_))));
    assert!(matches!(attempts.accepted(), Err(ReadError::File(_))));
    assert!(matches!(attempts.submission(1), Err(ReadError::File(_))));
    assert!(matches!(claim.attempt.end(), Err(ReadError::File(_))));
}

#[test]
fn a_damaged_file_is_named_with_what_to_do() {
    let attempts = attempts();
    submit(&attempts, 1);
    let claim = attempts.claim(None, &this_node()).unwrap();
    claim.end(trained(), 1.0).unwrap();
    attempts.files.write_atomically(&claim.attempt.folder.join(END), b"{\"end\":\"lo").unwrap();
    let error = claim.attempt.end().unwrap_err().to_string();
    assert!(error.starts_with("/run/trials/001/attempts/0001-01/end.json is damaged: "), "{error}");
    assert!(error.ends_with("restore it, or remove it to train its trial again"), "{error}");
}

#[test]
fn a_submission_cut_short_by_a_crash_is_none_unless_its_job_was_confirmed() {
    let attempts = attempts();
    submit(&attempts, 1);
    let path = attempts.folder.join("submission-0001.json");
    attempts.files.write_atomically(&path, b"{\"name\":\"jo").unwrap();
    assert_eq!(attempts.submission(1).unwrap(), None);
    attempts.write_job(1, "7").unwrap();
    assert!(matches!(attempts.submission(1), Err(ReadError::Damaged { .. })));
}

#[test]
fn a_folder_that_cannot_be_listed_supersedes_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let files: Arc<dyn Files> = Arc::new(crate::sys::files::RealFiles);
    let place = folder.path().join("attempts");
    let attempts = Attempts::in_folder(&files, &place);
    attempts.write_task(b"{}").unwrap();
    submit(&attempts, 1);
    let claim = attempts.claim(None, &this_node()).unwrap();
    let aside = folder.path().join("aside");
    std::fs::rename(&place, &aside).unwrap();
    std::fs::write(&place, "not a folder").unwrap();
    assert!(claim.is_newest().is_err() && claim.is_asked_to_end().is_err());
    assert!(claim.end(trained(), 1.0).is_err());
    std::fs::remove_file(&place).unwrap();
    std::fs::rename(&aside, &place).unwrap();
    assert_eq!(claim.end(trained(), 1.0).unwrap(), trained());
}

#[test]
fn the_words_in_the_files_stay() {
    let text = |end: &End| serde_json::to_string(end).unwrap();
    assert_eq!(text(&End::Superseded), "\"lost\"");
    assert_eq!(serde_json::to_string(&RetryCause::NoProgress).unwrap(), "\"fruitless\"");
}
