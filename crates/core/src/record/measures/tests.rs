//! Tests of `record::measures`.

use super::*;

fn recalls(of: &[(u64, u64)]) -> Vec<ClassRecall> {
    of.iter().map(|&(right, images)| ClassRecall { right, images }).collect()
}

#[test]
fn every_class_counts_the_same_in_balanced_accuracy() {
    let recalls = recalls(&[(99, 99), (0, 1), (0, 0)]);
    assert_eq!(Measure::Accuracy.of(&recalls), 0.99);
    assert_eq!(Measure::BalancedAccuracy.of(&recalls), 0.5);
    assert_eq!(Measure::LeastRecall.of(&recalls), 0.0);
}

#[test]
fn nothing_is_measured_without_images() {
    for measure in [Measure::Accuracy, Measure::BalancedAccuracy, Measure::LeastRecall] {
        assert!(measure.of(&[]).is_nan() && measure.of(&recalls(&[(0, 0)])).is_nan());
    }
}

#[test]
fn bounds_of_few_images_are_far_below() {
    let recalls = recalls(&[(9, 10), (9, 10)]);
    let bound = |measure: Measure| measure.lower_bound(&recalls, 0.95);
    // statsmodels: proportion_confint(9, 10, method="wilson") is 0.5958; (18, 20) is 0.6990.
    assert!((bound(Measure::LeastRecall) - 0.595_849_7).abs() < 1e-6);
    assert!((bound(Measure::Accuracy) - 0.698_966_3).abs() < 1e-6, "{}", bound(Measure::Accuracy));
    // 0.9 − √2 · (0.9 − 0.595850) / 2
    assert!((bound(Measure::BalancedAccuracy) - 0.684_933_4).abs() < 1e-6);
}

#[test]
fn the_bound_is_that_of_the_normal_quantile_to_many_digits() {
    // scipy.stats.norm.ppf(0.5 + c / 2); at a share of 1 the bound is 1 / (1 + z² / n).
    for (confidence, z) in [
        (0.5, 0.674_489_750_196_081_7),
        (0.9, 1.644_853_626_951_472_2),
        (0.99, 2.575_829_303_548_900_4),
        (0.999_999, 4.891_638_475_699_24),
    ] {
        let bound = wilson_lower_bound(1.0, 100, confidence);
        assert!((bound - 1.0 / (1.0 + z * z / 100.0)).abs() < 1e-9, "{confidence}: {bound}");
    }
}

#[test]
fn the_wilson_bound_matches_published_values() {
    // statsmodels.stats.proportion.proportion_confint(count, n, method="wilson")
    assert!((wilson_lower_bound(0.9, 10, 0.95) - 0.595_849_7).abs() < 1e-6);
    assert!((wilson_lower_bound(0.8, 5000, 0.95) - 0.788_684_3).abs() < 1e-6);
}

#[test]
fn recalls_of_many_classes_are_written_in_columns_and_read_back() {
    let of = |classes: u64| {
        let recalls =
            (0..classes).map(|class| ClassRecall { right: class % 3, images: 3 }).collect();
        crate::record::EpochRecord { recalls, ..crate::record::EpochRecord::default() }
    };
    for (classes, most_bytes) in [(2, 600), (1_000, 30_000), (1_001, 6_000), (65_000, 300_000)] {
        let text = serde_json::to_string(&of(classes)).unwrap();
        assert!(text.len() < most_bytes, "{classes} classes take {} bytes", text.len());
        assert_eq!(text.contains("[{\"right\""), classes <= 1_000, "{text:.200}");
        let read: crate::record::EpochRecord = serde_json::from_str(&text).unwrap();
        assert_eq!(read.recalls, of(classes).recalls);
    }
    let uneven = r#"{"recalls": {"right": [1], "images": [1, 2]}}"#;
    let error = serde_json::from_str::<serde_json::Value>(uneven).unwrap();
    let error = recalls::deserialize(&error["recalls"]).unwrap_err().to_string();
    assert_eq!(error, "recalls of 1 and images of 2 classes");
}
