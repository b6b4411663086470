//! Keeping the calls that say something, in bounds.

use tree_sitter::Node;

use super::facts::{Arg, Call, Facts};
use super::tree::{line, text};
use crate::limits::Limits;
use crate::meaning::tells;
use crate::text::one_line;

/// A call at the top of a file, outside loops, on no value that is known.
pub fn plain(path: String, args: Vec<Arg>, node: Node, source: &str) -> Call {
    let saw = one_line(text(node, source), 100);
    Call { path, on: None, args, line: line(node), scope: 0, in_loop: false, saw }
}

/// Keeps a call if it says something, as long as there are not too many of those.
pub fn keep(call: Call, limits: &Limits, facts: &mut Facts) {
    if !tells(&call) {
        return;
    }
    if facts.calls.len() < limits.calls {
        facts.calls.push(call);
    } else {
        facts.cut.get_or_insert_with(|| format!("calls after the first {}", limits.calls));
    }
}
