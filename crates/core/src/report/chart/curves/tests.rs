//! Tests of `report::chart::curves`.

use super::*;

fn epoch(epoch: u32, figure: f64) -> Epoch {
    Epoch {
        epoch,
        train_loss: figure,
        train_accuracy: figure,
        validation_loss: figure / 2.0,
        validation_accuracy: figure / 2.0,
        seconds: 1.0,
    }
}

#[test]
fn a_nan_breaks_the_curve_and_nothing_else() {
    let curve = [0.9, 0.8, f64::NAN, 0.6, 0.5].map(|figure| epoch(1, figure));
    for svg in [accuracy_curve(&curve).finish(), loss_curve(&curve).finish()] {
        assert_eq!(svg.matches("<polyline").count(), 4, "{svg}");
        assert_eq!(svg.matches("<circle").count(), 8, "{svg}");
        assert!(!svg.contains("NaN"), "{svg}");
    }
}

#[test]
fn a_trial_of_one_epoch_is_two_points() {
    let svg = loss_curve(&[epoch(7, 0.5)]).finish();
    assert_eq!(svg.matches("<circle").count(), 2, "{svg}");
    assert!(svg.contains(">epoch 7<") && svg.contains("validation loss: 0.250"), "{svg}");
}
