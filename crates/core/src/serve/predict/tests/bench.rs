//! A server with a model that is no network, in this process, and requests to it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use burgeon_drift::{PixelStats, Reference, ReferenceBuilder};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::registry::{
    Content, Draft, Force, HeldOut, Manifest, PRODUCTION, Registry, SELF_TEST_FILE, SelfTest,
    Settings, Writer,
};
use crate::serve::TokenFiles;
use crate::serve::predict::*;
use crate::sys::clock::RealClock;
use crate::sys::files::RealFiles;

/// The mean of an image's two pixels, from 0 to 1, times a factor that the file `model` holds, against 0.5.
pub(super) struct Mean {
    pub(super) factor: f32,
    pub(super) classes: Vec<String>,
    pub(super) slow: Arc<AtomicBool>,
}

impl Model for Mean {
    fn shape(&self) -> [usize; 3] {
        [1, 1, 2]
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn logits(&self, batch: &[Pixels]) -> Result<Vec<f32>, String> {
        if self.slow.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(300));
        }
        let mut logits = Vec::new();
        for pixels in batch {
            let units: Vec<f32> = match pixels {
                Pixels::Bytes(bytes) => bytes.iter().map(|byte| f32::from(*byte) / 255.0).collect(),
                Pixels::Units(bytes) => bytes
                    .chunks_exact(4)
                    .map(|unit| f32::from_le_bytes([unit[0], unit[1], unit[2], unit[3]]))
                    .collect(),
            };
            for image in units.chunks_exact(2) {
                logits.extend([0.5, self.factor * (image[0] + image[1]) / 2.0]);
            }
        }
        Ok(logits)
    }

    fn prepare(&self, file: &[u8], pixels_max: u64) -> Result<Prepared, String> {
        match file {
            [a, b] if pixels_max >= 2 => Ok(Prepared { pixels: vec![*a, *b], size: Some([1, 2]) }),
            _ => Err("Not a picture.".into()),
        }
    }
}

#[derive(Default)]
pub(super) struct Means {
    pub(super) slow: Arc<AtomicBool>,
}

impl Engine for Means {
    fn model_file(&self) -> &'static str {
        "model"
    }

    fn load(&self, folder: &Path) -> Result<Arc<dyn Model>, String> {
        let text =
            std::fs::read_to_string(folder.join("model")).map_err(|error| error.to_string())?;
        assert_ne!(text, "panic", "a model may break whatever loads it");
        let factor = text.parse().map_err(|_| format!("{text:?} is no factor"))?;
        Ok(Arc::new(Mean { factor, classes: classes(), slow: Arc::clone(&self.slow) }))
    }

    fn reference(&self, folder: &Path) -> Result<Option<Arc<Reference>>, String> {
        let bytes = match std::fs::read(folder.join("reference.json")) {
            Err(_) => return Ok(None),
            Ok(bytes) => bytes,
        };
        let reference = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
        Ok(Some(Arc::new(reference)))
    }

    fn with_compute_thread(&self, work: &mut dyn FnMut()) -> Result<(), String> {
        work();
        Ok(())
    }
}

/// Pixels of an image like those of the reference, any two of which differ.
pub(in crate::serve::predict) fn usual(at: usize) -> [f32; 2] {
    [0.2 + 0.6 * (at * 37 % 100) as f32 / 100.0, 0.2 + 0.6 * (at * 61 % 100) as f32 / 100.0]
}

/// The reference of a factor on such images; every tenth is classified wrongly.
pub(in crate::serve::predict) fn reference(factor: f32) -> Vec<u8> {
    let model = Mean { factor, classes: classes(), slow: Arc::default() };
    let mut builder = ReferenceBuilder::new(2).unwrap();
    for at in 0..400 {
        let image = usual(at);
        let bytes: Vec<u8> = image.iter().flat_map(|value| value.to_le_bytes()).collect();
        let logits = model.logits(&[Pixels::Units(&bytes)]).unwrap();
        let share = 1.0 / (1.0 + (logits[1] - logits[0]).exp());
        let label = usize::from(logits[1] > logits[0]) ^ usize::from(at % 10 == 0);
        let pixels = PixelStats::of_values(&image, [1, 1, 2]).unwrap();
        builder.add(&[share, 1.0 - share], pixels, Some(label)).unwrap();
    }
    serde_json::to_vec(&builder.finish().unwrap()).unwrap()
}

pub(super) fn classes() -> Vec<String> {
    vec!["dark".into(), "light".into()]
}

pub(super) fn predicting(source: Source) -> Predicting {
    Predicting {
        model: "mean".into(),
        source,
        listen: ([127, 0, 0, 1], 0).into(),
        tls: None,
        tokens: TokenFiles::default(),
        threads: 2,
        limits: Limits { body_bytes: 100_000, pixels: 100, queue: 1024, connections: 64 },
        abstain: None,
        requests: None,
        keep_images: 0,
        log_bytes: 1 << 20,
        log_days: 1,
        watching: Some(Watching {
            settings: burgeon_drift::Settings { window: 40, ..Default::default() },
            gate: Some(0.8),
        }),
    }
}

/// A server that runs until it is dropped.
pub(super) struct Bench {
    pub(super) address: SocketAddr,
    pub(super) stop: StopFlag,
    pub(super) slow: Arc<AtomicBool>,
    pub(super) folder: tempfile::TempDir,
    pub(super) thread: Option<JoinHandle<()>>,
}

pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

impl Reply {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{}", self.text()))
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

impl Bench {
    /// A model in a folder, with changes of the settings.
    pub(super) fn of_model(change: impl FnOnce(&mut Predicting, &Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("model"), "1.0").unwrap();
        let source = Source::Folder { folder: folder.path().into(), version: "run-1".into() };
        let mut settings = predicting(source);
        change(&mut settings, folder.path());
        Self::run(folder, settings)
    }

