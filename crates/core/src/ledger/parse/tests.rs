//! Tests of `ledger::parse`.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::ledger::event::samples_tests as samples;

fn recorded(event: Event) -> Recorded {
    Recorded { at: "2026-01-02T03:04:05.678Z".parse().unwrap(), event }
}

fn log(events: impl IntoIterator<Item = Event>) -> Vec<u8> {
    let lines = events.into_iter().map(|event| recorded(event).to_line().unwrap() + "\n");
    lines.collect::<String>().into_bytes()
}

#[test]
fn a_log_reads_the_same_in_pieces_of_any_size() {
    let lines = |count: u32| -> String {
        (1..=count)
            .map(|epoch| {
                let event = samples::epoch(1, epoch, 0.5);
                Recorded { at: Timestamp::UNIX_EPOCH, event }.to_line().unwrap() + "\n"
            })
            .collect()
    };
    let damaged_middle = format!("{}{{]\n{}", lines(2), lines(2));
    let logs = [lines(3), lines(3) + "{\"v\":1", lines(3) + "{]\n", String::new(), damaged_middle];
    for log in logs {
        let whole = parse_events(log.as_bytes());
        for size in [1, 7, 100, 1000, 100_000] {
            let pieces = parse_pieces::<LineError>(|offset| {
                Ok(log.bytes().skip(offset as usize).take(size).collect())
            });
            match (&whole, &pieces) {
                (Ok(whole), Ok(pieces)) => assert_eq!(whole, pieces, "{size}: {log}"),
                (Err(whole), Err(pieces)) => {
                    assert_eq!(whole.to_string(), pieces.to_string(), "{size}");
                }
                other => panic!("{size}: {other:?}"),
            }
        }
    }
}

#[test]
fn every_event_reads_back_as_written() {
    let events = samples::all();
    let parsed = parse_events(&log(events.clone())).unwrap();
    let found: Vec<_> = parsed.records.into_iter().map(|record| record.event).collect();
    assert_eq!(found, events);
    let mut names: Vec<_> = events.iter().map(Event::name).collect();
    let mut expected = Event::NAMES;
    names.sort_unstable();
    expected.sort_unstable();
    assert_eq!(names, expected, "the samples hold one of each");
}

#[test]
fn a_line_opens_with_version_name_and_time() {
    let line = recorded(samples::epoch(1, 2, 0.5)).to_line().unwrap();
    assert_eq!(
        line,
        r#"{"v":1,"event":"epoch_finished","at":"2026-01-02T03:04:05.678Z","trial":1,"epoch":2,"train_loss":0.5,"train_accuracy":0.9,"validation_loss":0.4,"validation_accuracy":0.91,"learning_rate":0.001,"seconds":8.0,"evaluation_seconds":0.25,"recalls":[{"right":91,"images":100}]}"#
    );
}

#[test]
fn a_loss_that_is_no_number_is_null_and_reads_back_as_nan() {
    for loss in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let bytes = log([samples::epoch(1, 1, loss)]);
        assert!(String::from_utf8_lossy(&bytes).contains("\"train_loss\":null"));
        let parsed = parse_events(&bytes).unwrap();
        match parsed.records[0].event {
            Event::EpochFinished { train_loss, .. } => assert!(train_loss.is_nan()),
            ref other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_log_cut_anywhere_keeps_every_whole_line() {
    let bytes = log(samples::all());
    for cut in 0..bytes.len() {
        let parsed = parse_events(&bytes[..cut]).unwrap();
        let whole = bytes[..cut].iter().filter(|&&byte| byte == b'\n').count();
        assert_eq!(parsed.records.len(), whole, "cut at {cut}");
        assert_eq!(parsed.whole_bytes + parsed.torn_bytes, cut);
    }
}

#[test]
fn a_last_line_of_rubbish_is_torn_even_with_a_newline() {
    let mut bytes = log(samples::all());
    let whole = bytes.len();
    bytes.extend_from_slice(b"\0\0\0\0\n");
    let parsed = parse_events(&bytes).unwrap();
    assert_eq!((parsed.whole_bytes, parsed.torn_bytes), (whole, 5));
}

#[test]
fn damage_before_the_last_line_is_refused_by_its_number() {
    let mut bytes = log(samples::all());
    let second = bytes.iter().position(|&byte| byte == b'\n').unwrap() + 1;
    bytes[second] = b'x';
    assert!(matches!(parse_events(&bytes), Err(LineError::Damaged { line: 2, .. })));
}

#[test]
fn what_is_json_but_no_event_is_refused() {
    for line in [
        "3",
        "{}",
        r#"{"v":0,"event":"x","at":"2026-01-02T03:04:05Z"}"#,
        r#"{"v":1,"event":"x","at":"yesterday"}"#,
        r#"{"v":1,"event":"trial_resumed","at":"2026-01-02T03:04:05Z","trial":-1}"#,
    ] {
        let error = parse_events(format!("{line}\n").as_bytes()).unwrap_err();
        assert!(matches!(error, LineError::NotAnEvent { line: 1, .. }), "{line}");
    }
}

#[test]
fn events_of_newer_versions_are_kept_as_they_are() {
    let newer = "{\"v\":1,\"event\":\"moon_rose\",\"at\":\"2026-01-02T03:04:05.678Z\",\"a\":[1]}\n\
                     {\"v\":2,\"event\":\"trial_resumed\",\"at\":\"2026-01-02T03:04:05.678Z\",\"b\":2}\n";
    let parsed = parse_events(newer.as_bytes()).unwrap();
    let fields = [("a".to_owned(), json!([1]))].into_iter().collect();
    let unknown = Event::Unknown { version: 1, name: "moon_rose".into(), fields };
    assert_eq!(parsed.records[0].event, unknown);
    assert_eq!(parsed.records[1].event.name(), "trial_resumed");
    // Under their own version, so that what this one cannot read does not claim to be its own.
    for (record, line) in parsed.records.iter().zip(newer.lines()) {
        assert_eq!(record.to_line().unwrap(), line);
    }
}

#[test]
fn a_line_beyond_all_measure_is_refused() {
    let mut bytes = vec![b' '; LINE_LIMIT_BYTES];
    bytes.push(b'\n');
    assert!(matches!(parse_events(&bytes), Err(LineError::TooLong { line: 1 })));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let _ = parse_events(&bytes);
    }

    #[test]
    fn no_mutation_of_a_log_makes_it_panic_or_lose_count(
        changes in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..20),
    ) {
        let mut bytes = log(samples::all());
        for (at, byte) in changes {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        if let Ok(parsed) = parse_events(&bytes) {
            prop_assert_eq!(parsed.whole_bytes + parsed.torn_bytes, bytes.len());
            for record in parsed.records {
                record.to_line().unwrap();
            }
        }
    }
}
