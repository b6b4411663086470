//! Picture files, and what digit and whole-picture models make of them.
#![no_main]

use burgeon::unstable::data::image_file::{Invert, Picture};
use burgeon::data::Normalization;
use burgeon::unstable::model::{Fit, Preparation, Subject};
use burgeon::spec::InputShape;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // Decoding large pictures is the decoder's business and takes most of the time.
    if claimed_pixels(bytes) > 1 << 16 {
        return;
    }
    let Ok(picture) = Picture::decode(bytes) else {
        return;
    };
    // The same at a reduced size, where a small one is wanted.
    let small = Picture::decode_for(bytes, Some([5, 4])).expect("it was decoded whole");
    for subject in [Subject::Digit, Subject::Whole] {
        for (fit, invert) in
            [(Fit::Stretch, Invert::Auto), (Fit::Pad, Invert::Always), (Fit::Crop, Invert::Never)]
        {
            let input = InputShape { channels: 1, height: 12, width: 9, classes: 2 };
            let normalization = Normalization::of_all(0.1, 0.3);
            let classes = vec!["a".into(), "b".into()];
            let preparation = Preparation::grey(input, normalization, classes, subject);
            let preparation = Preparation { fit, background: 0.5, ..preparation };
            preparation.check().expect("the preparation is sound");
            match preparation.prepare(&picture, invert) {
                Ok(image) => assert_eq!(image.len(), 12 * 9),
                Err(_) => assert_eq!(subject, Subject::Digit, "a whole picture can always be taken"),
            }
            if subject == Subject::Whole {
                preparation.prepare(&small, invert).expect("a reduced picture can be taken too");
            }
        }
    }
});

/// Of a PNG file, by its header; of JPEG, 0: its sides are at no fixed place.
fn claimed_pixels(bytes: &[u8]) -> u64 {
    let side = |at: usize| bytes.get(at..at + 4).map_or(0, |b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]));
    match bytes.starts_with(b"\x89PNG") {
        true => u64::from(side(16)) * u64::from(side(20)),
        false => 0,
    }
}
