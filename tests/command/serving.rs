//! `burgeon serve RUN` and `burgeon serve --registry`: what may never serve, and connections over TLS.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::registry::filled;
use crate::small_sets::{image_file, in_turn, label_file, write_set};
use crate::support::{Bench, expect_code, listening, stderr};

/// A server, killed at the end.
struct Server {
    child: Child,
    address: String,
    agent: ureq::Agent,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// `burgeon serve ARGS…`, with its log in the file `log`; `certificate` is the one to trust.
    fn start(bench: &Bench, arguments: &[&str], certificate: Option<&Path>) -> Self {
        let (child, address) = listening(
            bench
                .command(&["serve", "--listen", "127.0.0.1:0"])
                .args(arguments)
                .stderr(fs::File::create(bench.path().join("log")).unwrap()),
        );
        let mut config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(Duration::from_secs(20)));
        if let Some(certificate) = certificate {
            let pem = fs::read(certificate).unwrap();
            let roots = Arc::new(vec![ureq::tls::Certificate::from_pem(&pem).unwrap()]);
            let roots = ureq::tls::RootCerts::Specific(roots);
            config = config.tls_config(ureq::tls::TlsConfig::builder().root_certs(roots).build());
        }
        Self { child, address, agent: config.build().into() }
    }

    fn get(&self, path: &str) -> (u16, String) {
        let answer = self.agent.get(format!("{}{path}", self.address)).call().unwrap();
        (answer.status().as_u16(), answer.into_body().read_to_string().unwrap())
    }

    fn told(&self) -> Value {
        serde_json::from_str(&self.get("/api/registry").1).unwrap()
    }

    /// Has an image classified. Returns the version that did.
    fn answers(&self) -> String {
        let input = json!({ "name": "images", "shape": [1, 1, 28, 28], "datatype": "UINT8", "data": vec![0; 784] });
        let body = json!({ "inputs": [input] }).to_string();
        let address = format!("{}/v2/models/digits/infer", self.address);
        let answer = self.agent.post(address).send(body).unwrap();
        assert_eq!(answer.status(), 200);
        let answer = answer.into_body().read_to_string().unwrap();
        let answer: Value = serde_json::from_str(&answer).unwrap();
        answer["model_version"].as_str().unwrap().to_owned()
    }
}

/// Waits until something is there.
fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The folder of a version that somebody tampers with.
struct Version(PathBuf);

impl Version {
    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.0.join(name)).unwrap()
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.0.join(name), bytes).unwrap();
    }

    fn change_json(&self, name: &str, change: impl FnOnce(&mut Value)) {
        let mut value = serde_json::from_slice(&self.read(name)).unwrap();
        change(&mut value);
        self.write(name, &serde_json::to_vec(&value).unwrap());
    }

    /// Lets the manifest have the hashes of the files, as whoever made the version wrong would have written them.
    fn sign(&self) {
        let found: BTreeMap<String, Value> = fs::read_dir(&self.0)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != "version.json")
            .map(|name| {
                let bytes = self.read(&name);
                let entry = json!({ "bytes": bytes.len(), "sha256": sha256(&bytes) });
                (name, entry)
            })
            .collect();
        self.change_json("version.json", |manifest| manifest["files"] = json!(found));
    }

    /// The files of another model, whose manifest says that it fits.
    fn replace(&self, other: &Path) {
        for entry in fs::read_dir(other).unwrap() {
            let entry = entry.unwrap();
            if entry.file_name() != "version.json" {
                fs::copy(entry.path(), self.0.join(entry.file_name())).unwrap();
            }
        }
    }
}

/// A version of a registry of its own, of images of this side with this many classes.
fn other_model(bench: &Bench, name: &str, side: usize, classes: usize) -> PathBuf {
    // No two images are alike: each has the bits of its number.
    let part = |from: usize, count: usize| {
        let labels = in_turn(count, classes);
        let pixels = labels.iter().zip(from..).flat_map(|(label, at)| {
            (0..side * side).map(move |place| label * 20 + 9 * (at >> (place % 12) & 1) as u8)
        });
        [image_file(side, side, &pixels.collect::<Vec<u8>>()), label_file(&labels)]
    };
    let ([images, labels], [test_images, test_labels]) = (part(0, 300), part(300, 60));
    write_set(&bench.path().join(name), &[images, labels, test_images, test_labels]);
    let study = format!(
        "name = \"{name}\"\n[data]\nsource = \"idx\"\npath = \"{name}\"\nvalidation = 60\n[model]\nlayers = [{{ dense = {{ units = 4 }} }}]\n\
         [train]\nepochs = 1\n[gate]\naccuracy = 0.01\nallow-majority = true\n"
    );
    fs::write(bench.path().join(format!("{name}.toml")), study).unwrap();
    expect_code(&bench.burgeon(&["train", &format!("{name}.toml")]), 0);
    let (run, registry) = (format!("runs/{name}-0001"), format!("registry-{name}"));
    let add = ["registry", "add", &run, "--registry", &registry];
    expect_code(&bench.burgeon(&add), 0);
    bench.path().join(registry).join("versions/000001")
}

