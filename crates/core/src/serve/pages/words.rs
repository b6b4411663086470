//! Short texts for times, commits and states.

use std::fmt::Display;

use jiff::Timestamp;

use crate::chain::{BuildRow, BuildState, Cause, Verdict};
use crate::report::markup::Markup;
use crate::report::words::duration;

/// The current time in milliseconds since 1970.
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

/// An element with a time such as `3 min ago`, and the exact time as a tooltip.
pub(super) fn time(markup: &mut Markup, at: i64, now: i64) {
    let Ok(moment) = Timestamp::from_millisecond(at) else { return };
    let machine = moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let exact = moment.strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
    markup.leaf("time", &[("datetime", &machine), ("title", &exact)], ago(at, now));
}

/// A duration, such as `12 min 5 s`.
pub(super) fn span(ms: i64) -> String {
    duration(Some(ms.max(0) as f64 / 1000.0))
}

/// The short form of a commit hash.
pub(super) fn short(commit: &str) -> &str {
    commit.get(..10).unwrap_or(commit)
}

/// A text cut to a number of characters.
pub(super) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", text[..at].trim_end()),
        None => text.to_owned(),
    }
}

/// The state or verdict of a build in a word or two, and the CSS class of its colour.
pub(super) fn state_word(build: &BuildRow) -> (&'static str, &'static str) {
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

/// The state or verdict of a build as a badge.
pub(super) fn badge(markup: &mut Markup, build: &BuildRow) {
    let (word, class) = state_word(build);
    markup.leaf("span", &[("class", &format_args!("badge {class}"))], word);
}

/// What started a build.
pub(super) fn cause(cause: Cause) -> &'static str {
    match cause {
        Cause::Push => "a push",
        Cause::Poll => "polling the branch",
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
