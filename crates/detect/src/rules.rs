//! Rules that say which image and command each finding gets.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::DetectError;
use super::finding::{Finding, Gpu, Kind, Language};
use super::meaning::{Family, Framework};

/// The rules for what burgeon itself brings.
const BUILT_IN: &str = include_str!("rules.toml");
/// Longer files are no rules.
const BYTES_MOST: u64 = 1 << 20;

/// A list of rules, of which the first that fits counts.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Rules {
    /// The rules in order.
    #[serde(default, rename = "rule")]
    pub rules: Vec<Rule>,
}

/// One rule: what a finding must be, and what it then gets. What is left out fits everything.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Rule {
    /// How it is written.
    pub kind: Option<Kind>,
    /// The language.
    pub language: Option<Language>,
    /// The library that trains.
    pub framework: Option<Framework>,
    /// A library that the program calls, such as `lightning`.
    pub library: Option<String>,
    /// The kind of model.
    pub family: Option<Family>,
    /// Whether a GPU is wanted; a program that uses one if there is one fits both.
    pub gpu: Option<bool>,
    /// The image.
    pub image: String,
    /// The program and its arguments; `{entry}` stands for the file that is run.
    pub command: Vec<String>,
}

/// What a finding gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Matched {
    /// The finding's place in the list.
    pub finding: usize,
    /// The rule's place in the list, counted from 1.
    pub rule: usize,
    /// The image.
    pub image: String,
    /// The program and its arguments.
    pub command: Vec<String>,
}

impl Rules {
    /// The rules for what burgeon itself brings: its studies.
    ///
    /// # Errors
    ///
    /// None in practice: they are part of the program, and a test reads them.
    pub fn built_in() -> Result<Self, DetectError> {
        Self::parse("the built-in rules", BUILT_IN)
    }

    /// Reads rules from a file.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, or whose rules are not valid.
    pub fn read(file: &Path) -> Result<Self, DetectError> {
        let refuse = |source| DetectError::RulesFile { file: file.into(), source };
        let length = std::fs::metadata(file).map_err(refuse)?.len();
        if length > BYTES_MOST {
            return Err(refuse(std::io::Error::other("longer than 1 MiB")));
        }
        let text = std::fs::read_to_string(file).map_err(refuse)?;
        Self::parse(&file.display().to_string(), &text)
    }

    /// Reads rules from text.
    ///
    /// # Errors
    ///
    /// Text that is no TOML, unknown keys and names, a rule without a command, an unknown placeholder.
    pub fn parse(origin: &str, text: &str) -> Result<Self, DetectError> {
        let rules: Self = toml::from_str(text).map_err(|error| DetectError::Rules {
            origin: origin.to_owned(),
            message: error.to_string().trim().to_owned(),
        })?;
        Self::checked(origin, rules.rules)
    }

    /// These rules, if each can be used; `origin` names them in the error.
    ///
    /// # Errors
    ///
    /// A rule without a command, an unknown placeholder.
    pub fn checked(origin: &str, rules: Vec<Rule>) -> Result<Self, DetectError> {
        for (rule, number) in rules.iter().zip(1..) {
            if let Err(why) = rule.check() {
                let message = format!("rule {number}: {why}");
                return Err(DetectError::Rules { origin: origin.to_owned(), message });
            }
        }
        Ok(Self { rules })
    }

    /// The first finding, in their order, that a rule fits, with the first rule that does. Tests and copies of
    /// somebody else's code get nothing.
    pub fn matched(&self, findings: &[Finding]) -> Option<Matched> {
        findings.iter().enumerate().filter(|(_, finding)| finding.is_own).find_map(
            |(place, finding)| {
                let (number, rule) =
                    self.rules.iter().enumerate().find(|(_, rule)| rule.fits(finding))?;
                Some(Matched {
                    finding: place,
                    rule: number + 1,
                    image: rule.image.clone(),
                    command: rule
                        .command
                        .iter()
                        .map(|word| word.replace("{entry}", &runnable(finding)))
                        .collect(),
                })
            },
        )
    }
}

impl Rule {
    fn check(&self) -> Result<(), String> {
        if self.command.first().is_none_or(String::is_empty) {
            return Err("the command is empty; write one such as [\"python\", \"{entry}\"]".into());
        }
        for word in &self.command {
            let rest = word.replace("{entry}", "");
            if let Some(start) = rest.find('{')
                && let Some(end) = rest[start..].find('}')
            {
                let name = &rest[start..=start + end];
                return Err(format!(
                    "{name} stands for nothing; the only placeholder is {{entry}}"
                ));
            }
        }
        Ok(())
    }

    fn fits(&self, finding: &Finding) -> bool {
        let needs_entry = self.command.iter().any(|word| word.contains("{entry}"));
        let gpu = |wanted: bool| match finding.gpu {
            Gpu::Optional => true,
            Gpu::Required => wanted,
            Gpu::None => !wanted,
        };
        self.kind.is_none_or(|kind| kind == finding.kind)
            && self.language.is_none_or(|language| language == finding.language)
            && self.framework.is_none_or(|framework| framework == finding.framework)
            && self.library.as_ref().is_none_or(|library| finding.libraries.contains(library))
            && self.family.is_none_or(|family| finding.family == Some(family))
            && self.gpu.is_none_or(gpu)
            && (finding.entry.is_exact || !needs_entry)
    }
}

/// The path of the entry, so that no program takes it for an option.
fn runnable(finding: &Finding) -> String {
    let file = &finding.entry.file;
    if file.starts_with('-') { format!("./{file}") } else { file.clone() }
}
