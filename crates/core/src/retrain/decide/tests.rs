use super::*;

fn at(minutes: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + 60 * minutes).unwrap()
}

fn facts() -> Facts {
    Facts {
        now: at(10_000),
        by_hand: false,
        alarm: false,
        labels: 0,
        new_labels: 0,
        data_changed: false,
        decided: None,
        promoted: at(0),
    }
}

fn waits(settings: &RetrainSettings, facts: &Facts) -> String {
    match decide(settings, facts) {
        Decision::Wait(why) => why,
        begins => panic!("{begins:?}"),
    }
}

#[test]
fn each_trigger_begins_for_its_own_reason() {
    let settings = RetrainSettings::default();
    let scheduled = RetrainSettings {
        schedule: Some(crate::retrain::schedule::Schedule::parse("0 3 * * *").unwrap()),
        ..settings.clone()
    };
    for (settings, facts, cause) in [
        (&settings, Facts { by_hand: true, ..facts() }, Cause::Hand),
        (&settings, Facts { alarm: true, labels: 200, new_labels: 200, ..facts() }, Cause::Drift),
        (&settings, Facts { labels: 1000, new_labels: 1000, ..facts() }, Cause::Feedback),
        (&settings, Facts { data_changed: true, ..facts() }, Cause::Data),
        (&scheduled, facts(), Cause::Schedule),
    ] {
        assert_eq!(decide(settings, &facts), Decision::Begin(cause));
    }
    waits(&settings, &facts());
    waits(&settings, &Facts { labels: 999, new_labels: 999, ..facts() });
    waits(&scheduled, &Facts { promoted: at(9_999), ..facts() });
    let off = RetrainSettings { drift: false, data: false, feedback: 0, ..settings };
    waits(
        &off,
        &Facts { alarm: true, labels: 5000, new_labels: 5000, data_changed: true, ..facts() },
    );
}

#[test]
fn an_alarm_without_labels_waits_and_says_for_how_many() {
    let settings = RetrainSettings::default();
    let why = waits(&settings, &Facts { alarm: true, labels: 12, new_labels: 12, ..facts() });
    assert!(why.contains("waits for feedback, with 12 of 200"), "{why}");
    assert!(why.contains("own predictions are not used as labels"), "{why}");
    // What a decision has used up does not count again.
    let used = Facts { alarm: true, labels: 900, new_labels: 3, decided: Some(at(1)), ..facts() };
    assert!(waits(&settings, &used).contains("3 of 200"));
}

#[test]
fn a_cooldown_follows_every_decision_and_only_a_hand_ends_it_sooner() {
    let settings = RetrainSettings::default();
    let soon = Facts {
        alarm: true,
        labels: 500,
        new_labels: 500,
        decided: Some(at(9_960)),
        now: at(10_019),
        ..facts()
    };
    assert!(waits(&settings, &soon).contains("cooldown"));
    assert_eq!(
        decide(&settings, &Facts { now: at(10_020), ..soon }),
        Decision::Begin(Cause::Drift)
    );
    assert_eq!(decide(&settings, &Facts { by_hand: true, ..soon }), Decision::Begin(Cause::Hand));
}
