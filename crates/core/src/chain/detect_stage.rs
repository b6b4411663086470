//! The stage that finds what to train in a checkout, and how.

use std::path::PathBuf;

use super::build::{Build, End, Target};
use super::config::{ProgramRule, Runner};
use super::growth::Library;
use crate::detect::{Gpu, Kind, Limits, Rules, detect as look};
use crate::sys::error_chain;
use burgeon_container::Gpus;

/// Finds what to train: the study that the configuration names, or else what `burgeon detect` finds.
pub(super) fn detect(build: &mut Build) -> Result<(String, Target), End> {
    if let Some(study) = &build.repository.study {
        let note = format!("the study {}, as the configuration says", study.display());
        return Ok((note, of_study(build, study.clone())));
    }
    let checkout = build.chain.places.checkout(build.row.id);
    let detection =
        look(&checkout, &Limits::default()).map_err(|error| build.failed(error_chain(&error)))?;
    for note in detection.notes.iter().take(20) {
        build.log.print(format!("  {}: {}\n", note.file, note.text).as_bytes());
    }
    let Some(finding) = detection.verdict() else {
        // A slip in a study is what is wrong with it, and not that nothing was found.
        let slip =
            detection.notes.iter().find(|note| note.text.contains("looks like a burgeon study"));
        if let Some(note) = slip {
            return Err(build.failed(format!("{}: {}", note.file, note.text)));
        }
        let looked = &detection.looked_at;
        let endings: Vec<String> = looked
            .endings
            .iter()
            .take(12)
            .map(|(ending, count)| {
                format!("{count} {}", if ending.is_empty() { "without ending" } else { ending })
            })
            .collect();
        let why = format!(
            "unknown: nothing in it is a study or a training program (files: {}; read: {})",
            endings.join(", "),
            looked.read
        );
        return Err(build.failed(why));
    };
    for evidence in finding.evidence.iter().take(20) {
        build.log.print(format!("  {evidence}: {}: {}\n", evidence.means, evidence.saw).as_bytes());
    }
    if finding.kind == Kind::Study && finding.entry.is_exact {
        let note = format!("the study {}", finding.entry.file);
        return Ok((note, of_study(build, finding.entry.file.clone().into())));
    }
    let rules = &build.chain.config.rules;
    let matched = Rules { rules: rules.iter().map(|rule| rule.rule.clone()).collect() }
        .matched(&detection.findings);
    match matched.and_then(|matched| Some((rules.get(matched.rule - 1)?, matched))) {
        Some((rule, matched)) => {
            let found = &detection.findings[matched.finding];
            if found.gpu == Gpu::Required && rule.gpus == Gpus::None {
                let line = format!(
                    "  it needs a GPU, but rule {} provides none; add `gpus = \"all\"`\n",
                    matched.rule
                );
                build.log.print(line.as_bytes());
            }
            let note = format!(
                "{} ({}); rule {} starts {}",
                found.reason,
                found.entry.file,
                matched.rule,
                match rule.run {
                    Runner::Container => matched.image,
                    Runner::Process => matched.command.join(" "),
                }
            );
            let target = Target::Program {
                command: matched.command,
                rule: Box::new(rule.clone()),
                entry: found.entry.file.clone().into(),
                library: Library::of(found.framework),
            };
            Ok((note, target))
        }
        None => Err(build.failed(format!(
            "{} ({}), but no [[rule]] of server.toml applies to it",
            finding.reason, finding.entry.file
        ))),
    }
}

/// A study, in the container of the first rule for studies, if there is one.
fn of_study(build: &Build, file: PathBuf) -> Target {
    Target::Study { file, rule: study_rule(build).cloned().map(Box::new) }
}

/// The rule that names the container that studies train in; without one, they train as processes on this machine.
pub(super) fn study_rule<'a>(build: &Build<'a>) -> Option<&'a ProgramRule> {
    let of_studies = |rule: &&ProgramRule| rule.rule.kind == Some(Kind::Study);
    let rule = build.chain.config.rules.iter().find(of_studies);
    rule.filter(|rule| rule.run == Runner::Container)
}
