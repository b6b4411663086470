//! Tests of `study::begin`.

use super::*;
use crate::study::Silent;

#[test]
fn a_study_is_named_after_its_data() {
    assert_eq!(name(Path::new("/data/My Photos (2)")), "My-Photos--2");
    assert_eq!(name(Path::new("digits.npz")), "digits");
    assert_eq!(name(Path::new("/data/日本")), "images");
    assert_eq!(name(Path::new("/")), "images");
}

/// What is told of the images is what the study will train on.
#[test]
fn images_are_split_by_the_seed_of_the_study() {
    let folder = tempfile::tempdir().unwrap();
    let photos = folder.path().join("photos");
    for (class, base) in [("dark", 0), ("light", 120)] {
        std::fs::create_dir_all(photos.join(class)).unwrap();
        for number in 0..40_u8 {
            let shade = |x, y| image::Luma([base + number + ((x * 5 + y * 3) % 60) as u8]);
            let picture = image::GrayImage::from_fn(9, 9, shade);
            picture.save(photos.join(class).join(format!("{number}.png"))).unwrap();
        }
    }
    let cache = format!("data.cache={:?}", folder.path().join("cache"));
    let begun = |seed: u64| {
        let overrides = vec![Override::seed(seed), cache.parse().unwrap()];
        let (_, loaded) =
            begin_study(&photos, overrides, &Settings::default(), &mut Silent).unwrap();
        loaded.dataset.validation.indices().to_vec()
    };
    assert_eq!(begun(1), begun(1));
    assert_ne!(begun(1), begun(2));
}
