//! Parses and writes lines of `events.jsonl`.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::event::Event;
use super::recorded::Recorded;
use crate::sys::clock::rfc3339;

/// The format's version, `"v"` in every line.
pub const VERSION: u64 = 1;

/// The longest line that is written or read, with its newline.
pub const LINE_LIMIT_BYTES: usize = 1 << 20;

/// The parsed content of an event log.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Parsed {
    /// The event of every complete line.
    pub records: Vec<Recorded>,
    /// Length of these lines in bytes.
    pub whole_bytes: usize,
    /// Bytes after them, of a last line that a crash cut short.
    pub torn_bytes: usize,
}

/// A damaged line, other than an unfinished last one.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// A line that is not JSON and not the last.
    #[error("line {line} is damaged")]
    Damaged {
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// A line that is JSON, but not an event.
    #[error("line {line} is not an event: {why}")]
    NotAnEvent {
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// A line that is longer than any event.
    #[error("line {line} is longer than {LINE_LIMIT_BYTES} bytes")]
    TooLong {
        /// Counted from 1.
        line: usize,
    },
}

/// Parses an event log. Memory stays within a small multiple of its length.
///
/// A last line that is incomplete or lacks its newline is left out and counted in
/// [`Parsed::torn_bytes`]; the study that wrote it had not continued yet.
///
/// # Errors
///
/// When any other line is not an event, with the number of the line.
pub fn parse_events(bytes: &[u8]) -> Result<Parsed, LineError> {
    let mut parsed = Parsed::default();
    parsed.whole_bytes = parse_lines(bytes, Lines::All, 0, &mut parsed.records)?;
    parsed.torn_bytes = bytes.len() - parsed.whole_bytes;
    Ok(parsed)
}

/// Parses an event log piece by piece, so that a long one is not in memory as a whole. `next_piece`
/// is called with an offset until it returns no bytes.
///
/// # Errors
///
/// Those of [`parse_events`] and of `next_piece`.
pub(super) fn parse_pieces<E: From<LineError>>(
    mut next_piece: impl FnMut(u64) -> Result<Vec<u8>, E>,
) -> Result<Parsed, E> {
    let mut parsed = Parsed::default();
    let mut pending: Vec<u8> = Vec::new();
    loop {
        let piece = next_piece((parsed.whole_bytes + pending.len()) as u64)?;
        let lines = if piece.is_empty() { Lines::All } else { Lines::AllButTheLast };
        pending.extend(piece);
        let lines_before = parsed.records.len();
        let taken = parse_lines(&pending, lines, lines_before, &mut parsed.records)?;
        pending.drain(..taken);
        parsed.whole_bytes += taken;
        if lines == Lines::All {
            parsed.torn_bytes = pending.len();
            return Ok(parsed);
        }
        if pending.len() > 2 * LINE_LIMIT_BYTES {
            return Err(LineError::TooLong { line: parsed.records.len() + 1 }.into());
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lines {
    All,
    /// More may follow, and only the log's very last line may be damaged.
    AllButTheLast,
}

/// Parses complete lines and returns their length in bytes; `lines_before` is the number of lines
/// before them, for errors.
fn parse_lines(
    bytes: &[u8],
    lines: Lines,
    lines_before: usize,
    records: &mut Vec<Recorded>,
) -> Result<usize, LineError> {
    let mut taken = 0;
    for (index, line) in bytes.split_inclusive(|&byte| byte == b'\n').enumerate() {
        let number = lines_before + index + 1;
        let is_last = taken + line.len() == bytes.len();
        let Some(text) = line.strip_suffix(b"\n") else {
            break;
        };
        if is_last && lines == Lines::AllButTheLast {
            break;
        }
        if line.len() > LINE_LIMIT_BYTES {
            return Err(LineError::TooLong { line: number });
        }
        match serde_json::from_slice(text) {
            Ok(value) => records.push(
                parse_record(value).map_err(|why| LineError::NotAnEvent { line: number, why })?,
            ),
            Err(_) if is_last => break,
            Err(source) => {
                return Err(LineError::Damaged { line: number, source });
            }
        }
        taken += line.len();
    }
    Ok(taken)
}

/// Parses one line without its newline; `None` if it is not an event.
#[cfg(feature = "cli")]
pub(super) fn parse_line(text: &[u8]) -> Option<Recorded> {
    parse_record(serde_json::from_slice(text).ok()?).ok()
}

fn parse_record(value: Value) -> Result<Recorded, String> {
    let Value::Object(mut fields) = value else {
        return Err("not an object".into());
    };
    let version = match fields.get("v").map(Value::as_u64) {
        Some(Some(version)) if version >= VERSION => version,
        _ => return Err("`v` is missing or not a version".into()),
    };
    let at: Timestamp = fields
        .get("at")
        .and_then(Value::as_str)
        .and_then(|at| at.parse().ok())
        .ok_or("`at` is missing or not a time")?;
    let name = fields
        .get("event")
        .and_then(Value::as_str)
        .ok_or("`event` is missing or not a name")?
        .to_owned();
    let known = Event::NAMES.contains(&name.as_str());
    if known {
        match Event::deserialize(Value::Object(fields.clone())) {
            Ok(event) => return Ok(Recorded { at, event }),
            Err(error) if version == VERSION => return Err(error.to_string()),
            // A newer version may have given the event other keys.
            Err(_) => {}
        }
    }
    for key in ["v", "event", "at"] {
        fields.remove(key);
    }
    let event = Event::Unknown { version, name, fields };
    Ok(Recorded { at, event })
}

/// One line without its newline: `{"v":1,"event":"…","at":"…",…}`.
pub(super) fn line(recorded: &Recorded) -> Result<String, serde_json::Error> {
    let name = serde_json::to_string(recorded.event.name())?;
    let at = rfc3339(recorded.at);
    let fields = match &recorded.event {
        Event::Unknown { fields, .. } => inner(&serde_json::to_string(fields)?).to_owned(),
        event => {
            let tagged = serde_json::to_string(event)?;
            // serde writes the tag first; `v`, the tag and `at` replace it below.
            let tag = format!("\"event\":{name}");
            let inner = inner(&tagged);
            inner.strip_prefix(&tag).unwrap_or(inner).trim_start_matches(',').to_owned()
        }
    };
    let version = match recorded.event {
        Event::Unknown { version, .. } => version,
        _ => VERSION,
    };
    let comma = if fields.is_empty() { "" } else { "," };
    Ok(format!("{{\"v\":{version},\"event\":{name},\"at\":\"{at}\"{comma}{fields}}}"))
}

/// The text of a JSON object without its braces.
fn inner(object: &str) -> &str {
    object.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(object)
}

impl Recorded {
    /// Its line in `events.jsonl`, without the newline.
    ///
    /// # Errors
    ///
    /// If the event cannot be written as JSON.
    pub fn to_line(&self) -> Result<String, serde_json::Error> {
        line(self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::ledger::event::samples;

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
        let logs =
            [lines(3), lines(3) + "{\"v\":1", lines(3) + "{]\n", String::new(), damaged_middle];
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
            r#"{"v":1,"event":"epoch_finished","at":"2026-01-02T03:04:05.678Z","trial":1,"epoch":2,"train_loss":0.5,"train_accuracy":0.9,"validation_loss":0.4,"validation_accuracy":0.91,"learning_rate":0.001,"seconds":8.0,"recalls":[{"right":91,"images":100}]}"#
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
}
