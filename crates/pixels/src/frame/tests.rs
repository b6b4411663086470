//! Tests of `frame`.

use super::*;

fn frame(channels: usize, height: usize, width: usize, fit: Fit) -> Frame {
    Frame { channels, height, width, fit, background: GREY_BACKGROUND }
}

/// A picture of 4 rows and 8 columns whose columns are 0, 10, 20, … in each channel.
fn ramp(channels: usize) -> Picture {
    let plane: Vec<u8> = (0..32).map(|at| (at % 8) * 10).collect();
    Picture::of_planes(&plane.repeat(channels), [channels, 4, 8])
}

#[test]
fn a_picture_of_the_frames_size_is_taken_pixel_for_pixel() {
    for channels in [1, 3] {
        let image: Vec<u8> = (0..channels as u8 * 32).collect();
        let picture = Picture::of_planes(&image, [channels, 4, 8]);
        for fit in [Fit::Crop, Fit::Pad, Fit::Stretch] {
            assert_eq!(frame(channels, 4, 8, fit).take(&picture, false), image);
        }
        let inverted: Vec<u8> = image.iter().map(|byte| 255 - byte).collect();
        assert_eq!(frame(channels, 4, 8, Fit::Crop).take(&picture, true), inverted);
    }
}

#[test]
fn each_fit_shows_what_it_says() {
    // The middle four columns.
    assert_eq!(frame(1, 4, 4, Fit::Crop).take(&ramp(1), false)[..4], [20, 30, 40, 50]);
    let stretched = frame(1, 4, 4, Fit::Stretch).take(&ramp(1), false);
    assert!(stretched[0] < 12 && stretched[3] > 58, "{stretched:?}");
    let padded = frame(1, 8, 8, Fit::Pad).take(&ramp(1), false);
    assert_eq!((padded[0], padded[2 * 8 + 7], padded[6 * 8]), (128, 70, 128));
}

#[test]
fn a_part_never_leads_beyond_the_picture_by_rounding() {
    for side in 1..200 {
        for new in 1..100 {
            for step in [2.0, 4.0, 8.0] {
                let (end, start) = (f64::from(side), 1.0 - 1.0 / step);
                let length = (end - start) / f64::from(new) * f64::from(new);
                let taken = within(start, length, end);
                assert!(start + taken <= end && taken > length - 1e-9, "{side} {new} {step}");
            }
        }
    }
}

#[test]
fn colours_keep_their_planes() {
    let red = [vec![200; 32], vec![0; 64]].concat();
    let taken = frame(3, 2, 2, Fit::Crop).take(&Picture::of_planes(&red, [3, 4, 8]), false);
    assert_eq!(taken, [200, 200, 200, 200, 0, 0, 0, 0, 0, 0, 0, 0]);
    // Seen as grey it is as bright as red is (ITU-R BT.709).
    let grey = frame(1, 2, 2, Fit::Crop).take(&Picture::of_planes(&red, [3, 4, 8]), false);
    assert!(grey.iter().all(|&value| (41..=44).contains(&value)), "{grey:?}");
}

#[test]
fn extreme_shapes_come_out_whole() {
    for (height, width) in [(1, 4000), (4000, 1), (1, 1), (3, 5000)] {
        let picture = Picture::of_planes(&vec![90; height * width], [1, height, width]);
        for fit in [Fit::Crop, Fit::Pad, Fit::Stretch] {
            for (rows, columns) in [(1, 1), (28, 28), (3, 64)] {
                let taken = frame(1, rows, columns, fit).take(&picture, false);
                assert_eq!(taken.len(), rows * columns);
                assert!(taken.contains(&90), "{height}×{width} {fit:?} {rows}×{columns}");
            }
        }
    }
}

#[test]
fn what_is_resampled_stays_the_same_byte_for_byte() {
    let bytes =
        |count: u32| -> Vec<u8> { (0..count).map(|at| (at * at * 37 % 251) as u8).collect() };
    let taken = |channels: usize| {
        let picture = planes(&bytes(7 * 5 * channels as u32), channels);
        let picture = Picture::of_planes(&picture, [channels, 5, 7]);
        frame(channels, 3, 4, Fit::Stretch).take(&picture, false)
    };
    // As fast_image_resize 6.1 has them from pixels of one byte and of three.
    assert_eq!(taken(1), [51, 146, 133, 134, 110, 172, 148, 152, 129, 194, 161, 126]);
    let colour = [
        67, 63, 179, 136, 111, 183, 111, 179, 197, 86, 155, 203, 67, 158, 155, 138, 171, 122, 148,
        178, 106, 145, 172, 130, 69, 121, 137, 115, 139, 110, 134, 160, 162, 149, 137, 133,
    ];
    assert_eq!(taken(3), planes(&colour, 3));
}
