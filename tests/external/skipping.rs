//! Tests that count as ignored where something is missing, which Rust's own harness cannot do.

use libtest_mimic::{Arguments, Trial};

/// A test, by name.
pub type Test = (&'static str, fn());

/// Tests that all need the same.
pub struct Group {
    /// Stands before the name of each test.
    pub name: &'static str,
    /// What this machine lacks, and how to get it; `None` where nothing is missing.
    pub missing: Option<String>,
    pub tests: Vec<Test>,
}

/// Names functions as tests, each by its own name.
macro_rules! tests {
    ($($test:ident),+ $(,)?) => {
        vec![$((stringify!($test), $test as fn())),+]
    };
}
pub(crate) use tests;

/// Runs all tests, one after the other: a process that another test starts holds for a moment
/// whatever files this one has open, and so the room of a removed file on a disk that is full.
pub fn main(groups: &[Group]) {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(1);
    let mut trials = Vec::new();
    for Group { name, missing, tests } in groups {
        if let Some(missing) = missing
            && !arguments.list
        {
            eprintln!("{name}: skipped: {missing}");
        }
        for &(test, run) in tests {
            let run = move || {
                run();
                Ok(())
            };
            let trial = Trial::test(format!("{name}::{test}"), run);
            trials.push(trial.with_ignored_flag(missing.is_some()));
        }
    }
    libtest_mimic::run(&arguments, trials).exit();
}