#[test]
fn a_version_that_is_not_what_it_should_be_never_serves_and_is_told() {
    let bench = filled();
    expect_code(&bench.burgeon(&["registry", "promote", "production", "1"]), 0);
    let small = other_model(&bench, "small", 6, 10);
    let few = other_model(&bench, "few", 28, 4);
    let model = "model.safetensors";
    type Tamper<'a> = Box<dyn Fn(&Version) + 'a>;
    // What is done to a version, and a part of what is told then.
    let rows: Vec<(&str, Tamper)> = vec![
        ("model.safetensors is damaged", Box::new(|it| it.write(model, &it.read(model)[..99]))),
        (
            "its SHA-256 is",
            Box::new(|it| {
                let mut bytes = it.read(model);
                *bytes.last_mut().unwrap() ^= 1;
                it.write(model, &bytes);
            }),
        ),
        (
            "its SHA-256 is",
            Box::new(|it| {
                it.change_json("version.json", |it| {
                    it["files"][model]["sha256"] = "0".repeat(64).into()
                });
            }),
        ),
        ("version.json", Box::new(|it| it.write("version.json", &it.read("version.json")[..99]))),
        ("version.json", Box::new(|it| fs::remove_file(it.0.join("version.json")).unwrap())),
        (
            model,
            Box::new(|it| {
                it.write(model, &it.read(model)[..999]);
                it.sign();
            }),
        ),
        (
            model,
            Box::new(|it| {
                it.write(model, b"no model");
                it.sign();
            }),
        ),
        (
            "lists no model.safetensors",
            Box::new(|it| {
                it.change_json("version.json", |it| {
                    it["files"].as_object_mut().unwrap().remove(model);
                });
            }),
        ),
        (
            "lists no self-test.json",
            Box::new(|it| {
                fs::remove_file(it.0.join("self-test.json")).unwrap();
                it.sign();
            }),
        ),
        (
            "self-test failed",
            Box::new(|it| {
                it.change_json("self-test.json", |it| it["cases"] = json!([]));
                it.sign();
            }),
        ),
        (
            "self-test failed",
            Box::new(|it| {
                it.change_json("self-test.json", |it| it["cases"][0]["image"] = "00".into());
                it.sign();
            }),
        ),
        (
            "self-test failed",
            Box::new(|it| {
                it.change_json("self-test.json", |it| {
                    it["cases"][0]["probabilities"].as_array_mut().unwrap().rotate_left(1);
                });
                it.sign();
            }),
        ),
        (
            "its network has the input shape [1, 6, 6]",
            Box::new(|it| {
                it.replace(&small);
                it.sign();
            }),
        ),
        (
            "its classes are not those",
            Box::new(|it| {
                it.replace(&few);
                it.sign();
            }),
        ),
    ];
    let registry = bench.path().join("registry");
    let alias = |name: &str, version: u64, manifest: &str| {
        let file = registry.join("aliases").join(name);
        let text = fs::read(registry.join("aliases/production")).unwrap();
        let mut value: Value = serde_json::from_slice(&text).unwrap();
        value["alias"] = name.into();
        value["version"] = version.into();
        value["manifest"] = manifest.into();
        let whole = registry.join("whole");
        fs::write(&whole, value.to_string()).unwrap();
        fs::rename(whole, file).unwrap();
    };
    let good = sha256(&fs::read(registry.join("versions/000001/version.json")).unwrap());
    let server = Server::start(&bench, &["--registry", "registry"], None);
    assert_eq!(server.answers(), "1");
    for (row, (expected, tamper)) in rows.iter().enumerate() {
        let number = 10 + row as u64;
        let version = Version(registry.join(format!("versions/{number:06}")));
        fs::create_dir(&version.0).unwrap();
        for entry in fs::read_dir(registry.join("versions/000002")).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), version.0.join(entry.file_name())).unwrap();
        }
        version.change_json("version.json", |manifest| manifest["version"] = number.into());
        tamper(&version);
        let manifest = sha256(&fs::read(version.0.join("version.json")).unwrap_or_default());
        for name in ["candidate", "production"] {
            alias(name, number, &manifest);
            let why = until(&format!("{name}: {expected}"), || {
                Some(server.told()["refused"][name].as_str()?.to_owned())
            });
            assert!(
                why.contains(&format!("version {number}: ")) && why.contains(expected),
                "{expected}: {why}"
            );
            assert_eq!(server.answers(), "1", "{expected}");
            assert_eq!(server.get("/readyz").0, 200);
            let log = fs::read_to_string(bench.path().join("log")).unwrap();
            let is_told =
                |line: &str| line.contains(&format!("version={number} ")) && line.contains(name);
            assert!(log.lines().any(is_told), "{why}: {log}");
            alias(name, 1, &good);
            until(expected, || server.told()["refused"][name].is_null().then_some(()));
        }
    }
    // A version is whole, but not what the alias was moved to.
    alias("production", 2, &good);
    let why = until("another manifest", || {
        Some(server.told()["refused"]["production"].as_str()?.to_owned())
    });
    assert!(why.contains("version.json is damaged: its SHA-256 is"), "{why}");
    fs::write(registry.join("aliases/production"), "{\"v\":1,").unwrap();
    let why = until("a cut alias", || {
        let why = server.told()["refused"]["production"].as_str()?.to_owned();
        why.contains("aliases/production is damaged").then_some(why)
    });
    assert!(!why.starts_with("version"), "{why}");
    let (status, metrics) = server.get("/metrics");
    let failed =
        metrics.lines().find_map(|line| line.strip_prefix("burgeon_version_swaps_failed_total "));
    assert!(failed.unwrap().parse::<u64>().unwrap() >= 2 * rows.len() as u64 + 2, "{status}");
    assert_eq!(server.answers(), "1");
    // A server that has no older one to keep does not start.
    drop(server);
    let refused = bench.burgeon(&["serve", "--registry", "registry", "--listen", "127.0.0.1:0"]);
    expect_code(&refused, 1);
    assert!(stderr(&refused).contains("aliases/production is damaged"), "{}", stderr(&refused));
}

