//! Times, commits and states in few words.

use std::fmt::Display;

use jiff::Timestamp;

use crate::chain::{BuildRow, BuildState, Cause, Verdict};
use crate::report::markup::Markup;
use crate::report::words::duration;

/// Now, in milliseconds since 1970.
pub(super) fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

/// `3 min ago`.
pub(super) fn ago(at: i64, now: i64) -> String {
    let seconds = (now - at).max(0) / 1000;
    match seconds {
        0..10 => "just now".into(),
        10..60 => format!("{seconds} s ago"),
        60..3600 => format!("{} min ago", seconds / 60),
        3600..172_800 => format!("{} h ago", seconds / 3600),
        _ => format!("{} days ago", seconds / 86_400),
    }
}

/// A time as it is, as an element that tells it exactly when it is pointed at.
pub(super) fn time(markup: &mut Markup, at: i64, now: i64) {
    let Ok(moment) = Timestamp::from_millisecond(at) else { return };
    let machine = moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let exact = moment.strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
    markup.leaf("time", &[("datetime", &machine), ("title", &exact)], ago(at, now));
}

/// A time between two, as `12 min 5 s`.
pub(super) fn span(ms: i64) -> String {
    duration(Some(ms.max(0) as f64 / 1000.0))
}

/// As much of a commit as people read.
pub(super) fn short(commit: &str) -> &str {
    commit.get(..10).unwrap_or(commit)
}

/// At most this many characters of a text.
pub(super) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", text[..at].trim_end()),
        None => text.to_owned(),
    }
}

/// Where a build stands, in a word or two, and the class of its colour.
pub(super) fn standing(build: &BuildRow) -> (&'static str, &'static str) {
    match (build.state, build.verdict) {
        (BuildState::Queued, _) => ("waiting", "open"),
        (BuildState::Running, _) if build.stop_asked => ("stopping", "open"),
        (BuildState::Running, _) => ("running", "running"),
        (BuildState::Ended, Some(Verdict::Accepted)) => ("accepted", "accepted"),
        (BuildState::Ended, Some(Verdict::NotPassed)) => ("not passed", "rejected"),
        (BuildState::Ended, Some(Verdict::Failed)) => ("failed", "rejected"),
        (BuildState::Ended, Some(Verdict::Superseded)) => ("superseded", "idle"),
        (BuildState::Ended, Some(Verdict::Cancelled)) => ("cancelled", "idle"),
        (BuildState::Ended, None) => ("ended", "idle"),
    }
}

/// Where a build stands, as a badge.
pub(super) fn badge(markup: &mut Markup, build: &BuildRow) {
    let (word, class) = standing(build);
    markup.leaf("span", &[("class", &format_args!("badge {class}"))], word);
}

/// By what a build was started.
pub(super) fn cause(cause: Cause) -> &'static str {
    match cause {
        Cause::Push => "a push",
        Cause::Poll => "polling, which found a new commit",
        Cause::Asked => "hand",
        Cause::Retry => "a retry of an earlier build",
    }
}

/// A link.
pub(super) fn link(markup: &mut Markup, to: &dyn Display, text: impl Display) {
    markup.leaf("a", &[("href", to)], text);
}

#[cfg(test)]
mod tests;
