//! Pages, files and the interface for programs.

use std::os::unix::fs::symlink;
use std::sync::Arc;

use super::bench::{Bench, asked};
use crate::chain::{NewDelivery, StageName, StageState, Verdict};
use crate::ledger::Event;
use crate::registry::{HeldOut, Registry, Settings, Writer};
use crate::report::samples::{HOSTILE, hostile, records};
use crate::retrain::{Cause, Retraining};
use crate::sys::clock::RealClock;
use crate::sys::files::RealFiles;

#[test]
fn the_builds_are_rows_and_what_waits_is_told() {
    let bench = Bench::open();
    assert!(bench.page("/").body.contains("There are no builds yet"));
    bench.fill();
    let page = bench.page("/");
    assert_eq!(page.status, 200);
    for said in [
        "#4",
        "accepted",
        "not passed",
        "failed",
        "running",
        "waiting",
        "96.12 %",
        "gate 80 %",
        "Grow the first layer",
        "build 5 of digits is running",
        "data-stage=\"train\"",
    ] {
        assert!(page.body.contains(said), "{said}: {}", page.body);
    }
    let page = bench.page("/builds/4");
    for said in [
        "Trial 2",
        "report.html",
        "best/model.onnx",
        "300.0 kB",
        "Build this commit again",
        "87.18 %",
        "median",
    ] {
        assert!(page.body.contains(said), "{said}: {}", page.body);
    }
    // The trials stand between the names of the stage that trains them and of the next one.
    let at = |said: &str| page.body.find(said).unwrap_or_else(|| panic!("{said}: {}", page.body));
    let (train, judge) = (at("<strong>train</strong>"), at("<strong>judge</strong>"));
    let (trials, last) = (at("id=\"trials\""), page.body.rfind("Trial 2").unwrap());
    assert!(train < trials && trials < last && last < judge, "{}", page.body);
    assert!(bench.page("/builds/3").body.contains("Resume where it stopped"));
    let page = bench.page("/builds/5").body;
    assert!(
        page.contains("Cancel") && page.contains("trial 1\n") && !page.contains("[32m"),
        "{page}"
    );
    let page = bench.page("/builds/6").body;
    assert!(page.contains("Waiting: build 5 of digits is running."), "{page}");
    let page = bench.page("/repositories/digits").body;
    assert!(page.contains("/hooks/digits") && page.contains("<polyline"), "{page}");
    assert!(bench.page("/repositories/letters").body.contains("lists no secret file"));
    bench.health.report_branch("letters", Some("git ls-remote failed: <no>".into()));
    assert!(bench.page("/repositories/letters").body.contains("git ls-remote failed: &lt;no&gt;"));
    assert!(!bench.page("/repositories/digits").body.contains("cannot be polled"));
    bench.health.report_branch("letters", None);
    assert!(!bench.page("/repositories/letters").body.contains("cannot be polled"));
}

#[test]
fn the_stage_that_trains_shows_the_jobs_of_a_cluster() {
    let bench = Bench::open();
    bench.fill();
    assert!(!bench.page("/builds/4").body.contains("Jobs on the cluster"));
    let run = bench.places.build(4).join("runs/seedling-0001");
    let ended = |trial, node: &str, why: Option<&str>, seconds| Event::JobEnded {
        trial,
        part: "train".into(),
        submission: 1,
        job: Some("41".into()),
        node: Some(node.into()),
        why: why.map(str::to_owned),
        queue_seconds: 1.5,
        seconds,
    };
    let submitted = |trial, job: &str| Event::JobSubmitted {
        trial,
        part: "train".into(),
        submission: 1,
        job: job.into(),
    };
    let jobs = vec![
        submitted(1, "41"),
        ended(1, "n7", Some("its node failed"), 4.0),
        submitted(1, "42"),
        ended(1, HOSTILE, None, 6.25),
        submitted(3, "43"),
    ];
    let lines = records(jobs).into_iter().map(|one| one.to_line().unwrap() + "\n");
    // The study goes on: its end, which the sample has, is left out.
    let record = std::fs::read_to_string(run.join("events.jsonl")).unwrap();
    let record = record.split_inclusive('\n').filter(|line| !line.contains("study_finished"));
    std::fs::write(
        run.join("events.jsonl"),
        record.collect::<String>() + &lines.collect::<String>(),
    )
    .unwrap();
    let running = r#"[{"trial": 3, "part": "train", "submission": 1, "attempt": 1, "job": "43", "state": "pending",
        "node": null, "reason": "Resources", "queue_seconds": 12.5, "seconds": 0.0}]"#;
    std::fs::write(run.join("cluster.json"), running).unwrap();
    let page = bench.page("/builds/4").body;
    let at = |said: &str| page.find(said).unwrap_or_else(|| panic!("{said}: {page}"));
    let stage = &page[at("<strong>train</strong>")..at("<strong>judge</strong>")];
    let table = ["Jobs on the cluster", ">42<", "10.2 s", "3.0 s"];
    for said in table.iter().chain(&["pending", "Resources", ">43<", "12.5 s"]) {
        assert!(stage.contains(said), "{said}: {stage}");
    }
    assert!(page.contains("Total node time: 10.2 s"), "{page}");
    assert!(!page.contains("<script>alert"), "{page}");
    // What was written there need not be what burgeon writes.
    std::fs::write(run.join("cluster.json"), "[{\"trial\": {}}").unwrap();
    assert!(bench.page("/builds/4").body.contains("Jobs on the cluster"));
}

