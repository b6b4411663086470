//! What stands on a terminal while a study trains, is resized, and when it is over.

use std::fs::File;
use std::io::Read;
use std::num::NonZero;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::process::{ExitStatus, Stdio};

use crate::support::Bench;

/// A terminal: a program's end, and ours.
struct Terminal {
    ours: File,
    programs: OwnedFd,
}

fn window(rows: u16, columns: u16) -> libc::winsize {
    libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }
}

impl Terminal {
    fn open(rows: u16, columns: u16) -> Self {
        let (mut ours, mut programs) = (0, 0);
        let (name, settings) = (std::ptr::null_mut(), std::ptr::null_mut());
        let size = window(rows, columns);
        // SAFETY: all pointers are to what lives until it returns, or null, which is allowed.
        let opened = unsafe { libc::openpty(&mut ours, &mut programs, name, settings, &size) };
        assert_eq!(opened, 0, "{}", std::io::Error::last_os_error());
        // SAFETY: both were just opened, and belong to nobody else.
        unsafe { Self { ours: File::from_raw_fd(ours), programs: OwnedFd::from_raw_fd(programs) } }
    }

    fn end(&self) -> Stdio {
        self.programs.try_clone().unwrap().into()
    }
}

/// What was on the screen while a study ran, and at its end.
struct Seen {
    status: ExitStatus,
    /// All screens that differ, each as lines.
    screens: Vec<Vec<String>>,
}

/// Runs a study of two trials on a terminal of these columns, which has others once the second trial trains.
fn run(columns: u16, then: u16) -> Seen {
    const ROWS: u16 = 200;
    let some = |number| NonZero::new(number).unwrap();
    let bench = Bench::new();
    let Terminal { mut ours, programs } = Terminal::open(ROWS, columns);
    let terminal = Terminal { ours: ours.try_clone().unwrap(), programs };
    let mut command = bench.command(&["tune", "study.toml", "--set", "train.epochs=9"]);
    command.args([
        "--set",
        "gate.accuracy=0.999",
        "--set",
        "tune.trials=2",
        "--set",
        "data.train=400",
    ]);
    command.env("TERM", "xterm-256color");
    command.stdin(terminal.end()).stdout(terminal.end()).stderr(terminal.end());
    let mut trainer = command.spawn().unwrap();
    // Else the end of the program would not be the end of what there is to read.
    drop((command, terminal));
    let mut parser = vt100::Parser::new(some(ROWS), some(columns), 0);
    let (mut screens, mut is_resized) = (Vec::new(), false);
    let mut bytes = [0; 4096];
    while let Ok(read @ 1..) = ours.read(&mut bytes) {
        parser.process(&bytes[..read]);
        let screen: Vec<String> = parser.screen().contents().lines().map(str::to_owned).collect();
        if !is_resized && screen.iter().any(|line| line.starts_with("  trial 2  ")) {
            is_resized = true;
            // SAFETY: the descriptor is open, and the size is read only.
            let resized =
                unsafe { libc::ioctl(ours.as_raw_fd(), libc::TIOCSWINSZ, &window(ROWS, then)) };
            assert_eq!(resized, 0);
            parser.screen_mut().set_size(some(ROWS), some(then));
        }
        if screens.last() != Some(&screen) {
            screens.push(screen);
        }
    }
    assert!(is_resized, "{:#?}", screens.last());
    Seen { status: trainer.wait().unwrap(), screens }
}

#[test]
fn the_parents_curve_is_beneath_and_a_resize_leaves_nothing_over() {
    for (columns, then) in [(140, 80), (80, 140)] {
        let Seen { status, screens } = run(columns, then);
        assert!(matches!(status.code(), Some(0 | 3)), "{status}");
        let is_curve = |line: &String, trial: u32| {
            line.starts_with(&format!("  trial {trial}  ")) && line.ends_with(" %")
        };
        let both = |screen: &&Vec<String>| {
            screen.windows(2).any(|lines| is_curve(&lines[0], 2) && is_curve(&lines[1], 1))
        };
        let drawn = screens.iter().find(both);
        let drawn = drawn.unwrap_or_else(|| panic!("{columns}: {:#?}", screens.last()));
        assert!(
            drawn.iter().any(|line| line.contains('╸') && line.contains("epoch ")),
            "{drawn:#?}"
        );
        let last = screens.last().unwrap();
        let count =
            |found: &dyn Fn(&String) -> bool| last.iter().filter(|line| found(line)).count();
        assert_eq!(count(&|line| line.contains('━') || line.contains('╸')), 0, "{last:#?}");
        assert_eq!(count(&|line| is_curve(line, 1) || is_curve(line, 2)), 0, "{last:#?}");
        // Each line of what was done stands there once.
        for done in ["grown from trial 1", "best model: "] {
            assert_eq!(count(&|line| line.contains(done)), 1, "{done}: {last:#?}");
        }
    }
}
