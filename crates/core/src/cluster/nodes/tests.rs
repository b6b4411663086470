//! Tests of `cluster::nodes`.

use super::*;

#[test]
fn a_node_that_fails_two_attempts_within_a_minute_is_excluded_once() {
    let mut nodes = Nodes::excluding(["n9".to_owned()]);
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    assert!(!nodes.failed("n1", at(0)));
    assert!(!nodes.failed("n1", at(61)));
    assert!(!nodes.failed("n2", at(62)));
    assert!(nodes.failed("n1", at(100)));
    assert!(!nodes.failed("n1", at(101)));
    assert_eq!(nodes.excluded(), ["n1", "n9"]);
}
