//! The `burgeon` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    burgeon::cli::main()
}
