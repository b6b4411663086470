//! Several studies in one process leave one another alone.

use std::path::{Path, PathBuf};

use burgeon::spec::StudyDocument;
use burgeon::study::{Ended, Launch, LaunchListener, Listener, Ready, Settings};
use burgeon::train::Profiling;
use burgeon::unstable::ledger::{Event, read, uninterrupted};
use burgeon::unstable::sys::files::RealFiles;

/// More than this machine is likely to have.
const MANY: usize = 7;

fn study(seed: u64) -> StudyDocument {
    let text = format!(
        r#"
name = "beside"
[data]
source = "synthetic"
train = 640
validation = 300
[model]
layers = [
  {{ conv = {{ filters = 4, kernel = 3 }} }},
  {{ batch-norm = {{}} }},
  {{ max-pool = {{ size = 4 }} }},
  {{ dropout = {{ rate = 0.2 }} }},
  {{ dense = {{ units = 16 }} }},
]
[train]
epochs = 2
seed = {seed}
augment = {{ shift = 1, rotate = 5 }}
[gate]
accuracy = 0.05
allow-majority = true
"#
    );
    StudyDocument::new("beside.toml", text)
}

#[derive(Default)]
struct Threads(usize);

impl Listener for Threads {}

impl LaunchListener for Threads {
    fn ready(&mut self, ready: &Ready) {
        self.0 = ready.threads;
    }
}

/// Runs a study; answers its threads and its run folder.
fn run(runs: &Path, seed: u64, threads: usize) -> (usize, PathBuf) {
    let settings = Settings {
        threads: Some(threads),
        runs: runs.into(),
        profiling: Profiling::On,
        ..Settings::default()
    };
    let mut listener = Threads::default();
    let launch = Launch::new(study(seed)).settings(settings).listener(&mut listener);
    let ended = launch.run().unwrap();
    assert!(matches!(ended, Ended::Finished(_)), "{ended:?}");
    (listener.0, runs.join("beside-0001"))
}

fn events(run: &Path) -> Vec<Event> {
    let records = read(&RealFiles, &run.join("events.jsonl")).unwrap();
    let is_profile = |event: &Event| matches!(event, Event::TrialProfiled { .. });
    let started = |event: &Event| matches!(event, Event::StudyStarted { .. });
    uninterrupted(&records)
        .into_iter()
        .filter(|event| !is_profile(event) && !started(event))
        .collect()
}

#[test]
fn studies_at_the_same_time_have_their_own_threads_and_the_bits_that_they_have_alone() {
    let folders: Vec<_> = (0..4).map(|_| tempfile::tempdir().unwrap()).collect();
    let [one, two, alone_one, alone_two] = [0, 1, 2, 3].map(|at: usize| folders[at].path());
    let (one, two) = std::thread::scope(|scope| {
        let one = scope.spawn(|| run(one, 1, MANY));
        let two = scope.spawn(|| run(two, 2, 1));
        (one.join().unwrap(), two.join().unwrap())
    });
    assert_eq!((one.0, two.0), (MANY, 1));
    for ((_, beside), (_, alone)) in [(one, run(alone_one, 1, MANY)), (two, run(alone_two, 2, 1))] {
        let model = |run: &Path| std::fs::read(run.join("best/model.safetensors")).unwrap();
        assert!(model(&beside) == model(&alone));
        assert_eq!(events(&beside), events(&alone));
    }
    // The pool of the process is whoever's it is, and not as large as a study wanted its own.
    assert_ne!(rayon::current_num_threads(), MANY);
}
