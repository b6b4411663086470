//! Drift of what a real server is asked, and logins on its page.

use super::*;

fn told(bench: &Bench, is_so: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let told = bench.ask("GET /api/drift", &[], b"").json();
        if is_so(&told) {
            return told;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{told}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A request of images like the reference's, changed.
fn request(from: usize, count: usize, change: impl Fn(f32) -> f32) -> Value {
    let pixels: Vec<f32> = (from..from + count).flat_map(|at| usual(at).map(&change)).collect();
    images(&pixels)
}

#[test]
fn drift_of_requests_is_noticed_named_and_forgotten_with_the_version() {
    let bench = Bench::of_registry(registry(), |_| {});
    for from in 0..5 {
        assert_eq!(bench.infer(&request(80 * from, 80, |value| value)).status, 200);
    }
    let quiet = told(&bench, |told| told["windows"] == 10);
    assert_eq!((&quiet["alarm"], &quiet["version"]), (&json!(false), &json!("1")), "{quiet}");
    // From 0 to 255 instead of from 0 to 1.
    for from in 0..2 {
        assert_eq!(bench.infer(&request(50 * from, 40, |value| value * 255.0)).status, 200);
    }
    let alarm = told(&bench, |told| told["windows"] == 12);
    assert_eq!((&alarm["status"], &alarm["alarms"]), (&json!("alarm"), &json!(1)), "{alarm}");
    let last = &alarm["history"][11];
    assert_eq!(last["faults"][0], json!({ "fault": "above_range", "images": 40 }));
    assert!(last["words"][0].as_str().unwrap().contains("as if they were from 0 to 255"), "{last}");
    for (line, value) in [
        ("burgeon_drift_alarms_total{model=\"mean\",version=\"1\",kind=\"images\"}", 1.0),
        ("burgeon_drift_alarm{model=\"mean\",version=\"1\",kind=\"images\"}", 1.0),
        ("burgeon_drift_suspicious_windows_total{model=\"mean\",version=\"1\"}", 2.0),
        ("burgeon_drift_fault_images{model=\"mean\",version=\"1\",fault=\"above_range\"}", 40.0),
        ("burgeon_drift_floor{model=\"mean\",version=\"1\",comparison=\"outputs\"}", 0.05),
    ] {
        assert_eq!(bench.metric(line), value, "{line}");
    }
    writer(bench.folder.path()).promote(PRODUCTION, 2, Force::Yes).unwrap();
    let fresh = told(&bench, |told| told["version"] == "2");
    assert_eq!((&fresh["windows"], &fresh["status"]), (&json!(0), &json!("waiting")));
}

#[test]
fn wrong_labels_raise_an_alarm_of_their_own_and_count_once() {
    let bench = Bench::of_registry(registry(), |settings| {
        let Source::Registry(registry) = &settings.source else { return };
        settings.requests = Some(registry.requests());
        settings.watching.as_mut().unwrap().settings.run_time = 50.0;
    });
    let answer = bench.infer(&request(0, 60, |value| value));
    let id = answer.header("x-request-id").unwrap();
    let classes = answer.json()["outputs"][2]["data"].clone();
    for at in 0..40 {
        let wrong = if classes[at] == 0 { "light" } else { "dark" };
        let body = json!({ "request": id, "index": at, "label": wrong }).to_string();
        for _ in 0..2 {
            assert_eq!(bench.ask("POST /feedback", &[], body.as_bytes()).status, 200);
        }
    }
    let alarm = told(&bench, |told| told["labels"]["images"] == 40);
    let labels = &alarm["labels"];
    assert_eq!(
        (&labels["right"], &labels["alarm"], &labels["alarms"]),
        (&json!(0), &json!(true), &json!(1))
    );
    assert!(labels["p_gate"].as_f64().unwrap() < 1e-6, "{labels}");
    assert_eq!(alarm["alarm"], true);
    assert_eq!(
        bench.metric("burgeon_drift_alarms_total{model=\"mean\",version=\"1\",kind=\"labels\"}"),
        1.0
    );
}

#[test]
fn a_session_changes_nothing_without_the_token_of_its_page_and_ends() {
    let bench = Bench::of_registry(registry(), |settings| {
        let Source::Registry(registry) = &settings.source else { return };
        let path = registry.path().join("change-token");
        std::fs::write(&path, "change-token\n").unwrap();
        settings.tokens.change = Some(path);
    });
    let form = "application/x-www-form-urlencoded";
    let wrong = bench.ask("POST /login", &[("Content-Type", form)], b"token=other");
    assert_eq!(wrong.status, 401);
    let reply = bench.ask("POST /login", &[("Content-Type", form)], b"token=change-token");
    assert_eq!((reply.status, reply.header("location")), (303, Some("/")));
    let cookie = reply.header("set-cookie").unwrap();
    assert!(cookie.contains("HttpOnly; SameSite=Strict"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let session = bench.ask("GET /session", &[("Cookie", &cookie)], b"").json();
    assert_eq!(session["may"]["change"], true);
    let token = session["form_token"].as_str().unwrap();
    let body = json!({ "alias": "production", "version": 2, "force": true }).to_string();
    let promote =
        |headers: &[(&str, &str)]| bench.ask("POST /api/promote", headers, body.as_bytes()).status;
    assert_eq!(promote(&[("Cookie", &cookie)]), 401);
    assert_eq!(promote(&[("Cookie", &cookie), ("X-Form-Token", "0")]), 401);
    let foreign = ("Sec-Fetch-Site", "cross-site");
    assert_eq!(promote(&[("Cookie", &cookie), ("X-Form-Token", token), foreign]), 403);
    assert_eq!(promote(&[("Cookie", &cookie), ("X-Form-Token", token)]), 200);
    let end = format!("form={token}");
    let ended = bench.ask("POST /logout", &[("Cookie", &cookie)], b"form=0");
    assert_eq!(ended.status, 403);
    let ended = bench.ask("POST /logout", &[("Cookie", &cookie)], end.as_bytes());
    assert_eq!(ended.status, 303);
    assert_eq!(promote(&[("Cookie", &cookie), ("X-Form-Token", token)]), 401);
    let nobody = bench.ask("GET /session", &[], b"").json();
    assert_eq!((&nobody["may"]["predict"], &nobody["is_session"]), (&json!(false), &json!(false)));
    // Guesses are bounded.
    let statuses: Vec<u16> =
        (0..8).map(|_| bench.ask("POST /login", &[], b"token=guess").status).collect();
    assert_eq!(statuses.last(), Some(&429), "{statuses:?}");
}
