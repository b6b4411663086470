//! Ink is told from paper in pictures of many kinds, drawn from random numbers: how many are read right is counted. The
//! bounds are a little below what was measured; before closings were looked at, a sixth of the shadowed ones was right.

use burgeon::unstable::data::image_file::{Invert, PictureError};
use burgeon::unstable::data::{Split, mnist, synthetic};
use burgeon::unstable::sys::{CounterRng, Purpose, counter_seed};
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, GrayImage, Luma, imageops};

use super::image_file::{likeness, png, read};
use crate::mnist_files::real_mnist;

/// Pictures of each kind, of the built-in digits and of MNIST where it is.
const PICTURES: usize = 60;

/// Light that falls on the page at a place, both coordinates from 0 to 1; 1 for all of it.
type Light = Box<dyn Fn(f32, f32) -> f32>;

/// A picture of a digit before there is any light on it.
struct Page {
    /// How much ink, 0 to 1.
    ink: GrayImage,
}

/// A digit, enlarged, somewhere on a page with a margin.
fn page(digit: &[u8], rng: &mut CounterRng) -> Page {
    let scale = 2 + rng.below(6);
    let small = GrayImage::from_raw(28, 28, digit.to_vec()).unwrap();
    let side = 28 * scale;
    let large = imageops::resize(&small, side, side, imageops::FilterType::Triangle);
    let mut ink = GrayImage::new(side + rng.below(side), side + rng.below(side));
    let (x, y) = (rng.below(ink.width() - side + 1), rng.below(ink.height() - side + 1));
    imageops::overlay(&mut ink, &large, x.into(), y.into());
    Page { ink }
}

/// The digit cut to its bounds.
fn tight(digit: &[u8], rng: &mut CounterRng) -> Page {
    let small = GrayImage::from_raw(28, 28, digit.to_vec()).unwrap();
    let inked = |axis: usize| {
        let places = small.enumerate_pixels().filter(|(_, _, pixel)| pixel.0[0] > 80);
        let places = places.map(|(x, y, _)| [x, y][axis]).collect::<Vec<_>>();
        (*places.iter().min().unwrap(), *places.iter().max().unwrap() + 1)
    };
    let ((left, right), (top, bottom)) = (inked(0), inked(1));
    let cut = imageops::crop_imm(&small, left, top, right - left, bottom - top).to_image();
    let scale = 3 + rng.below(5);
    let (width, height) = (cut.width() * scale, cut.height() * scale);
    Page { ink: imageops::resize(&cut, width, height, imageops::FilterType::Triangle) }
}

/// The digit with strokes of up to a fifth of its height more.
fn thick(digit: &[u8], rng: &mut CounterRng) -> Page {
    let mut page = page(digit, rng);
    let radius = page.ink.width().min(page.ink.height()) as f32 * 0.02;
    page.ink = imageops::blur(&page.ink, radius.max(0.6));
    page.ink.pixels_mut().for_each(|pixel| pixel.0[0] = pixel.0[0].saturating_mul(3));
    page
}

impl Page {
    /// The page in dark ink on light paper or light ink on a dark board, under this light.
    fn painted(&self, dark: bool, light: &Light, rng: &mut CounterRng) -> GrayImage {
        let (width, height) = (self.ink.width() as f32, self.ink.height() as f32);
        let (paper, ink) = match dark {
            true => (rng.uniform(0.75, 1.0), rng.uniform(0.0, 0.3)),
            false => (rng.uniform(0.0, 0.25), rng.uniform(0.75, 1.0)),
        };
        let noise = rng.uniform(0.0, 0.02);
        GrayImage::from_fn(self.ink.width(), self.ink.height(), |x, y| {
            let share = f32::from(self.ink.get_pixel(x, y).0[0]) / 255.0;
            let light = light((x as f32 + 0.5) / width, (y as f32 + 0.5) / height);
            // A board is seen by what falls off it: its shades are those of the negative.
            let value = match dark {
                true => (paper + share * (ink - paper)) * light,
                false => 1.0 - (1.0 - paper + share * (paper - ink)) * light,
            };
            Luma([((value + noise * rng.approximate_normal()) * 255.0).round().clamp(0.0, 255.0)
                as u8])
        })
    }
}

