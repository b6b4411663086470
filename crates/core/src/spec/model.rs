//! `[model]`: the network, described by its layers or taken from a trained model.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use super::check::Check;
use super::layer::Layer;

/// `[model]` of a study file.
#[derive(Debug, Clone, PartialEq, Default, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(extend("anyOf" = [{ "required": ["layers"] }, { "required": ["from"] }]))]
pub struct ModelSpec {
    /// A trained model whose weights the first trial starts with: a run folder, of which the best model
    /// is taken, a folder such as `best/` in it, or a `model.safetensors` with its `spec.toml` beside
    /// it. Classes are matched by name: those that the model knows keep their weights in the head, new
    /// ones are initialized at random, and those without images are left out. A relative path starts from the study
    /// file's folder, or, given by `--set`, from the current folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<PathBuf>,
    /// SHA-256, in hex, of the `model.safetensors` in `from`; any other file is refused. A run records the
    /// hash of the model that it started from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_sha256: Option<String>,
    /// Whether to measure, at the end of the study, what the best model has forgotten: its accuracy on the
    /// validation images of the run in `from`, beside that of the model that the study started from. It
    /// needs that run's data, and has no influence on the study.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub measure_forgetting: bool,
    /// The layers in order. The input shape and the classifier head (a dense layer with softmax)
    /// follow from the data; an empty list is a softmax classifier on pixels. With `from`, they may be left
    /// out or empty; that model's layers are then used.
    #[serde(default)]
    pub layers: Vec<Layer>,
}

/// `[model]` as it stands in a study file, where `layers` may be missing if `from` is given.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", rename = "ModelSpec")]
struct ModelTable {
    from: Option<PathBuf>,
    from_sha256: Option<String>,
    #[serde(default)]
    measure_forgetting: bool,
    layers: Option<Vec<Layer>>,
}

impl<'de> Deserialize<'de> for ModelSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let ModelTable { from, from_sha256, measure_forgetting, layers } =
            ModelTable::deserialize(deserializer)?;
        let layers = match layers {
            Some(layers) => layers,
            None if from.is_some() => Vec::new(),
            None => return Err(D::Error::missing_field("layers")),
        };
        Ok(Self { from, from_sha256, measure_forgetting, layers })
    }
}

impl ModelSpec {
    /// The same network, without the model that its first trial started with.
    #[cfg(any(test, feature = "train"))]
    pub(crate) fn without_origin(self) -> Self {
        Self { layers: self.layers, ..Self::default() }
    }

    /// Checks the keys about the model to start from.
    pub(super) fn check_origin(&self, check: &mut Check) {
        let needs_from = [
            ("model.from-sha256", self.from_sha256.is_some()),
            ("model.measure-forgetting", self.measure_forgetting),
        ];
        for (key, is_set) in needs_from {
            if is_set && self.from.is_none() {
                let problem = "has no effect without a model to start from";
                check.problem(key, problem.into(), "add `from = \"runs/NAME-0001\"`, or remove it");
            }
        }
        if self.from.as_ref().is_some_and(|from| from.as_os_str().is_empty()) {
            let help = "use a run folder such as \"runs/NAME-0001\", or remove it";
            check.problem("model.from", "is empty".into(), help);
        }
        if let Some(sha256) = &self.from_sha256
            && !(sha256.len() == 64 && sha256.bytes().all(|digit| digit.is_ascii_hexdigit()))
        {
            let help = "use 64 hexadecimal digits, as sha256sum prints them";
            check.problem("model.from-sha256", format!("{sha256:?} is not a SHA-256 hash"), help);
        }
    }
}

#[cfg(test)]
mod tests;
