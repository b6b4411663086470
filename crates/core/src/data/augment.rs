//! How far a study distorts its training images.

use burgeon_pixels::{Augmentation, Border, ColourJitter, Elastic};

use crate::spec;

/// Smoothness of the elastic displacement in pixels, as Simard, Steinkraus and Platt found best ("Best practices for
/// convolutional neural networks applied to visual document analysis", ICDAR 2003).
const ELASTIC_SIGMA: f32 = 4.0;

impl From<&spec::Augment> for Augmentation {
    fn from(spec: &spec::Augment) -> Self {
        Self {
            shift: spec.shift,
            rotate_degrees: spec.rotate as f32,
            scale: spec.scale as f32,
            elastic: (spec.elastic > 0.0).then_some(Elastic {
                // So that displacements have the standard deviation that the study asks for.
                alpha: spec.elastic as f32 * ELASTIC_SIGMA / 0.16,
                sigma: ELASTIC_SIGMA,
            }),
            flip: spec.flip,
            flip_vertical: spec.flip_vertical,
            border: match spec.border {
                spec::Border::Black => Border::Black,
                spec::Border::Reflect => Border::Reflect,
            },
            colour: ColourJitter {
                brightness: spec.brightness as f32,
                contrast: spec.contrast as f32,
                saturation: spec.saturation as f32,
            },
            cutout: spec.cutout,
        }
    }
}
