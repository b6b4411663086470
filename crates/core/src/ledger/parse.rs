//! Parses and writes lines of `events.jsonl`.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::event::Event;
use super::recorded::Recorded;
use crate::sys::clock::rfc3339;

/// The format's version, `"v"` in every line.
pub const VERSION: u64 = 1;

/// The longest line that is written or read, with its newline: the names of 65,000 classes and their counts fit.
pub const LINE_LIMIT_BYTES: usize = 16 << 20;

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
mod tests;
