//! The server with a model that is no network: the protocol, the bounds, and the exchange of versions.

use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

mod bench;
mod drift;
mod mutated;

use self::bench::*;
pub(super) use self::bench::{reference, registry, usual};
use super::*;
use crate::registry::{CANDIDATE, Force, PRODUCTION};
use crate::serve::TokenFiles;

#[test]
fn images_are_answered_as_the_protocol_says() {
    let bench = Bench::of_model(|_, _| {});
    let mut request = images(&[1.0, 1.0, 0.0, 0.5]);
    request["id"] = "42".into();
    let reply = bench.infer(&request);
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert!(reply.header("x-request-id").is_some());
    let answer = reply.json();
    assert_eq!((&answer["id"], &answer["model_version"]), (&json!("42"), &json!("run-1")));
    let [probabilities, logits, class] = [0, 1, 2].map(|output| &answer["outputs"][output]);
    assert_eq!(
        (&logits["shape"], &logits["data"]),
        (&json!([2, 2]), &json!([0.5, 1.0, 0.5, 0.25]))
    );
    assert_eq!((&class["datatype"], &class["data"]), (&json!("INT64"), &json!([1, 0])));
    let sum: f64 = [0, 1].iter().map(|at| probabilities["data"][at].as_f64().unwrap()).sum();
    assert!((sum - 1.0).abs() < 1e-6);
    let metadata = bench.ask("GET /v2/models/mean", &[], b"").json();
    assert_eq!(metadata["inputs"][0]["shape"], json!([-1, 1, 1, 2]));
    assert_eq!(metadata["versions"], json!(["run-1"]));
    let server = bench.ask("GET /v2", &[], b"").json();
    assert_eq!(server["extensions"], json!(["binary_tensor_data"]));
    for path in
        ["/livez", "/readyz", "/v2/health/live", "/v2/health/ready", "/v2/models/mean/ready"]
    {
        assert_eq!(bench.ask(&format!("GET {path}"), &[], b"").status, 200, "{path}");
    }
    for path in [
        "/v2/models/other",
        "/v2/models/%FF",
        "/v2/models/mean/versions/7",
        "/v2/models/mean/versions/%FF/ready",
    ] {
        let reply = bench.ask(&format!("GET {path}"), &[], b"");
        assert_eq!(reply.status, 404, "{path}");
        assert!(reply.json()["error"].is_string());
    }
}

#[test]
fn binary_tensors_come_and_go_behind_the_json() {
    let bench = Bench::of_model(|_, _| {});
    let json = json!({ "inputs": [{ "name": "images", "shape": [2, 1, 1, 2], "datatype": "UINT8",
        "parameters": { "binary_data_size": 4 } }], "outputs": [{ "name": "logits" }],
        "parameters": { "binary_data_output": true } })
    .to_string();
    let length = json.len().to_string();
    let body = [json.as_bytes(), &[255, 255, 0, 0]].concat();
    let headers = [("Inference-Header-Content-Length", &*length)];
    let reply = bench.ask("POST /v2/models/mean/versions/run-1/infer", &headers, &body);
    assert_eq!(reply.status, 200, "{}", reply.text());
    let at: usize = reply.header("inference-header-content-length").unwrap().parse().unwrap();
    let expected: Vec<u8> =
        [0.5, 1.0, 0.5, 0.0_f32].iter().flat_map(|value| value.to_le_bytes()).collect();
    assert_eq!(reply.body[at..], expected);
    let answer: Value = serde_json::from_slice(&reply.body[..at]).unwrap();
    assert_eq!(answer["outputs"][0]["parameters"]["binary_data_size"], 16);
}

#[test]
fn what_is_wrong_is_told_as_the_protocol_says_and_harms_nobody() {
    let bench = Bench::of_model(|_, _| {});
    let long = "[".repeat(90_000);
    for body in ["", "{", "null", "{\"inputs\":[]}", &long, "\u{0}\u{1}"] {
        let reply = bench.ask("POST /v2/models/mean/infer", &[], body.as_bytes());
        assert_eq!(reply.status, 400, "{body:.20}");
        assert!(reply.json()["error"].is_string());
    }
    let too_long = bench.ask("POST /predict", &[], &[0; 150_000]);
    assert_eq!(too_long.status, 413);
    let without_end = bench.ask("POST /predict", &[("Content-Length", "99999999999")], b"a");
    assert_eq!(without_end.status, 413);
    let packed = bench.ask("POST /predict", &[("Content-Encoding", "gzip")], b"ab");
    assert_eq!(packed.status, 415);
    assert_eq!(bench.ask("GET /predict", &[], b"").status, 405);
    assert_eq!(bench.ask("GET /nothing", &[], b"").status, 404);
    assert_eq!(bench.infer(&images(&[0.0, 0.0])).status, 200);
    assert!(bench.metric("burgeon_requests_refused_total{status=\"400\"}") >= 6.0);
}

