//! Syntax trees by tree-sitter, within bounds: the parser stops after so many of its own steps, and trees are
//! walked without recursion.

use std::ops::ControlFlow;

use tree_sitter::{Language, Node, ParseOptions, ParseState, Parser, Tree};

use crate::limits::{Limits, PARSE_STEPS_LEAST};

/// Parses a text; `None` where that takes too many steps. A text that is wrong somewhere has a tree all the
/// same, with the parts in it that could be made out.
pub fn parse(text: &str, language: &Language, limits: &Limits) -> Option<Tree> {
    let mut parser = Parser::new();
    parser.set_language(language).ok()?;
    let most = PARSE_STEPS_LEAST + text.len() / 1024 * limits.parse_steps_per_kib;
    let mut steps = 0_usize;
    let mut count = |_: &ParseState| {
        steps += 1;
        if steps > most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let bytes = text.as_bytes();
    let options = ParseOptions::new().progress_callback(&mut count);
    parser.parse_with_options(&mut |at, _| bytes.get(at..).unwrap_or_default(), None, Some(options))
}

/// Where a text first is not what its language allows.
pub fn first_error(tree: &Tree) -> Option<Node<'_>> {
    let mut first = None;
    if tree.root_node().has_error() {
        walk(tree.root_node(), (), |node, ()| {
            if first.is_none() && (node.is_error() || node.is_missing()) {
                first = Some(node);
            }
            (first.is_none() && node.has_error()).then_some(())
        });
    }
    first
}

/// The line of a node, counted from 1.
pub fn line(node: Node) -> u32 {
    u32::try_from(node.start_position().row).unwrap_or(u32::MAX).saturating_add(1)
}

/// The text of a node.
pub fn text<'a>(node: Node, source: &'a str) -> &'a str {
    source.get(node.byte_range()).unwrap_or_default()
}

/// The children of a node that the grammar names.
pub fn named<'tree>(node: Node<'tree>) -> Vec<Node<'tree>> {
    let mut cursor = node.walk();
    node.named_children(&mut cursor).filter(|child| !child.is_extra()).collect()
}

/// All children of a node that the grammar gives this role.
pub fn role<'tree>(node: Node<'tree>, field: &str) -> Vec<Node<'tree>> {
    let mut cursor = node.walk();
    node.children_by_field_name(field, &mut cursor).collect()
}

/// Walks a tree in the order of its text, without recursion. `visit` gets each node with the context of its
/// parent, and answers the context of its children, or `None` to pass them over.
pub fn walk<'tree, C: Copy>(
    root: Node<'tree>,
    context: C,
    mut visit: impl FnMut(Node<'tree>, C) -> Option<C>,
) {
    let mut open = vec![(root, context)];
    while let Some((node, context)) = open.pop() {
        if let Some(below) = visit(node, context) {
            let start = open.len();
            let mut cursor = node.walk();
            open.extend(node.children(&mut cursor).map(|child| (child, below)));
            open[start..].reverse();
        }
    }
}
