//! Gzipped IDX files: streams that lie, break off, or never end.
#![no_main]

use std::io::Write;
use std::path::Path;

use burgeon::unstable::data::idx::{Checks, parse_images, parse_labels};
use flate2::{Compression, write::GzEncoder};
use libfuzzer_sys::fuzz_target;

const CHECKS: Checks<'_> = Checks { sha256: None, bytes_max: 1 << 20 };

fuzz_target!(|bytes: &[u8]| {
    let path = Path::new("fuzzed");
    // Raw deflate data behind a proper header, so that the inflater is always reached.
    let mut headed = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    headed.extend_from_slice(bytes.strip_prefix(&headed[..]).unwrap_or(bytes));
    let _ = parse_images(path, &headed, CHECKS);
    let _ = parse_labels(path, &headed, CHECKS);

    // What is packed whole must read exactly as it does unpacked.
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(bytes).and_then(|()| packer.try_finish()).expect("memory takes everything");
    let packed = packer.finish().expect("memory takes everything");
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        let plain = parse_images(path, bytes, CHECKS);
        let inflated = parse_images(path, &packed, CHECKS);
        assert_eq!(plain.is_ok(), inflated.is_ok());
        if let (Ok(plain), Ok(inflated)) = (plain, inflated) {
            assert_eq!(*plain.pixels, *inflated.pixels);
            assert_eq!(plain.file, inflated.file);
        }
    }
});
