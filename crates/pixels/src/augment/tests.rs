//! Tests of `augment`.

use super::*;

const PLAIN: Normalization = Normalization::of_all(0.0, 1.0);

/// A bright blob in the centre of a dark image of 21 × 17.
fn blob() -> Vec<u8> {
    let mut image = vec![0; 21 * 17];
    for y in 8..13 {
        image[y * 17 + 6..][..5].fill(255);
    }
    image
}

fn distorted(settings: Augmentation, seed: u64) -> Vec<f32> {
    let mut out = vec![f32::NAN; 21 * 17];
    Augmenter::new(settings).distort(
        &blob(),
        [1, 21, 17],
        seed,
        PLAIN,
        &mut Scratch::default(),
        &mut out,
    );
    out
}

fn centre(image: &[f32]) -> [f32; 2] {
    let mass: f32 = image.iter().sum();
    let along = |coordinate: fn(usize) -> usize| {
        image.iter().enumerate().map(|(i, v)| v * coordinate(i) as f32).sum::<f32>() / mass
    };
    [along(|i| i % 17), along(|i| i / 17)]
}

#[test]
fn a_shift_moves_by_whole_pixels_within_its_reach() {
    let settings = Augmentation { shift: 3, ..Default::default() };
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..200 {
        let [x, y] = centre(&distorted(settings, seed));
        let moved = [x - 8.0, y - 10.0].map(|pixels| pixels.round() as i32);
        assert!(
            (x - 8.0 - moved[0] as f32).abs() < 1e-3 && moved.iter().all(|m| m.abs() <= 3),
            "{x} {y}"
        );
        seen.insert(moved);
    }
    assert!(seen.len() > 35, "only {} of 49 shifts occur", seen.len());
}

#[test]
fn a_shift_beyond_the_image_leaves_background() {
    let image = [255; 4];
    let mut out = [f32::NAN; 4];
    let normalize = Normalization::of_all(0.5, 0.5).affine(0);
    shifted(&image, 2, [5, 0], Border::Black, normalize, &mut out);
    assert_eq!(out, [-1.0; 4]);
}

#[test]
fn a_warp_that_does_nothing_is_the_image() {
    let mut out = vec![f32::NAN; 21 * 17];
    let affine = Affine { radians: 0.0, scale: 1.0, shift: [0.0; 2] };
    let normalize = PLAIN.affine(0);
    Sampler::default().sample(&blob(), 17, affine, None, Border::Black, normalize, &mut out);
    for (value, pixel) in out.iter().zip(blob()) {
        assert!((value - f32::from(pixel) / 255.0).abs() < 1e-5);
    }
}

#[test]
fn scaling_changes_the_mass_and_keeps_the_centre() {
    let settings = Augmentation { scale: 0.3, ..Default::default() };
    let masses: Vec<f32> = (0..50)
        .map(|seed| {
            let image = distorted(settings, seed);
            let [x, y] = centre(&image);
            assert!((x - 8.0).abs() < 0.05 && (y - 10.0).abs() < 0.05, "{x} {y}");
            image.iter().sum()
        })
        .collect();
    let (least, most) = masses.iter().fold((f32::MAX, 0.0_f32), |(a, b), &m| (a.min(m), b.max(m)));
    assert!(least < 25.0 * 0.7 && most > 25.0 * 1.3, "{least} {most}");
}

#[test]
fn elastic_distortion_bends_but_keeps_values_in_range() {
    let settings =
        Augmentation { elastic: Some(Elastic { alpha: 34.0, sigma: 4.0 }), ..Default::default() };
    let (a, b) = (distorted(settings, 1), distorted(settings, 2));
    assert_ne!(a, b);
    assert_eq!(a, distorted(settings, 1));
    assert!(a.iter().all(|value| (0.0..=1.0 + 1e-5).contains(value)));
}

/// What comes of the three planes of a small colour image, as whole pixel values.
fn of_colours(settings: Augmentation, seed: u64) -> Vec<u8> {
    let image: Vec<u8> = (0..3 * 4 * 5).map(|at| at * 4).collect();
    let mut out = vec![f32::NAN; image.len()];
    let augmenter = Augmenter::new(settings);
    augmenter.distort(&image, [3, 4, 5], seed, PLAIN, &mut Scratch::default(), &mut out);
    out.into_iter().map(|value| (value * 255.0).round() as u8).collect()
}

#[test]
fn every_plane_is_distorted_alike() {
    let moved = Augmentation { shift: 2, flip: true, flip_vertical: true, ..Default::default() };
    let turned = Augmentation {
        rotate_degrees: 20.0,
        elastic: Some(Elastic { alpha: 20.0, sigma: 3.0 }),
        border: Border::Reflect,
        ..Default::default()
    };
    for (seed, settings) in (0..20).flat_map(|seed| [(seed, moved), (seed, turned)]) {
        let out = of_colours(settings, seed);
        for at in 0..20 {
            // Planes differ by 80 where the image is seen, and by nothing where its border is.
            let step = out[20 + at].abs_diff(out[at]);
            assert!(settings == moved || step.abs_diff(80) <= 1, "{out:?}");
            assert!(step.abs_diff(out[40 + at].abs_diff(out[20 + at])) <= 1, "{out:?}");
        }
    }
}

#[test]
fn half_of_the_images_are_mirrored() {
    let across = Augmentation { flip: true, ..Default::default() };
    let down = Augmentation { flip_vertical: true, ..Default::default() };
    let rows = |out: Vec<u8>| out.chunks_exact(5).map(<[u8]>::to_vec).collect::<Vec<_>>();
    let plain = rows(of_colours(Augmentation::default(), 0));
    let reversed: Vec<Vec<u8>> =
        plain.iter().map(|row| row.iter().rev().copied().collect()).collect();
    let upside_down: Vec<Vec<u8>> =
        plain.chunks_exact(4).flat_map(|plane| plane.iter().rev().cloned()).collect();
    for (settings, mirrored) in [(across, reversed), (down, upside_down)] {
        let mut seen = [0; 2];
        for seed in 0..200 {
            let out = rows(of_colours(settings, seed));
            assert!(out == plain || out == mirrored, "{out:?}");
            seen[usize::from(out == mirrored)] += 1;
        }
        assert!(seen.iter().all(|&count| count > 60), "{seen:?}");
    }
}

#[test]
fn a_reflected_border_shows_the_image_again() {
    let settings = Augmentation { shift: 3, border: Border::Reflect, ..Default::default() };
    for seed in 0..50 {
        let out = of_colours(settings, seed);
        // Without reflection a shift by three pixels would leave black ones.
        let known: Vec<u8> = (0..60).map(|at| at * 4).collect();
        assert!(out.iter().skip(1).all(|value| known.contains(value)));
        assert!(out.iter().filter(|&&value| value == 0).count() <= 4, "{out:?}");
    }
}

#[test]
fn cutout_blanks_one_square_in_every_plane() {
    let settings = Augmentation { cutout: 2, ..Default::default() };
    let plain = of_colours(Augmentation::default(), 0);
    for seed in 0..50 {
        let out = of_colours(settings, seed);
        let changed: Vec<usize> = (1..60).filter(|&at| out[at] != plain[at]).collect();
        assert!((1..=12).contains(&changed.len()), "{changed:?}");
        assert!(changed.iter().all(|&at| out[at] == 0));
    }
}
