//! Tests of `data::frame`.

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
    let frame = frame(3, 3, 4, Fit::Stretch);
    let bytes: Vec<u8> = (0..7 * 5 * 3_u32).map(|at| (at * at * 37 % 251) as u8).collect();
    let colour = frame.take(&Picture::from_rgb(bytes, 7, 5), false);
    assert_eq!(colour, [0]);
}
