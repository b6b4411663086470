//! A process that trains many trials needs no more memory than one that trains a few.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::support::Bench;

/// Fifty trials of one network: only the rate, which takes no memory, is chosen.
const FIFTY: &str = r#"
name = "fifty"
[data]
source = "synthetic"
train = 640
validation = 200
[model]
layers = [{ conv = { filters = 8, kernel = 5 } }, { max-pool = { size = 2 } }]
[train]
epochs = 1
[gate]
accuracy = 1.0
[tune]
policy = "random"
trials = 50

[tune.space]
convs = [2]
filters = [16]
kernel = [5]
batch-norm = [false]
dense-layers = [1]
units = [128]
dropout = [0.0]
batch-size = [64]
epochs = [1]
optimizer = ["adam"]
shift = [0.0]
flip = [false]
"#;

#[test]
fn memory_does_not_grow_from_trial_to_trial() {
    let bench = Bench::new();
    fs::write(bench.path().join("fifty.toml"), FIFTY).unwrap();
    let mut child = bench
        .command(&["tune", "fifty.toml", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let resident_kib: Vec<u64> = lines
        .filter(|line| line.as_ref().unwrap().contains(r#""event":"trial_finished""#))
        .filter_map(|_| resident(&fs::read_to_string(&status).ok()?))
        .collect();
    assert_eq!(child.wait().unwrap().code(), Some(3));
    assert!(resident_kib.len() >= 49, "{resident_kib:?}");
    // The first trials fill the workspaces, and the record of what happened grows a little.
    let (tenth, last) = (resident_kib[9], resident_kib[resident_kib.len() - 1]);
    println!("resident after 10 trials {tenth} KiB, after 50 {last} KiB");
    assert!(last < tenth + tenth / 10 + 4096, "{resident_kib:?}");
}

fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
