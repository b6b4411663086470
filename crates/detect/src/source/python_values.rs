//! Values in Python source that can be told without running it: strings, joined paths, defaults of options.

use tree_sitter::Node;

use super::facts::Value;
use super::names::{Bound, Names};
use super::tree::{named, text};
use crate::text::one_line;

/// Deeper expressions are not looked into.
const DEPTH: usize = 12;
/// Longer strings are no names of files or data.
const TEXT_MOST: usize = 400;

/// Objects that hold the options of a command line, by the names that they are usually given.
const OPTIONS: [&str; 16] = [
    "args",
    "arg",
    "opt",
    "opts",
    "options",
    "FLAGS",
    "flags",
    "config",
    "cfg",
    "conf",
    "hparams",
    "params",
    "parser",
    "arguments",
    "a",
    "self",
];

/// The string that an expression stands for.
pub fn constant(node: Node, names: &Names, source: &str) -> Option<String> {
    fold(node, names, source, 0).filter(|text| text.len() <= TEXT_MOST)
}

fn fold(node: Node, names: &Names, source: &str, depth: usize) -> Option<String> {
    if depth > DEPTH {
        return None;
    }
    let below = |node: Node| fold(node, names, source, depth + 1);
    match node.kind() {
        "string" => string(node, names, source, depth),
        "concatenated_string" => named(node).into_iter().map(below).collect(),
        "parenthesized_expression" => below(named(node).first().copied()?),
        "identifier" => match names.get(text(node, source))? {
            Bound::Text(text) => Some(text.clone()),
            _ => None,
        },
        "binary_operator" => {
            let left = below(node.child_by_field_name("left")?)?;
            let right = below(node.child_by_field_name("right")?)?;
            match text(node.child_by_field_name("operator")?, source) {
                "+" => Some(left + &right),
                "/" => Some(join(&left, &right)),
                _ => None,
            }
        }
        "attribute" => option(node, names, source),
        "call" => {
            let function = node.child_by_field_name("function")?;
            let path = names.path(function, source).unwrap_or_default();
            let arguments = named(node.child_by_field_name("arguments")?);
            match path.as_str() {
                "os.path.join" => {
                    let parts: Option<Vec<String>> = arguments.into_iter().map(below).collect();
                    parts?.into_iter().reduce(|left, right| join(&left, &right))
                }
                "pathlib.Path" | "os.path.abspath" | "os.path.expanduser" => {
                    below(arguments.first().copied()?)
                }
                _ => None,
            }
        }
        _ => None,
    }
}

fn join(left: &str, right: &str) -> String {
    if left.is_empty() || right.starts_with('/') {
        right.to_owned()
    } else {
        format!("{}/{right}", left.trim_end_matches('/'))
    }
}

fn string(node: Node, names: &Names, source: &str, depth: usize) -> Option<String> {
    let mut whole = String::new();
    for part in named(node) {
        match part.kind() {
            "string_content" => whole += text(part, source),
            "interpolation" => {
                let inner = named(part).first().copied()?;
                whole += &fold(inner, names, source, depth + 1)?;
            }
            _ => {}
        }
    }
    Some(whole)
}

/// `args.data_dir`, where the program says a default for `--data-dir`.
fn option(node: Node, names: &Names, source: &str) -> Option<String> {
    let object = node.child_by_field_name("object")?;
    let holder = text(object, source).rsplit('.').next().unwrap_or_default();
    let attribute = text(node.child_by_field_name("attribute")?, source);
    let known = OPTIONS.contains(&holder) && object.kind() != "call";
    known.then(|| names.options.get(attribute).cloned()).flatten()
}

/// An argument's value, as far as it can be told.
pub fn value(node: Node, names: &Names, source: &str) -> Value {
    let unknown = || Value::Unknown(one_line(text(node, source), 60));
    match node.kind() {
        "integer" | "float" | "true" | "false" | "none" | "unary_operator" => {
            Value::Literal(one_line(text(node, source), 40))
        }
        "conditional_expression" => {
            // value, condition, other value
            let parts = named(node);
            let texts = parts.iter().step_by(2).filter_map(|part| constant(*part, names, source));
            Value::OneOf(texts.collect())
        }
        "list" | "tuple" => {
            let texts: Option<Vec<String>> = named(node)
                .into_iter()
                .take(20)
                .map(|part| constant(part, names, source))
                .collect();
            texts.map_or_else(unknown, Value::OneOf)
        }
        "call" => {
            if let Some(text) = constant(node, names, source) {
                return Value::Text(text);
            }
            let function = node.child_by_field_name("function");
            let path = function.and_then(|function| names.path(function, source));
            path.map_or_else(unknown, Value::CallOf)
        }
        "identifier" => match (names.get(text(node, source)), constant(node, names, source)) {
            (_, Some(text)) => Value::Text(text),
            (Some(Bound::Made(path)), _) => Value::CallOf(path.clone()),
            (Some(Bound::Path(path)), _) => Value::Name(path.clone()),
            _ => unknown(),
        },
        _ => match constant(node, names, source) {
            Some(text) => Value::Text(text),
            None => names.path(node, source).map_or_else(unknown, Value::Name),
        },
    }
}