    /// The registry in a folder.
    pub(super) fn of_registry(
        folder: tempfile::TempDir,
        change: impl FnOnce(&mut Predicting),
    ) -> Self {
        let mut settings = predicting(Source::Registry(open(folder.path())));
        change(&mut settings);
        Self::run(folder, settings)
    }

    pub(super) fn run(folder: tempfile::TempDir, settings: Predicting) -> Self {
        let (stop, means) = (StopFlag::new(), Means::default());
        let (tell, told) = mpsc::channel();
        let (flag, slow) = (stop.clone(), Arc::clone(&means.slow));
        let thread = std::thread::spawn(move || {
            let started = &mut |address| tell.send(address).unwrap();
            serve_predictions(settings, Arc::new(means), &flag, started).unwrap();
        });
        let address = told.recv_timeout(Duration::from_secs(20)).unwrap();
        Self { address, stop, slow, folder, thread: Some(thread) }
    }

    pub(super) fn ask(&self, line: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        ask(self.address, line, headers, body)
    }

    pub(super) fn infer(&self, request: &Value) -> Reply {
        self.ask("POST /v2/models/mean/infer", &[], request.to_string().as_bytes())
    }

    /// The version that answers.
    pub(super) fn version(&self) -> String {
        self.infer(&images(&[0.0, 0.0])).json()["model_version"].as_str().unwrap().to_owned()
    }

    pub(super) fn wait_for(&self, version: &str) {
        let began = Instant::now();
        while self.version() != version {
            assert!(began.elapsed() < Duration::from_secs(20), "{version} never serves");
        }
    }

    pub(super) fn metric(&self, line: &str) -> f64 {
        let text = self.ask("GET /metrics", &[], b"").text();
        let found = text.lines().find_map(|found| found.strip_prefix(line));
        found.unwrap_or_else(|| panic!("{line}: {text}")).trim().parse().unwrap()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.stop.request();
        if let Some(Err(panic)) = self.thread.take().map(JoinHandle::join)
            && !std::thread::panicking()
        {
            std::panic::resume_unwind(panic);
        }
    }
}

pub(super) fn ask(address: SocketAddr, line: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
    let mut request = format!("{line} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length")) {
        request += &format!("Content-Length: {}\r\n", body.len());
    }
    for (name, value) in headers {
        request += &format!("{name}: {value}\r\n");
    }
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let _ = stream.write_all(&[request.as_bytes(), b"\r\n", body].concat());
    let mut reply = Vec::new();
    let _ = stream.read_to_end(&mut reply);
    let at = reply.windows(4).position(|four| four == b"\r\n\r\n").expect(line);
    let head = String::from_utf8_lossy(&reply[..at]).into_owned();
    Reply { status: head[9..12].parse().unwrap(), body: reply[at + 4..].to_vec(), head }
}

/// Images of two pixels each.
pub(super) fn images(pixels: &[f32]) -> Value {
    let count = pixels.len() / 2;
    json!({ "inputs": [{ "name": "images", "shape": [count, 1, 1, 2], "datatype": "FP32", "data": pixels }] })
}

pub(super) fn open(folder: &Path) -> Registry {
    Registry::open(Arc::new(RealFiles), folder).unwrap()
}

pub(super) fn writer(folder: &Path) -> Writer {
    Writer::open(&open(folder), Arc::new(RealClock::default()), "test", "a test").unwrap()
}

/// A registry with two versions, of which the first is in production.
pub(in crate::serve::predict) fn registry() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let held_out = HeldOut::new("test", [1, 1, 2], "pad", &classes(), vec![9; 20], vec![0; 10]);
    let mut settings = Settings::new("mean", 0.0);
    // Ten images can show no less.
    settings.promotion.margin = 0.5;
    Registry::begin(Arc::new(RealFiles), folder.path(), &settings, &held_out).unwrap();
    for factor in ["1.0", "2.0"] {
        add(folder.path(), factor, factor);
    }
    writer(folder.path()).promote(PRODUCTION, 1, Force::No).unwrap();
    folder
}

/// Adds a version whose self-test expects another factor, if it is another one.
pub(super) fn add(folder: &Path, factor: &str, tested: &str) -> u64 {
    let held_out = open(folder).held_out().unwrap();
    let tested: f32 = tested.parse().unwrap_or(1.0);
    let light = 1.0 / (1.0 + (0.5 - tested).exp());
    let case = (&[255_u8, 255][..], vec![1.0 - light, light]);
    let self_test = serde_json::to_vec(&SelfTest::new([case].into_iter())).unwrap();
    let manifest = Manifest {
        v: 1,
        version: 0,
        added: Timestamp::UNIX_EPOCH,
        burgeon: "0".into(),
        study: "mean".into(),
        run: "run".into(),
        weights_hash: factor.into(),
        parameters: 1,
        shape: [1, 1, 2],
        classes: classes(),
        held_out: held_out.set.sha256,
        accuracy: 1.0,
        seen: Vec::new(),
        data_checked: true,
        started_from: None,
        size_bytes: 3,
        latency_ms: 0.1,
        files: Default::default(),
    };
    let files = vec![
        ("model".to_owned(), Content::Bytes(factor.into())),
        (SELF_TEST_FILE.to_owned(), Content::Bytes(self_test)),
        ("reference.json".to_owned(), Content::Bytes(reference(tested))),
    ];
    let draft = Draft { manifest, right: vec![true; 10], files };
    writer(folder).add(draft).unwrap().version
}
