//! Times of day in the five fields of cron: minute, hour, day of the month, month, day of the week. In UTC.

use std::fmt;

use jiff::{Timestamp, ToSpan, tz::TimeZone};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Smallest and largest value of each field.
const RANGES: [(u8, u8); 5] = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)];
/// No two occurrences are further apart than two 29ths of February.
const DAYS_MAX: i64 = 366 * 8 + 1;

/// Recurring times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Schedule {
    text: String,
    /// A bit for each value of a field.
    fields: [u64; 5],
    /// If both the day of the month and that of the week are given, either suffices, as in cron.
    either_day: bool,
}

impl Schedule {
    /// Reads the five fields, each `*`, or numbers and ranges with commas between, with a step: `*/15`, `1-5`, `0,30`.
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split_whitespace().collect();
        let wrong =
            |what: &str| format!("{text:?} {what}; use five fields such as \"0 3 * * 1-5\"");
        let parts: [&str; 5] = parts.try_into().map_err(|_| wrong("does not have five fields"))?;
        let mut fields = [0; 5];
        for ((field, part), range) in fields.iter_mut().zip(parts).zip(RANGES) {
            *field = bits(part, range)
                .ok_or_else(|| wrong(&format!("has the invalid field {part:?}")))?;
        }
        // Sunday is 0 and 7.
        fields[4] |= fields[4] >> 7 & 1;
        let either_day = !parts[2].starts_with('*') && !parts[4].starts_with('*');
        let schedule = Self { text: text.into(), fields, either_day };
        match schedule.is_due(Timestamp::UNIX_EPOCH, Timestamp::MAX) {
            true => Ok(schedule),
            false => Err(wrong("never occurs")),
        }
    }

    /// Whether one of its times is after `since`, up to `now`.
    pub fn is_due(&self, since: Timestamp, now: Timestamp) -> bool {
        let since = since.to_zoned(TimeZone::UTC).datetime();
        let now = now.to_zoned(TimeZone::UTC).datetime();
        let mut day = since.date();
        for _ in 0..DAYS_MAX {
            if day > now.date() {
                return false;
            }
            let has = |field: usize, value: i8| self.fields[field] >> value & 1 == 1;
            let [of_month, of_week] =
                [has(2, day.day()), has(4, day.weekday().to_sunday_zero_offset())];
            let is_day = if self.either_day { of_month || of_week } else { of_month && of_week };
            if has(3, day.month()) && is_day {
                let times = (0..24).flat_map(|hour| (0..60).map(move |minute| (hour, minute)));
                let mut times = times.filter(|(hour, minute)| has(1, *hour) && has(0, *minute));
                if times.any(|(hour, minute)| {
                    let at = day.at(hour, minute, 0, 0);
                    at > since && at <= now
                }) {
                    return true;
                }
            }
            match day.checked_add(1.day()) {
                Ok(next) => day = next,
                Err(_) => return false,
            }
        }
        false
    }
}

/// The values of a field, as bits.
fn bits(part: &str, (least, most): (u8, u8)) -> Option<u64> {
    let number = |text: &str| -> Option<u8> {
        let is_number = text.len() <= 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|value| is_number && (least..=most).contains(value))
    };
    part.split(',').try_fold(0, |bits, item| {
        let (range, step) = item.split_once('/').unwrap_or((item, "1"));
        let step: usize = step.parse().ok().filter(|step| (1..=60).contains(step))?;
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (least, most),
            Some((first, last)) => (number(first)?, number(last)?),
            None if item.contains('/') => (number(range)?, most),
            None => (number(range)?, number(range)?),
        };
        let values = (first..=last).step_by(step);
        (first <= last).then(|| values.fold(bits, |bits, value| bits | 1 << value))
    })
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
