//! Small programs, written as people write them, with what each holds. They are no examples that the rules were
//! made from: the rules come from the libraries' interfaces.

use std::collections::BTreeMap;
use std::path::Path;

use burgeon::unstable::detect::{Datum, Detection, Limits, detect};

/// Share of the verdicts that has to be right.
const RIGHT_LEAST: f64 = 0.95;

/// A checkout and what it holds.
struct Case {
    name: String,
    /// Framework and family, or `unknown`.
    verdict: String,
    /// `data`, `gpu`, `entry`, where the case says them.
    details: BTreeMap<String, String>,
    files: Vec<(String, String)>,
}

/// Reads `=== NAME: FRAMEWORK FAMILY KEY=VALUE…`, followed by files under `--- PATH`.
fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/detect/corpus");
    let mut found: Vec<Case> = Vec::new();
    let mut paths: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        for line in std::fs::read_to_string(path).unwrap().lines() {
            if let Some(header) = line.strip_prefix("=== ") {
                let (name, expected) = header.split_once(": ").unwrap();
                let (details, verdict): (Vec<&str>, Vec<&str>) =
                    expected.split(' ').partition(|word| word.contains('='));
                let pair = |word: &&str| {
                    let (key, value) = word.split_once('=').unwrap();
                    (key.to_owned(), value.to_owned())
                };
                found.push(Case {
                    name: name.into(),
                    verdict: verdict.join(" "),
                    details: details.iter().map(pair).collect(),
                    files: Vec::new(),
                });
            } else if let Some(file) = line.strip_prefix("--- ") {
                found.last_mut().unwrap().files.push((file.into(), String::new()));
            } else {
                let (_, text) = found.last_mut().unwrap().files.last_mut().unwrap();
                *text += line;
                text.push('\n');
            }
        }
    }
    found
}

/// Framework and family as JSON spells them.
fn verdict(found: &Detection) -> String {
    let Some(finding) = found.verdict() else { return "unknown".into() };
    let value = serde_json::to_value(finding).unwrap();
    let name = |key: &str| value[key].as_str().unwrap_or("?").to_owned();
    format!("{} {}", name("framework"), name("family"))
}

fn look(case: &Case) -> Detection {
    let folder = tempfile::tempdir().unwrap();
    for (file, text) in &case.files {
        let path = folder.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    detect(folder.path(), &Limits::default()).unwrap()
}

/// What is told otherwise than the case says.
fn wrong(case: &Case, found: &Detection) -> Vec<String> {
    let mut wrong = Vec::new();
    let verdict = verdict(found);
    if verdict != case.verdict {
        wrong.push(format!("{verdict} instead of {}", case.verdict));
    }
    let Some(finding) = found.verdict() else { return wrong };
    for (key, expected) in &case.details {
        let is = match key.as_str() {
            "data" => finding.data.iter().any(|named| named.datum == Datum::Set(expected.clone())),
            "gpu" => serde_json::to_value(finding.gpu).unwrap() == expected.as_str(),
            "entry" => finding.entry.file == *expected,
            other => panic!("{other} is no detail"),
        };
        if !is {
            let named = (&finding.data, finding.gpu, &finding.entry);
            wrong.push(format!("{key} is not {expected}: {named:?}"));
        }
    }
    wrong
}

#[test]
fn programs_are_told_apart_and_unknown_ones_are_said_to_be() {
    let cases = cases();
    assert!(cases.len() >= 60, "{} cases", cases.len());
    let unknown = cases.iter().filter(|case| case.verdict == "unknown").count();
    assert!(unknown >= 10, "{unknown} unknown cases");
    let mut misses = Vec::new();
    let mut claimed = Vec::new();
    for case in &cases {
        let found = look(case);
        let wrong = wrong(case, &found);
        if case.verdict == "unknown" && !wrong.is_empty() {
            claimed.push(case.name.clone());
        }
        if !wrong.is_empty() {
            misses.push(format!("{}: {}", case.name, wrong.join("; ")));
        }
    }
    println!("{} of {} are wrong:\n{}", misses.len(), cases.len(), misses.join("\n"));
    assert!(claimed.is_empty(), "said to be something, but are nothing: {claimed:?}");
    let right = 1.0 - misses.len() as f64 / cases.len() as f64;
    assert!(right >= RIGHT_LEAST, "{:.1} % are right:\n{}", right * 100.0, misses.join("\n"));
}

#[test]
fn evidence_points_at_the_lines_that_say_it() {
    let cases = cases();
    for case in cases.iter().filter(|case| case.verdict != "unknown") {
        let found = look(case);
        let Some(finding) = found.verdict() else { continue };
        assert!(!finding.evidence.is_empty(), "{}", case.name);
        for seen in finding.evidence.iter().filter(|seen| seen.cell.is_none()) {
            let (_, text) = case.files.iter().find(|(file, _)| *file == seen.file).unwrap();
            let line = text.lines().nth(seen.line as usize - 1).unwrap();
            let start = seen.saw.trim_end_matches('…');
            assert!(line.contains(start), "{}: {seen:?} is not in {line:?}", case.name);
        }
    }
}
