//! Servers that tests start.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// Starts `burgeon serve`, and waits until it listens. Returns its process, and its address as it says it.
pub fn listening(command: &mut Command) -> (Child, String) {
    let mut server = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.split_whitespace().last().unwrap_or_default().trim_end_matches('/');
    (server, address.to_owned())
}
