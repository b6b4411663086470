//! Tests of `spec::bytes`.

use super::*;

#[test]
fn amounts_of_memory_are_read_and_written_as_people_do() {
    let read = |text: &str| text.parse::<Bytes>().map(|bytes| bytes.0);
    assert_eq!(read("2 GB"), Ok(2_000_000_000));
    assert_eq!(read("1.5gib"), Ok(3 << 29));
    assert_eq!(read("64MiB"), Ok(64 << 20));
    assert_eq!(read("4096"), Ok(4096));
    for wrong in ["", "much", "-1 GB", "GB", "1e40", "NaN"] {
        assert!(read(wrong).unwrap_err().contains("\"2 GB\""), "{wrong}");
    }
    for text in ["2 GB", "64 MiB", "1536 KiB", "4097 B", "1500 kB", "0 B"] {
        assert_eq!(text.parse::<Bytes>().unwrap().to_string(), text);
    }
}
