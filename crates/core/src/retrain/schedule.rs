//! Times of day in the five fields of cron: minute, hour, day of the month, month, day of the week. In UTC.

use std::fmt;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Recurring times.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Schedule {
    text: String,
    cron: Cron,
}

impl Schedule {
    /// Reads the five fields, each `*`, or numbers, names and ranges with commas between, with a step: `*/15`, `1-5`,
    /// `0,30`, `MON-FRI`.
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = |what: String| {
            let what = what.trim_end_matches('.');
            format!("the schedule {text:?}: {what}; use five fields such as \"0 3 * * 1-5\"")
        };
        let parser = CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed)
            // A number with a step is one from which on: `50/5`.
            .sloppy_ranges(true)
            .build();
        if text.split_whitespace().any(|field| field.split(',').any(str::is_empty)) {
            return Err(wrong("a list has an empty item".into()));
        }
        let cron = parser.parse(text).map_err(|error| wrong(error.to_string()))?;
        let schedule = Self { text: text.into(), cron };
        match schedule.is_due(Timestamp::UNIX_EPOCH, Timestamp::MAX) {
            true => Ok(schedule),
            false => Err(wrong("it never occurs".into())),
        }
    }

    /// Whether one of its times is after `since`, up to `now`.
    pub fn is_due(&self, since: Timestamp, now: Timestamp) -> bool {
        let next = self.cron.find_next_occurrence(&since.to_zoned(TimeZone::UTC), false);
        next.is_ok_and(|next| next.timestamp() <= now)
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        self.text.fmt(formatter)
    }
}

impl Serialize for Schedule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.text.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Schedule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
