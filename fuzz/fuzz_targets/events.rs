//! Event logs: damage is named, and what is read writes out the same.
#![no_main]

use burgeon::ledger::{Recorded, parse_events};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(parsed) = parse_events(bytes) else { return };
    assert_eq!(parsed.whole_bytes + parsed.torn_bytes, bytes.len());
    // Written twice, since a time finer than a millisecond is rounded the first time.
    let once = write(&parsed.records);
    let again = parse_events(once.as_bytes()).expect("what was written can be read");
    assert_eq!(again.torn_bytes, 0);
    assert_eq!(write(&again.records), once);
});

fn write(records: &[Recorded]) -> String {
    let line = |record: &Recorded| record.to_line().expect("what was read can be written") + "\n";
    records.iter().map(line).collect()
}
