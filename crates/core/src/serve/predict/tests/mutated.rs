//! Requests that were right once, and then changed at random: tensors in JSON and behind it, forms, feedback, sessions.

use serde_json::json;

use super::bench::{Bench, images, registry};
use super::*;
use crate::serve::tests::mutated::storm;

fn seed(line: &str, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let mut head = format!("{line} HTTP/1.1\r\nHost: 127.0.0.1\r\n");
    for header in headers {
        head += &format!("{header}\r\n");
    }
    if !body.is_empty() {
        head += &format!("Content-Length: {}\r\n", body.len());
    }
    [head.as_bytes(), b"\r\n", body].concat()
}

fn seeds(request: &str) -> Vec<Vec<u8>> {
    let tensor = json!({ "inputs": [{ "name": "images", "shape": [2, 1, 1, 2], "datatype": "UINT8",
        "parameters": { "binary_data_size": 4 } }], "outputs": [{ "name": "logits" }],
        "parameters": { "binary_data_output": true } })
    .to_string();
    let binary = [tensor.as_bytes(), &[255, 255, 0, 0]].concat();
    let length = format!("Inference-Header-Content-Length: {}", tensor.len());
    let numbers = images(&[1.0, 0.5, 0.0, 0.25]).to_string();
    let form = b"--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"bad\"\r\n\r\nno picture\r\n\
        --B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"dark\"\r\n\r\n\x00\x00\r\n--B--\r\n";
    let label = json!({ "request": request, "index": 0, "label": "dark", "source": "ann" });
    let promotion = json!({ "alias": "candidate", "version": 2, "force": true }).to_string();
    let mut seeds = vec![
        seed("POST /v2/models/mean/infer", &[], numbers.as_bytes()),
        seed("POST /v2/models/mean/infer", &[&length], &binary),
        seed("POST /v2/models/mean/versions/1/infer", &[&length, "Expect: 100-continue"], &binary),
        seed("POST /predict", &["Content-Type: image/png"], &[255, 255]),
        seed("POST /predict", &["Content-Type: multipart/form-data; boundary=B"], form),
        seed("POST /predict", &["Content-Encoding: gzip"], &[31, 139]),
        seed("POST /feedback", &[], label.to_string().as_bytes()),
        seed("POST /api/promote", &["Authorization: Bearer x"], promotion.as_bytes()),
        seed("POST /api/rollback", &[], b"{\"alias\":\"candidate\"}"),
        seed("POST /login", &["Content-Type: application/x-www-form-urlencoded"], b"token=change"),
        seed("POST /logout", &["Cookie: burgeon-session=00ff", "X-Form-Token: 00ff"], b"form=00ff"),
        seed("POST /predict", &["Transfer-Encoding: chunked"], b""),
    ];
    seeds.last_mut().unwrap().extend(b"2\r\n\xff\xff\r\n0\r\n\r\n");
    for path in [
        "/",
        "/session",
        "/metrics",
        "/v2/models/mean/versions/1/ready",
        "/api/registry",
        "/api/drift",
    ] {
        let headers =
            ["Cookie: burgeon-session=00ff", "Accept: text/html", "Connection: keep-alive"];
        seeds.push(seed(&format!("GET {path}"), &headers, b""));
    }
    seeds
}

#[test]
fn mutated_requests_for_predictions_keep_nobody_out() {
    let bench = Bench::of_registry(registry(), |settings| {
        let Source::Registry(registry) = &settings.source else { return };
        settings.requests = Some(registry.requests());
        settings.keep_images = 10;
    });
    let answer = bench.ask("POST /predict", &[], &[255, 255]).json();
    storm(bench.address, &seeds(answer["request"].as_str().unwrap()), || {
        let reply = bench.infer(&images(&[1.0, 1.0]));
        assert_eq!(reply.status, 200, "{}", reply.text());
        // That of the version that answers, whichever was promoted by a mutated request.
        let answer = reply.json();
        let factor: f64 = answer["model_version"].as_str().unwrap().parse().unwrap();
        assert_eq!(answer["outputs"][1]["data"], json!([0.5, factor]));
    });
    assert_eq!(bench.ask("GET /readyz", &[], b"").status, 200);
    assert_eq!(open(bench.folder.path()).verify().unwrap().faults, Vec::<String>::new());
}