#[test]
fn pictures_are_answered_by_name_and_a_bad_one_spoils_no_other() {
    let bench = Bench::of_model(|_, _| {});
    let one = bench.ask("POST /predict", &[], &[255, 255]).json();
    let found = &one["predictions"][0];
    assert_eq!((&found["class"], &found["unsure"]), (&json!("light"), &json!(false)));
    assert_eq!(bench.ask("POST /predict", &[], b"nothing").status, 400);
    let form = b"--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"bad\"\r\n\r\nno picture\r\n\
        --B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"dark\"\r\n\r\n\x00\x00\r\n--B--\r\n";
    let kind = [("Content-Type", "multipart/form-data; boundary=B")];
    let many = bench.ask("POST /predict", &kind, form).json();
    assert_eq!(many["predictions"][0]["error"], "Not a picture.");
    assert_eq!(many["predictions"][1]["file"], "dark");
    assert_eq!(many["predictions"][1]["class"], "dark");
}

#[test]
fn below_a_confidence_the_answer_is_unsure() {
    let bench = Bench::of_model(|settings, _| settings.abstain = Some(0.6));
    let reply = bench.infer(&images(&[1.0, 1.0, 0.0, 0.0]));
    // 1 against 0.5 and 0.5 against 0: both have a probability of 0.62; 0.5 against 0.5 has not.
    assert_eq!(reply.json()["outputs"][2]["data"], json!([1, 0]));
    let unsure = bench.ask("POST /predict", &[], &[128, 128]).json();
    assert_eq!(unsure["predictions"][0]["unsure"], true);
    assert_eq!(bench.metric("burgeon_unsure_total{model=\"mean\",version=\"run-1\"}"), 1.0);
}

#[test]
fn more_than_fits_is_refused_at_once_and_requests_that_wait_are_computed_together() {
    let bench = Bench::of_model(|settings, _| {
        settings.threads = 1;
        settings.limits.queue = 0;
    });
    bench.slow.store(true, Ordering::SeqCst);
    let half = images(&[0.0; 1024]);
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let asked: Vec<_> = (0..12).map(|_| scope.spawn(|| bench.infer(&half))).collect();
        asked
            .into_iter()
            .map(|asked| {
                let reply = asked.join().unwrap();
                if reply.status == 429 {
                    assert_eq!(reply.header("retry-after"), Some("1"));
                }
                reply.status
            })
            .collect()
    });
    bench.slow.store(false, Ordering::SeqCst);
    assert!(statuses.contains(&429) && statuses.contains(&200), "{statuses:?}");
    assert!(statuses.iter().all(|status| [200, 429].contains(status)), "{statuses:?}");
    bench.slow.store(true, Ordering::SeqCst);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(bench.infer(&images(&[0.0, 0.0])).status, 200));
        }
    });
    let labels = "{model=\"mean\",version=\"run-1\"}";
    let executions = bench.metric(&format!("nv_inference_exec_count{labels}"));
    let successes = bench.metric(&format!("nv_inference_request_success{labels}"));
    assert!(executions < successes, "{executions} batches for {successes} requests");
}

#[test]
fn a_promotion_is_noticed_and_what_is_broken_never_serves() {
    let bench = Bench::of_registry(registry(), |_| {});
    let folder = bench.folder.path().to_owned();
    assert_eq!(bench.version(), "1");
    writer(&folder).promote(PRODUCTION, 2, Force::No).unwrap();
    bench.wait_for("2");
    assert_eq!(bench.infer(&images(&[1.0, 1.0])).json()["outputs"][1]["data"], json!([0.5, 2.0]));
    writer(&folder).roll_back(PRODUCTION).unwrap();
    bench.wait_for("1");
    // Broken in all ways: it cannot be loaded, it panics, it answers otherwise than it was stored with, and its file
    // is cut after it was promoted.
    let broken =
        [add(&folder, "no number", "1"), add(&folder, "panic", "1"), add(&folder, "3.0", "1")];
    let mut failed = 0.0;
    for version in broken {
        writer(&folder).promote(PRODUCTION, version, Force::Yes).unwrap();
        let began = Instant::now();
        while bench.metric("burgeon_version_swaps_failed_total") <= failed {
            assert_eq!(bench.version(), "1");
            assert!(began.elapsed() < Duration::from_secs(20), "{version} was never looked at");
        }
        failed = bench.metric("burgeon_version_swaps_failed_total");
        assert_eq!(bench.version(), "1", "{version}");
        assert_eq!(bench.ask("GET /readyz", &[], b"").status, 200);
    }
    let cut = add(&folder, "4.0", "4.0");
    std::fs::write(open(&folder).version_folder(cut).join("model"), "4").unwrap();
    let refused = writer(&folder).promote(PRODUCTION, cut, Force::Yes);
    assert!(refused.is_err());
    let whole = add(&folder, "5.0", "5.0");
    writer(&folder).promote(PRODUCTION, whole, Force::Yes).unwrap();
    bench.wait_for(&whole.to_string());
}