#[test]
fn predictions_come_over_tls_from_a_run_and_from_a_registry() {
    let bench = filled();
    expect_code(&bench.burgeon(&["registry", "promote", "production", "1"]), 0);
    let certificate = bench.path().join("certificate.pem");
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    fs::write(&certificate, made.cert.pem()).unwrap();
    fs::write(bench.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    fs::write(bench.path().join("token"), "change-token\n").unwrap();
    let tls = ["--tls-certificate", "certificate.pem", "--tls-key", "key.pem"];
    for (what, version) in
        [(&["runs/digits-0001"][..], "digits-0001"), (&["--registry", "registry"], "1")]
    {
        let arguments = [what, &tls].concat();
        let server = Server::start(&bench, &arguments, Some(&certificate));
        assert!(server.address.starts_with("https://127.0.0.1:"), "{}", server.address);
        assert_eq!(server.answers(), version);
        assert_eq!(server.get("/").0, 200);
        // Whoever does not know the certificate, or speaks without TLS, is told nothing.
        assert!(ureq::get(format!("{}/livez", server.address)).call().is_err());
        assert!(
            ureq::get(format!("{}/livez", server.address.replace("https", "http"))).call().is_err()
        );
        assert_eq!(server.get("/livez").0, 200);
        drop(server);
        let server = Server::start(
            &bench,
            &[&arguments[..], &["--change-token-file", "token"]].concat(),
            Some(&certificate),
        );
        let login = server
            .agent
            .post(format!("{}/login", server.address))
            .send("token=change-token")
            .unwrap();
        let cookie = login.headers()["set-cookie"].to_str().unwrap();
        assert!(cookie.starts_with("__Host-") && cookie.ends_with("; Secure"), "{cookie}");
    }
    let other = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    for (key, part) in [
        ("no key", "it contains no PEM private key"),
        (&other.signing_key.serialize_pem(), "certificate.pem"),
    ] {
        fs::write(bench.path().join("key.pem"), key).unwrap();
        let refused = bench.burgeon(&[&["serve", "runs/digits-0001"][..], &tls].concat());
        expect_code(&refused, 1);
        assert!(stderr(&refused).contains(part), "{}", stderr(&refused));
    }
}
