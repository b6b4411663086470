//! Tests of `sys::signals`.

use super::*;

#[test]
fn a_flag_tells_what_asked() {
    let stop = StopFlag::new();
    assert_eq!(stop.requested(), None);
    stop.clone().request();
    assert_eq!(stop.requested(), Some(StopReason::Requested));
    stop.0.store(SIGTERM as usize, Ordering::SeqCst);
    assert_eq!(stop.requested(), Some(StopReason::Signal(StopSignal::Terminate)));
}
