//! Tests of `chain::work`.

use super::*;
use crate::chain::Config;
use crate::chain::store::{BuildRequest, Cause};

fn chain(folder: &std::path::Path) -> Arc<Chain> {
    let text = "[[repository]]\nname = \"digits\"\nurl = \"/nowhere.git\"\n";
    let config = Config::parse(std::path::Path::new("server.toml"), folder, text).unwrap();
    Arc::new(Chain::open(config, "/nowhere/burgeon".into()).unwrap())
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let since = Instant::now();
    while !is_so() {
        assert!(since.elapsed() < Duration::from_secs(60), "{what}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn malfunctions(chain: &Chain, after: Duration) -> Vec<(Part, Malfunction)> {
    let troubles = chain.health.troubles(Instant::now() + after);
    troubles.iter().map(|trouble| (trouble.part, trouble.malfunction)).collect()
}

#[test]
fn a_thread_that_dies_is_shown_and_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    let chain = chain(folder.path());
    let mut starts = 0;
    let began = Instant::now();
    chain.keep_at(Part::Poll, || {
        starts += 1;
        match starts {
            1 => panic!("meant: a thread dies"),
            2 => {
                assert_eq!(malfunctions(&chain, Duration::ZERO), [(Part::Poll, Malfunction::Dead)]);
                chain.health.report_success(Part::Poll);
                Ok(())
            }
            _ => unreachable!(),
        }
    });
    assert!(starts == 2 && began.elapsed() >= PAUSE_MIN);
    assert_eq!(malfunctions(&chain, Duration::ZERO), []);
}

#[test]
fn a_record_that_cannot_be_read_is_shown_and_work_goes_on_when_it_can() {
    let folder = tempfile::tempdir().unwrap();
    let chain = chain(folder.path());
    let other = rusqlite::Connection::open(chain.places.database()).unwrap();
    let working = Arc::clone(&chain);
    let work = thread::spawn(move || working.work());
    until("it is well", || malfunctions(&chain, Duration::ZERO).is_empty());
    other.execute("ALTER TABLE build RENAME TO gone", []).unwrap();
    chain.wake();
    until("it is shown", || {
        malfunctions(&chain, Duration::ZERO).contains(&(Part::Builds, Malfunction::Failing))
    });
    let troubles = chain.health.troubles(Instant::now());
    assert!(troubles[0].sentence().contains("no such table"), "{troubles:?}");
    other.execute("ALTER TABLE gone RENAME TO build", []).unwrap();
    until("it is well again", || malfunctions(&chain, Duration::ZERO).is_empty());
    let asked =
        BuildRequest { repository: "digits", branch: "main", commit: "", cause: Cause::Asked };
    chain.store.enqueue(asked).unwrap();
    chain.wake();
    until("a build is taken", || {
        let build = chain.store.build(1).unwrap().unwrap();
        build.verdict == Some(Verdict::Failed)
    });
    chain.stop();
    work.join().unwrap().unwrap();
}

#[test]
fn a_worker_that_stalls_is_seen_within_a_minute() {
    let folder = tempfile::tempdir().unwrap();
    let chain = chain(folder.path());
    let working = Arc::clone(&chain);
    let work = thread::spawn(move || working.work());
    until("it is well", || chain.health.knows(Part::Builds));
    // As a disk does that no longer answers.
    let held = chain.store.hold();
    let since = Instant::now();
    thread::sleep(Duration::from_millis(1500));
    let later = Duration::from_secs(60).saturating_sub(since.elapsed());
    assert!(malfunctions(&chain, later).contains(&(Part::Builds, Malfunction::Stuck)));
    drop(held);
    until("it goes on", || {
        !malfunctions(&chain, Duration::from_secs(30)).contains(&(Part::Builds, Malfunction::Stuck))
    });
    chain.stop();
    work.join().unwrap().unwrap();
}

#[test]
fn a_build_waits_while_a_retraining_has_its_turn() {
    let folder = tempfile::tempdir().unwrap();
    let chain = chain(folder.path());
    let retraining = Turn::take(&chain.places.turns(), 1).unwrap();
    assert!(retraining.is_some());
    let asked =
        BuildRequest { repository: "digits", branch: "main", commit: "", cause: Cause::Asked };
    chain.store.enqueue(asked).unwrap();
    let working = Arc::clone(&chain);
    let work = thread::spawn(move || working.work());
    until("it is well", || chain.health.knows(Part::Builds));
    thread::sleep(Duration::from_millis(1500));
    assert_eq!(chain.store.build(1).unwrap().unwrap().starts, 0);
    drop(retraining);
    until("a build is taken", || {
        let build = chain.store.build(1).unwrap().unwrap();
        build.verdict == Some(Verdict::Failed)
    });
    chain.stop();
    work.join().unwrap().unwrap();
    // It has given its turn back.
    assert!(Turn::take(&chain.places.turns(), 1).unwrap().is_some());
}

#[test]
fn a_build_that_is_cancelled_just_before_it_would_start_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let chain = chain(folder.path());
    let asked =
        BuildRequest { repository: "digits", branch: "main", commit: "", cause: Cause::Asked };
    chain.store.enqueue(asked).unwrap();
    let row = chain.store.startable().unwrap().remove(0);
    assert!(chain.store.ask_to_stop(row.id).unwrap());
    let turn = Turn::take(&chain.places.turns(), 1).unwrap().unwrap();
    assert!(chain.spawn(row, turn).unwrap().is_none());
    let build = chain.store.build(1).unwrap().unwrap();
    assert_eq!((build.verdict, build.starts), (Some(Verdict::Cancelled), 0));
    assert!(chain.store.stages(1).unwrap().is_empty());
}
