//! Expressions.

use tree_sitter::Node;

use super::interpreter::{Interpreter, LIST_MOST};
use super::value::{Place, Scope, Value};
use crate::source::tree::{line, named};
use crate::text::one_line;

/// Longest string.
const TEXT_MOST: usize = 4_000;

impl<'a> Interpreter<'a> {
    /// An expression that stands as a statement, assignments among them.
    pub(super) fn expression(&mut self, node: Node<'a>, scope: usize) {
        match node.kind() {
            "assignment" => {
                let Some(left) = node.child_by_field_name("left") else { return };
                let Some(right) = node.child_by_field_name("right") else { return };
                let value = match right.kind() {
                    "assignment" => {
                        self.deeper((), |this| this.expression(right, scope));
                        let inner = right.child_by_field_name("left");
                        inner.map_or(Value::None, |inner| self.eval(inner, scope))
                    }
                    _ => self.eval(right, scope),
                };
                self.assign(left, value, scope);
            }
            "augmented_assignment" => {
                let sides = (node.child_by_field_name("left"), node.child_by_field_name("right"));
                let (Some(left), Some(right)) = sides else { return };
                let operator = node.child_by_field_name("operator");
                let operator = operator.map_or("", |operator| self.text(operator, scope));
                let (old, new) = (self.eval(left, scope), self.eval(right, scope));
                // A list grows in place, also where it has another name.
                if let (Value::List(list), "+=", Some(more)) = (&old, operator, self.iterated(&new))
                {
                    self.extend(*list, more);
                    return;
                }
                let value = self.binary(operator.trim_end_matches('='), old, new);
                self.assign(left, value, scope);
            }
            _ => {
                self.eval(node, scope);
            }
        }
    }

    pub(super) fn extend(&mut self, list: usize, more: Vec<Value>) {
        self.step(more.len());
        let room = LIST_MOST.saturating_sub(self.lists[list].len());
        self.lists[list].extend(more.into_iter().take(room));
    }

    pub(super) fn assign(&mut self, left: Node<'a>, value: Value, scope: usize) {
        match left.kind() {
            "identifier" => {
                let name = self.text(left, scope);
                self.bind(name, value, scope);
            }
            "attribute" => {
                let object = left.child_by_field_name("object");
                let name =
                    left.child_by_field_name("attribute").map_or("", |name| self.text(name, scope));
                let object = object.map_or(Value::None, |object| self.eval(object, scope));
                match object {
                    Value::Made(object) => self.objects[object].set(name, value),
                    Value::Class(class) => {
                        self.classes[class].names.insert(name.into(), value);
                    }
                    Value::Module(file) => {
                        let module = self.module(file);
                        self.scopes[module].names.insert(name.into(), value);
                    }
                    _ => {}
                }
            }
            "subscript" => {
                let object = left.child_by_field_name("value");
                let key = left.child_by_field_name("subscript");
                let object = object.map_or(Value::None, |object| self.eval(object, scope));
                let key = key.map_or(Value::None, |key| self.eval(key, scope));
                match (&object, &key) {
                    (Value::Dict(dict), Value::Text(key)) => {
                        let dict = &mut self.dicts[*dict];
                        match dict.iter_mut().find(|(known, _)| **known == **key) {
                            Some((_, known)) => *known = value,
                            None => dict.push((key.to_string(), value)),
                        }
                    }
                    (Value::List(list), key) => {
                        let list = &mut self.lists[*list];
                        let place = key.int().and_then(|at| usize::try_from(at).ok());
                        if let Some(slot) = place.and_then(|at| list.get_mut(at)) {
                            *slot = value;
                        }
                    }
                    _ => {}
                }
            }
            "pattern_list" | "tuple_pattern" | "list_pattern" | "tuple" | "list"
            | "expression_list" => {
                let targets = named(left);
                // `first, *others = widths`: how many of the values the starred name takes.
                let starred =
                    targets.iter().position(|target| target.kind() == "list_splat_pattern");
                let least = targets.len() - usize::from(starred.is_some());
                let values = self.iterated(&value).filter(|values| values.len() >= least);
                let taken = values.as_ref().map_or(0, |values| values.len() - least);
                for (at, target) in targets.into_iter().enumerate() {
                    let part = match &values {
                        Some(values) if starred == Some(at) => {
                            self.list(values[at..at + taken].to_vec())
                        }
                        Some(values) if starred.is_some_and(|star| star < at) => {
                            values[at - 1 + taken].clone()
                        }
                        Some(values) => values[at].clone(),
                        None => Value::unknown(match &value {
                            Value::Unknown(why) => why.to_string(),
                            other => self.why(other),
                        }),
                    };
                    self.deeper((), |this| this.assign(target, part, scope));
                }
            }
            "parenthesized_expression" | "list_splat_pattern" => {
                if let Some(inner) = named(left).first() {
                    self.deeper((), |this| this.assign(*inner, value, scope));
                }
            }
            _ => {}
        }
    }

