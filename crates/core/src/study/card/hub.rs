//! The block at the head of a card that model hubs read, in YAML.

use std::fmt::Write;

use super::Card;
use crate::spec::Source;

/// What is known of the licence of the images.
pub(super) struct DataLicence {
    /// For people.
    pub(super) words: &'static str,
    /// The name of the data set on Hugging Face, where it is a public one.
    pub(super) dataset: Option<&'static str>,
}

impl Card<'_> {
    /// What is known of the images' licence. Hardly any data set for research says one: what others say of
    /// it is not taken over.
    pub(super) fn data_licence(&self) -> DataLicence {
        let is_drawn = self.provenance.is_some_and(|provenance| provenance.data.fallback.is_some());
        match self.spec.data().source {
            Source::Synthetic => DRAWN,
            _ if is_drawn => DRAWN,
            Source::Mnist => DataLicence {
                words: "unknown: MNIST was published without one",
                dataset: Some("ylecun/mnist"),
            },
            Source::Cifar => {
                DataLicence { words: "unknown: CIFAR was published without one", dataset: None }
            }
            _ => DataLicence { words: "unknown: nothing about it is recorded", dataset: None },
        }
    }

    /// The block, from `---` to `---`. Text is quoted as in JSON, which is YAML as well.
    pub(super) fn hub_metadata(&self) -> Result<String, serde_json::Error> {
        let quoted = |text: &str| serde_json::to_string(text);
        let mut block = String::from(
            "---\nlicense: unknown\nlibrary_name: burgeon\npipeline_tag: image-classification\n\
             tags:\n- image-classification\n- burgeon\n- onnx\n- pytorch\n- safetensors\n",
        );
        let DataLicence { dataset, .. } = self.data_licence();
        if let Some(dataset) = dataset {
            let _ = writeln!(block, "datasets:\n- {dataset}");
        }
        let figures = self.figures;
        let _ = write!(
            block,
            "metrics:\n- accuracy\n- f1\nmodel-index:\n- name: {}\n  results:\n",
            quoted(self.spec.name())?
        );
        // Without the folder, which is nobody's business on a hub.
        let name = quoted(self.data.split(" in ").next().unwrap_or_default())?;
        let kind = quoted(dataset.unwrap_or("images"))?;
        let mut result = |split: &str, metrics: &[(&str, &str, f64)]| {
            let _ = write!(
                block,
                "  - task:\n      type: image-classification\n    dataset:\n      name: {name}\n      type: {kind}\n      \
                 split: {split}\n    metrics:\n"
            );
            for (kind, name, value) in metrics {
                let _ = writeln!(
                    block,
                    "    - type: {kind}\n      name: {name}\n      value: {value:.6}"
                );
            }
        };
        let validation = &figures.validation;
        let mut metrics = vec![("accuracy", "accuracy", validation.accuracy)];
        let classes = validation.by_class();
        let seen: Vec<f64> =
            classes.iter().filter(|class| class.support > 0).map(|class| class.f1).collect();
        if !seen.is_empty() {
            metrics.push(("f1", "macro F1", seen.iter().sum::<f64>() / seen.len() as f64));
        }
        if let Some(int8) = &figures.int8 {
            metrics.push(("accuracy", "accuracy of model-int8.onnx", int8.accuracy));
        }
        result("validation", &metrics);
        if let Some(test) = self.test {
            result("test", &[("accuracy", "accuracy", test.accuracy)]);
        }
        Ok(block + "---\n")
    }
}

const DRAWN: DataLicence =
    DataLicence { words: "that of burgeon, which draws them: MIT or Apache-2.0", dataset: None };
