//! The reports that the real binary writes.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use burgeon::record::StudyResult;
use burgeon::unstable::ledger::{Event, Outcome, read};
use burgeon::unstable::sys::files::RealFiles;
use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};

use crate::kills::leave_old_files_or_new_ones;
use crate::schema::Schema;
use crate::support::{Bench, expect_code, stderr, stdout};

/// The test cases of a run, after Jenkins' schema has found nothing wrong with them.
fn suite(run: &Path) -> TestSuite {
    let xml = fs::read_to_string(run.join("junit.xml")).unwrap();
    let schema = Schema::read(include_str!("../schemas/junit-jenkins.xsd"));
    assert_eq!(schema.problems(&xml), Vec::<String>::new(), "{xml}");
    let mut report = quick_junit::Report::deserialize_from_str(&xml).unwrap();
    assert_eq!(report.test_suites.len(), 1);
    report.test_suites.remove(0)
}

fn gate(suite: &TestSuite) -> &TestCase {
    suite.test_cases.iter().find(|case| case.name.as_str() == "gate").unwrap()
}

/// The page, after a strict parser of XML has found nothing wrong with it.
fn page(run: &Path) -> String {
    let page = fs::read_to_string(run.join("report.html")).unwrap();
    let markup = page.strip_prefix("<!DOCTYPE html>\n").unwrap();
    let mut reader = quick_xml::Reader::from_str(markup);
    let mut depth = 0;
    loop {
        use quick_xml::events::Event;
        match reader.read_event().unwrap() {
            Event::Start(_) => depth += 1,
            Event::End(_) => depth -= 1,
            Event::Eof => break,
            _ => {}
        }
    }
    assert_eq!(depth, 0, "a tag is left open");
    for forbidden in ["<style", "style=", "<script"] {
        assert!(
            !page.contains(forbidden),
            "{forbidden} is forbidden where files are served safely"
        );
    }
    assert!(page.contains("href=\"report/style.css\"") && run.join("report/style.css").is_file());
    assert!(!page.contains("<script") && !page.contains("http"), "the page must stand alone");
    page
}

#[test]
fn an_accepted_study_leaves_a_page_a_text_and_a_green_suite() {
    let bench = Bench::new();
    expect_code(&bench.burgeon(&["tune", "study.toml"]), 0);
    let run = bench.run();
    let records = read(&RealFiles, &run.join("events.jsonl")).unwrap();
    let Event::StudyFinished(StudyResult { outcome, trials, validation_accuracy, .. }) =
        records.last().unwrap().event
    else {
        panic!("the last event is {:?}", records.last());
    };
    assert_eq!(outcome, Outcome::Accepted);
    let accuracy = format!("{:.2} %", validation_accuracy * 100.0);

    let page = page(&run);
    assert!(page.contains(&format!("Accepted: trial {trials}, {accuracy} on validation")));
    let epochs = records.iter().filter(|record| record.event.name() == "epoch_finished").count();
    let predicted = records
        .iter()
        .filter(|record| matches!(record.event, Event::TrialStarted { forecast: Some(_), .. }))
        .count();
    // Each epoch on the wide and on the narrow picture, and four times on those of its trial; each result beside its
    // prediction; each trial, and a ring around the best, against parameters, FLOPs and time.
    let on_fronts = 3 * (trials as usize + 1);
    assert_eq!(page.matches("<circle").count(), epochs * 6 + predicted + on_fronts);
    // The command that repeats it does.
    let again = page.split("<code>").nth(1).and_then(|rest| rest.split_once("</code>")).unwrap().0;
    let words: Vec<&str> = again.split(' ').collect();
    let at = words.iter().position(|word| *word == "burgeon").unwrap();
    expect_code(&bench.burgeon(&words[at + 1..]), 0);
    let hash = |run: &str| {
        let figures = fs::read_to_string(bench.path().join(run).join("best/figures.json")).unwrap();
        serde_json::from_str::<serde_json::Value>(&figures).unwrap()["weights_hash"].clone()
    };
    assert_eq!(hash("runs/growing-0002"), hash("runs/growing-0001"));

    let text = fs::read_to_string(run.join("report.md")).unwrap();
    assert!(text.contains(&accuracy) && text.contains("growing-0001"), "{text}");

    let suite = suite(&run);
    assert_eq!((suite.tests, suite.failures, suite.errors), (trials as usize + 1, 0, 0));
    assert!(matches!(gate(&suite).status, TestCaseStatus::Success { .. }));
    assert_eq!(suite.test_cases[0].name.as_str(), "trial 1: as written");
    assert!(matches!(suite.test_cases[0].status, TestCaseStatus::Skipped { .. }));
    assert!(suite.test_cases[0].time.unwrap() > Duration::ZERO);
}

#[test]
fn a_rejected_study_fails_by_its_gate() {
    let bench = Bench::new();
    let sets = ["--set", "gate.accuracy=0.999", "--set", "train.epochs=1"];
    expect_code(&bench.command(&["train", "study.toml"]).args(sets).output().unwrap(), 3);
    let suite = suite(&bench.run());
    let TestCaseStatus::NonSuccess { kind, message, .. } = &gate(&suite).status else {
        panic!("the gate is {:?}", gate(&suite).status);
    };
    assert_eq!(*kind, NonSuccessKind::Failure);
    assert!(
        message.as_ref().unwrap().as_str().ends_with("is below the gate of 99.90 %"),
        "{message:?}"
    );
    assert!(page(&bench.run()).contains("Rejected: validation accuracy "));
}

