use std::sync::Arc;

use burgeon_drift::Settings;

use super::*;
use crate::serve::predict::model::{Model, Pixels, Prepared};
use crate::serve::predict::tests::{reference, registry, usual};
use crate::sys::files::RealFiles;

struct Two(Vec<String>);

impl Model for Two {
    fn shape(&self) -> [usize; 3] {
        [1, 1, 2]
    }

    fn classes(&self) -> &[String] {
        &self.0
    }

    fn logits(&self, _: &[Pixels]) -> Result<Vec<f32>, String> {
        Err("never asked".into())
    }

    fn prepare(&self, _: &[u8], _: u64) -> Result<Prepared, String> {
        Err("never asked".into())
    }
}

fn served(version: &str) -> Arc<Served> {
    Arc::new(Served {
        version: version.into(),
        manifest: String::new(),
        model: Arc::new(Two(vec!["dark".into(), "light".into()])),
        calibration: None,
        reference: Some(Arc::new(serde_json::from_slice(&reference(1.0)).unwrap())),
    })
}

fn watching() -> Option<Watching> {
    let settings = Settings { window: 40, ..Settings::default() };
    Some(Watching { settings, gate: Some(0.8) })
}

/// Images of two pixels, with the logits of a factor of 1.
fn request(from: usize, images: usize, change: impl Fn(f32) -> f32) -> (Input, Vec<f32>) {
    let (mut bytes, mut logits) = (Vec::new(), Vec::new());
    for at in from..from + images {
        let image = usual(at).map(&change);
        bytes.extend(image.iter().flat_map(|value| value.to_le_bytes()));
        logits.extend([0.5, (image[0] + image[1]) / 2.0]);
    }
    (Input::Units(bytes.into()), logits)
}

fn json(drift: &Drift) -> serde_json::Value {
    serde_json::to_value(&*drift.published()).unwrap()
}

