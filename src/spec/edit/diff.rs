//! The difference of two studies as lines of their study files.

use similar::{ChangeTag, TextDiff};

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
    for change in TextDiff::from_lines(before, after).iter_all_changes() {
        let line = change.value().trim();
        // A line of layers may begin with a bracket too, but does not end with one that closes it.
        let name = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        if let Some(name) = name.filter(|name| !name.is_empty() && !name.contains(['[', '{', '"']))
        {
            section = name.to_owned();
        }
        if change.tag() == ChangeTag::Equal || line.is_empty() {
            continue;
        }
        let line = format!("{} {line}", change.tag());
        match found.last_mut().filter(|last| last.section == section) {
            Some(last) => last.lines.push(line),
            None => found.push(SectionDiff { section: section.clone(), lines: vec![line] }),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Conv, Edit, InputShape, Layer, Pool, StudyFile};

    #[test]
    fn a_diff_names_what_goes_and_what_comes() -> Result<(), Box<dyn std::error::Error>> {
        let layers = vec![Layer::Conv(Conv::same(1, 3)), Layer::MaxPool(Pool::of(4))];
        let parent = Spec::new(StudyFile::new("diff", layers), InputShape::MNIST)?;
        let edits = [
            Edit::Widen { layer: 0, width: 8 },
            Edit::AddDense { at: 2, units: 32 },
            Edit::SetLearningRate { rate: 0.002 },
        ];
        let child = Edit::apply_all(&edits, &parent)?;
        let lines = diff(&parent, &child);
        assert_eq!(lines.iter().filter(|line| line.starts_with("- ")).count(), 2, "{lines:?}");
        assert_eq!(lines.iter().filter(|line| line.starts_with("+ ")).count(), 3, "{lines:?}");
        assert!(lines[0].contains("filters = 1") && lines[1].contains("filters = 8"), "{lines:?}");
        assert!(diff(&parent, &parent).is_empty());
        Ok(())
    }

    #[test]
    fn lines_are_told_with_the_section_that_they_stand_in() {
        let before = "name = \"a\"\n\n[data]\nseed = 1\n\n[train]\nepochs = 2\nrate = 3\n";
        let after = "name = \"b\"\n\n[data]\nseed = 1\n\n[train]\nepochs = 3\nrate = 3\n";
        let of = |section: &str, lines: [&str; 2]| SectionDiff {
            section: section.into(),
            lines: lines.map(str::to_owned).into(),
        };
        let expected = [
            of("", ["- name = \"a\"", "+ name = \"b\""]),
            of("train", ["- epochs = 2", "+ epochs = 3"]),
        ];
        assert_eq!(sections(before, after), expected);
        assert!(sections(after, after).is_empty());
    }
}