    /// What an expression stands for.
    pub(super) fn eval(&mut self, node: Node<'a>, scope: usize) -> Value {
        let file = self.scopes[scope].file;
        let before = std::mem::replace(&mut self.at, Place { file, line: line(node) });
        let too_deep = Value::unknown("it is nested too deeply, or the program is too long");
        let value = self.deeper(too_deep, |this| this.evaluated(node, scope));
        self.at = before;
        value
    }

    fn evaluated(&mut self, node: Node<'a>, scope: usize) -> Value {
        match node.kind() {
            "integer" => integer(self.text(node, scope)),
            "float" => {
                let text = self.text(node, scope).replace('_', "");
                text.parse().map_or(Value::unknown("a number of a strange form"), Value::Float)
            }
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            "none" => Value::None,
            "string" => self.string(node, scope),
            "concatenated_string" => {
                let parts = named(node).into_iter().map(|part| self.eval(part, scope));
                let parts: Vec<Value> = parts.collect();
                let texts: Option<Vec<&str>> = parts
                    .iter()
                    .map(|part| match part {
                        Value::Text(text) => Some(text.as_ref()),
                        _ => None,
                    })
                    .collect();
                texts.map_or(Value::unknown("a string put together"), |texts| text(texts.concat()))
            }
            "identifier" => {
                let name = self.text(node, scope);
                self.name(name, scope)
            }
            "attribute" => {
                let object = node.child_by_field_name("object");
                let Some(name) = node.child_by_field_name("attribute") else { return Value::None };
                let name = self.text(name, scope);
                let object = object.map_or(Value::None, |object| self.eval(object, scope));
                self.attribute(&object, name)
            }
            "call" => self.call_node(node, scope),
            "list" | "set" => {
                let values = self.sequence(node, scope);
                self.list(values)
            }
            "tuple" | "expression_list" | "pattern_list" => {
                let values = self.sequence(node, scope);
                self.tuple(values)
            }
            "dictionary" => self.dictionary(node, scope),
            "parenthesized_expression" | "await" | "type" => {
                let inner = named(node).first().copied();
                inner.map_or(Value::None, |inner| self.eval(inner, scope))
            }
            "unary_operator" => {
                let argument = node.child_by_field_name("argument");
                let value = argument.map_or(Value::None, |node| self.eval(node, scope));
                let operator = node.child_by_field_name("operator");
                match (operator.map_or("", |node| self.text(node, scope)), &value) {
                    ("-", Value::Int(number)) => number
                        .checked_neg()
                        .map_or(Value::unknown("a number too large"), Value::Int),
                    ("-", Value::Float(number)) => Value::Float(-number),
                    ("+", _) => value,
                    _ => Value::unknown("a sign before something that is no number"),
                }
            }
            "not_operator" => {
                let argument = node.child_by_field_name("argument");
                let value = argument.map_or(Value::None, |node| self.eval(node, scope));
                let truth = self.truth(&value);
                truth.map_or(Value::unknown("a condition"), |truth| Value::Bool(!truth))
            }
            "boolean_operator" => self.boolean(node, scope),
            "comparison_operator" => self.comparison(node, scope),
            "binary_operator" => {
                let sides = (node.child_by_field_name("left"), node.child_by_field_name("right"));
                let (Some(left), Some(right)) = sides else { return Value::None };
                let operator = node.child_by_field_name("operator");
                let operator = operator.map_or("", |operator| self.text(operator, scope));
                let (left, right) = (self.eval(left, scope), self.eval(right, scope));
                self.binary(operator, left, right)
            }
            "conditional_expression" => {
                let parts = named(node);
                let [then, condition, other] = parts[..] else { return Value::None };
                let condition = self.eval(condition, scope);
                match self.truth(&condition) {
                    Some(false) => self.eval(other, scope),
                    _ => self.eval(then, scope),
                }
            }
            "subscript" => self.subscript(node, scope),
            "lambda" => self.function_value(node, scope, &[]),
            "named_expression" => {
                let sides = (node.child_by_field_name("name"), node.child_by_field_name("value"));
                let (Some(name), Some(value)) = sides else { return Value::None };
                let value = self.eval(value, scope);
                self.assign(name, value.clone(), scope);
                value
            }
            "list_comprehension" | "generator_expression" | "set_comprehension" => {
                self.comprehension(node, scope)
            }
            "ERROR" => Value::unknown("it cannot be parsed"),
            _ => {
                let saw = one_line(self.text(node, scope), 60);
                Value::unknown(format!("`{saw}` would have to be run"))
            }
        }
    }

    fn sequence(&mut self, node: Node<'a>, scope: usize) -> Vec<Value> {
        let mut values = Vec::new();
        for part in named(node).into_iter().take(LIST_MOST) {
            if part.kind() == "list_splat" {
                let inner = named(part).first().map(|inner| self.eval(*inner, scope));
                values.extend(inner.and_then(|inner| self.iterated(&inner)).unwrap_or_default());
            } else {
                values.push(self.eval(part, scope));
            }
        }
        values
    }

