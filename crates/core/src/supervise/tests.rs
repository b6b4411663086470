//! Tests of `supervise`.

use super::*;

fn resumed(line: &str) -> String {
    let args: Vec<OsString> = line.split_whitespace().map(Into::into).collect();
    let args = with_resume(&args);
    args.iter().map(|arg| arg.to_str().unwrap()).collect::<Vec<_>>().join(" ")
}

#[test]
fn studies_are_started_to_be_resumed() {
    assert_eq!(resumed("tune a.toml"), "tune a.toml --resume auto");
    assert_eq!(resumed("--quiet train a.toml"), "--quiet train a.toml --resume auto");
    assert_eq!(resumed("train -- -a.toml"), "train --resume auto -- -a.toml");
}

#[test]
fn what_says_how_to_resume_or_cannot_is_left_as_it_is() {
    for line in ["tune a.toml --resume never", "tune --resume=auto a.toml", "resume runs/a-0001"] {
        assert_eq!(resumed(line), line);
    }
}