#[test]
fn every_answer_forbids_scripts_of_others_and_is_not_kept() {
    let bench = Bench::open();
    bench.fill();
    for path in [
        "/",
        "/builds/1",
        "/builds/99",
        "/nowhere",
        "/healthz",
        "/api/builds",
        "/builds/1/files/report.html",
    ] {
        let reply = bench.page(path);
        let policy = reply.header("content-security-policy").unwrap_or_default();
        assert!(policy.starts_with("default-src 'none'; style-src 'self';"), "{path}: {policy}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{path}");
        assert!(!reply.body.contains("style=") && !reply.body.contains("<script>"), "{path}");
    }
    let style = bench.page("/assets/style.css");
    assert!(style.header("cache-control").unwrap().contains("immutable"));
    let report = bench.page("/builds/1/files/report.html");
    assert!(!report.header("content-security-policy").unwrap().contains("script-src"));
}

#[test]
fn what_is_not_there_is_said_in_the_words_of_whoever_asks() {
    let bench = Bench::open();
    let page = bench.page("/builds/7");
    assert!(page.status == 404 && page.body.contains("<h1>Not Found</h1>"), "{page:?}");
    let api = bench.ask("GET /api/builds/7", &[], b"");
    assert_eq!((api.status, api.body.as_str()), (404, "{\"error\":\"There is no such build.\"}"));
    for (line, status) in [
        ("GET /builds/x", 404),
        ("GET /builds/-1", 404),
        ("GET /builds/99999999999999999999", 404),
        ("GET /builds/%ff", 400),
        ("POST /builds/1", 405),
        ("DELETE /", 405),
        ("GET /hooks/digits", 405),
        ("GET /builds/1/cancel", 405),
        ("GET /builds/1/log?from=x", 400),
        ("GET /assets/../live.js", 404),
        ("GET /assets/%2e%2e%2flive.js", 404),
        ("OPTIONS /", 405),
    ] {
        assert_eq!(bench.ask(line, &[], b"").status, status, "{line}");
    }
    let head = bench.ask("HEAD /", &[], b"");
    assert!(head.status == 200 && head.body.is_empty() && head.header("content-length").is_some());
    assert_eq!(bench.ask("GET /?below=x&below=1", &[], b"").status, 200);
}

#[test]
fn no_path_from_outside_reaches_the_files() {
    let bench = Bench::open();
    bench.fill();
    std::fs::write(bench.places.build(1).join("runs/seedling-0001/secret"), "s3cret").unwrap();
    let run = bench.places.build(2).join("runs/seedling-0001");
    for name in ["report.html", "junit.xml", "report"] {
        let _ = std::fs::remove_file(run.join(name));
    }
    symlink("/etc/passwd", run.join("report.html")).unwrap();
    symlink(bench.folder.path().join("secret"), run.join("junit.xml")).unwrap();
    symlink("/etc", run.join("report")).unwrap();
    for path in [
        "/builds/1/files/secret",
        "/builds/1/files/../secret",
        "/builds/1/files/%2e%2e/%2e%2e/log.txt",
        "/builds/1/files/best/../secret",
        "/builds/1/files/best%2f..%2fsecret",
        "/builds/1/files//etc/passwd",
        "/builds/1/files/%2fetc%2fpasswd",
        "/builds/1/files/report.html%00",
        "/builds/1/files/",
        "/builds/2/files/report.html",
        "/builds/2/files/junit.xml",
        "/builds/2/files/report/style.css",
        "/builds/6/files/report.html",
    ] {
        let reply = bench.ask(&format!("GET {path}"), &[], b"");
        assert!(reply.status == 404 && !reply.body.contains("root:"), "{path}: {reply:?}");
    }
    let model = bench.ask("GET /builds/1/files/best/model.onnx", &[], b"");
    assert_eq!((model.status, model.body.len()), (200, 300_000));
    assert_eq!(model.header("content-disposition"), Some("attachment; filename=\"digits-1.onnx\""));
    bench.store.set_cleared(1).unwrap();
    assert_eq!(bench.page("/builds/1/files/report.html").status, 404);
}

