use super::*;

fn at(text: &str) -> Timestamp {
    format!("{text}Z").parse().unwrap()
}

#[test]
fn a_time_is_due_once_it_has_passed_and_not_twice() {
    let nightly = Schedule::parse("0 3 * * *").unwrap();
    assert!(!nightly.is_due(at("2026-03-01T03:00:00"), at("2026-03-02T02:59:59")));
    assert!(nightly.is_due(at("2026-03-01T03:00:00"), at("2026-03-02T03:00:00")));
    assert!(!nightly.is_due(at("2026-03-02T03:00:00"), at("2026-03-02T03:01:00")));
    // Several that were missed are one.
    assert!(nightly.is_due(at("2020-01-01T00:00:00"), at("2026-03-02T03:00:00")));
    assert!(
        !nightly.is_due(at("2026-03-02T03:00:00"), at("2026-03-01T03:00:00")),
        "the clock went back"
    );
}

#[test]
fn lists_ranges_steps_and_days_mean_what_they_do_in_cron() {
    let is_due = |text: &str, minute: &str| {
        let now = at(&format!("{minute}:00"));
        let since = now.checked_sub(jiff::SignedDuration::from_secs(1)).unwrap();
        Schedule::parse(text).unwrap().is_due(since, now)
    };
    for (text, yes, no) in [
        ("*/15 * * * *", "2026-03-01T10:45", "2026-03-01T10:46"),
        ("5,7-9 * * * *", "2026-03-01T10:08", "2026-03-01T10:06"),
        ("10-30/10 8 * * *", "2026-03-01T08:20", "2026-03-01T08:25"),
        ("50/5 * * * *", "2026-03-01T08:55", "2026-03-01T08:45"),
        // A Sunday and a Monday.
        ("0 0 * * 7", "2026-03-01T00:00", "2026-03-02T00:00"),
        ("0 0 * * 1-5", "2026-03-02T00:00", "2026-03-01T00:00"),
        // Either day suffices if both are given; a star leaves the other one alone.
        ("0 0 15 * 1", "2026-03-02T00:00", "2026-03-03T00:00"),
        ("0 0 15 * 1", "2026-03-15T00:00", "2026-03-14T00:00"),
        ("0 0 29 2 *", "2028-02-29T00:00", "2027-03-01T00:00"),
    ] {
        assert!(is_due(text, yes), "{text} at {yes}");
        assert!(!is_due(text, no), "{text} at {no}");
    }
}

#[test]
fn what_is_no_schedule_is_refused() {
    for text in [
        "",
        "* * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * * 13 *",
        "* * * * 8",
        "5-1 * * * *",
        "*/0 * * * *",
        "+5 * * * *",
        "a * * * *",
        "1,, * * * *",
        "* * * * * *",
        "0 0 30 2 *",
    ] {
        assert!(Schedule::parse(text).is_err(), "{text}");
    }
}
