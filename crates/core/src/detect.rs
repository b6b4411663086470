//! What a checkout holds, by [`burgeon_detect`], with burgeon's own studies read by [`spec`](crate::spec) itself.

mod program;

use std::path::Path;

pub use burgeon_detect::*;

pub use self::program::{CarriedOver, CarryError, carry_over, carry_over_in};

use crate::spec::{Layer, Source, StudyDocument};

/// Looks at a checkout.
///
/// # Errors
///
/// The folder cannot be opened. What is wrong with single files is told in the answer.
pub fn detect(root: &Path, limits: &Limits) -> Result<Detection, DetectError> {
    burgeon_detect::detect(root, limits, &read)
}

/// Reads a TOML file.
fn read(file: &str, is_exact: bool, text: &str) -> Toml {
    let document = StudyDocument::new(file, text);
    match document.parse().and_then(|study| document.check().map(|()| study)) {
        Ok(study) => {
            let family = if study.model.layers.is_empty() && study.model.from.is_some() {
                None
            } else {
                Some(family(&study.model.layers))
            };
            let line = line_of(text, "[model]");
            let seen = Evidence {
                file: file.to_owned(),
                line,
                cell: None,
                saw: text
                    .lines()
                    .nth(line as usize - 1)
                    .unwrap_or_default()
                    .trim()
                    .chars()
                    .take(100)
                    .collect(),
                means: format!("a burgeon study named {:?}", study.name),
            };
            let path = study.data.path.as_ref().map(|path| path.display().to_string());
            let datum = match (&path, study.data.source) {
                (Some(path), _) => Datum::Path(path.clone()),
                (None, source) => Datum::Set(source.name().into()),
            };
            let at = Evidence {
                means: "the study's data".into(),
                line: line_of(text, "[data]"),
                ..seen.clone()
            };
            Toml::Study(Box::new(Finding {
                kind: Kind::Study,
                language: Language::Toml,
                framework: Framework::Burgeon,
                libraries: Vec::new(),
                family,
                families: family.into_iter().collect(),
                trains: true,
                is_own: true,
                confidence: Confidence::High,
                reason: "a study file that burgeon reads without an error".into(),
                entry: Entry {
                    file: file.to_owned(),
                    is_exact,
                    line: None,
                    why: "a study is what burgeon runs".into(),
                },
                others: Vec::new(),
                data: vec![DataNamed { datum, evidence: at }],
                gpu: Gpu::None,
                gpu_evidence: None,
                evidence: vec![seen],
                study: Some(StudyFound {
                    name: study.name.clone(),
                    source: study.data.source.name().into(),
                    path,
                    device: "auto",
                    gate_accuracy: study.gate.accuracy,
                }),
                score: 1000 + name_score(file) - 20 * i64::from(study.data.source == Source::Own),
            }))
        }
        Err(error) if looks_like_a_study(text) => {
            let problem = error.problems.first();
            let place = problem.and_then(|problem| problem.location.as_ref());
            let line = place.map_or(String::new(), |place| format!(" in line {}", place.line));
            let message = problem.map_or(String::new(), |problem| problem.message.clone());
            let text = format!("it looks like a burgeon study, but has an error{line}: {message}");
            Toml::Broken(Note { file: file.to_owned(), text: one_line(&text, 300) })
        }
        Err(_) => Toml::Other,
    }
}

/// A study at the top, or under `models`, before one in examples.
fn name_score(file: &str) -> i64 {
    let depth = i64::try_from(file.matches('/').count()).unwrap_or(9);
    let aside = ["test", "example", "bench", "seed"].iter().any(|word| file.contains(word));
    -2 * depth - if aside { 20 } else { 0 }
}

fn line_of(text: &str, header: &str) -> u32 {
    let line = text.lines().position(|line| line.trim_start().starts_with(header));
    line.and_then(|line| u32::try_from(line + 1).ok()).unwrap_or(1)
}

/// Whether a text that is no valid study was meant as one.
fn looks_like_a_study(text: &str) -> bool {
    let has = |header: &str| text.lines().any(|line| line.trim() == header);
    let keys = text.lines().map(|line| line.split('=').next().unwrap_or_default().trim());
    has("[model]")
        && keys.into_iter().any(|key| key == "layers" || key == "from")
        && (has("[gate]") || has("[train]") || has("[data]"))
}

fn family(layers: &[Layer]) -> Family {
    let convolves = |layer: &Layer| matches!(layer.kind(), "conv" | "residual");
    let learns = |layer: &Layer| layer.kind() == "dense";
    if layers.iter().any(convolves) {
        Family::Cnn
    } else if layers.iter().any(learns) {
        Family::Mlp
    } else {
        Family::Linear
    }
}
