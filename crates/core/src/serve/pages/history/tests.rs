//! Tests of `serve::pages::history`.

use super::*;

fn measured(accuracies: &[f64]) -> Vec<Measured> {
    let one = |(build, accuracy): (usize, &f64)| Measured {
        build: build as i64 + 1,
        accuracy: *accuracy,
        threshold: Some(0.8),
        verdict: (*accuracy >= 0.8).then_some(Verdict::Accepted),
        created: 0,
    };
    accuracies.iter().enumerate().map(one).collect()
}

#[test]
fn every_build_is_a_dot_within_the_picture_whatever_was_measured() {
    for accuracies in [&[0.5, 0.97][..], &[f64::NAN], &[1.0; 200], &[-3.0, 7.0]] {
        let mut markup = Markup::default();
        history(&mut markup, &measured(accuracies));
        let svg = markup.finish();
        assert_eq!(svg.matches("<circle").count(), 2 * accuracies.len());
        for attribute in ["cx=\"", "cy=\""] {
            for at in svg.split(attribute).skip(1) {
                let at: f64 = at.split_once('"').unwrap().0.parse().unwrap();
                assert!((0.0..=860.0).contains(&at) || at.is_nan(), "{at}");
            }
        }
    }
}
