//! Tests of `report::words`.

use super::*;

#[test]
fn figures_are_written_as_people_read_them() {
    assert_eq!(percent(Some(f64::NAN)), "–");
    assert_eq!(percent(Some(0.8718)), "87.18 %");
    assert_eq!(short_percent(0.995), "99.5 %");
    for (number, text) in [(0, "0"), (999, "999"), (61_706, "61,706"), (1_234_567, "1,234,567")] {
        assert_eq!(grouped(number), text);
    }
    let of = [0, 999, 1000, 15_386, 832_000, 999_600, 1_204_000_000].map(magnitude);
    assert_eq!(of, ["0", "999", "1.00 k", "15.4 k", "832 k", "1.00 M", "1.20 G"]);
    assert_eq!(duration(Some(725.0)), "12 min 5 s");
    assert_eq!(duration(Some(59.96)), "1 min 0 s");
    assert_eq!(duration(Some(f64::INFINITY)), "–");
}
