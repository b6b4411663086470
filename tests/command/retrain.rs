//! `burgeon retrain`: from drift to a new version that serves, and what does not lead to one.
//!
//! `BURGEON_RETRAIN_KILLS=60 cargo test --test command retrain::` is the long form.

mod alarms;
mod changed_data;
mod kills;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use burgeon::unstable::data::{DataRequest, load};
use serde_json::{Value, json};

use crate::smtp::{Delivery, SmtpServer};
use crate::support::{Bench, SmallStudy, expect_code, listening, stderr, stdout};

const STUDY: SmallStudy = SmallStudy {
    name: "digits",
    data: "source = \"synthetic\"",
    train: 1500,
    validation: 200,
    units: 64,
    epochs: 6,
    gate: 0.5,
};

const RETRAIN: &str = r#"
[retrain]
least = 400
accuracy = 0.65
"#;

/// An image, `[28, 28]`, and its class.
type Digit = (Vec<u8>, String);

/// Digits on their side, which the study has never seen.
fn rotated(seed: u64, count: usize) -> Vec<Digit> {
    let request = DataRequest { train: Some(count), ..DataRequest::synthetic(seed) };
    let digits = load(&request, &mut |_| {}).unwrap().dataset.train;
    let turned = |image: &[u8]| (0..784).map(|at| image[(27 - at % 28) * 28 + at / 28]).collect();
    (0..count).map(|at| (turned(digits.image(at)), digits.label(at).to_string())).collect()
}

/// A registry with a version in production that may be retrained.
fn registry() -> Bench {
    let bench = Bench::with_study(&STUDY.text());
    expect_code(&bench.burgeon(&["train", "study.toml"]), 0);
    // Other digits: so few that a small loss is within chance.
    let held_out = SmallStudy { validation: 400, ..STUDY }.text();
    let held_out = held_out.replace("epochs = 6", "seed = 99");
    fs::write(bench.path().join("held-out.toml"), held_out).unwrap();
    let add = [
        "registry",
        "add",
        "runs/digits-0001",
        "--split",
        "validation",
        "--held-out",
        "held-out.toml",
    ];
    expect_code(&bench.burgeon(&add), 0);
    let path = bench.path().join("registry/registry.toml");
    // A few hundred held-out images show no less than some points.
    let text = fs::read_to_string(&path).unwrap().replace("margin = 0.01", "margin = 0.1");
    fs::write(&path, text + RETRAIN).unwrap();
    expect_code(&bench.burgeon(&["registry", "promote", "production", "1"]), 0);
    bench
}

/// Has mail about a registry sent to this server.
fn tell(bench: &Bench, mail: &SmtpServer) {
    let path = bench.path().join("registry/registry.toml");
    let settings = format!(
        "[notify]\nmail = {{ to = [\"ann@example.org\"], from = \"burgeon@example.org\", server = \"127.0.0.1\", \
         port = {}, security = \"none\" }}\n",
        mail.port
    );
    fs::write(&path, fs::read_to_string(&path).unwrap() + &settings).unwrap();
}

/// The messages, once there are so many.
fn mails(mail: &SmtpServer, count: usize) -> Vec<Delivery> {
    let began = Instant::now();
    while mail.deliveries().len() < count {
        assert!(began.elapsed() < Duration::from_secs(90), "{:?}", mail.deliveries());
        std::thread::sleep(Duration::from_millis(50));
    }
    mail.deliveries()
}

/// The text and the HTML of a message.
fn bodies(mail: &Delivery) -> [String; 2] {
    use base64::Engine;
    ["text/plain", "text/html"].map(|kind| {
        let part = mail.data.split("\r\n--burgeon-").find(|part| part.contains(kind)).unwrap();
        let body: String = part.split_once("\r\n\r\n").unwrap().1.split_whitespace().collect();
        let bytes = base64::engine::general_purpose::STANDARD.decode(body).unwrap();
        String::from_utf8(bytes).unwrap()
    })
}

struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// A server of the registry, killed at the end.
struct Server {
    child: Child,
    address: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    fn of(bench: &Bench) -> Self {
        let (child, address) =
            listening(
                bench
                    .command(&["serve", "--registry", "registry", "--listen", "127.0.0.1:0"])
                    .args(["--window", "50", "--keep-images", "5000", "--log", "error"]),
            );
        Self { child, address }
    }

