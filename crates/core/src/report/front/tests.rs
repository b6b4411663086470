//! Tests of `report::front`.

use super::*;
use crate::ledger::Event;
use crate::record::ClassRecall;
use crate::report::samples::{accepted, epoch, finished, records, started, study_started};

/// Trials of these parameters, accuracies and milliseconds per image.
pub(in crate::report) fn study(trials: &[(u64, f64, f64)]) -> Report {
    let mut events = vec![study_started()];
    for (number, &(size, accuracy, milliseconds)) in (1..).zip(trials) {
        let mut start = started(number, (number > 1).then(|| number - 1));
        if let Event::TrialStarted { parameters, .. } = &mut start {
            *parameters = size;
        }
        let mut measured = epoch(number, 1, accuracy);
        if let Event::EpochFinished { recalls, evaluation_seconds, .. } = &mut measured {
            *recalls = vec![ClassRecall { right: 1, images: 500 }; 2];
            *evaluation_seconds = Some(milliseconds);
        }
        events.extend([start, measured, finished(number, accuracy)]);
    }
    Report::from_records(&records(events))
}

#[test]
fn only_trials_that_no_other_one_beats_are_on_the_front() {
    let report = study(&[(100, 0.5, 3.0), (200, 0.8, 1.0), (300, 0.7, 2.0), (400, 0.9, 4.0)]);
    let by = |cost| {
        let front = front_by(&report.lineage.trials, cost);
        front.into_iter().map(|(trial, ..)| trial.trial).collect::<Vec<_>>()
    };
    assert_eq!(by(Cost::Parameters), [1, 2, 4]);
    assert_eq!(by(Cost::Milliseconds), [2, 4]);
    assert_eq!(by(Cost::Flops), [4], "all take the same FLOPs");
    let rows: Vec<_> = report.front().iter().map(OnFront::cells).collect();
    assert_eq!(rows.len(), 3);
    let first = ["1", "50.00 %", "100", "20.0 k", "3.0", "parameters", "not passed"];
    assert_eq!(rows[0], first.map(str::to_owned));
    assert_eq!(rows[2][5], "parameters, FLOPs, time");
}

#[test]
fn of_equal_trials_the_first_is_kept_and_what_diverged_is_on_no_front() {
    let report = study(&[(100, 0.5, 1.0), (100, 0.5, 1.0), (50, f64::NAN, 0.1)]);
    let front = report.front();
    assert_eq!(front.iter().map(|on| on.trial.trial).collect::<Vec<_>>(), [1]);
    assert!(Report::from_records(&records(accepted())).front().len() == 1);
    assert!(study(&[(100, 0.5, 1.0)]).front().is_empty(), "one trial is no front");
}

#[test]
fn the_page_and_the_text_show_the_front() {
    let report = study(&[(100, 0.5, 3.0), (200, 0.9, 1.0)]);
    let page = report.to_html();
    assert_eq!(page.matches("<svg viewBox=\"0 0 300 240\" class=\"front\"").count(), 3, "{page}");
    assert!(
        page.contains("aria-label=\"Validation accuracy of seedling by parameters, of 2 trials")
    );
    let text = report.to_markdown();
    let row = "| 2 | 90.00 % | 200 | 20.0 k | 1.0 | parameters, FLOPs, time | not passed |";
    assert!(text.contains(row), "{text}");
    // A record of an earlier version tells no times.
    let untold = Report::from_records(&records(accepted())).to_html();
    assert_eq!(untold.matches("class=\"front\" role").count(), 2, "{untold}");
}