/// PNG, or JPEG of some quality.
fn saved(picture: GrayImage, rng: &mut CounterRng) -> Vec<u8> {
    if rng.below(2) == 0 {
        return png(picture);
    }
    let mut bytes = Vec::new();
    let quality = 50 + rng.below(46) as u8;
    let encoder = JpegEncoder::new_with_quality(&mut bytes, quality);
    DynamicImage::ImageLuma8(picture).write_with_encoder(encoder).unwrap();
    bytes
}

fn even(_: &mut CounterRng) -> Light {
    Box::new(|_, _| 1.0)
}

/// From 1 to half of it across the page, in any direction.
fn falling(rng: &mut CounterRng) -> Light {
    let (across, down) = direction(rng);
    let length = across.abs() + down.abs();
    Box::new(move |x, y| {
        let along = ((x - 0.5) * across + (y - 0.5) * down) / length;
        0.75 - 0.5 * along
    })
}

fn direction(rng: &mut CounterRng) -> (f32, f32) {
    let angle = rng.uniform(0.0, std::f32::consts::TAU);
    (angle.cos(), angle.sin())
}

/// A shadow over a part of the page, with a straight edge that is blurred over this share of it.
fn shadow(rng: &mut CounterRng, blur: f32) -> Light {
    let (across, down) = direction(rng);
    let (place, depth) = (rng.uniform(-0.3, 0.3), rng.uniform(0.35, 0.75));
    Box::new(move |x, y| {
        let along = (x - 0.5) * across + (y - 0.5) * down - place;
        let lit =
            if blur > 0.0 { (along / blur + 0.5).clamp(0.0, 1.0) } else { f32::from(along > 0.0) };
        depth + (1.0 - depth) * lit
    })
}

fn hard_shadow(rng: &mut CounterRng) -> Light {
    shadow(rng, 0.0)
}

fn soft_shadow(rng: &mut CounterRng) -> Light {
    let blur = rng.uniform(0.005, 0.03);
    shadow(rng, blur)
}

/// The shadow of a round thing that lies over a corner or a side.
fn round_shadow(rng: &mut CounterRng) -> Light {
    let (across, down) = direction(rng);
    let (radius, depth) = (rng.uniform(0.4, 0.7), rng.uniform(0.35, 0.75));
    let (x0, y0) = (0.5 + 0.7 * across, 0.5 + 0.7 * down);
    Box::new(move |x, y| if (x - x0).hypot(y - y0) < radius { depth } else { 1.0 })
}

fn source() -> Vec<Vec<u8>> {
    let drawn = synthetic::digits(Split::Test, PICTURES, 11, |_| {});
    let real = real_mnist().and_then(|dir| mnist::read(&dir).ok()).map(|set| set.test);
    let all = [Some(drawn), real].into_iter().flatten();
    all.flat_map(|images| (0..PICTURES).map(|at| images.image(at).to_vec()).collect::<Vec<_>>())
        .collect()
}

/// The shares of pictures of a kind that are read right and that are refused as undecided; the others are read wrong.
fn shares(
    name: &str,
    place: fn(&[u8], &mut CounterRng) -> Page,
    light: fn(&mut CounterRng) -> Light,
) -> (f64, f64) {
    let (mut right, mut undecided, mut count) = (0, 0, 0);
    for (at, digit) in source().iter().enumerate() {
        for dark in [true, false] {
            let kind = name.bytes().fold(u64::from(dark), |sum, byte| {
                sum.wrapping_mul(31).wrapping_add(u64::from(byte))
            });
            let mut rng =
                CounterRng::new(counter_seed(kind, at as u64, Purpose::Augmentation, 0, 0));
            let (page, light) = (place(digit, &mut rng), light(&mut rng));
            let picture = page.painted(dark, &light, &mut rng);
            count += 1;
            match read(&saved(picture, &mut rng), Invert::Auto) {
                Ok(image) if likeness(digit, &image) > 0.8 => right += 1,
                Ok(_) => {}
                Err(_) => undecided += 1,
            }
        }
    }
    let (right, undecided) =
        (f64::from(right) / f64::from(count), f64::from(undecided) / f64::from(count));
    println!(
        "{name:<14} {count:>4} {:>5.1} % right, {:>5.1} % undecided",
        right * 100.0,
        undecided * 100.0
    );
    (right, undecided)
}

