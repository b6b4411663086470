//! Tests of `serve::intake`.

use super::*;

#[test]
fn forged_calls_are_written_now_and_then_and_counted_otherwise() {
    let store = Store::in_memory();
    let mut refusals = Refusals::new();
    let start = Instant::now();
    let forged = Refused { repository: "digits".into(), source: "github", why: "forged" };
    for n in 0..5000 {
        refusals.add(forged.clone(), start + Duration::from_millis(n));
        refusals.write(&store);
    }
    let listed = store.deliveries(None, 1000).unwrap();
    assert!((40..=46).contains(&listed.len()), "{}", listed.len());
    assert!(listed[0].why.contains("earlier ones are not listed"), "{}", listed[0].why);
}
