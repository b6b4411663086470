//! What a study inherited from a trained model, and what its own best model has forgotten of it.

use serde::{Deserialize, Serialize};

use crate::spec::Edit;
use crate::sys::nan_if_null;

/// What the first trial of a study inherited from a trained model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InheritedModel {
    /// The run folder, model folder or file that it was read from.
    pub from: String,
    /// SHA-256 of its `model.safetensors`.
    pub sha256: String,
    /// SHA-256 of its weights, as in its model card.
    pub weights_hash: String,
    /// The edits by which its weights were grafted onto the study's layers; empty if the layers are the model's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edits: Vec<Edit>,
    /// Classes whose weights in the head were inherited.
    pub kept: Vec<String>,
    /// Classes that the model does not know; their weights were initialized afresh.
    pub new: Vec<String>,
    /// Classes of the model that the study does not have.
    pub dropped: Vec<String>,
}

impl InheritedModel {
    /// The classes in words: `8 classes kept, 2 new (x, y), 1 dropped (z)`.
    pub fn classes_words(&self) -> String {
        let named = |classes: &[String], what: &str| match classes {
            [] => format!("no {what} ones"),
            classes => format!("{} {what} ({})", classes.len(), listed(classes)),
        };
        let kept = match self.kept.len() {
            1 => "1 class kept".into(),
            kept => format!("{kept} classes kept"),
        };
        if self.new.is_empty() && self.dropped.is_empty() {
            return format!("{kept}, all of them");
        }
        format!("{kept}, {}, {}", named(&self.new, "new"), named(&self.dropped, "dropped"))
    }
}

/// The first few names.
fn listed(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN { format!("{shown}, …") } else { shown }
}

/// What the best model of a study has forgotten: accuracies on the validation images of the run that it
/// was continued from, of the classes that both models know.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Forgetting {
    /// Number of classes that both models know.
    pub classes: u64,
    /// Number of old validation images of these classes.
    pub images: u64,
    /// Accuracy of the model that the study started with, 0..=1; NaN without images.
    #[serde(deserialize_with = "nan_if_null")]
    pub before: f64,
    /// Accuracy of the study's best model, 0..=1; NaN without images.
    #[serde(deserialize_with = "nan_if_null")]
    pub after: f64,
}

impl Forgetting {
    /// The figures in words.
    pub fn words(&self) -> String {
        let Self { classes, images, before, after } = self;
        if *images == 0 {
            return "old validation images: none is of a class that both models know".into();
        }
        format!(
            "old validation images: {:.2} % correct before, {:.2} % now ({images} images of {classes} shared classes)",
            before * 100.0,
            after * 100.0
        )
    }
}

#[cfg(test)]
mod tests;