/// `BURGEON_TEST_PROMOTIONS=1000` measures in full.
#[test]
fn promotions_under_load_fail_no_request() {
    let promotions =
        std::env::var("BURGEON_TEST_PROMOTIONS").map_or(30, |count| count.parse().unwrap());
    let bench = Bench::of_registry(registry(), |_| {});
    let folder = bench.folder.path().to_owned();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let asking: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut asked = 0;
                    while !done.load(Ordering::SeqCst) {
                        let reply = bench.infer(&images(&[1.0, 1.0]));
                        assert_eq!(reply.status, 200, "{}", reply.text());
                        let answer = reply.json();
                        let version = answer["model_version"].as_str().unwrap();
                        let factor: f64 = version.parse().unwrap();
                        // The answer is that of the version that it names.
                        assert_eq!(answer["outputs"][1]["data"], json!([0.5, factor]));
                        asked += 1;
                    }
                    asked
                })
            })
            .collect();
        for round in 0..promotions {
            writer(&folder).promote(PRODUCTION, 2 - round % 2, Force::Yes).unwrap();
            std::thread::sleep(Duration::from_millis(20));
        }
        done.store(true, Ordering::SeqCst);
        for asking in asking {
            assert!(asking.join().unwrap() > 0);
        }
    });
    assert!(bench.metric("burgeon_version_swaps_total") > 0.0);
}

