//! Tests of `ledger::ends`.

use jiff::Timestamp;

use super::*;
use crate::ledger::event::samples_tests as samples;
use crate::ledger::parse::parse_events;

fn lines(events: impl IntoIterator<Item = Event>) -> Vec<String> {
    let at = Timestamp::UNIX_EPOCH;
    let line = |event| Recorded { at, event }.to_line().unwrap() + "\n";
    events.into_iter().map(line).collect()
}

fn ends(log: &str, judge: impl FnMut(&Event) -> Enough) -> Option<LogEnds> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    std::fs::write(&path, log).unwrap();
    read_ends(&path, judge).unwrap()
}

fn epochs(count: u32) -> Vec<Event> {
    let started = samples::all().remove(0);
    [started].into_iter().chain((1..=count).map(|epoch| samples::epoch(1, epoch, 0.5))).collect()
}

#[test]
fn read_to_its_start_a_log_is_what_a_parser_of_all_of_it_finds() {
    // Of less than a piece, and of many.
    for count in [0, 1, 5, 2_000] {
        let log = lines(epochs(count)).concat();
        for torn in ["", "{\"v\":1,\"event\":\"epo", "not an event\n"] {
            let log = format!("{log}{torn}");
            let LogEnds { first, last } = ends(&log, |_| Enough::No).unwrap();
            let read: Vec<Recorded> = [first].into_iter().chain(last).collect();
            assert_eq!(read, parse_events(log.as_bytes()).unwrap().records, "{count} {torn:?}");
        }
    }
}

#[test]
fn no_more_is_read_than_is_asked_for() {
    let mut log = lines(epochs(2_000));
    // Nobody gets there, so nobody minds.
    log[1_000] = "damaged\n".into();
    let mut judged = Vec::new();
    let found = ends(&log.concat(), |event| {
        judged.push(event.clone());
        if judged.len() == 3 { Enough::Yes } else { Enough::No }
    });
    let last = found.unwrap().last.into_iter().map(|recorded| recorded.event);
    let expected = [1998, 1999, 2000].map(|epoch| samples::epoch(1, epoch, 0.5));
    assert_eq!(last.collect::<Vec<_>>(), expected);
    judged.reverse();
    assert_eq!(judged, expected);
    assert_eq!(ends(&log.concat(), |_| Enough::No), None, "it is for a reader of the whole log");
}

#[test]
fn what_is_no_log_has_no_ends() {
    let long = "x".repeat(3 * LINE_LIMIT_BYTES);
    let first = lines(epochs(0)).concat();
    for log in ["", "\n", "half a line", &long, &format!("{first}{long}"), "{}\n{}\n"] {
        assert_eq!(ends(log, |_| Enough::No), None, "{}", &log[..log.len().min(20)]);
    }
    assert_eq!(ends(&first, |_| Enough::NeedsAll), None);
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(
        read_ends(folder.path(), |_| Enough::No),
        Err(LedgerError::File(FileError::NotAFile { .. }))
    ));
}
