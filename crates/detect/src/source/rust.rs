//! Rust source that uses burn → [`Facts`].

use std::collections::BTreeMap;

use tree_sitter::Node;

use super::calls::{keep, plain};
use super::facts::{Arg, Facts, Scope, Value};
use super::tree::{self, line, named, text, walk};
use crate::limits::Limits;
use crate::text::one_line;

/// Reads Rust source.
///
/// # Errors
///
/// Says in words why the file cannot be read.
pub fn read(source: &str, limits: &Limits) -> Result<Facts, String> {
    let language = tree_sitter_rust::LANGUAGE.into();
    let tree = tree::parse(source, &language, limits)
        .ok_or("parsing it takes too many steps, as text does that is nested strangely")?;
    let root = tree.root_node();
    let mut names = BTreeMap::new();
    let mut stars = Vec::new();
    walk(root, (), |node, ()| {
        if node.kind() == "use_declaration" {
            if let Some(argument) = node.child_by_field_name("argument") {
                uses(argument, "", source, &mut names, &mut stars, 0);
            }
            return None;
        }
        Some(())
    });
    let mut facts = Facts::default();
    facts.scopes.push(Scope::default());
    let is_burn = names.values().any(|path: &String| is_burn_path(path))
        || stars.iter().any(|star| is_burn_path(star));
    walk(root, (), |node, ()| {
        match node.kind() {
            "use_declaration" | "line_comment" | "block_comment" | "macro_definition" => {
                return None;
            }
            "function_item" => {
                let name = node.child_by_field_name("name").map_or("", |name| text(name, source));
                if name == "main" {
                    facts.main_guard.get_or_insert(line(node));
                }
            }
            "call_expression" => {
                let function = node.child_by_field_name("function");
                let args = node.child_by_field_name("arguments").map(named).unwrap_or_default();
                let args = args.into_iter().take(20).map(|arg| argument(arg, source)).collect();
                if let Some(path) =
                    function.and_then(|it| path(it, &names, &stars, is_burn, source))
                {
                    keep(plain(path, args, node, source), limits, &mut facts);
                }
            }
            // A backend is a type and never called: `type Backend = Autodiff<Wgpu>`.
            "type_identifier" => {
                let name = text(node, source);
                if let Some(path) = names.get(name).filter(|path| is_burn_path(path)) {
                    keep(
                        plain(format!("rust:{path}"), Vec::new(), node, source),
                        limits,
                        &mut facts,
                    );
                }
            }
            _ => {}
        }
        Some(())
    });
    Ok(facts)
}

fn is_burn_path(path: &str) -> bool {
    path == "burn" || path.starts_with("burn::") || path.starts_with("burn_")
}

fn argument(node: Node, source: &str) -> Arg {
    let written = text(node, source);
    let value = match node.kind() {
        "string_literal" => Value::Text(written.trim_matches('"').to_owned()),
        _ => Value::Unknown(one_line(written, 60)),
    };
    Arg { name: None, value }
}

/// Deeper lists of imports are not followed.
const DEPTH: usize = 12;

fn uses(
    node: Node,
    above: &str,
    source: &str,
    names: &mut BTreeMap<String, String>,
    stars: &mut Vec<String>,
    depth: usize,
) {
    if depth > DEPTH {
        return;
    }
    let below = |part: &str| match above {
        "" => part.to_owned(),
        above => format!("{above}::{part}"),
    };
    let part = |field| node.child_by_field_name(field).map_or("", |node| text(node, source));
    match node.kind() {
        "scoped_use_list" => {
            let path = below(part("path"));
            for item in node.child_by_field_name("list").map(named).unwrap_or_default() {
                uses(item, &path, source, names, stars, depth + 1);
            }
        }
        "use_list" => {
            for item in named(node) {
                uses(item, above, source, names, stars, depth + 1);
            }
        }
        "use_as_clause" => {
            names.insert(part("alias").to_owned(), below(part("path")));
        }
        "use_wildcard" => {
            let path = text(node, source).trim_end_matches('*').trim_end_matches("::");
            stars.push(below(path));
        }
        "self" => {
            let name = above.rsplit("::").next().unwrap_or(above);
            names.insert(name.to_owned(), above.to_owned());
        }
        _ => {
            let path = below(text(node, source));
            let name = path.rsplit("::").next().unwrap_or(&path).to_owned();
            names.insert(name, path);
        }
    }
}

/// The full path of what is called: `rust:burn::nn::LinearConfig::new`.
fn path(
    function: Node,
    names: &BTreeMap<String, String>,
    stars: &[String],
    is_burn: bool,
    source: &str,
) -> Option<String> {
    let function = match function.kind() {
        "generic_function" => function.child_by_field_name("function")?,
        _ => function,
    };
    if function.kind() != "scoped_identifier" {
        return None;
    }
    let written = text(function, source);
    // `Name::<B>::new` and `Name<B>::new` are `Name::new`.
    let mut depth = 0_usize;
    let mut plain = String::new();
    for character in written.chars() {
        match character {
            '<' => depth += 1,
            '>' => depth = depth.saturating_sub(1),
            _ if depth == 0 && !character.is_whitespace() => plain.push(character),
            _ => {}
        }
    }
    let plain = plain.replace("::::", "::");
    let (first, rest) = plain.split_once("::")?;
    let full = match names.get(first) {
        Some(path) => format!("{path}::{rest}"),
        None if first == "burn" => plain.clone(),
        // `use burn::prelude::*` brings names that are not written out.
        None if is_burn
            && !stars.is_empty()
            && first.starts_with(|c: char| c.is_ascii_uppercase()) =>
        {
            format!("burn::{plain}")
        }
        None => return None,
    };
    is_burn_path(&full).then(|| format!("rust:{full}"))
}
