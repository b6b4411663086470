//! What edits change, as lines of the study file.

use crate::spec::study::Spec;

/// The lines of the study file that differ: `- ` before those of `parent`, `+ ` before those of
/// `child`, in the order of the file.
pub fn diff(parent: &Spec, child: &Spec) -> Vec<String> {
    let (before, after) = (parent.file().to_toml(), child.file().to_toml());
    let (before, after): (Vec<&str>, Vec<&str>) =
        (before.lines().collect(), after.lines().collect());
    let common = longest_common(&before, &after);
    let (mut row, mut column) = (0, 0);
    let mut lines = Vec::new();
    while row < before.len() || column < after.len() {
        if row < before.len() && column < after.len() && before[row] == after[column] {
            (row, column) = (row + 1, column + 1);
        } else if row < before.len()
            && (column == after.len() || common[row + 1][column] >= common[row][column + 1])
        {
            lines.push(format!("- {}", before[row].trim()));
            row += 1;
        } else {
            lines.push(format!("+ {}", after[column].trim()));
            column += 1;
        }
    }
    lines
}

/// `[row][column]`: the most lines that the rest of both files, from there on, have in common.
fn longest_common(before: &[&str], after: &[&str]) -> Vec<Vec<usize>> {
    let mut common = vec![vec![0; after.len() + 1]; before.len() + 1];
    for row in (0..before.len()).rev() {
        for column in (0..after.len()).rev() {
            common[row][column] = if before[row] == after[column] {
                common[row + 1][column + 1] + 1
            } else {
                common[row + 1][column].max(common[row][column + 1])
            };
        }
    }
    common
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
