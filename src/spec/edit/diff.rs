//! The difference of two studies as lines of their study files.

use similar::{Change, ChangeTag, TextDiff};

use crate::spec::study::Spec;

/// The lines of the study file that differ: `- ` before those of `parent`, `+ ` before those of
/// `child`, in the order of the file.
pub fn diff(parent: &Spec, child: &Spec) -> Vec<String> {
    let (before, after) = (parent.file().to_toml(), child.file().to_toml());
    let diff = TextDiff::from_lines(&before, &after);
    let line = |change: Change<&str>| match change.tag() {
        ChangeTag::Equal => None,
        tag => Some(format!("{tag} {}", change.value().trim())),
    };
    diff.iter_all_changes().filter_map(line).collect()
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
}
