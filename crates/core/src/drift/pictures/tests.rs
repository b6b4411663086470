//! Tests of `drift::pictures`.

use super::*;
use crate::data::Normalization;
use crate::spec::InputShape;

fn preparation(subject: Subject) -> Preparation {
    let input = InputShape { channels: 1, height: 4, width: 4, classes: 2 };
    let classes = ["no", "yes"].map(str::to_owned).to_vec();
    Preparation::grey(input, Normalization::of_all(0.0, 1.0), classes, subject)
}

fn pgm(side: usize, value: impl Fn(usize) -> u8) -> Vec<u8> {
    let pixels: Vec<u8> = (0..side * side).map(value).collect();
    [format!("P5 {side} {side} 255\n").as_bytes(), &pixels].concat()
}

#[test]
fn pictures_are_found_below_a_folder_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    std::fs::create_dir_all(root.join("b/c")).unwrap();
    for name in ["z.PNG", "b/c/a.jpg", "b/notes.txt", ".hidden.png"] {
        std::fs::write(root.join(name), "x").unwrap();
    }
    #[cfg(unix)]
    std::os::unix::fs::symlink(root, root.join("b/round")).unwrap();
    assert_eq!(picture_files(root).unwrap(), [root.join("b/c/a.jpg"), root.join("z.PNG")]);
    assert!(picture_files(&root.join("none")).is_err());
}

#[test]
fn a_picture_keeps_its_own_size_and_a_blank_one_counts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("picture.pgm");
    std::fs::write(&path, pgm(8, |at| (at * 3) as u8)).unwrap();
    let prepared = prepare(&preparation(Subject::Whole), &path).unwrap();
    assert_eq!(prepared.image.len(), 16);
    let same = PixelStats::of_bytes(&prepared.image, [1, 4, 4]).unwrap();
    assert_eq!(prepared.pixels, same.with_size(8, 8));

    std::fs::write(&path, pgm(8, |_| 0)).unwrap();
    let blank = prepare(&preparation(Subject::Digit), &path).unwrap();
    assert_eq!(blank.image, [0; 16]);
}

#[test]
fn what_is_no_picture_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broken.png");
    std::fs::write(&path, "no picture").unwrap();
    let error = prepare(&preparation(Subject::Whole), &path).unwrap_err();
    assert!(error.to_string().contains("broken.png"), "{error}");
}