    fn dictionary(&mut self, node: Node<'a>, scope: usize) -> Value {
        let mut pairs = Vec::new();
        for pair in named(node) {
            match pair.kind() {
                "pair" => {
                    let sides =
                        (pair.child_by_field_name("key"), pair.child_by_field_name("value"));
                    let (Some(key), Some(value)) = sides else { continue };
                    let key = self.eval(key, scope);
                    let value = self.eval(value, scope);
                    match key {
                        Value::Text(key) => pairs.push((key.to_string(), value)),
                        Value::Int(key) => pairs.push((key.to_string(), value)),
                        _ => {}
                    }
                }
                "dictionary_splat" => {
                    let inner = named(pair).first().map(|inner| self.eval(*inner, scope));
                    if let Some(Value::Dict(dict)) = inner {
                        pairs.extend(self.dicts[dict].clone());
                    }
                }
                _ => {}
            }
        }
        self.dict(pairs)
    }

    fn string(&mut self, node: Node<'a>, scope: usize) -> Value {
        let mut whole = String::new();
        for part in named(node) {
            match part.kind() {
                "string_content" => whole += self.text(part, scope),
                "interpolation" => {
                    let inner = part.child_by_field_name("expression");
                    let value = inner.map_or(Value::None, |inner| self.eval(inner, scope));
                    match shown(&value) {
                        Some(text) => whole += &text,
                        None => return Value::unknown("a string with something unknown in it"),
                    }
                }
                _ => {}
            }
            if whole.len() > TEXT_MOST {
                return Value::unknown("a long string");
            }
        }
        Value::text(whole)
    }

    fn comprehension(&mut self, node: Node<'a>, scope: usize) -> Value {
        let Some(body) = node.child_by_field_name("body") else { return Value::None };
        let clauses: Vec<Node<'a>> =
            named(node).into_iter().filter(|part| part.kind().ends_with("_clause")).collect();
        let [first, rest @ ..] = &clauses[..] else { return Value::None };
        let sides = (first.child_by_field_name("left"), first.child_by_field_name("right"));
        let (Some(left), Some(right)) = sides else { return Value::None };
        if rest.iter().any(|clause| clause.kind() == "for_in_clause") {
            return Value::unknown("a comprehension over several loops");
        }
        let over = self.eval(right, scope);
        let Some(values) = self.iterated(&over) else { return Value::unknown(self.why(&over)) };
        let file = self.scopes[scope].file;
        let inner = self.scope(Scope { around: Some(scope), file, ..Scope::default() });
        let mut found = Vec::new();
        for value in values.into_iter().take(LIST_MOST) {
            self.assign(left, value, inner);
            let kept = rest.iter().all(|clause| {
                let condition = named(*clause).first().copied();
                let value = condition.map_or(Value::None, |node| self.eval(node, inner));
                self.truth(&value) != Some(false)
            });
            if kept {
                found.push(self.eval(body, inner));
            }
            if !self.step(1) {
                break;
            }
        }
        self.list(found)
    }

    /// Whether a value counts as true.
    pub(super) fn truth(&self, value: &Value) -> Option<bool> {
        match value {
            Value::List(list) | Value::Tuple(list) => Some(!self.lists[*list].is_empty()),
            Value::Dict(dict) => Some(!self.dicts[*dict].is_empty()),
            other => other.truth(),
        }
    }

    /// The elements that a loop over a value goes through.
    pub(super) fn iterated(&mut self, value: &Value) -> Option<Vec<Value>> {
        let values = match value {
            Value::List(list) | Value::Tuple(list) => self.lists[*list].clone(),
            Value::Dict(dict) => {
                self.dicts[*dict].iter().map(|(key, _)| Value::text(key)).collect()
            }
            Value::Made(made) if !self.objects[*made].items.is_empty() => {
                self.objects[*made].items.clone()
            }
            Value::Text(text) if text.len() <= 100 => {
                text.chars().map(|letter| Value::text(letter.to_string())).collect()
            }
            _ => return None,
        };
        self.step(values.len());
        Some(values)
    }
}

fn integer(text: &str) -> Value {
    let plain = text.replace('_', "").to_lowercase();
    let plain = plain.trim_end_matches('l');
    let parsed = match plain.get(..2) {
        Some("0x") => i64::from_str_radix(&plain[2..], 16),
        Some("0o") => i64::from_str_radix(&plain[2..], 8),
        Some("0b") => i64::from_str_radix(&plain[2..], 2),
        _ => plain.parse(),
    };
    parsed.map_or(Value::unknown("a number too large"), Value::Int)
}

pub(super) fn text(text: String) -> Value {
    if text.len() > TEXT_MOST { Value::unknown("a long string") } else { Value::text(text) }
}

/// A value as a string would show it.
pub(super) fn shown(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.to_string()),
        Value::Int(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        _ => None,
    }
}