#[test]
fn a_report_is_written_of_a_running_and_of_a_killed_run_and_harms_neither() {
    let bench = Bench::new();
    let slow = ["tune", "study.toml", "--set", "train.epochs=1000"];
    let mut trainer = bench.command(&slow).stdout(Stdio::null()).spawn().unwrap();
    let events = bench.run().join("events.jsonl");
    while !fs::read_to_string(&events).unwrap_or_default().contains("epoch_finished") {
        std::thread::sleep(Duration::from_millis(5));
    }
    let running = bench.burgeon(&["report", "runs/growing-0001"]);
    let is_running = trainer.try_wait().unwrap().is_none();
    trainer.kill().unwrap();
    trainer.wait().unwrap();
    expect_code(&running, 0);
    assert!(is_running, "the trainer must not mind");
    assert_eq!(
        stdout(&running),
        "runs/growing-0001/report.html\nruns/growing-0001/report.md\nruns/growing-0001/junit.xml\n"
    );

    // A kill in the midst of a line.
    let before = fs::read_to_string(&events).unwrap();
    fs::write(&events, format!("{before}{{\"v\":1,\"event\":\"epoch_fin")).unwrap();
    let killed = bench.burgeon(&["report", "runs/growing-0001", "--json"]);
    expect_code(&killed, 0);
    let paths: serde_json::Value = serde_json::from_str(&stdout(&killed)).unwrap();
    assert_eq!(paths["html"], "runs/growing-0001/report.html");
    assert!(page(&bench.run()).contains("Not finished: still running, or killed"));
    assert_eq!(suite(&bench.run()).errors, 1, "a study that never ended must not look green");
    assert!(fs::read_to_string(&events).unwrap().ends_with("epoch_fin"), "it only reads");
}

#[test]
fn a_stopped_study_leaves_a_report_too() {
    let bench = Bench::new();
    let slow = ["tune", "study.toml", "--set", "train.epochs=1000"];
    let mut trainer = bench.command(&slow).stdout(Stdio::null()).spawn().unwrap();
    let events = bench.run().join("events.jsonl");
    while !fs::read_to_string(&events).unwrap_or_default().contains("epoch_finished") {
        std::thread::sleep(Duration::from_millis(5));
    }
    // SAFETY: sends a signal to a child that has not been waited for.
    unsafe { libc::kill(trainer.id() as i32, libc::SIGTERM) };
    assert_eq!(trainer.wait().unwrap().code(), Some(143));
    assert!(page(&bench.run()).contains("Stopped by SIGTERM"));
}

#[test]
fn a_report_that_cannot_be_written_is_a_warning_and_no_failure() {
    let bench = Bench::new();
    let sets = [
        "--set",
        "gate.allow-majority=true",
        "--set",
        "gate.accuracy=0.0",
        "--set",
        "train.epochs=1",
    ];
    // A folder in the place of the file, as soon as there is a run to put it in.
    let train = ["train", "study.toml", "--resume", "auto"];
    expect_code(&bench.command(&train).args(sets).output().unwrap(), 0);
    fs::remove_file(bench.run().join("report.html")).unwrap();
    fs::create_dir(bench.run().join("report.html")).unwrap();
    let again = bench.command(&train).args(sets).output().unwrap();
    expect_code(&again, 0);
    let said = stderr(&again);
    assert!(
        said.contains("warning: no report was written") && said.contains("report.html"),
        "{said}"
    );
}

#[test]
fn a_folder_that_is_no_run_is_refused_by_name_and_left_alone() {
    let bench = Bench::new();
    fs::create_dir(bench.path().join("photos")).unwrap();
    for (folder, why) in [("photos", "photos is not a run folder"), (".", "no record of a study")] {
        // The second has a study.toml, but no record.
        let output = bench.burgeon(&["report", folder]);
        expect_code(&output, 1);
        assert!(stderr(&output).contains(why), "{}", stderr(&output));
        assert!(!bench.path().join(folder).join("report.html").exists());
    }
}

#[test]
fn the_schema_of_test_cases_refuses_what_jenkins_refuses() {
    let schema = Schema::read(include_str!("../schemas/junit-jenkins.xsd"));
    let suites = |attributes: &str, inside: &str| {
        schema.problems(&format!("<testsuites{attributes}>{inside}</testsuites>"))
    };
    let suite = |inside: &str| {
        let counts = "name=\"a\" tests=\"1\" failures=\"0\" errors=\"0\"";
        suites("", &format!("<testsuite {counts}>{inside}</testsuite>"))
    };
    assert!(suites(" tests=\"1\"", "").is_empty());
    assert!(suite("<testcase name=\"a\"><skipped message=\"b\"/></testcase>").is_empty());
    for wrong in [
        suites(" skipped=\"1\"", ""),
        suites(" tests=\"one\"", ""),
        suites(" time=\"0.1234\"", ""),
        suites("", "text"),
        suites("", "<testcase name=\"a\"/>"),
        suites("", "<testsuite name=\"a\"/>"),
        suite("<testcase/>"),
        suite("<testcase name=\"a\"><passed/></testcase>"),
        suite("<properties><property name=\"a\"/></properties>"),
    ] {
        assert!(!wrong.is_empty());
    }
}

#[test]
fn a_report_that_is_killed_leaves_the_old_files_or_the_new_ones() {
    let bench = Bench::new();
    expect_code(&bench.burgeon(&["tune", "study.toml"]), 0);
    let arguments = ["report", "runs/growing-0001", "--single"];
    let files = ["report/style.css", "report.html", "report.md", "junit.xml", "report-single.html"];
    leave_old_files_or_new_ones(&bench, &arguments, &bench.run(), &files, "BURGEON_REPORT_KILLS");
}
