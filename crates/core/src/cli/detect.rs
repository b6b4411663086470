//! `burgeon detect`: what a checkout holds, as text for people or as JSON.

use std::fmt::Write;

use super::args::DetectArguments;
use super::error::CliError;
use super::exit::Exit;
use super::output::Output;
use crate::detect::{Detection, Entry, Finding, Kind, Language, Limits, Matched, Rules};

/// Evidence that is printed of one finding.
const EVIDENCE_SHOWN: usize = 8;
/// Skipped files and other entries that are printed one by one.
const LISTED: usize = 10;

/// Prints what a checkout holds.
pub fn detect(arguments: &DetectArguments, output: &Output) -> Result<Exit, CliError> {
    if arguments.study {
        return super::detect_study::study(arguments, output);
    }
    let rules = match &arguments.rules {
        Some(file) => Rules::read(file)?,
        None => Rules::built_in()?,
    };
    let found = crate::detect::detect(&arguments.folder, &Limits::default())?;
    let matched = rules.matched(&found.findings);
    let unmatched = arguments.rules.is_some() && matched.is_none();
    let text = if output.json {
        format!("{}\n", json(&found, matched.as_ref(), unmatched))
    } else {
        text(&found, matched.as_ref(), unmatched)
    };
    output.result(&text)?;
    Ok(if found.verdict().is_none() || unmatched { Exit::Unknown } else { Exit::Success })
}

fn json(found: &Detection, matched: Option<&Matched>, unmatched: bool) -> serde_json::Value {
    let verdict = if found.verdict().is_some() { "found" } else { "unknown" };
    serde_json::json!({
        "v": 1, "verdict": verdict, "why": why(found, unmatched), "finding": found.verdict(),
        "findings": found.findings, "match": matched, "environment": found.environment,
        "notes": found.notes, "looked_at": found.looked_at,
    })
}

/// The verdict in one sentence.
fn why(found: &Detection, unmatched: bool) -> String {
    match found.verdict() {
        None if found.findings.is_empty() && !found.notes.is_empty() => {
            "nothing that could be read makes or trains a model with a library that burgeon knows"
                .into()
        }
        None if found.findings.is_empty() => {
            "nothing here makes or trains a model with a library that burgeon knows".into()
        }
        None => "models are created only in tests or in third-party code".into(),
        Some(_) if unmatched => "no rule fits what was found".into(),
        Some(finding) => finding.reason.clone(),
    }
}

fn text(found: &Detection, matched: Option<&Matched>, unmatched: bool) -> String {
    let mut text = String::new();
    match found.verdict() {
        Some(finding) => {
            let _ = writeln!(text, "{}: {}", title(finding), why(found, unmatched));
        }
        None => {
            let _ = writeln!(text, "unknown: {}", why(found, unmatched));
        }
    }
    for (finding, place) in found.findings.iter().zip(0..) {
        text.push('\n');
        let rule = matched.filter(|matched| matched.finding == place);
        write_finding(&mut text, finding, rule);
    }
    if !found.environment.is_empty() {
        text += "\ninstalled with\n";
    }
    for file in &found.environment {
        let names: Vec<&str> = file.frameworks.iter().map(|framework| framework.words()).collect();
        let image = file.base_image.iter().map(|image| format!("from {image}"));
        let gpu = file
            .gpu
            .iter()
            .map(|seen| format!("asks for a GPU in line {} ({})", seen.line, seen.saw));
        let named = (!names.is_empty()).then(|| names.join(", "));
        let said: Vec<String> = named.into_iter().chain(image).chain(gpu).collect();
        let said =
            if said.is_empty() { "names no library for training".into() } else { said.join("; ") };
        let _ = writeln!(text, "  {}: {said}", file.file);
    }
    write_looked_at(&mut text, found);
    text
}

/// `Keras CNN in Python`.
fn title(finding: &Finding) -> String {
    let family = finding.family.map_or("model of unknown kind", |family| family.words());
    let language = match finding.language {
        Language::Toml => return format!("burgeon study, {family}"),
        Language::Python => " in Python",
        Language::R => "",
        Language::Rust => " in Rust",
    };
    let notebook = if finding.kind == Kind::Notebook { ", a notebook" } else { "" };
    format!("{} {family}{language}{notebook}", finding.framework.words())
}

fn write_finding(text: &mut String, finding: &Finding, matched: Option<&Matched>) {
    let mut row = |name: &str, value: &str| {
        if !value.is_empty() {
            let _ = writeln!(text, "  {name:<10}  {value}");
        }
    };
    row("model", &title(finding));
    row("run", &entry_words(&finding.entry));
    let data = finding
        .data
        .iter()
        .take(LISTED)
        .map(|named| format!("{} ({})", named.words(), named.evidence));
    row("data", &data.collect::<Vec<_>>().join(", "));
    let gpu = finding
        .gpu_evidence
        .as_ref()
        .map_or(String::new(), |seen| format!(" ({seen}: {})", seen.saw));
    row("GPU", &format!("{}{gpu}", finding.gpu.words()));
    if let Some(study) = &finding.study {
        row("gate", &format!("{:.1} % validation accuracy", study.gate_accuracy * 100.0));
    }
    row("confidence", &format!("{}: {}", finding.confidence.words(), finding.reason));
    if let Some(matched) = matched {
        row("image", &matched.image);
        row(
            "command",
            &matched.command.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" "),
        );
    }
    row("also in", &shortened(&finding.others));
    let width =
        finding.evidence.iter().take(EVIDENCE_SHOWN).map(|seen| seen.to_string().chars().count());
    let width = width.max().unwrap_or(0).min(40);
    for seen in finding.evidence.iter().take(EVIDENCE_SHOWN) {
        let _ = writeln!(text, "    {:<width$}  {}: {}", seen.to_string(), seen.means, seen.saw);
    }
}

fn entry_words(entry: &Entry) -> String {
    let line = entry.line.map_or(String::new(), |line| format!(":{line}"));
    let exact = if entry.is_exact {
        ""
    } else {
        "; its name is not plain text, so no command can be made of it"
    };
    format!("{}{line} ({}{exact})", entry.file, entry.why)
}

/// A word of a command as a shell would take it.
fn quoted(word: &str) -> String {
    let is_plain = !word.is_empty()
        && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c));
    if is_plain { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

fn shortened(names: &[String]) -> String {
    let shown = names.iter().take(LISTED).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(LISTED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn write_looked_at(text: &mut String, found: &Detection) {
    let looked = &found.looked_at;
    let mut endings: Vec<(&String, &usize)> = looked.endings.iter().collect();
    endings.sort_by_key(|(name, count)| (std::cmp::Reverse(**count), *name));
    let endings = endings.iter().take(LISTED).map(|(name, count)| {
        format!("{count} {}", if name.is_empty() { "without ending" } else { name })
    });
    let endings = endings.collect::<Vec<_>>().join(", ");
    let files = if looked.files == 1 { "1 file".into() } else { format!("{} files", looked.files) };
    let _ = writeln!(text, "\nlooked at {} ({endings}), read {}", files, looked.read);
    for note in found.notes.iter().take(LISTED) {
        let _ = writeln!(text, "  {}: {}", note.file, note.text);
    }
    for limit in &looked.limits {
        let _ = writeln!(text, "  limit reached: {limit}");
    }
    for skipped in looked.skipped.iter().take(LISTED) {
        let _ = writeln!(text, "  skipped {}: {}", skipped.file, skipped.text);
    }
    if let more @ 1.. = looked.skipped.len().saturating_sub(LISTED) + looked.skipped_more {
        let _ = writeln!(text, "  skipped {more} more; --json lists them");
    }
}
