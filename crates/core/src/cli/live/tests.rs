//! Tests of `cli::live`.

use super::*;

fn live<'a>(curve: &'a [f64], parent: Option<(u32, &'a [f64])>) -> Live<'a> {
    let figures = ["epoch 2/5", "loss 0.123", "accuracy 95.20 %", "12,345 images/s", "3 s left"];
    Live {
        trial: 12,
        done: 0.5,
        figures: figures.map(str::to_owned).into(),
        curve,
        parent,
        next: Some(
            "add a conv block of 16 filters; set the learning rate to 0.003; train for 2 more epochs",
        ),
    }
}

#[test]
fn no_line_is_longer_than_the_terminal_nor_than_a_usual_one() {
    let curve: Vec<f64> = (0..300).map(|epoch| f64::from(epoch) / 300.0).collect();
    for columns in [1, 11, 20, 40, 60, 80, 81, 140, 1000] {
        let text = live(&curve, Some((3, &curve[..90]))).lines(columns, ["", ""]);
        assert_eq!(text.lines().count(), 4, "{columns}: {text}");
        for line in text.lines() {
            let length = line.chars().count();
            assert!(length <= WIDTH_MAX && length < columns.max(11), "{columns}: {line:?}");
        }
    }
    let wide = live(&curve, None).lines(140, ["", ""]);
    assert!(wide.contains("3 s left") && wide.contains("━"), "{wide}");
    let narrow = live(&curve, None).lines(40, ["", ""]);
    assert!(narrow.contains("epoch 2/5") && !narrow.contains("images/s"), "{narrow}");
}

#[test]
fn the_parents_curve_is_beneath_on_the_same_scale_and_an_epoch_below_the_same_epoch() {
    let text = live(&[0.5, 0.9], Some((3, &[0.1, 0.5, 0.5]))).lines(80, ["", ""]);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[1], "  trial 12  ▅█    90.00 %");
    assert_eq!(lines[2], "  trial 3   ▁▅▅   50.00 %");
    let first = live(&[], Some((3, &[0.1, 0.5]))).lines(80, ["", ""]);
    assert_eq!(first.lines().nth(1), Some("  trial 12"), "before its first epoch");
    assert_eq!(live(&[], None).lines(80, ["", ""]).lines().count(), 2, "nothing to draw yet");
    assert!(live(&[f64::NAN], None).lines(80, ["", ""]).contains('×'));
}

#[test]
fn the_bar_grows_from_nothing_to_all() {
    assert_eq!(progress(0.0, 4), "╸   ");
    assert_eq!(progress(0.5, 4), "━━╸ ");
    assert_eq!(progress(1.0, 4), "━━━━");
    assert_eq!(progress(f64::NAN, 0), "");
}
