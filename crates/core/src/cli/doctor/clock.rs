//! Whether the clocks can be believed.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use jiff::Timestamp;

use super::check::Check;

const AREA: &str = "clock";

/// 2026-01-01: this program is not older.
const EARLIEST_SECONDS: i64 = 1_767_225_600;
/// 2100-01-01.
const LATEST_SECONDS: i64 = 4_102_444_800;
/// Clocks of machines that share a folder differ by less.
const AHEAD: Duration = Duration::from_secs(300);

/// Checks the date, and that measured time goes forward.
pub fn clock(runs: &Path) -> Check {
    judge(Timestamp::now(), newest(runs), goes_forward())
}

fn judge(now: Timestamp, newest: Option<Timestamp>, goes_forward: bool) -> Check {
    let remedy = "set the clock, best by NTP (`timedatectl set-ntp true`): nothing is decided by it, but the times \
                  that are recorded and the age of runs are wrong";
    let found = format!("{now:.0}");
    if !goes_forward {
        return Check::fault(
            AREA,
            "the clock that measures durations does not go forward",
            "restart the machine or the container: time limits and hangs cannot be detected like this",
        );
    }
    if !(EARLIEST_SECONDS..LATEST_SECONDS).contains(&now.as_second()) {
        return Check::warning(AREA, format!("it is said to be {found}, which cannot be"), remedy);
    }
    match newest {
        Some(newest) if newest.duration_since(now) > AHEAD.try_into().unwrap_or_default() => {
            Check::warning(
                AREA,
                format!("it is said to be {found}, but a run was written at {newest:.0}"),
                remedy,
            )
        }
        _ => Check::ok(AREA, found),
    }
}

/// When the newest run was written.
fn newest(runs: &Path) -> Option<Timestamp> {
    let entries = std::fs::read_dir(runs).ok()?;
    let log = |entry: std::fs::DirEntry| entry.path().join("events.jsonl").metadata().ok();
    let times = entries.flatten().filter_map(log).filter_map(|found| found.modified().ok());
    let newest: SystemTime = times.max()?;
    newest.try_into().ok()
}

fn goes_forward() -> bool {
    let start = Instant::now();
    std::thread::sleep(Duration::from_millis(2));
    start.elapsed() >= Duration::from_millis(1)
}

#[cfg(test)]
mod tests;
