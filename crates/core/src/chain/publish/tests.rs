//! Tests of `chain::publish`.

use super::*;

fn trained(folder: &Path, path: &str) -> Trained {
    Trained {
        accuracy: Some(0.9),
        threshold: Some(0.8),
        passed: true,
        model: vec![ModelPart { name: String::new(), folder: folder.into(), path: path.into() }],
        sentence: String::new(),
    }
}

#[test]
fn the_link_leads_to_the_newest_model_and_older_ones_stay() {
    let folder = tempfile::tempdir().unwrap();
    let (best, models) = (folder.path().join("best"), folder.path().join("models"));
    std::fs::create_dir(&best).unwrap();
    for (name, content) in [("1-a", "first"), ("2-b", "second")] {
        std::fs::write(best.join("model"), content).unwrap();
        published(&models, name, &trained(folder.path(), "best")).unwrap();
        let model = std::fs::read_to_string(models.join("production/model")).unwrap();
        assert_eq!(model, content);
    }
    // A build that went on after a crash, and whose program was started again, has another model.
    std::fs::write(best.join("model"), "second, trained again").unwrap();
    published(&models, "2-b", &trained(folder.path(), "best")).unwrap();
    let model = std::fs::read_to_string(models.join("production/model")).unwrap();
    assert_eq!(model, "second, trained again");
    assert!(!models.join(".2-b.new").exists(), "the earlier one is removed");
    assert_eq!(std::fs::read_to_string(models.join("1-a/model")).unwrap(), "first");
    // A model that is not there replaces nothing.
    assert!(published(&models, "3-c", &trained(folder.path(), "none")).is_err());
    // Nor does one that a program made lead elsewhere.
    symlink(&best, folder.path().join("link")).unwrap();
    let error = published(&models, "4-d", &trained(folder.path(), "link")).unwrap_err();
    assert!(error.to_string().contains("symbolic link"), "{error}");
    assert_eq!(std::fs::read_link(models.join("production")).unwrap(), Path::new("2-b"));
}
