//! Tests of `data::batch`.

use super::*;
use crate::data::Images;

const KEY: EpochKey = EpochKey { study: 1, trial: 2, epoch: 3 };
const PLAIN: Normalization = Normalization::of_all(0.0, 1.0);

fn numbered(count: usize) -> Subset {
    let bytes: Vec<u8> = (0..count).map(|i| i as u8).collect();
    Subset::all(Images::new(bytes.clone(), bytes, 1, 1).unwrap())
}

fn labels(mut batches: Batches<'_>) -> Vec<Vec<u16>> {
    let mut batch = Batch::default();
    let mut all = Vec::new();
    while batches.fill_next(&mut batch) {
        all.push(batch.labels.clone());
    }
    all
}

#[test]
fn a_pass_shows_every_image_once() {
    let subset = numbered(10);
    let batches = labels(Batches::shuffled(&subset, PLAIN, 4, LastBatch::Keep, KEY));
    assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [4, 4, 2]);
    let mut seen = batches.concat();
    assert_ne!(seen, (0..10).collect::<Vec<_>>());
    seen.sort_unstable();
    assert_eq!(seen, (0..10).collect::<Vec<_>>());
    assert_eq!(labels(Batches::in_order(&subset, PLAIN, 10)), [(0..10).collect::<Vec<_>>()]);
}

#[test]
fn a_short_last_batch_can_be_dropped() {
    let subset = numbered(10);
    let batches = labels(Batches::shuffled(&subset, PLAIN, 4, LastBatch::Drop, KEY));
    assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [4, 4]);
}

#[test]
fn a_pass_resumed_at_a_step_goes_on_with_the_same_batches() {
    let subset = numbered(50);
    let fresh = || Batches::shuffled(&subset, PLAIN, 8, LastBatch::Keep, KEY);
    assert_eq!(labels(fresh().starting_at(3)), labels(fresh())[3..]);
}

#[test]
fn epochs_and_trials_have_orders_of_their_own() {
    let order = KEY.order(50);
    assert_eq!(order, KEY.order(50));
    assert_ne!(order, EpochKey { epoch: 4, ..KEY }.order(50));
    assert_ne!(order, EpochKey { trial: 3, ..KEY }.order(50));
}

#[test]
fn pixels_arrive_normalized() {
    let subset = numbered(256);
    let normalization = Normalization::of_all(0.25, 0.5);
    let mut batch = Batch::default();
    assert!(Batches::in_order(&subset, normalization, 256).fill_next(&mut batch));
    for (byte, &value) in batch.pixels.iter().enumerate() {
        assert!((value - (byte as f32 / 255.0 - 0.25) / 0.5).abs() < 1e-6);
    }
}

#[test]
fn a_distorted_batch_is_the_same_alone_and_in_a_crowd() {
    let pixels: Vec<u8> = (0..64 * 81).map(|i| (i * 7 % 256) as u8).collect();
    let subset = Subset::all(Images::new(pixels, [0; 64], 9, 9).unwrap());
    let augmenter = Augmenter::new(burgeon_pixels::Augmentation {
        shift: 2,
        rotate_degrees: 10.0,
        ..Default::default()
    });
    let batch = |size| {
        let mut all = Vec::new();
        let mut batch = Batch::default();
        let mut batches = Batches::in_order(&subset, PLAIN, size).augmented(&augmenter, KEY);
        while batches.fill_next(&mut batch) {
            all.extend_from_slice(&batch.pixels);
        }
        all
    };
    assert_eq!(batch(64), batch(1));
}
