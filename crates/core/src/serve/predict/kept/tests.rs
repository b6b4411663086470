//! Tests of `serve::predict::kept`.

use super::*;

#[test]
fn the_oldest_without_a_label_makes_room() {
    let folder = tempfile::tempdir().unwrap();
    let mut kept = Kept::open(folder.path(), 3).unwrap();
    let input = |index| Input { index, shape: [3, 1, 2], pixels: vec![1, 2, 3, 4, 5, 6] };
    for index in 0..3 {
        kept.add("r", &input(index)).unwrap();
    }
    assert!(kept.label("r", 0));
    assert!(!kept.label("r", 9));
    kept.add("r", &input(3)).unwrap();
    let names = || RealFiles.list(&folder.path().join(FOLDER)).unwrap();
    assert_eq!(names(), ["r.0.png", "r.2.png", "r.3.png"]);
    drop(kept);
    Kept::open(folder.path(), 1).unwrap();
    assert_eq!(names().len(), 1, "fewer may be wanted");
    assert_eq!(name("../../x", 1), "x.1.png");
}

#[test]
fn an_image_that_a_crash_cut_short_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let images = folder.path().join(FOLDER);
    RealFiles.create_folders(&images).unwrap();
    std::fs::write(images.join(".r.0.png.tmp"), b"half").unwrap();
    let kept = Kept::open(folder.path(), 3).unwrap();
    assert!(kept.all.is_empty());
    assert_eq!(RealFiles.list(&images).unwrap(), Vec::<String>::new());
}

#[test]
fn old_labels_make_room_but_those_of_kept_images_stay_as_long_as_they_fit() {
    let folder = tempfile::tempdir().unwrap();
    let mut kept = Kept::open(folder.path(), 3).unwrap();
    kept.add("5", &Input { index: 0, shape: [1, 1, 1], pixels: vec![1] }).unwrap();
    let line = |request: usize| {
        format!(
            "{{\"v\":1,\"at\":\"2026-01-01T00:00:00Z\",\"request\":\"{request}\",\"index\":0,\"label\":\"a\",\"class\":\"b\",\"version\":\"1\",\"kept\":true}}\n"
        )
    };
    let path = folder.path().join(FEEDBACK_FILE);
    std::fs::write(&path, (0..100).map(line).collect::<String>()).unwrap();
    let requests = || -> Vec<String> {
        let labels = feedback(folder.path()).unwrap();
        labels.into_iter().map(|label| label.request).collect()
    };
    let most = 10 * line(10).len();
    shorten_feedback(folder.path(), most, Some(&kept)).unwrap();
    assert_eq!(requests(), ["5", "95", "96", "97", "98", "99"]);
    shorten_feedback(folder.path(), 3 * line(10).len(), None).unwrap();
    assert_eq!(requests(), ["98", "99"], "half of the room, and the line that it begins in");
}
