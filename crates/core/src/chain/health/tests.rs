//! Tests of `chain::health`.

use super::*;

#[test]
fn silence_is_trouble_after_its_time_and_a_sign_of_life_ends_it() {
    let health = Health::default();
    let now = Instant::now();
    assert_eq!(health.troubles(now + Duration::from_secs(9999)), [], "none has begun");
    health.report_alive(Part::Poll);
    health.report_alive(Part::Clearing);
    assert_eq!(health.troubles(now + Duration::from_secs(39)), []);
    let troubles = health.troubles(now + Duration::from_secs(60));
    assert_eq!(troubles.len(), 1, "within a minute: {troubles:?}");
    assert_eq!((troubles[0].part, troubles[0].malfunction), (Part::Poll, Malfunction::Stuck));
    let said = troubles[0].sentence();
    assert!(said.contains("has not responded") && said.contains(" s."), "{said}");
    assert_eq!(health.troubles(now + Duration::from_secs(3600)).len(), 2);
    health.report_alive(Part::Poll);
    assert_eq!(health.troubles(Instant::now()), []);
}

#[test]
fn what_failed_stays_told_until_all_is_done_again() {
    let health = Health::default();
    let now = Instant::now();
    health.report_malfunction(Part::Builds, Malfunction::Failing, "no such table: build");
    health.report_alive(Part::Builds);
    let troubles = health.troubles(now + Duration::from_secs(7));
    assert!(troubles[0].sentence().contains("no such table: build"), "{troubles:?}");
    let shown = serde_json::to_string(&troubles).unwrap();
    assert!(shown.contains(r#""part":"builds","ailment":"failing""#), "{shown}");
    assert!(!shown.contains("table"), "why is not for everybody: {shown}");
    health.report_success(Part::Builds);
    assert_eq!(health.troubles(now + Duration::from_secs(7)), []);
}
