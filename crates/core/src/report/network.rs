//! The best trial's network, layer by layer, beside the one that it was grown from.

use similar::DiffOp;

use super::lineage::Lineage;
use crate::ledger::RunFolder;
use crate::spec::{InputShape, Spec, StudyDocument, operations};
use crate::sys::files::FileError;

/// A trial's own study file is a few kilobytes.
const SPEC_BYTES_MAX: u64 = 1 << 20;

/// A network as a table.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Network {
    pub(super) trial: u32,
    pub(super) layers: Vec<Layer>,
}

/// A layer of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Layer {
    pub(super) name: String,
    /// The shape of its output.
    pub(super) output: String,
    pub(super) parameters: usize,
}

/// The best network, and what it was grown from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Networks {
    pub(super) parent: Option<Network>,
    pub(super) best: Network,
}

impl Network {
    /// `None` where the trial's study cannot be read as one, as from a later version.
    fn read(folder: &RunFolder, trial: u32, input: InputShape) -> Result<Option<Self>, FileError> {
        let path = folder.trial(trial).spec_file();
        let text = match folder.files().read(&path, SPEC_BYTES_MAX) {
            Ok(bytes) => String::from_utf8(bytes).ok(),
            Err(error) if error.is_not_found() => None,
            Err(error) => return Err(error),
        };
        let file = text.and_then(|text| StudyDocument::new("spec.toml", text).parse().ok());
        let spec = file.and_then(|file| Spec::new(file, input).ok());
        Ok(spec.map(|spec| Self::of(trial, &spec)))
    }

    fn of(trial: u32, spec: &Spec) -> Self {
        let layer = |(number, row): (String, &crate::spec::LayerPlan)| Layer {
            // Parts of a block stand below it.
            name: format!("{}{}", "  ".repeat(number.matches('.').count()), row.name),
            output: row.output.to_string(),
            parameters: row.parameters,
        };
        Self { trial, layers: spec.table().numbered().into_iter().map(layer).collect() }
    }
}

impl Networks {
    /// That of trial `best`, and its parent's; `None` where it cannot be read.
    pub(super) fn read(
        folder: &RunFolder,
        lineage: &Lineage,
        best: u32,
        input: InputShape,
    ) -> Result<Option<Self>, FileError> {
        let parent = lineage.find(best).and_then(|trial| trial.parent);
        let parent = match parent {
            Some(parent) => Network::read(folder, parent, input)?,
            None => None,
        };
        let best = Network::read(folder, best, input)?;
        Ok(best.map(|best| Self { parent, best }))
    }

    /// The layers side by side: those of the parent and of the best network in one row where they are the same, or where
    /// one took the other's place.
    pub(super) fn rows(&self) -> Vec<Pair<'_>> {
        let best = &self.best.layers;
        let Some(parent) = &self.parent else {
            return best.iter().map(|layer| Pair { before: None, after: Some(layer) }).collect();
        };
        let before = &parent.layers;
        let old: Vec<&str> = before.iter().map(|layer| layer.name.as_str()).collect();
        let new: Vec<&str> = best.iter().map(|layer| layer.name.as_str()).collect();
        let mut rows = Vec::new();
        for operation in operations(&old, &new) {
            let (_, old, new) = match operation {
                DiffOp::Equal { old_index, new_index, len } => {
                    ((), old_index..old_index + len, new_index..new_index + len)
                }
                other => ((), other.old_range(), other.new_range()),
            };
            for at in 0..old.len().max(new.len()) {
                let pick = |layers: &'_ [Layer], range: &std::ops::Range<usize>| {
                    (range.start + at < range.end)
                        .then(|| range.start + at)
                        .filter(|at| *at < layers.len())
                };
                let (old, new) = (pick(before, &old), pick(best, &new));
                rows.push(Pair {
                    before: old.map(|at| &before[at]),
                    after: new.map(|at| &best[at]),
                });
            }
        }
        rows
    }
}

/// A layer before and after.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pair<'a> {
    pub(super) before: Option<&'a Layer>,
    pub(super) after: Option<&'a Layer>,
}

impl Pair<'_> {
    /// Whether the layer is new, gone, or another.
    pub(super) fn is_changed(&self) -> bool {
        self.before.map(|layer| &layer.name) != self.after.map(|layer| &layer.name)
    }
}

#[cfg(test)]
pub(super) mod tests;