#[test]
fn the_candidate_is_compared_and_never_answers() {
    let folder = registry();
    writer(folder.path()).promote(CANDIDATE, 2, Force::No).unwrap();
    let bench = Bench::of_registry(folder, |_| {});
    let line = "burgeon_shadow_compared_total{model=\"mean\",version=\"2\"}";
    let began = Instant::now();
    loop {
        // A mean of 0.4: dark for a factor of 1, light for a factor of 2.
        let answer = bench.infer(&images(&[0.4, 0.4])).json();
        assert_eq!(
            (&answer["model_version"], &answer["outputs"][2]["data"]),
            (&json!("1"), &json!([0]))
        );
        let text = bench.ask("GET /metrics", &[], b"").text();
        if text.contains(line) {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{text}");
    }
    assert!(bench.metric("burgeon_shadow_differ_total{model=\"mean\",version=\"2\"}") > 0.0);
}

#[test]
fn feedback_is_recorded_and_kept_images_are_exported_by_their_true_class() {
    let bench = Bench::of_registry(registry(), |settings| {
        let Source::Registry(registry) = &settings.source else { return };
        settings.requests = Some(registry.requests());
        settings.keep_images = 10;
    });
    let answer = bench.ask("POST /predict", &[], &[255, 255]).json();
    let request = answer["request"].as_str().unwrap().to_owned();
    let tell = |body: Value| bench.ask("POST /feedback", &[], body.to_string().as_bytes());
    let told = tell(json!({ "request": request, "index": 0, "label": "dark" }));
    assert_eq!((told.status, &told.json()["right"]), (200, &json!(false)), "{}", told.text());
    for (body, status) in [
        (json!({ "request": "0-0", "label": "dark" }), 404),
        (json!({ "request": request, "label": "grey" }), 400),
        (json!({ "request": request, "index": 1, "label": "dark" }), 400),
        (json!({ "request": request }), 400),
        (json!({ "request": request, "label": "dark", "source": "x".repeat(65) }), 400),
        (json!({ "request": request, "label": "dark", "source": "a\nb" }), 400),
        (json!([]), 400),
    ] {
        assert_eq!(tell(body.clone()).status, status, "{body}");
    }
    assert_eq!(bench.metric("burgeon_feedback_total"), 1.0);
    let output = tempfile::tempdir().unwrap();
    let requests = bench.folder.path().join("requests");
    assert_eq!(export_feedback(&requests, output.path()).unwrap(), (1, 0));
    // A crash has torn a line: the label after it is read all the same.
    let mut torn =
        std::fs::File::options().append(true).open(requests.join("feedback.jsonl")).unwrap();
    std::io::Write::write_all(&mut torn, b"{\"request\": \"1-").unwrap();
    let second = bench.ask("POST /predict", &[], &[255, 255]).json();
    let told = tell(
        json!({ "request": second["request"], "index": 0, "label": "dark", "source": "kiosk-3" }),
    );
    assert_eq!(told.status, 200, "{}", told.text());
    let output = tempfile::tempdir().unwrap();
    assert_eq!(export_feedback(&requests, output.path()).unwrap().0, 2);
    let files: Vec<_> = std::fs::read_dir(output.path().join("dark")).unwrap().collect();
    assert_eq!(files.len(), 2);
    let mut labels = labelled(&requests).unwrap();
    labels.sort_by_key(|label| label.at);
    let sources: Vec<&str> = labels.iter().map(|label| label.source.as_str()).collect();
    assert_eq!(sources, ["127.0.0.1", "kiosk-3"], "whoever names none is known by the address");
    assert!(labels.iter().all(|label| label.label == "dark" && label.image.is_file()));
}

#[test]
fn every_token_opens_what_it_is_for_and_nothing_else() {
    let bench = Bench::of_model(|settings, folder| {
        let file = |name: &str| {
            let path = folder.join(name);
            std::fs::write(&path, format!("{name}-token\n")).unwrap();
            Some(path)
        };
        settings.tokens = TokenFiles {
            predict: file("predict"),
            feedback: file("feedback"),
            read: file("read"),
            change: file("change"),
        };
    });
    let body = images(&[0.0, 0.0]).to_string();
    let requests = [
        ("predict", "POST /v2/models/mean/infer", body.as_bytes()),
        ("feedback", "POST /feedback", b"{}"),
        ("read", "GET /metrics", b""),
        ("read", "GET /api/drift", b""),
        ("change", "POST /api/promote", b"{}"),
    ];
    for (needed, line, body) in requests {
        assert_eq!(bench.ask(line, &[], body).status, 401, "{line} without a token");
        for token in ["predict", "feedback", "read", "change"] {
            let header = format!("Bearer {token}-token");
            let reply = bench.ask(line, &[("Authorization", &header)], body);
            let is_open = token == needed || token == "change";
            assert_eq!(reply.status != 403, is_open, "{line} with {token}: {}", reply.status);
        }
    }
    for path in ["/livez", "/readyz", "/openapi.json", "/", "/login", "/session", "/assets/page.js"]
    {
        assert_eq!(bench.ask(&format!("GET {path}"), &[], b"").status, 200, "{path}");
    }
}

#[test]
fn versions_are_promoted_and_rolled_back_over_http() {
    let bench = Bench::of_registry(registry(), |_| {});
    let move_to = |path: &str, body: Value| bench.ask(path, &[], body.to_string().as_bytes());
    let done = move_to("POST /api/promote", json!({ "alias": "production", "version": 2 }));
    assert_eq!(done.status, 200, "{}", done.text());
    bench.wait_for("2");
    let told = bench.ask("GET /api/registry", &[], b"").json();
    assert_eq!((&told["serving"], &told["aliases"][0]["version"]), (&json!("2"), &json!(2)));
    assert_eq!(told["decisions"][0]["action"], "promoted");
    assert_eq!(move_to("POST /api/rollback", json!({ "alias": "production" })).status, 200);
    bench.wait_for("1");
    for (body, status) in [
        (json!({ "alias": "production", "version": 99 }), 404),
        (json!({ "alias": "../x", "version": 1 }), 400),
        (json!({ "alias": "production", "version": 1 }), 409),
        (json!({ "alias": "production" }), 400),
    ] {
        assert_eq!(move_to("POST /api/promote", body.clone()).status, status, "{body}");
    }
}

#[test]
fn a_server_ends_while_requests_run_and_lets_them_end() {
    let mut bench = Bench::of_model(|_, _| {});
    bench.slow.store(true, Ordering::SeqCst);
    let address = bench.address;
    let asked = std::thread::spawn(move || {
        let body = images(&[1.0, 1.0]).to_string();
        ask(address, "POST /v2/models/mean/infer", &[], body.as_bytes()).status
    });
    std::thread::sleep(Duration::from_millis(100));
    bench.stop.request();
    bench.thread.take().unwrap().join().unwrap();
    assert_eq!(asked.join().unwrap(), 200);
    assert!(TcpStream::connect(address).is_err());
}
