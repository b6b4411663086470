//! Completion of command lines, by bash itself.

use std::fs;
use std::process::Command;

use crate::support::{Bench, expect_code, stdout};

/// What bash completes a line to, whose last word is the one at the cursor.
fn completed(bench: &Bench, words: &[&str]) -> Vec<String> {
    let script = bench.path().join("completions.bash");
    if !script.exists() {
        let output = bench.burgeon(&["completions", "bash"]);
        expect_code(&output, 0);
        fs::write(&script, &output.stdout).unwrap();
    }
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_burgeon"));
    let path =
        format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap());
    // As bash calls the function of a completion; its builtin `compopt` works within one only.
    let ask = r#"
        source completions.bash
        compopt() { printf 'compopt %s\n' "$*" >&2; }
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_TYPE=9
        _burgeon burgeon "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let mut command = Command::new("bash");
    command.args(["--norc", "-c", ask, "bash"]).args(words).env("PATH", path);
    command.current_dir(bench.path()).env_remove("BURGEON_RUNS");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    stdout(&output).lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_options_runs_and_studies() {
    let bench = Bench::new();
    for run in ["growing-0001", "growing-0002", "other-0001"] {
        fs::create_dir_all(bench.runs().join(run)).unwrap();
        fs::write(bench.runs().join(run).join("study.toml"), "").unwrap();
    }
    fs::create_dir(bench.path().join("photos")).unwrap();
    fs::write(bench.path().join("notes.txt"), "").unwrap();
    assert_eq!(completed(&bench, &["burgeon", "do"]), ["doctor"]);
    assert_eq!(completed(&bench, &["burgeon", "eval", "--spl"]), ["--split"]);
    assert_eq!(completed(&bench, &["burgeon", "eval", "--split", "v"]), ["validation"]);
    let mut runs = completed(&bench, &["burgeon", "resume", ""]);
    runs.sort();
    assert_eq!(runs, ["runs/growing-0001", "runs/growing-0002", "runs/other-0001"]);
    assert_eq!(
        completed(&bench, &["burgeon", "diff", "runs/growing-0001", "oth"]),
        ["runs/other-0001"]
    );
    assert_eq!(completed(&bench, &["burgeon", "report", "runs/o"]), ["runs/other-0001"]);
    assert_eq!(completed(&bench, &["burgeon", "runs", "gr"]).len(), 2);
    let studies = completed(&bench, &["burgeon", "tune", ""]);
    assert!(
        studies.contains(&"study.toml".into()) && studies.contains(&"photos".into()),
        "{studies:?}"
    );
    assert!(!studies.contains(&"notes.txt".into()), "{studies:?}");
}

#[test]
fn names_that_a_shell_would_take_for_commands_are_offered_as_names_or_not_at_all() {
    let bench = Bench::new();
    for run in ["$(touch owned)", "a b", "*", "new\nline", "bell\u{7}"] {
        fs::create_dir_all(bench.runs().join(run)).unwrap();
        fs::write(bench.runs().join(run).join("study.toml"), "").unwrap();
    }
    let mut runs = completed(&bench, &["burgeon", "resume", "runs/"]);
    runs.sort();
    assert_eq!(runs, ["runs/$(touch owned)", "runs/*", "runs/a b"], "readline quotes these");
    assert!(!bench.path().join("owned").exists());
}

#[test]
fn every_shell_has_its_script_and_every_command_its_manual_page() {
    let bench = Bench::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let output = bench.burgeon(&["completions", shell]);
        expect_code(&output, 0);
        assert!(stdout(&output).contains("BURGEON_COMPLETE"), "{shell}");
    }
    let output = bench.burgeon(&["man", "--out", "man/man1"]);
    expect_code(&output, 0);
    let pages: Vec<String> = stdout(&output).lines().map(str::to_owned).collect();
    assert!(pages.contains(&"man/man1/burgeon.1".into()), "{pages:?}");
    for command in ["tune", "resume", "runs", "diff", "doctor", "man"] {
        let path = bench.path().join(format!("man/man1/burgeon-{command}.1"));
        let page = fs::read_to_string(&path).unwrap();
        assert!(page.contains(".SH SYNOPSIS") && page.contains(".SH OPTIONS"), "{command}: {page}");
    }
    let printed = stdout(&bench.burgeon(&["man"]));
    assert_eq!(printed, fs::read_to_string(bench.path().join("man/man1/burgeon.1")).unwrap());
}
