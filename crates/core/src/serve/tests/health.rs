//! Whether it is seen that a thread of the service does not do its work.

use super::bench::Bench;
use crate::chain::{Malfunction, Part};

#[test]
fn a_thread_that_died_is_told_to_watchers_and_to_people_until_it_works_again() {
    let bench = Bench::open();
    let healthy = bench.ask("GET /healthz", &[], b"");
    assert_eq!((healthy.status, healthy.body.as_str()), (200, "ok\n"));
    assert!(!bench.page("/").body.contains("role=\"alert\""));
    bench.health.report_malfunction(Part::Poll, Malfunction::Dead, "");
    bench.health.report_malfunction(
        Part::Builds,
        Malfunction::Failing,
        "no such table: <build> in /srv/state",
    );
    let told = bench.ask("GET /healthz", &[], b"");
    assert_eq!(
        (told.status, told.body.as_str()),
        (503, "builds: failing for 0 s\npoll: dead for 0 s\n")
    );
    let json = bench.ask("GET /healthz", &[("Accept", "application/json")], b"");
    assert_eq!(json.status, 503);
    let json: serde_json::Value = serde_json::from_str(&json.body).unwrap();
    assert_eq!(
        (&json["healthy"], &json["troubles"][1]["ailment"]),
        (&false.into(), &"dead".into())
    );
    for path in ["/", "/deliveries", "/repositories/digits"] {
        let page = bench.page(path).body;
        assert!(page.contains("The thread that polls branches died"), "{path}: {page}");
        assert!(page.contains("no such table: &lt;build&gt; in /srv/state"), "{path}: {page}");
    }
    bench.health.report_success(Part::Poll);
    bench.health.report_success(Part::Builds);
    assert_eq!(bench.ask("GET /healthz", &[], b"").status, 200);
    assert!(!bench.page("/").body.contains("Parts of the service"));
}

#[test]
fn why_a_thread_is_ill_is_not_for_everybody() {
    let bench = Bench::guarded();
    bench.health.report_malfunction(Part::Messages, Malfunction::Failing, "/srv/state is full");
    for accept in ["text/plain", "application/json"] {
        let told = bench.ask("GET /healthz", &[("Accept", accept)], b"");
        assert!(told.status == 503 && !told.body.contains("/srv/state"), "{told:?}");
    }
    let page = bench.ask("GET /", &[("Authorization", "Bearer read-token")], b"");
    assert!(page.body.contains("/srv/state is full"), "{page:?}");
}
