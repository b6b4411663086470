//! Handwriting-like digits, drawn from stroke skeletons: data that needs neither files nor a network connection.
//!
//! A digit is a skeleton (of the crate `burgeon_ink`), written by a hand that jitters, slants and bends it (`hand`), drawn with a pen
//! of random width into MNIST's frame (`pen`): the longer side of the ink fills 20 of 28 pixels, and its centre of mass
//! lies in the middle.
//!
//! Invariant: a digit is a function of (seed, split, index), bit for bit, on every platform and for any number of threads.
//! The functions of `libm` are used instead of the platform's, whose last bits differ.

mod hand;
mod pen;

use std::sync::Arc;

use rayon::prelude::*;

use super::{Images, Split};
use crate::sys::spread::run_in_pool;
use crate::sys::{CounterRng, Purpose, counter_seed};

/// Increased whenever the same seed gives other digits; recorded with a run.
pub const GENERATOR_VERSION: u32 = 1;

/// Rows and columns of a digit.
pub const SIDE: usize = 28;

/// Number of classes.
pub const CLASSES: usize = 10;

const IMAGE_LEN: usize = SIDE * SIDE;

/// Digits between two calls of `progress`.
const BLOCK_LEN: usize = 2000;

/// The first `count` digits of a split, `[count, 1, 28, 28]`, with the classes in turn.
///
/// `progress` is called on the calling thread with the number of digits drawn so far.
pub fn digits(split: Split, count: usize, seed: u64, mut progress: impl FnMut(usize)) -> Images {
    let keep_going = |done| {
        progress(done);
        true
    };
    Images::of_counted(
        pixels_while(split, count, seed, keep_going).0,
        labels(count),
        [1, SIDE, SIDE],
    )
}

/// As [`digits`], but `progress` also returns whether to continue; `None` once it returns `false`.
pub fn digits_while(
    split: Split,
    count: usize,
    seed: u64,
    progress: impl FnMut(usize) -> bool,
) -> Option<Images> {
    let (pixels, is_whole) = pixels_while(split, count, seed, progress);
    is_whole.then(|| Images::of_counted(pixels, labels(count), [1, SIDE, SIDE]))
}

fn labels(count: usize) -> Vec<u8> {
    (0..count).map(|index| label(index as u64)).collect()
}

/// The pixels, and whether all of them were drawn.
fn pixels_while(
    split: Split,
    count: usize,
    seed: u64,
    mut progress: impl FnMut(usize) -> bool,
) -> (Arc<[u8]>, bool) {
    let mut is_whole = true;
    let mut pixels: Arc<[u8]> = std::iter::repeat_n(0, count * IMAGE_LEN).collect();
    if let Some(pixels) = Arc::get_mut(&mut pixels) {
        for (block, pixels) in pixels.chunks_mut(BLOCK_LEN * IMAGE_LEN).enumerate() {
            let start = block * BLOCK_LEN;
            run_in_pool(|| {
                pixels.par_chunks_exact_mut(IMAGE_LEN).enumerate().for_each(|(offset, out)| {
                    draw(split, (start + offset) as u64, seed, out);
                });
            });
            if !progress(start + pixels.len() / IMAGE_LEN) {
                is_whole = false;
                break;
            }
        }
    }
    (pixels, is_whole)
}

/// The digit that `digits` puts at `index`.
fn label(index: u64) -> u8 {
    (index % CLASSES as u64) as u8
}

fn draw(split: Split, index: u64, seed: u64, out: &mut [u8]) {
    let purpose = match split {
        Split::Train => Purpose::SyntheticTrain,
        Split::Validation => Purpose::SyntheticValidation,
        Split::Test => Purpose::SyntheticTest,
    };
    let mut rng = CounterRng::new(counter_seed(seed, 0, purpose, 0, index));
    let skeleton = burgeon_ink::choose_skeleton(label(index), |end| rng.below(end));
    let strokes = hand::write(skeleton, &mut rng);
    pen::draw(&strokes, &mut rng, out);
}

#[cfg(test)]
mod tests;
