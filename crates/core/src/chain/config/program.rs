//! `[[rule]]`: how programs of one kind are trained, and how they report their accuracy.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::problem::{Problem, is_inside};
use crate::detect::Rule;
use burgeon_container::{Gpus, HangLimits};

/// How programs of one kind are trained.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "toml::Table")]
pub struct ProgramRule {
    /// Which programs it applies to, and their image and command.
    pub rule: Rule,
    /// Where they run.
    pub run: Runner,
    /// Where they report their accuracy.
    pub score: Score,
    /// The files and folders of the model, as paths in the folder that the program writes to.
    pub model: Vec<PathBuf>,
    /// Whether it may use the network.
    pub network: bool,
    /// GPUs that it may use in a container.
    pub gpus: Gpus,
    /// Its limits.
    pub limits: ProgramLimits,
}

/// The limits of a program.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ProgramLimits {
    /// Processors in a container.
    pub cpus: f64,
    /// Memory in a container.
    pub memory_megabytes: u32,
    /// Processes and threads in a container.
    pub processes: u32,
    /// Longest time.
    pub seconds: u64,
    /// Longest time without output or processor use; 0 for no limit.
    pub idle_seconds: u64,
    /// Longest time without output, even if it uses the processor; 0 for no limit.
    pub silent_seconds: u64,
}

impl Default for ProgramLimits {
    fn default() -> Self {
        Self {
            cpus: 2.0,
            memory_megabytes: 4096,
            processes: 512,
            seconds: 24 * 3600,
            idle_seconds: 600,
            silent_seconds: 0,
        }
    }
}

impl ProgramLimits {
    /// When the program counts as hung.
    pub fn hang(&self) -> HangLimits {
        let limit = |seconds: u64| (seconds > 0).then(|| Duration::from_secs(seconds));
        HangLimits { silent: limit(self.silent_seconds), idle: limit(self.idle_seconds) }
    }
}

impl TryFrom<toml::Table> for ProgramRule {
    type Error = toml::de::Error;

    /// By hand, so that unknown keys are refused, which serde's `flatten` would not do.
    fn try_from(mut table: toml::Table) -> Result<Self, Self::Error> {
        let run: Option<Runner> = table.remove("run").map(toml::Value::try_into).transpose()?;
        if run == Some(Runner::Process) {
            // It needs none.
            table.entry("image").or_insert_with(|| "none".into());
        }
        let score = table.remove("score").map(toml::Value::try_into).transpose()?;
        let model = table.remove("model").map(toml::Value::try_into).transpose()?;
        let network = table.remove("network").map(toml::Value::try_into).transpose()?;
        let gpus = table.remove("gpus").map(|value| gpus(&value)).transpose()?;
        let limits = table.remove("limits").map(toml::Value::try_into).transpose()?;
        let rule: Rule = toml::Value::Table(table).try_into()?;
        // Who asks for a GPU gets one, and of a container all of them.
        let unless_said = if rule.gpu == Some(true) { Gpus::All } else { Gpus::None };
        Ok(Self {
            rule,
            run: run.unwrap_or_default(),
            score: score.unwrap_or_default(),
            model: model.unwrap_or_default(),
            network: network.unwrap_or_default(),
            gpus: gpus.unwrap_or(unless_said),
            limits: limits.unwrap_or_default(),
        })
    }
}

/// `"all"`, or a number.
fn gpus(value: &toml::Value) -> Result<Gpus, toml::de::Error> {
    match value {
        toml::Value::String(word) if word == "all" => Ok(Gpus::All),
        toml::Value::Integer(0) => Ok(Gpus::None),
        toml::Value::Integer(number @ 1..=64) => Ok(Gpus::First(*number as u32)),
        _ => Err(serde::de::Error::custom(format!(
            "`gpus` is {value}; use \"all\", or a number from 0 to 64"
        ))),
    }
}

/// Where a program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Runner {
    /// In a container of its image.
    #[default]
    Container,
    /// As a process on this machine, with all rights of the service: only for trusted programs.
    Process,
}

/// Where a program reports its accuracy. Values from before its start do not count.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Score {
    /// A file that contains a number and nothing else.
    File(PathBuf),
    /// A number in a JSON file.
    Json {
        /// The file.
        file: PathBuf,
        /// The key; dots separate the keys of nested objects.
        key: String,
    },
    /// The last number in the output between this text and the next space.
    Output {
        /// The text before the number.
        after: String,
    },
}

impl Default for Score {
    fn default() -> Self {
        Self::File("accuracy.txt".into())
    }
}

impl ProgramRule {
    pub(super) fn check(&self, key: &str) -> Result<(), Problem> {
        if let Some(file) = self.model.iter().find(|file| !is_inside(file)) {
            let problem = format!("{} is outside the output folder", file.display());
            return Err(Problem::new(
                &format!("{key}.model"),
                problem,
                "use a path such as model.keras",
            ));
        }
        let ProgramLimits { cpus, memory_megabytes, processes, seconds, .. } = self.limits;
        if !(cpus > 0.0 && cpus <= 4096.0)
            || memory_megabytes < 16
            || processes == 0
            || seconds == 0
        {
            let help = "use more than 0, and at least 16 MB of memory";
            return Err(Problem::new(
                &format!("{key}.limits"),
                "is too small for any program".into(),
                help,
            ));
        }
        Ok(())
    }
}

impl Score {
    pub(super) fn check(&self, key: &str) -> Result<(), Problem> {
        let file = match self {
            Self::File(file) | Self::Json { file, .. } => file,
            Self::Output { after } if after.is_empty() => {
                let help = "use the text before the number, such as \"val_accuracy:\"";
                return Err(Problem::new(key, "is empty".into(), help));
            }
            Self::Output { .. } => return Ok(()),
        };
        match is_inside(file) {
            true => Ok(()),
            false => {
                let problem = format!("{} is outside the output folder", file.display());
                Err(Problem::new(key, problem, "use a path such as accuracy.txt"))
            }
        }
    }
}
