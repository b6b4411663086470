//! The `burgeon` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    burgeon::unstable::cli::main()
}
