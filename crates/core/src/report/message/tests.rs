//! Tests of `report::message`.

use super::super::samples::{records, study_started};
use super::*;

#[test]
fn a_page_sent_alone_needs_no_other_file() {
    let page = Report::from_records(&records([study_started()])).to_single_page();
    assert!(page.contains("<style>") && !page.contains("<link"), "{page}");
}
