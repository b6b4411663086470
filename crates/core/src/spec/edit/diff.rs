//! The difference of two studies as lines of their study files.

use similar::DiffOp;
use similar::algorithms::{Capture, Compact, Replace, myers};

use crate::spec::study::Spec;

/// The lines of the study file that differ: `- ` before those of `parent`, `+ ` before those of
/// `child`, in the order of the file.
pub fn diff(parent: &Spec, child: &Spec) -> Vec<String> {
    let (before, after) = (parent.file().to_toml(), child.file().to_toml());
    let lines = sections(&before, &after).into_iter();
    lines.flat_map(|section| section.lines).collect()
}

/// A section of two study files in which they differ.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct SectionDiff {
    /// Its name, such as `train`; empty for what stands before the first section.
    pub section: String,
    /// The lines that differ: `- ` before those of the first file, `+ ` before those of the second.
    pub lines: Vec<String>,
}

/// The sections in which the texts of two study files differ, in the order of the files.
pub fn sections(before: &str, after: &str) -> Vec<SectionDiff> {
    let mut found: Vec<SectionDiff> = Vec::new();
    let mut section = String::new();
    let (before, after): (Vec<&str>, Vec<&str>) =
        (before.lines().collect(), after.lines().collect());
    let changes = operations(&before, &after).into_iter().flat_map(|operation| {
        if let DiffOp::Equal { old_index, len, .. } = operation {
            return before[old_index..old_index + len].iter().map(|line| (' ', line)).collect();
        }
        let removed = before[operation.old_range()].iter().map(|line| ('-', line));
        let added = after[operation.new_range()].iter().map(|line| ('+', line));
        removed.chain(added).collect::<Vec<_>>()
    });
    for (sign, line) in changes {
        let line = line.trim();
        // A line of layers may begin with a bracket too, but does not end with one that closes it.
        let name = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        if let Some(name) = name.filter(|name| !name.is_empty() && !name.contains(['[', '{', '"']))
        {
            section = name.to_owned();
        }
        if sign == ' ' || line.is_empty() {
            continue;
        }
        let line = format!("{sign} {line}");
        match found.last_mut().filter(|last| last.section == section) {
            Some(last) => last.lines.push(line),
            None => found.push(SectionDiff { section: section.clone(), lines: vec![line] }),
        }
    }
    found
}

/// How one list of texts becomes the other, in order. With one algorithm and one type of list: each combination of them adds
/// tens of kilobytes to the program.
pub(crate) fn operations(before: &[&str], after: &[&str]) -> Vec<DiffOp> {
    let mut captured = Compact::new(Replace::new(Capture::new()), before, after);
    let Ok(()) = myers::diff(&mut captured, before, 0..before.len(), after, 0..after.len());
    captured.into_inner().into_inner().into_ops()
}

#[cfg(test)]
mod tests;
