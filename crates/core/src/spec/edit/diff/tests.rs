//! Tests of `spec::edit::diff`.

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
