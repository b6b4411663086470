//! Tests of `report::selection`.

use crate::ledger::Event;
use crate::report::samples::{epoch, finished, records, started, study_started};
use crate::report::{Lineage, Report};

/// A study of so many trials, each grown from the one that `parent` says.
fn long(trials: u32, parent: impl Fn(u32) -> Option<u32>) -> Vec<crate::ledger::Recorded> {
    let mut events: Vec<Event> = vec![study_started()];
    for trial in 1..=trials {
        let accuracy = f64::from(trial % 97) / 100.0;
        events.push(started(trial, parent(trial)));
        events.push(epoch(trial, 1, accuracy));
        events.push(finished(trial, accuracy));
    }
    records(events)
}

#[test]
fn a_study_of_thousands_of_trials_has_a_report_of_a_bearable_size() {
    type Parent = fn(u32) -> Option<u32>;
    let shapes: [(&str, Parent); 3] = [
        ("a chain", |trial| (trial > 1).then(|| trial - 1)),
        ("a star", |trial| (trial > 1).then_some(1)),
        ("a forest", |_| None),
    ];
    for (shape, parent) in shapes {
        let report = Report::from_records(&long(6000, parent));
        let page = report.to_html();
        assert!(page.len() < 3_000_000, "{shape}: {} bytes", page.len());
        assert!(page.contains("of 6,000 trials are shown"), "{shape}");
        // The best trial is there with its curve, and so is the newest.
        let best = report.figures.best_trial.unwrap();
        for trial in [best, 6000] {
            assert!(page.contains(&format!("<strong>Trial {trial}</strong>")), "{shape}");
        }
        let text = report.to_markdown();
        assert!(text.len() < 65_000, "{shape}: {} bytes", text.len());
        assert!(text.contains("of 6,000 trials are shown"), "{shape}");
        assert_eq!(report.to_junit().unwrap().matches("<testcase").count(), 6001);
    }
}

#[test]
fn the_tree_of_a_long_chain_tells_of_every_trial_and_does_not_run_off_to_the_right() {
    let tree = Lineage::from_records(&long(6000, |trial| (trial > 1).then(|| trial - 1))).tree();
    for trial in [1, 25, 26, 3000, 6000] {
        let headline = |line: &str| {
            let line = line.trim_start_matches(['│', '├', '└', '─', ' ']);
            line.starts_with(&format!("trial {trial} "))
                || line.starts_with(&format!("trial {trial}:"))
        };
        assert!(tree.lines().any(headline), "trial {trial}");
    }
    let widest = tree.lines().map(|line| line.chars().count()).max().unwrap();
    assert!(widest < 250, "{widest}");
}

#[test]
fn a_short_study_is_shown_whole() {
    let report = Report::from_records(&long(90, |_| None));
    assert!(!report.to_html().contains("are shown"));
    assert_eq!(report.to_html().matches("<strong>Trial ").count(), 180);
}