/// The published state, once it fulfils a condition.
fn once(drift: &Drift, is_so: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
    let began = Instant::now();
    loop {
        let told = json(drift);
        if is_so(&told) {
            return told;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{told}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_restart_goes_on_and_a_damaged_or_foreign_state_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    let slots = Arc::<Slots>::default();
    let one = served("1");
    slots.set_production(Arc::clone(&one));
    let start = || Drift::start(watching(), Some(folder.path().into()), None, &slots).unwrap();
    let (drift, thread) = start();
    let (input, logits) = request(0, 100, |value| value);
    drift.offer(&one, &input, &[], &logits);
    drift.label("1".into(), true);
    drift.label("2".into(), false);
    let before = once(&drift, |told| told["images"] == 100 && told["labels"]["images"] == 1);
    assert_eq!((&before["windows"], &before["pending"]), (&2.into(), &20.into()));
    drift.close();
    thread.unwrap().join().unwrap();

    let (drift, thread) = start();
    let after = json(&drift);
    for key in ["since", "images", "windows", "pending", "history", "labels"] {
        assert_eq!(after[key], before[key], "{key}");
    }
    drift.close();
    thread.unwrap().join().unwrap();

    let file = folder.path().join("drift.json");
    let whole = std::fs::read(&file).unwrap();
    let changed = String::from_utf8(whole.clone())
        .unwrap()
        .replace("\\\"images\\\":100", "\\\"images\\\":999");
    assert_ne!(changed.as_bytes(), whole);
    let other =
        String::from_utf8(whole.clone()).unwrap().replace("\"version\":\"1\"", "\"version\":\"7\"");
    for bytes in [&whole[..whole.len() / 2], changed.as_bytes(), other.as_bytes(), b""] {
        std::fs::write(&file, bytes).unwrap();
        let (drift, thread) = start();
        assert_eq!((&json(&drift)["watched"], &json(&drift)["images"]), (&true.into(), &0.into()));
        drift.close();
        thread.unwrap().join().unwrap();
    }
}

#[test]
fn another_version_begins_anew_and_late_answers_of_the_old_one_do_not_count() {
    let slots = Arc::<Slots>::default();
    let (one, two) = (served("1"), served("2"));
    slots.set_production(Arc::clone(&one));
    let (drift, thread) = Drift::start(watching(), None, None, &slots).unwrap();
    let (input, logits) = request(0, 100, |value| value);
    drift.offer(&one, &input, &[], &logits);
    once(&drift, |told| told["windows"] == 2);
    slots.set_production(Arc::clone(&two));
    let told = once(&drift, |told| told["version"] == "2");
    assert_eq!((&told["windows"], &told["images"]), (&0.into(), &0.into()));
    drift.offer(&one, &input, &[], &logits);
    drift.offer(&two, &input, &[], &logits);
    once(&drift, |told| told["images"] == 100);
    drift.close();
    thread.unwrap().join().unwrap();
}

#[test]
fn what_comes_too_fast_is_sampled_and_counted_and_nobody_waits() {
    let slots = Arc::<Slots>::default();
    let one = served("1");
    slots.set_production(Arc::clone(&one));
    let (drift, thread) = Drift::start(watching(), None, None, &slots).unwrap();
    let (input, logits) = request(0, 1024, |value| value);
    let began = Instant::now();
    let offered = 4000;
    for _ in 0..offered {
        drift.offer(&one, &input, &[], &logits);
    }
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    drift.close();
    thread.unwrap().join().unwrap();
    let skipped = drift.skipped.load(Ordering::Relaxed);
    assert!(skipped > 0 && skipped < offered * 1024, "{skipped}");
}

#[test]
fn without_a_reference_it_says_so() {
    let slots = Arc::<Slots>::default();
    let bare = Arc::new(Served { reference: None, ..Arc::into_inner(served("1")).unwrap() });
    slots.set_production(Arc::clone(&bare));
    let (drift, thread) = Drift::start(watching(), None, None, &slots).unwrap();
    let (input, logits) = request(0, 10, |value| value);
    drift.offer(&bare, &input, &[], &logits);
    let told = json(&drift);
    assert_eq!(told["watched"], false);
    assert!(told["why"].as_str().unwrap().contains("reference.json"), "{told}");
    assert_eq!(metrics_text("mean", &drift.published()), "");
    drift.close();
    thread.unwrap().join().unwrap();
    let (off, none) = Drift::start(None, None, None, &slots).unwrap();
    assert!(none.is_none() && json(&off)["why"].as_str().unwrap().contains("--no-drift"));
}

#[test]
fn an_alarm_is_told_to_be_over_if_its_version_was_replaced_while_no_server_ran() {
    let folder = registry();
    let settings = folder.path().join("registry.toml");
    let notify = "[notify]\nmail = { to = [\"ann@example.org\"], from = \"b@example.org\", server = \"127.0.0.1\" }\n";
    std::fs::write(&settings, std::fs::read_to_string(&settings).unwrap() + notify).unwrap();
    let registry = Registry::open(Arc::new(RealFiles), folder.path()).unwrap();
    let titles = || -> Vec<String> {
        let messages = registry.outbox().messages().unwrap().into_iter();
        let mut titles: Vec<String> = messages.map(|message| message.title).collect();
        titles.sort();
        titles
    };
    let requests = tempfile::tempdir().unwrap();
    let slots = Arc::<Slots>::default();
    let start = || {
        let place = Some(requests.path().into());
        Drift::start(watching(), place, Some(registry.clone()), &slots).unwrap()
    };
    let one = served("1");
    slots.set_production(Arc::clone(&one));
    let (drift, thread) = start();
    let (input, logits) = request(0, 100, |value| value * 255.0);
    drift.offer(&one, &input, &[], &logits);
    once(&drift, |told| told["status"] == "alarm");
    drift.close();
    thread.unwrap().join().unwrap();
    assert_eq!(titles(), ["mean drift alarm"]);

    slots.set_production(served("2"));
    // Told once, however often it is started.
    for _ in 0..2 {
        let (drift, thread) = start();
        drift.close();
        thread.unwrap().join().unwrap();
        assert_eq!(titles(), ["mean drift alarm", "mean drift alarm over"]);
    }
}
