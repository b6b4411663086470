//! Tests of `tune::search::axis`.

use super::*;

fn axis(scale: Scale, usual: f64) -> Axis {
    Axis { setting: Setting::Kernel, scale, usual }
}

#[test]
fn densities_of_choices_add_up_to_one_and_are_what_is_drawn() {
    for scale in [Scale::Choice(4), Scale::Ordered(4)] {
        let axis = axis(scale, 2.0);
        let mut rng = CounterRng::new(1);
        let (mut by_habit, mut near) = ([0.0; 4], [0.0; 4]);
        for _ in 0..20_000 {
            by_habit[axis.draw_by_habit(&mut rng) as usize] += 1.0 / 20_000.0;
            near[axis.draw_near(1.0, 3, &mut rng) as usize] += 1.0 / 20_000.0;
        }
        let places = [0.0, 1.0, 2.0, 3.0];
        for (drawn, density) in [
            (by_habit, places.map(|place| axis.habit(place))),
            (near, places.map(|place| axis.near(1.0, 3, place))),
        ] {
            assert!((density.iter().sum::<f64>() - 1.0).abs() < 1e-9);
            for (drawn, density) in drawn.iter().zip(density) {
                assert!((drawn - density).abs() < 0.02, "{scale:?}: {drawn} {density}");
            }
        }
    }
}

#[test]
fn numbers_stay_within_their_range_even_where_it_is_a_single_one() {
    let mut rng = CounterRng::new(1);
    for (low, high) in [(1e-4, 0.3), (0.01, 0.01)] {
        let axis = axis(Scale::Logarithmic(low, high), low);
        for _ in 0..1000 {
            for place in [
                axis.draw_uniformly(&mut rng),
                axis.draw_by_habit(&mut rng),
                axis.draw_near(high, 2, &mut rng),
            ] {
                assert!((low..=high).contains(&place), "{place}");
                assert!(axis.habit(place) > 0.0 && axis.near(high, 2, place) > 0.0);
            }
        }
    }
}
