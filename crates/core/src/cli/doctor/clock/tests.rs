//! Tests of `cli::doctor::clock`.

use super::super::check::Status;
use super::*;

#[test]
fn a_clock_that_was_never_set_or_was_set_back_is_told() {
    let at = |seconds| Timestamp::from_second(seconds).unwrap();
    let now = EARLIEST_SECONDS + 86_400;
    let status = |now, newest: Option<i64>, forward| judge(at(now), newest.map(at), forward).status;
    assert_eq!(status(0, None, true), Status::Warning);
    assert_eq!(status(LATEST_SECONDS, None, true), Status::Warning);
    assert_eq!(status(now, None, true), Status::Ok);
    assert_eq!(status(now, Some(now + 60), true), Status::Ok);
    assert_eq!(status(now, Some(now + 3_600), true), Status::Warning);
    assert_eq!(status(now, None, false), Status::Fault);
}
