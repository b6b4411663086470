//! Carrying a parent's weights into its grown child.

use super::weights::{Weights, expected_shapes};
use crate::spec::{Edit, Spec};

/// What became of a parent's weights.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct GraftReport {
    /// Arrays of the child that hold the parent's numbers, whole or in part.
    pub carried: Vec<String>,
    /// Arrays of the child that start afresh.
    pub fresh: Vec<String>,
}

impl Weights {
    /// Weights for `child`, which is this network's spec with `edits` made: whatever fits is
    /// carried over, a widened array keeps the parent's numbers in its corner, the rest is drawn
    /// afresh as for a new network.
    pub fn graft(
        &self,
        parent: &Spec,
        child: &Spec,
        edits: &[Edit],
        trial: u32,
    ) -> (Self, GraftReport) {
        let mut grafted = Self::initial(child, trial);
        let mut report = GraftReport { carried: Vec::new(), fresh: Vec::new() };
        for (name, shape) in expected_shapes(child) {
            let source = parent_name(&name, parent.layers().len(), edits);
            let found = source.and_then(|source| self.get(&source).ok());
            match (found, grafted.arrays_mut().get_mut(&name)) {
                (Some(found), Some(array)) if fits_into(&found.shape, &shape) => {
                    copy_corner(&found.values, &found.shape, &mut array.values, &shape);
                    report.carried.push(name);
                }
                _ => report.fresh.push(name),
            }
        }
        (grafted, report)
    }
}

/// The name that a child's array has in the parent; `None` for layers that the edits added.
fn parent_name(name: &str, parent_layers: usize, edits: &[Edit]) -> Option<String> {
    let Some(rest) = name.strip_prefix("layers.") else {
        return Some(name.into());
    };
    let (index, field) = rest.split_once('.')?;
    let mut index: usize = index.parse().ok()?;
    for edit in edits.iter().rev() {
        let (at, added) = match *edit {
            Edit::AddConvBlock { at, pool, .. } => (at, 1 + usize::from(pool)),
            Edit::AddDense { at, .. } => (at, 1),
            _ => continue,
        };
        if (at..at + added).contains(&index) {
            return None;
        }
        if index >= at + added {
            index -= added;
        }
    }
    (index < parent_layers).then(|| format!("layers.{index}.{field}"))
}

fn fits_into(inner: &[usize], outer: &[usize]) -> bool {
    inner.len() == outer.len() && inner.iter().zip(outer).all(|(inner, outer)| inner <= outer)
}

/// Copies a smaller row-major array into the corner at the origin of a larger one.
fn copy_corner(from: &[f32], inner: &[usize], to: &mut [f32], outer: &[usize]) {
    match (inner, outer) {
        ([len], _) => to[..*len].copy_from_slice(&from[..*len]),
        ([_, inner_rest @ ..], [_, outer_rest @ ..]) => {
            let from_rows = from.chunks_exact(inner_rest.iter().product());
            let to_rows = to.chunks_exact_mut(outer_rest.iter().product());
            for (from, to) in from_rows.zip(to_rows) {
                copy_corner(from, inner_rest, to, outer_rest);
            }
        }
        _ => {}
    }
}
