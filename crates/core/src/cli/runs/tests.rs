//! Tests of `cli::runs`.

use super::*;

#[test]
fn ages_and_sizes_are_written_as_people_read_them() {
    let ages = [-5, 0, 59, 60, 3_599, 3_600, 86_399, 86_400, 172_800, 86_400 * 900];
    let words = ages.map(age_words);
    let expected =
        ["to come", "0 s", "59 s", "1 min", "59 min", "1 h", "23 h", "1 day", "2 days", "900 days"];
    assert_eq!(words, expected);
    let sizes = [0, 4_096, 999_499, 1_200_000, 9_960_000, 52_000_000_000];
    let words = sizes.map(|bytes| size_words(bytes, true));
    assert_eq!(words, ["0 kB", "4 kB", "999 kB", "1.2 MB", "10 MB", "52 GB"]);
    assert_eq!(size_words(1_200_000, false), "> 1.2 MB");
}