    /// The request, the version that answered, and the classes.
    fn classify(&self, digits: &[Digit]) -> (String, String, Vec<String>) {
        let pixels: Vec<u8> = digits.iter().flat_map(|(image, _)| image.clone()).collect();
        let input = json!({ "name": "images", "shape": [digits.len(), 1, 28, 28], "datatype": "UINT8", "data": pixels });
        let body = json!({ "inputs": [input] }).to_string();
        let address = format!("{}/v2/models/digits/infer", self.address);
        let mut answer = ureq::post(address).send(body).unwrap();
        let request = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
        let told: Value =
            serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap();
        let output = |name: &str| {
            let outputs = told["outputs"].as_array().unwrap();
            outputs.iter().find(|output| output["name"] == name).unwrap()["data"].clone()
        };
        let classes = output("class").as_array().unwrap().iter().map(Value::to_string).collect();
        (request, told["model_version"].as_str().unwrap().to_owned(), classes)
    }

    /// Has images classified as slowly as they are kept, and names each request with its digits.
    fn show<'a>(&self, digits: &'a [Digit]) -> Vec<(String, &'a [Digit])> {
        let ten = digits.chunks(10);
        let show = |digits: &'a [Digit]| {
            std::thread::sleep(Duration::from_millis(250));
            (self.classify(digits).0, digits)
        };
        ten.map(show).collect()
    }

    /// Says what they are, in the name of four sources.
    fn label(&self, shown: &[(String, &[Digit])], label: impl Fn(usize, &str) -> String) {
        let mut at = 0;
        for (request, digits) in shown {
            for (index, (_, class)) in digits.iter().enumerate() {
                let source = ["ann", "bob", "cy", "di"][at % 4];
                let body = json!({ "request": request, "index": index, "label": label(at, class), "source": source });
                ureq::post(format!("{}/feedback", self.address)).send(body.to_string()).unwrap();
                at += 1;
            }
        }
    }

    fn until_alarm(&self) {
        let began = Instant::now();
        loop {
            let drift = ureq::get(format!("{}/api/drift", self.address)).call().unwrap();
            let drift = drift.into_body().read_to_string().unwrap();
            let drift: Value = serde_json::from_str(&drift).unwrap();
            if drift["alarm"] == true {
                break;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "{drift}");
            std::thread::sleep(Duration::from_millis(100));
        }
        // It is on disk within two seconds.
        std::thread::sleep(Duration::from_millis(2500));
    }
}

/// A registry with an alarm, and feedback on 450 digits on their side.
fn drifted(label: impl Fn(usize, &str) -> String) -> Bench {
    let bench = registry();
    let server = Server::of(&bench);
    let digits = rotated(7, 450);
    let shown = server.show(&digits);
    server.label(&shown, label);
    server.until_alarm();
    bench
}

