//! Model files and the weights of checkpoints.
#![no_main]

use burgeon::model::{ModelFile, Weights};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(weights) = Weights::from_safetensors(bytes) {
        for (_, array) in weights.iter() {
            assert_eq!(array.values.len(), array.shape.iter().product::<usize>());
        }
        let written = weights.to_safetensors(None).expect("what was read can be written");
        let again = Weights::from_safetensors(&written).expect("what was written can be read");
        assert_eq!(again.hash(), weights.hash());
    }
    let _ = ModelFile::from_safetensors(bytes);
});
