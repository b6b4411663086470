//! What is kept of decoded pictures: whole or not at all, however the process ends, and never more in memory than is
//! allowed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::Bench;

/// A PNM picture of its own for every number.
fn picture(number: usize, side: usize) -> Vec<u8> {
    let mut state = number as u32 + 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 8) as u8
    };
    let mut file = format!("P6 {side} {side} 255\n").into_bytes();
    file.extend((0..3 * side * side).map(|_| next()));
    file
}

fn photos(root: &Path, count: usize) {
    for class in ["cat", "dog"] {
        fs::create_dir_all(root.join(class)).unwrap();
    }
    for number in 0..count {
        let class = if number % 2 == 0 { "cat" } else { "dog" };
        fs::write(root.join(class).join(format!("{number}.ppm")), picture(number, 40)).unwrap();
    }
}

/// Names and content of the finished files in a cache.
fn kept(bench: &Bench) -> Vec<(PathBuf, Vec<u8>)> {
    let Ok(files) = fs::read_dir(bench.path().join("cache")) else { return Vec::new() };
    let paths = files.map(|file| file.unwrap().path());
    let finished =
        paths.filter(|path| !path.file_name().unwrap().to_str().unwrap().starts_with('.'));
    let mut kept: Vec<_> = finished.map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    kept.sort();
    kept
}

fn unfinished(bench: &Bench) -> usize {
    let names = fs::read_dir(bench.path().join("cache")).unwrap();
    names
        .filter(|name| name.as_ref().unwrap().file_name().to_str().unwrap().starts_with('.'))
        .count()
}

fn clear(bench: &Bench) {
    let _ = fs::remove_dir_all(bench.path().join("cache"));
}

fn look(bench: &Bench) -> Command {
    bench.command(&["data", "photos", "--json"])
}

#[test]
fn a_process_killed_while_it_decodes_leaves_nothing_wrong() {
    let kills: u32 =
        std::env::var("BURGEON_CACHE_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(4);
    let bench = Bench::new();
    photos(&bench.path().join("photos"), 400);
    let begun = Instant::now();
    let right = look(&bench).output().unwrap();
    let whole = begun.elapsed();
    assert!(right.status.success());
    let right_files = kept(&bench);
    assert_eq!(right_files.len(), 2);
    for kill in 0..kills {
        clear(&bench);
        let mut child = look(&bench).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // All over the run, and most of them while it writes.
        std::thread::sleep(whole.mul_f64(f64::from(kill * 37 % 100) / 100.0));
        child.kill().unwrap();
        child.wait().unwrap();
        // What has its name already is right.
        assert!(kept(&bench).iter().all(|file| right_files.contains(file)), "kill {kill}");
        let again = look(&bench).output().unwrap();
        assert_eq!(again.stdout, right.stdout, "kill {kill}");
        assert!(kept(&bench) == right_files, "kill {kill}");
        assert_eq!(unfinished(&bench), 0, "kill {kill}");
    }
}

#[test]
fn every_step_on_disk_may_fail() {
    let bench = Bench::new();
    photos(&bench.path().join("photos"), 40);
    let right = look(&bench).output().unwrap();
    let right_files = kept(&bench);
    for fault in ["crash", "torn", "enospc", "eio"] {
        for step in 1..14 {
            clear(&bench);
            let failed =
                look(&bench).env("BURGEON_FAULT", format!("{fault}@{step}")).output().unwrap();
            let files = kept(&bench);
            assert!(files.iter().all(|file| right_files.contains(file)), "{fault}@{step}");
            // A disk that refuses is told, and does without; a crash ends the process.
            if fault == "enospc" || fault == "eio" {
                let told = String::from_utf8_lossy(&failed.stderr);
                assert!(failed.status.success(), "{fault}@{step}: {told}");
                assert_eq!(failed.stdout, right.stdout, "{fault}@{step}");
            }
            let again = look(&bench).output().unwrap();
            assert_eq!(again.stdout, right.stdout, "{fault}@{step}");
            assert!(kept(&bench) == right_files, "{fault}@{step}");
        }
    }
}

#[test]
fn two_processes_may_decode_the_same_at_once() {
    let bench = Bench::new();
    photos(&bench.path().join("photos"), 200);
    let right = look(&bench).output().unwrap();
    let right_files = kept(&bench);
    clear(&bench);
    let begin = || look(&bench).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let both = [begin(), begin()];
    for child in both {
        assert_eq!(child.wait_with_output().unwrap().stdout, right.stdout);
    }
    assert!(kept(&bench) == right_files && unfinished(&bench) == 0);
}

/// 43,000 images of CIFAR's form take 132 MB, which is four times what they may.
const LARGER_THAN_MEMORY: &str = r#"
name = "large"
[data]
source = "cifar"
path = "cifar"
memory = "33 MB"
train = 400
validation = 200
test = 200
[model]
layers = [{ conv = { filters = 4, kernel = 3, stride = 2 } }, { max-pool = { size = 2 } }]
[train]
epochs = 1
[gate]
accuracy = 0.9
"#;

#[cfg(target_os = "linux")]
#[test]
fn images_four_times_larger_than_memory_stay_within_their_bound() {
    let bench = Bench::with_study(LARGER_THAN_MEMORY);
    fs::create_dir(bench.path().join("cifar")).unwrap();
    let record = |number: usize| {
        let mut record = vec![(number % 10) as u8];
        record.extend(picture(number, 32).iter().rev().take(3072));
        record
    };
    let records: Vec<u8> = (0..43_000).flat_map(record).collect();
    fs::write(bench.path().join("cifar/data_batch_1.bin"), records).unwrap();
    let anonymous_max = |expected: i32| -> u64 {
        let mut child = bench
            .command(&["train", "study.toml"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let status = format!("/proc/{}/status", child.id());
        let mut most = 0;
        let code = loop {
            if let Some(ended) = child.try_wait().unwrap() {
                break ended.code();
            }
            let text = fs::read_to_string(&status).unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:"));
            let kib = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
            most = most.max(kib.unwrap_or(0));
            std::thread::sleep(Duration::from_millis(2));
        };
        assert_eq!(code, Some(expected));
        most
    };
    // The first time they are decoded, the second time they are there.
    for time in ["first", "second"] {
        let most = anonymous_max(3);
        println!("{time} time: at most {most} KiB of anonymous memory");
        assert!(most > 1000 && most * 1024 < (33 + 100) * 1_000_000, "{time} time: {most} KiB");
    }
}