#[track_caller]
fn assert_read(
    name: &str,
    place: fn(&[u8], &mut CounterRng) -> Page,
    light: fn(&mut CounterRng) -> Light,
    least: f64,
) {
    let (right, undecided) = shares(name, place, light);
    assert!(
        right >= least,
        "{name}: {:.1} % are read right, {:.1} % undecided",
        right * 100.0,
        undecided * 100.0
    );
}

#[test]
fn ink_is_found_on_evenly_lit_pages() {
    assert_read("even", page, even, 0.98);
    assert_read("thick", thick, even, 0.92);
    assert_read("tight", tight, even, 0.7);
}

#[test]
fn ink_is_found_where_the_light_falls_across_the_page() {
    assert_read("falling", page, falling, 0.98);
    assert_read("tight falling", tight, falling, 0.5);
}

#[test]
fn ink_is_found_across_the_edge_of_a_shadow() {
    assert_read("hard shadow", page, hard_shadow, 0.75);
    assert_read("soft shadow", page, soft_shadow, 0.75);
    assert_read("round shadow", page, round_shadow, 0.7);
    assert_read("thick shadow", thick, hard_shadow, 0.65);
}

/// Flat bands, without any strokes.
fn bands(rng: &mut CounterRng, count: usize) -> GrayImage {
    let (width, height) = (28 + rng.below(150), 28 + rng.below(150));
    let mut shades: Vec<u8> = (0..count).map(|at| (255 * at / (count - 1).max(1)) as u8).collect();
    rng.shuffle(&mut shades);
    let turned = rng.below(2) == 0;
    let noise = rng.uniform(0.0, 4.0);
    GrayImage::from_fn(width, height, |x, y| {
        let (place, length) = if turned { (x, width) } else { (y, height) };
        let shade = shades[(place as usize * count / length as usize).min(count - 1)];
        Luma([(f32::from(shade) + noise * rng.approximate_normal()).clamp(0.0, 255.0) as u8])
    })
}

#[test]
fn flat_bands_are_no_ink() {
    let mut taken = Vec::new();
    for at in 0..200 {
        for count in [2, 3, 4] {
            let mut rng =
                CounterRng::new(counter_seed(count as u64, at, Purpose::Augmentation, 1, 0));
            let picture = bands(&mut rng, count);
            let size = picture.dimensions();
            match read(&png(picture), Invert::Auto) {
                Err(PictureError::Undecided | PictureError::Blank) => {}
                other => taken.push((at, count, size, other.map(|_| "a digit"))),
            }
        }
    }
    println!("bands: {} of 600 are taken for ink", taken.len());
    // A narrow band across a long picture is a stroke as good as any.
    assert!(taken.len() <= 18, "{taken:?}");
}

#[test]
fn a_shadow_alone_is_no_ink() {
    let mut taken = Vec::new();
    for (name, light) in [
        ("hard", hard_shadow as fn(&mut CounterRng) -> Light),
        ("soft", soft_shadow),
        ("round", round_shadow),
    ] {
        for at in 0..60 {
            let mut rng = CounterRng::new(counter_seed(3, at, Purpose::Augmentation, 2, 0));
            let light = light(&mut rng);
            let ink = GrayImage::new(60 + rng.below(100), 60 + rng.below(100));
            let picture = Page { ink }.painted(at % 2 == 0, &light, &mut rng);
            match read(&png(picture), Invert::Auto) {
                Err(PictureError::Undecided | PictureError::Blank) => {}
                _ => taken.push((name, at)),
            }
        }
    }
    println!("shadows: {} of 180 are taken for ink", taken.len());
    assert!(taken.len() <= 9, "{taken:?}");
}
