//! `burgeon completions`: scripts by which shells ask burgeon itself how to complete a line.
//!
//! A shell calls `BURGEON_COMPLETE=bash burgeon -- WORDS…`, which answers with candidates, so that runs and studies
//! are completed to those that are there.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;

use clap::{Command, CommandFactory};
use clap_complete::env::{Bash, Elvish, EnvCompleter, Fish, Powershell, Shells, Zsh};
use clap_complete::{CompleteEnv, Shell};

use super::args::Arguments;
use super::error::CliError;

/// Names the shell that asks for candidates.
const VARIABLE: &str = "BURGEON_COMPLETE";

/// Answers a shell and ends the process, if it was a shell that started it. Nothing may be printed before.
pub fn answer_shell() {
    const SHELLS: Shells = Shells(&[&QuotingBash, &Elvish, &Fish, &Powershell, &Zsh]);
    CompleteEnv::with_factory(Arguments::command).var(VARIABLE).shells(SHELLS).complete();
}

/// The script for a shell.
///
/// # Errors
///
/// None that can be thought of: it is written into memory.
pub fn script(shell: Shell) -> Result<Vec<u8>, CliError> {
    let shell: &dyn EnvCompleter = match shell {
        Shell::Elvish => &Elvish,
        Shell::Fish => &Fish,
        Shell::PowerShell => &Powershell,
        Shell::Zsh => &Zsh,
        _ => &QuotingBash,
    };
    let mut script = Vec::new();
    let written = shell.write_registration(VARIABLE, "burgeon", "burgeon", "burgeon", &mut script);
    written.map_err(CliError::Output)?;
    Ok(script)
}

/// Bash, with a script that has readline quote what it inserts: names of files may hold blanks, and worse.
struct QuotingBash;

const BASH: &str = r#"_burgeon() {
    local IFS=$'\013' word kept=()
    local words=("${COMP_WORDS[@]}")
    # The word up to the cursor.
    words[COMP_CWORD]="$2"
    # Read, not expanded: a name may look like a pattern.
    IFS=$'\013' read -r -d '' -a COMPREPLY < <(
        _CLAP_IFS=$'\013' _CLAP_COMPLETE_INDEX="$COMP_CWORD" _CLAP_COMPLETE_COMP_TYPE="$COMP_TYPE" \
            _CLAP_COMPLETE_SPACE=false VARIABLE=bash PROGRAM -- "${words[@]}" 2>/dev/null && printf '\0'
    )
    # Options only for a dash: there are more of them than runs.
    for word in "${COMPREPLY[@]}"; do
        [[ $word == -* && $2 != -* ]] || kept+=("$word")
    done
    COMPREPLY=("${kept[@]}")
    compopt +o nospace 2>/dev/null
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[=:/] ]]; then
        compopt -o nospace 2>/dev/null
    fi
    for word in "${COMPREPLY[@]}"; do
        if [[ $word == *[^[:alnum:]_.,:=@%+-]* ]]; then
            # readline appends the slash of a folder itself.
            COMPREPLY=("${COMPREPLY[@]%/}")
            compopt -o filenames 2>/dev/null
            break
        fi
    done
}
complete -o nosort -F _burgeon burgeon 2>/dev/null || complete -F _burgeon burgeon
"#;

impl EnvCompleter for QuotingBash {
    fn name(&self) -> &'static str {
        Bash.name()
    }

    fn is(&self, name: &str) -> bool {
        Bash.is(name)
    }

    fn write_registration(
        &self,
        var: &str,
        _name: &str,
        _bin: &str,
        completer: &str,
        buf: &mut dyn Write,
    ) -> io::Result<()> {
        let quoted = format!("'{}'", completer.replace('\'', r"'\''"));
        buf.write_all(BASH.replace("VARIABLE", var).replace("PROGRAM", &quoted).as_bytes())
    }

    fn write_complete(
        &self,
        cmd: &mut Command,
        args: Vec<OsString>,
        current_dir: Option<&Path>,
        buf: &mut dyn Write,
    ) -> io::Result<()> {
        Bash.write_complete(cmd, args, current_dir, buf)
    }
}
