//! Numbers and short texts for people.

/// A fraction as a percentage, or a dash for none and NaN.
pub(crate) fn percent(fraction: Option<f64>) -> String {
    match fraction {
        Some(fraction) if fraction.is_finite() => format!("{:.2} %", fraction * 100.0),
        _ => "–".into(),
    }
}

/// A fraction as a percentage without trailing zeros: `80 %`, `99.5 %`.
pub(crate) fn short_percent(fraction: f64) -> String {
    let digits = format!("{:.3}", fraction * 100.0);
    format!("{} %", digits.trim_end_matches('0').trim_end_matches('.'))
}

/// A whole number with thousands separators: `61,706`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `15.4 k`, `832 k`, `1.20 G`: three digits and the prefix.
pub(super) fn magnitude(number: u64) -> String {
    const PREFIXES: [&str; 6] = ["", "k", "M", "G", "T", "P"];
    let mut value = number as f64;
    let mut prefix = 0;
    while value >= 999.5 && prefix + 1 < PREFIXES.len() {
        value /= 1000.0;
        prefix += 1;
    }
    let digits = match value {
        _ if prefix == 0 => 0,
        value if value < 9.995 => 2,
        value if value < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.digits$} {}", PREFIXES[prefix]).trim_end().to_owned()
}

/// `4.7 s`, `12 min 5 s`, `3 h 12 min`; a dash for none and NaN.
pub(crate) fn duration(seconds: Option<f64>) -> String {
    match seconds {
        Some(seconds) if (0.0..59.95).contains(&seconds) => format!("{seconds:.1} s"),
        Some(seconds) if seconds.is_finite() && seconds >= 0.0 => {
            let whole = seconds.round() as u64;
            let (hours, minutes) = (whole / 3600, whole / 60 % 60);
            match hours {
                0 => format!("{minutes} min {} s", whole % 60),
                hours => format!("{hours} h {minutes} min"),
            }
        }
        _ => "–".into(),
    }
}

/// `once`, `3 times`.
pub fn times(number: u64) -> String {
    match number {
        1 => "once".into(),
        times => format!("{} times", grouped(times)),
    }
}

/// `1 trial`, `3 trials`.
pub(crate) fn count(number: u64, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        number => format!("{} {what}s", grouped(number)),
    }
}

#[cfg(test)]
mod tests;
