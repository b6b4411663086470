//! Tests of `tune::family`.

use super::*;

fn input(channels: usize, side: usize, classes: usize) -> InputShape {
    InputShape { channels, height: side, width: side, classes }
}

#[test]
fn every_image_size_has_members_that_fit_it() {
    for side in [1, 2, 3, 5, 8, 9, 16, 28, 32, 64, 96, 224, 500] {
        for channels in [1, 3] {
            let input = input(channels, side, 7);
            assert!(member_spec(input, 8).is_some(), "{side}");
            assert!((2..=7).contains(&depth(input)), "{side}: {}", depth(input));
        }
    }
    let odd = InputShape { channels: 3, height: 8, width: 200, classes: 3 };
    assert!(member_spec(odd, 8).is_some());
}

#[test]
fn four_times_the_compute_is_wider_and_longer() {
    let small = Member::of(20_000, 4.0);
    let large = Member::of(20_000, 64.0);
    assert_eq!((small.width, large.width), (11, 22));
    assert_eq!(large.epochs, 4 * small.epochs - 1);
}

#[test]
fn the_compute_of_a_member_is_about_what_was_asked_for() {
    for (images, side) in [(250, 40), (3000, 28), (55_000, 28), (5000, 16)] {
        let input = input(1, side, 10);
        for compute in [1.0, 4.0, 16.0, 64.0] {
            let member = Member::of(images, compute);
            let spec = member_spec(input, member.width).unwrap();
            let real = training_flops(&spec, images, member.epochs) / base_compute(input, images);
            let ratio = real / compute;
            assert!((0.6..1.7).contains(&ratio), "{images} {side} {compute}: {ratio}");
        }
    }
}

#[test]
fn members_are_known_by_their_form_and_training() {
    let mut file = StudyFile::new("member", layers(InputShape::MNIST, 12, 0.3));
    let width = |file: &StudyFile| width_of(&Spec::new(file.clone(), InputShape::MNIST).unwrap());
    assert_eq!(width(&file), None);
    file.train.schedule = Schedule::one_cycle();
    assert_eq!(width(&file), Some(12));
    file.model.layers.remove(1);
    assert_eq!(width(&file), None);
}