#[test]
fn hostile_texts_stay_texts_on_every_page() {
    let bench = Bench::open();
    let id = bench.begin(HOSTILE, HOSTILE, HOSTILE);
    bench.store.begin_stage(id, StageName::Train).unwrap();
    bench.store.end_stage(id, StageName::Train, StageState::Failed, HOSTILE).unwrap();
    bench.store.set_run(id, "runs/seedling-0001").unwrap();
    bench.write_run(id);
    let run = bench.places.build(id).join("runs/seedling-0001");
    let lines = records(hostile()).into_iter().map(|one| one.to_line().unwrap() + "\n");
    std::fs::write(run.join("events.jsonl"), lines.collect::<String>()).unwrap();
    std::fs::write(bench.places.log(id), HOSTILE).unwrap();
    bench.store.end(id, Verdict::Failed, HOSTILE).unwrap();
    bench.store.enqueue(asked(HOSTILE)).unwrap();
    let new = NewDelivery {
        repository: HOSTILE,
        source: "github",
        delivery: HOSTILE,
        event: HOSTILE,
        branch: HOSTILE,
        commit: HOSTILE,
        ignored: Some(HOSTILE),
    };
    bench.store.record_deliveries(&[new]).unwrap();
    for path in ["/", "/builds/1", "/repositories/digits", "/deliveries"] {
        let page = bench.page(path);
        assert_eq!(page.status, 200, "{path}");
        assert!(
            !page.body.contains("<script>") && !page.body.contains("</title><"),
            "{path}: {}",
            page.body
        );
        assert!(page.body.contains("&lt;script&gt;"), "{path}");
        assert_eq!(page.body.matches('\u{7}').count(), 0, "{path}");
    }
    let reply = bench.ask(&format!("GET /login?to={}", "%22%3e%3cscript%3e"), &[], b"");
    assert!(!reply.body.contains("<script>"), "{reply:?}");
    let log = bench.ask("GET /builds/1/log", &[("Accept", "text/html")], b"");
    assert_eq!(log.header("content-type"), Some("text/plain; charset=utf-8"));
}

#[test]
fn logs_are_read_on_from_where_they_were() {
    let bench = Bench::open();
    bench.fill();
    let first = bench.ask("GET /builds/1/log", &[], b"");
    assert_eq!(
        (first.body.as_str(), first.header("x-log-next")),
        ("pull\ndetect\ntrain\n", Some("18"))
    );
    let rest = bench.ask("GET /builds/1/log?from=5", &[], b"");
    assert_eq!(rest.body, "detect\ntrain\n");
    std::fs::write(bench.places.log(1), "x".repeat(1 << 20)).unwrap();
    let piece = bench.ask("GET /builds/1/log?from=100", &[], b"");
    assert_eq!((piece.body.len(), piece.header("x-log-length")), (256 << 10, Some("1048576")));
    assert_eq!(bench.ask("GET /builds/2/log?from=99999999", &[], b"").body, "");
}

#[test]
fn programs_get_rows_with_their_stages() {
    let bench = Bench::open();
    bench.fill();
    let builds: serde_json::Value =
        serde_json::from_str(&bench.ask("GET /api/builds", &[], b"").body).unwrap();
    assert_eq!(builds["builds"].as_array().unwrap().len(), 6);
    let accepted = &builds["builds"][5];
    assert_eq!(
        (&accepted["verdict"], &accepted["stages"][5]["name"]),
        (&"accepted".into(), &"notify".into())
    );
    let few: serde_json::Value = serde_json::from_str(
        &bench.ask("GET /api/builds?below=3&repository=digits", &[], b"").body,
    )
    .unwrap();
    assert_eq!(few["builds"].as_array().unwrap().len(), 2);
    let one: serde_json::Value =
        serde_json::from_str(&bench.ask("GET /api/builds/1", &[], b"").body).unwrap();
    assert_eq!((&one["id"], &one["accuracy"]), (&1.into(), &0.9612.into()));
}

