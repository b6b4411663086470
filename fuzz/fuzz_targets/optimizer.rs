//! Records of optimizers, as checkpoints hold them.
#![no_main]

use burgeon::unstable::model::OptimizerRecord;
use burgeon::spec::{Dense, InputShape, Layer, Spec, StudyFile};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let input = InputShape { channels: 1, height: 2, width: 2, classes: 2 };
    let layers = vec![Layer::BatchNorm(Default::default()), Layer::Dense(Dense::of(3))];
    let spec = Spec::new(StudyFile::new("fuzzed", layers), input).expect("the study is sound");
    if let Ok(record) = OptimizerRecord::read(bytes, &spec) {
        let written = record.write(&spec).expect("what was read can be written");
        let again = OptimizerRecord::read(&written, &spec).expect("what was written can be read");
        // NaN is no error in a moment, and equals nothing.
        assert_eq!(again.write(&spec).expect("and written again"), written);
    }
});
