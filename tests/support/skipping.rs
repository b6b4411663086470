//! Tests that not every machine can run: where one cannot, it counts as ignored, and why is said.

use libtest_mimic::{Arguments, Trial};

/// A test, by name.
pub type Test = (&'static str, fn());

/// Runs tests that all need the same. `missing` answers what this machine lacks.
pub fn main(missing: Option<String>, tests: &[Test]) {
    let arguments = Arguments::from_args();
    if let Some(missing) = &missing
        && !arguments.list
    {
        eprintln!("skipped: {missing}");
    }
    let trials = tests.iter().map(|&(name, test)| {
        let run = move || {
            test();
            Ok(())
        };
        Trial::test(name, run).with_ignored_flag(missing.is_some())
    });
    libtest_mimic::run(&arguments, trials.collect()).exit();
}