#[test]
fn more_builds_than_a_page_holds_are_on_the_next() {
    let bench = Bench::open();
    for n in 0..40 {
        bench.store.enqueue(asked(&format!("{n:040x}"))).unwrap();
    }
    let page = bench.page("/").body;
    assert!(page.contains("id=\"build-11\"") && !page.contains("id=\"build-10\""));
    assert!(page.contains("href=\"/?below=11\""));
    let page = bench.page("/?below=11").body;
    assert!(page.contains("id=\"build-1\"") && !page.contains("rel=\"next\""));
}

#[test]
fn what_registries_wait_for_and_what_came_of_retrainings_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("registry");
    let text = format!("[[retrain]]\nregistry = {path:?}\n[[retrain]]\nregistry = \"nowhere\"\n");
    let bench = Bench::with(&text);
    let classes = ["a".to_owned(), "b".to_owned()];
    let held_out = HeldOut::new("test", [1, 1, 1], "pad", &classes, vec![0, 1], vec![0, 1]);
    let settings = Settings::new("pets", 0.5);
    let registry = Registry::begin(Arc::new(RealFiles), &path, &settings, &held_out).unwrap();
    let retraining = Retraining {
        number: 1,
        cause: Cause::Drift,
        begun: jiff::Timestamp::UNIX_EPOCH,
        images: 3,
        held_out: 1,
        sources: Default::default(),
        data: String::new(),
        trained: None,
        why: HOSTILE.into(),
    };
    std::fs::create_dir(registry.retrain()).unwrap();
    let waits = serde_json::json!({ "v": 1, "state": { "waiting": "12 of 200 labels" } });
    registry.keep_retraining_state(&waits).unwrap();
    let writer = Writer::open(&registry, Arc::new(RealClock::default()), "ann", "test").unwrap();
    let trains = Retraining { number: 2, why: String::new(), ..retraining.clone() };
    writer.for_retraining(retraining, None).refuse("production").unwrap();
    // As rows among the builds, live.
    let asked = bench.store.enqueue(asked("")).unwrap();
    let rows = bench.page("/").body;
    assert!(rows.contains(">retraining 1</a>") && rows.contains("badge rejected"), "{rows}");
    assert!(!rows.contains("<script>alert"), "{rows}");
    for (state, word) in [("waiting", "waiting"), ("training", "running")] {
        let state = serde_json::json!({ "v": 1, "state": { state: "x" }, "retraining": trains });
        registry.keep_retraining_state(&state).unwrap();
        let told = bench.page("/api/builds").body;
        let told: serde_json::Value = serde_json::from_str(&told).unwrap();
        let rows = told["retrainings"].as_array().unwrap();
        let row = rows.iter().find(|row| row["number"] == 2).unwrap();
        assert_eq!((&row["kind"], &row["state"]), (&"retrain".into(), &word.into()), "{told}");
        assert_eq!(told["builds"].as_array().unwrap().len(), 1, "{asked:?}");
    }
    let page = bench.page("/").body;
    assert!(page.contains(">retraining 2</a>"), "{page}");
    assert!(page.contains("1 of 1 builds and retrainings are running"), "{page}");
    registry.keep_retraining_state(&waits).unwrap();
    let page = bench.page("/retraining");
    assert_eq!(page.status, 200);
    for said in ["12 of 200 labels", "drift alarm", "refused", "no registry.toml"] {
        assert!(page.body.contains(said), "{said}: {}", page.body);
    }
    assert!(!page.body.contains("<script>alert"), "{}", page.body);
    let told = bench.page("/api/retraining").body;
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["retraining"][0]["decisions"][0]["retraining"]["cause"], "drift");
    assert!(told["retraining"][1]["error"].is_string(), "{told}");
    assert!(bench.page("/").body.contains("/retraining"));
    assert!(!Bench::open().page("/").body.contains("/retraining"));
}