fn records(registry: &Path) -> Vec<Value> {
    let mut paths: Vec<PathBuf> = fs::read_dir(registry.join("records"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths.iter().map(|path| serde_json::from_slice(&fs::read(path).unwrap()).unwrap()).collect()
}

fn promotions(registry: &Path) -> Vec<Value> {
    let is_it = |record: &Value| record["action"] == "promoted" && record["retraining"].is_object();
    records(registry).into_iter().filter(is_it).collect()
}

/// What must stay as it is where nothing is promoted.
fn production(bench: &Bench) -> Vec<u8> {
    fs::read(bench.path().join("registry/aliases/production")).unwrap()
}

fn retrained(bench: &Bench) -> Output {
    bench.burgeon(&["retrain"])
}

#[test]
fn drift_with_feedback_is_trained_judged_promoted_and_served_by_itself() {
    let bench = registry();
    let server = Server::of(&bench);
    let mut watch = bench
        .command(&["retrain", "--watch", "1", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (ended, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    let fresh = rotated(11, 300);
    std::thread::scope(|scope| {
        // Somebody who asks all the time, and is always answered; with what is shown below, no more than is kept.
        scope.spawn(|| {
            while !ended.load(Ordering::SeqCst) {
                server.classify(&fresh[..1]);
                asked.fetch_add(1, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(200));
            }
        });
        // However this ends, the thread above ends too.
        let _end = SetOnDrop(&ended);
        let digits = rotated(7, 450);
        let shown = server.show(&digits);
        server.until_alarm();
        server.label(&shown, |_, class| class.into());
        let began = Instant::now();
        while server.classify(&fresh[..1]).1 == "1" {
            assert!(
                began.elapsed() < Duration::from_secs(240),
                "{:?}",
                records(&bench.path().join("registry"))
            );
            std::thread::sleep(Duration::from_millis(200));
        }
    });
    assert!(asked.load(Ordering::SeqCst) > 50);
    let (_, version, classes) = server.classify(&fresh);
    let right = classes.iter().zip(&fresh).filter(|(class, (_, label))| *class == label).count();
    assert_eq!(version, "2");
    assert!(right > 200, "{right} of {}", fresh.len());
    watch.kill().unwrap();
    let told = std::io::read_to_string(watch.stdout.take().unwrap()).unwrap();
    watch.wait().unwrap();
    assert!(told.contains("waits for feedback"), "{told}");
    let [promoted] = &promotions(&bench.path().join("registry"))[..] else { panic!("{told}") };
    let retraining = &promoted["retraining"];
    assert_eq!((&retraining["cause"], &retraining["round"]), (&json!("drift"), &json!(1)));
    assert!(retraining["sources"]["ann"].as_u64().unwrap() >= 100, "{retraining}");
    assert!(promoted["judgement"]["accepted"] == true, "{promoted}");
    let feedback = &promoted["judgement_of_feedback"];
    let [before, now] =
        [&feedback["paired"]["accuracy"], &feedback["accuracy"]].map(|it| it.as_f64().unwrap());
    assert!(now >= 0.65 && now > before + 0.2, "{before} to {now}");
    // Its cooldown has begun, and its own images are what the next ones are compared with.
    let waits = retrained(&bench);
    expect_code(&waits, 0);
    assert!(!stdout(&waits).contains("retraining 2"), "{}", stdout(&waits));
    let reference = |version: &str| {
        let path = bench.path().join(format!("registry/versions/{version}/reference.json"));
        fs::read(path).unwrap()
    };
    assert_ne!(reference("000001"), reference("000002"));
    expect_code(&bench.burgeon(&["registry", "verify"]), 0);
}

#[test]
fn poisoned_feedback_is_refused_by_the_gate_and_production_stays() {
    // Three labels in ten are of the next class, whatever the class: digits come in the order of their classes.
    let poison = |at: usize, class: &str| match at / 10 % 10 {
        0..3 => ((class.parse::<u32>().unwrap() + 1) % 10).to_string(),
        _ => class.into(),
    };
    let bench = drifted(poison);
    let mail = SmtpServer::start();
    tell(&bench, &mail);
    let before = production(&bench);
    let refused = retrained(&bench);
    expect_code(&refused, 5);
    let mails = mails(&mail, 1);
    assert_eq!(mails[0].header("Subject"), "[burgeon] digits retrained and refused");
    let [text, html] = bodies(&mails[0]);
    for part in ["drift alarm", "below the gate of 65.00 %", "ignore-sources", "/registry"] {
        assert!(text.contains(part) && html.contains(part), "{part}: {text}");
    }
    let told = stdout(&refused);
    assert!(
        told.contains("on feedback: accuracy") && told.contains("below the gate of 65.00 %"),
        "{told}"
    );
    assert!(told.contains("refused: production remains version 1"), "{told}");
    assert_eq!(production(&bench), before);
    let last = records(&bench.path().join("registry")).pop().unwrap();
    assert_eq!(
        (&last["action"], &last["retraining"]["cause"]),
        (&json!("refused"), &json!("drift"))
    );
    // The same is not tried again.
    let again = retrained(&bench);
    expect_code(&again, 0);
    assert!(stdout(&again).contains("waits for feedback, with 0 of 400"), "{}", stdout(&again));
    assert_eq!(production(&bench), before);
    // Nor told again.
    assert_eq!(mail.deliveries().len(), 1);
}

#[test]
fn feedback_of_one_class_or_of_one_source_begins_nothing() {
    let bench = drifted(|_, _| "7".into());
    let before = production(&bench);
    for (arguments, code) in [(&["retrain"][..], 0), (&["retrain", "--now"], 5)] {
        let waits = bench.burgeon(arguments);
        expect_code(&waits, code);
        assert!(stdout(&waits).contains("labelled images are of class 7"), "{}", stdout(&waits));
    }
    let feedback = bench.path().join("registry/requests/feedback.jsonl");
    let mut text = fs::read_to_string(&feedback).unwrap();
    for name in ["bob", "cy", "di"] {
        text = text.replace(&format!("\"source\":\"{name}\""), "\"source\":\"ann\"");
    }
    fs::write(&feedback, text).unwrap();
    let waits = retrained(&bench);
    expect_code(&waits, 0);
    assert!(stdout(&waits).contains("no source may give more than 50 %"), "{}", stdout(&waits));
    assert_eq!(production(&bench), before);
    assert!(!bench.path().join("registry/retrain/000001").exists());
}

#[test]
fn drift_without_labels_waits_where_everybody_can_see_it() {
    let bench = registry();
    let server = Server::of(&bench);
    let before = production(&bench);
    server.show(&rotated(7, 120));
    server.until_alarm();
    let waits = retrained(&bench);
    expect_code(&waits, 0);
    assert!(stdout(&waits).contains("waits for feedback, with 0 of 400"), "{}", stdout(&waits));
    let told = ureq::get(format!("{}/api/registry", server.address)).call().unwrap();
    let told = told.into_body().read_to_string().unwrap();
    let told: Value = serde_json::from_str(&told).unwrap();
    let waits = told["retraining"]["state"]["waiting"].as_str().unwrap();
    assert!(waits.contains("the model's own predictions are not used as labels"), "{told}");
    assert_eq!(production(&bench), before);
    assert!(!bench.path().join("registry/retrain/000001").exists());
}

#[test]
fn what_is_no_retraining_is_told() {
    let bench = Bench::new();
    expect_code(&bench.burgeon(&["retrain"]), 1);
    let bench = registry();
    let path = bench.path().join("registry/registry.toml");
    let text = fs::read_to_string(&path).unwrap();
    for (table, part) in [
        ("", "has no [retrain]"),
        ("[retrain]\nheld-out = 1.0\n", "retrain.held-out: use a share between"),
        ("[retrain]\nschedule = \"at noon\"\n", "use five fields such as"),
        ("[retrain]\nlabels = 3\n", "unknown field `labels`"),
        ("[notify]\ncommand = [\"true\"]\n", "only studies run a command"),
        (
            "[notify]\nmail = { to = [], from = \"a@b.org\", server = \"b.org\" }\n",
            "notify.mail.to",
        ),
    ] {
        fs::write(&path, text.replace(RETRAIN, table)).unwrap();
        let output = retrained(&bench);
        expect_code(&output, 2);
        assert!(stderr(&output).contains(part), "{}", stderr(&output));
    }
}

#[test]
fn a_version_that_is_worse_on_what_came_since_is_rolled_back_and_its_feedback_is_not_used_again() {
    let bench = drifted(|_, class| class.into());
    let mail = SmtpServer::start();
    tell(&bench, &mail);
    expect_code(&retrained(&bench), 0);
    let server = Server::of(&bench);
    // The world is as it was: the old digits come in again, on which the new version is made to fail by labels that only
    // the old one gives.
    let request = DataRequest { train: Some(120), ..DataRequest::synthetic(21) };
    let digits = load(&request, &mut |_| {}).unwrap().dataset.train;
    let upright = (0..120).map(|at| (digits.image(at).to_vec(), digits.label(at).to_string()));
    let shown_digits: Vec<Digit> = upright.chain(rotated(31, 120)).collect();
    let shown = server.show(&shown_digits);
    // What the version before says of each is called true.
    let run = bench.path().join("registry/versions/000001");
    let classifier = burgeon::model::Classifier::open(&run).unwrap();
    let images: Vec<&[u8]> = shown_digits.iter().map(|(image, _)| &image[..]).collect();
    let answers = classifier.classify(&images).unwrap();
    let best =
        |row: &Vec<f32>| (0..10).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap().to_string();
    server.label(&shown, |at, _| best(&answers[at]));
    let rolled_back = retrained(&bench);
    expect_code(&rolled_back, 5);
    assert!(stdout(&rolled_back).contains("McNemar"), "{}", stdout(&rolled_back));
    // The server may have told of drift in between, and while it sends, a retraining leaves its own message to it.
    let began = Instant::now();
    let told = loop {
        let told = mail.deliveries();
        if told.iter().any(|mail| mail.header("Subject").contains("digits rolled back")) {
            break told;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{told:?}");
        std::thread::sleep(Duration::from_millis(50));
    };
    let of = |end: &str| told.iter().find(|mail| mail.header("Subject").contains(end));
    assert!(of("digits retrained and promoted: ").is_some(), "{told:?}");
    let rolled_back = bodies(of("digits rolled back").unwrap());
    assert!(rolled_back[0].contains("McNemar"), "{rolled_back:?}");
    let last = records(&bench.path().join("registry")).pop().unwrap();
    assert_eq!((&last["action"], &last["to"]), (&json!("rolled_back"), &json!(1)));
    let began = Instant::now();
    while server.classify(&shown_digits[..1]).1 != "1" {
        assert!(began.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(50));
    }
    let waits = retrained(&bench);
    expect_code(&waits, 0);
    assert_eq!(promotions(&bench.path().join("registry")).len(), 1, "{}", stdout(&waits));
}
