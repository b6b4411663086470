//! Tests of `spec::name`.

use super::*;

#[test]
fn plain_names_are_names_and_what_a_shell_or_a_file_system_could_mistake_is_none() {
    let longest = "x".repeat(64);
    for name in ["lenet-5", "a", "0", "A.b_c-", "5", longest.as_str()] {
        assert!(is_run_name(name), "{name:?}");
    }
    let too_long = "x".repeat(65);
    for name in ["", "-x", "--help", "_x", ".x", "..", "a/b", "a b", "a\0", "é", "a\n", &too_long]
    {
        assert!(!is_run_name(name), "{name:?}");
    }
}
