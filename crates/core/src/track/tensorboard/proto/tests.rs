//! Tests of `track::tensorboard::proto`.

use super::*;

#[test]
fn check_sums_are_those_of_the_standard() {
    // RFC 3720, B.4.
    assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
    assert_eq!(crc32c(b"123456789"), 0xe306_9283);
}

#[test]
fn records_are_those_of_tensorboards_own_writer() {
    // tensorboard.summary.writer.record_writer.RecordWriter of Event(wall_time=1.0, file_version="brain.Event:2").
    let bytes = Event::version(1.0).to_bytes();
    assert_eq!(hex::encode(bytes), VERSION);
}

const VERSION: &str =
    "1800000000000000a37f4b2209000000000000f03f1a0d627261696e2e4576656e743a3286bf577a";
