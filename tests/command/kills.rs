//! Kills of a command at moments that are spread over all of its run, and more densely over its writing.

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Bench, expect_code};

/// Kills the command as often as the variable says, or six times: each of its files is the old one or the new one then.
pub fn leave_old_files_or_new_ones(
    bench: &Bench,
    arguments: &[&str],
    folder: &Path,
    files: &[&str],
    variable: &str,
) {
    let kills: u32 = std::env::var(variable).map_or(6, |kills| kills.parse().unwrap());
    expect_code(&bench.burgeon(arguments), 0);
    let read = || -> Vec<Vec<u8>> {
        files.iter().map(|file| fs::read(folder.join(file)).unwrap()).collect()
    };
    let new = read();
    let old: Vec<Vec<u8>> = files.iter().map(|file| format!("old {file}").into_bytes()).collect();
    let start = || -> Child {
        for (file, content) in files.iter().zip(&old) {
            fs::write(folder.join(file), content).unwrap();
        }
        bench.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    // Whether the process has written a file before it ended.
    let has_begun = |child: &mut Child| loop {
        if read() != old {
            return true;
        }
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        std::thread::sleep(Duration::from_micros(100));
    };
    let (began, mut child) = (Instant::now(), start());
    assert!(has_begun(&mut child));
    let writes = Instant::now();
    child.wait().unwrap();
    let (whole_run, writing) = (began.elapsed(), writes.elapsed());
    let (mut before, mut between, mut after) = (0, 0, 0);
    for kill in 0..kills {
        let mut child = start();
        // Multiples of the golden ratio fill an interval evenly, however many there are.
        let part = (f64::from(kill) * 0.618_034).fract();
        match kill % 4 {
            0 => std::thread::sleep(whole_run.mul_f64(part)),
            _ => {
                has_begun(&mut child);
                std::thread::sleep(writing.mul_f64(part * part));
            }
        }
        // One that has ended by then is as good.
        let _ = child.kill();
        child.wait().unwrap();
        let found = read();
        for ((found, old), new) in found.iter().zip(&old).zip(&new) {
            assert!(found == old || found == new, "{} bytes are neither", found.len());
        }
        match found {
            found if found == old => before += 1,
            found if found == new => after += 1,
            _ => between += 1,
        }
    }
    println!(
        "{kills} kills: {before} before the first file, {between} between, {after} after the last"
    );
    // What a kill leaves behind is no hindrance.
    expect_code(&bench.burgeon(arguments), 0);
    assert!(read() == new);
}
