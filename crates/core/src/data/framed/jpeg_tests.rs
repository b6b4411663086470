use tempfile::TempDir;

use super::tests::{encoded, pixels, request, write};
use crate::data::load::load;
use crate::record::{DataFinding, Split};
use crate::spec::{Size, Source};
use image::ImageFormat;

#[test]
fn the_size_that_large_jpegs_are_brought_to_moves_none_to_another_split() {
    let root = TempDir::new().unwrap();
    for number in 0..40 {
        // So large that all sizes but the last are decoded at a reduced size.
        let small = pixels(number, 8, 8);
        let large = image::imageops::resize(&small, 72, 80, image::imageops::FilterType::Nearest);
        let class = ["cat", "dog"][number as usize % 2];
        let path = root.path().join(class).join(format!("{number}.jpg"));
        write(path, &encoded(&large, ImageFormat::Jpeg));
    }
    let mut request = request(Source::Folder, root.path());
    let counts = [8, 16, 32, 64].map(|side| {
        request.framing.size = Some(Size { height: side, width: side });
        let data = load(&request, &mut |_| {}).unwrap().dataset;
        [Split::Train, Split::Validation, Split::Test].map(|s| data.split(s).indices().to_vec())
    });
    assert!(counts[1..].iter().all(|splits| *splits == counts[0]));
    // A copy is known as one, and stands where the first stands.
    let first = std::fs::read(root.path().join("cat/0.jpg")).unwrap();
    write(root.path().join("cat/copy.jpg"), &first);
    let findings = load(&request, &mut |_| {}).unwrap().report.findings;
    let is_copy = |it: &DataFinding| matches!(it, DataFinding::Duplicates { images: 1, .. });
    assert!(findings.iter().any(is_copy), "{findings:?}");
    let is_shared = |it: &DataFinding| matches!(it, DataFinding::SharedImages { .. });
    assert!(!findings.iter().any(is_shared), "{findings:?}");
}
