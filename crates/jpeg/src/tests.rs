use super::*;

/// Written by libjpeg-turbo: progressive with subsampled colours, progressive in grey, progressive with restart
/// markers, and sequential with restart markers.
const WHOLE: [&[u8]; 4] = [
    include_bytes!("../../../tests/library/data/pictures/progressive.jpg"),
    include_bytes!("../../../tests/library/data/pictures/progressive-grey.jpg"),
    include_bytes!("../../../tests/library/data/pictures/progressive-restarts.jpg"),
    include_bytes!("../../../tests/library/data/pictures/restarts.jpg"),
];

/// Written by libjpeg-turbo from one smooth picture of 61×45 pixels: grey, and with colours as fine as brightness, half as
/// fine across, and half as fine both ways.
const SMOOTH: [&[u8]; 4] = [
    include_bytes!("../../../tests/library/data/pictures/grey.jpg"),
    include_bytes!("../../../tests/library/data/pictures/sampled-444.jpg"),
    include_bytes!("../../../tests/library/data/pictures/sampled-422.jpg"),
    include_bytes!("../../../tests/library/data/pictures/sampled-420.jpg"),
];

fn check(bytes: &[u8]) -> Result<(), Fault> {
    read(bytes, 8192, Some([4, 4])).map(drop)
}

fn with_end(bytes: &[u8]) -> Vec<u8> {
    [bytes, &[0xff, END_OF_IMAGE]].concat()
}

#[test]
fn whole_pictures_are_complete() {
    for (at, bytes) in WHOLE.into_iter().chain(SMOOTH).enumerate() {
        assert_eq!(check(bytes), Ok(()), "picture {at}");
    }
}

#[test]
fn an_end_that_was_put_behind_a_part_is_found_out() {
    for (at, bytes) in WHOLE.into_iter().chain(SMOOTH).enumerate() {
        for len in 2..bytes.len() - 2 {
            let fault = check(&with_end(&bytes[..len]));
            assert!(
                matches!(fault, Err(Fault::Missing(_))),
                "picture {at} cut at {len}: {fault:?}"
            );
        }
    }
}

#[test]
fn what_is_missing_from_the_middle_is_found_out() {
    // From one restart marker to another, so that all that is left can be read.
    let bytes = WHOLE[3];
    let is_restart = |&at: &usize| bytes[at] == 0xff && matches!(bytes[at + 1], 0xd0..=0xd7);
    let restarts: Vec<usize> = (0..bytes.len() - 1).filter(is_restart).collect();
    assert!(restarts.len() > 6);
    for (first, second) in restarts.iter().zip(&restarts[1..]) {
        let hole = [&bytes[..*first], &bytes[*second..]].concat();
        assert!(matches!(check(&hole), Err(Fault::Missing(_))), "{first} to {second}");
    }
}

fn content(bytes: &[u8], wanted: Option<[usize; 2]>) -> Content {
    read(bytes, 8192, wanted).unwrap()
}

#[test]
fn a_reduced_picture_holds_the_means_of_the_whole_one() {
    for (number, bytes) in SMOOTH.into_iter().enumerate() {
        let whole = image::load_from_memory(bytes).unwrap();
        let (width, height) = (whole.width() as usize, whole.height() as usize);
        let channels = usize::from(whole.color().channel_count());
        let all = whole.as_bytes();
        for step in [2, 4, 8] {
            let reduced = content(bytes, Some([height / step, width / step])).reduced.unwrap();
            assert_eq!((reduced.step, reduced.channels), (step, channels));
            let size = (height.div_ceil(step), width.div_ceil(step));
            assert_eq!((reduced.height, reduced.width), size, "picture {number}");
            let mut total = 0.0;
            // At the right and lower end a mean is over what the encoder put there, too.
            for (y, x, channel) in (0..height / step)
                .flat_map(|y| (0..width / step).map(move |x| (y, x)))
                .flat_map(|(y, x)| (0..channels).map(move |channel| (y, x, channel)))
            {
                let at = |y: usize, x: usize| f64::from(all[(y * width + x) * channels + channel]);
                let sum: f64 =
                    (0..step * step).map(|p| at(y * step + p / step, x * step + p % step)).sum();
                let found = f64::from(reduced.bytes[(y * reduced.width + x) * channels + channel]);
                let off = (sum / (step * step) as f64 - found).abs();
                // Half for rounding here and half for that of the whole picture's pixels; colours are rounded before they
                // are multiplied by up to 1.772; and coarse ones are smoothed from block to block in the whole picture.
                let most = [1.0, 2.0, 5.0, 5.0][number];
                assert!(off <= most, "picture {number}, 1/{step}, {y} {x} {channel}: off by {off}");
                total += off;
            }
            let mean = total / (height / step * (width / step) * channels) as f64;
            assert!(mean < 1.0, "picture {number}, 1/{step}: off by {mean} in the mean");
        }
    }
}

#[test]
fn a_picture_is_reduced_as_far_as_both_sides_allow() {
    let step = |height, width| {
        content(SMOOTH[1], Some([height, width])).reduced.map_or(1, |reduced| reduced.step)
    };
    assert_eq!([step(5, 7), step(6, 7), step(5, 8)], [8, 4, 4]);
    assert_eq!([step(11, 15), step(12, 15), step(22, 30), step(23, 30)], [4, 2, 2, 1]);
    assert_eq!(content(SMOOTH[1], None).reduced, None);
}

#[test]
fn the_digest_tells_pictures_apart_whatever_is_wanted_and_however_they_are_coded() {
    let digest = |bytes: &[u8]| content(bytes, None).digest.unwrap();
    let mut all = Vec::new();
    for bytes in SMOOTH.into_iter().chain([WHOLE[3]]) {
        for side in [1, 7, 20, 40] {
            assert_eq!(content(bytes, Some([side, side])).digest, Some(digest(bytes)));
        }
        all.push(digest(bytes));
    }
    let optimized =
        include_bytes!("../../../tests/library/data/pictures/sampled-420-optimized.jpg");
    assert_ne!(optimized.len(), SMOOTH[3].len());
    assert_eq!(digest(optimized), all[3]);
    // Pixels that differ little, and such as differ in their places alone.
    for number in 0..64_u32 {
        for spot in [20, 40] {
            let shade = |x: u32, y: u32| if x + 8 * y == number { 128 + spot } else { 128 };
            let image = image::GrayImage::from_fn(16, 8, |x, y| image::Luma([shade(x, y)]));
            let mut bytes = Vec::new();
            let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 100);
            image.write_with_encoder(encoder).unwrap();
            all.push(digest(&bytes));
        }
    }
    let count = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), count);
}

#[test]
fn progressive_files_and_unusual_colours_are_left_to_another_decoder() {
    let cmyk = include_bytes!("../../../tests/library/data/pictures/cmyk.jpg");
    for bytes in [WHOLE[0], WHOLE[1], WHOLE[2], cmyk] {
        assert_eq!(content(bytes, Some([2, 2])), Content { digest: None, reduced: None });
    }
}

#[test]
fn damage_is_no_panic() {
    for bytes in WHOLE.into_iter().chain(SMOOTH) {
        for at in 0..bytes.len() {
            for value in [0, 0x7f, 0xff, !bytes[at]] {
                let mut damaged = bytes.to_vec();
                damaged[at] = value;
                let _ = check(&damaged);
            }
        }
    }
    for bytes in [&b""[..], b"\xff", b"\xff\xd8", b"\xff\xd8\xff\xda\0\0"] {
        assert!(check(bytes).is_err(), "{bytes:?}");
    }
}
