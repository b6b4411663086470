//! Operators.

use tree_sitter::Node;

use super::expression::text;
use super::interpreter::{Interpreter, LIST_MOST};
use super::value::{Args, Op, Value};
use crate::source::tree::named;

impl<'a> Interpreter<'a> {
    pub(super) fn boolean(&mut self, node: Node<'a>, scope: usize) -> Value {
        let sides = (node.child_by_field_name("left"), node.child_by_field_name("right"));
        let (Some(left), Some(right)) = sides else { return Value::None };
        let operator = node.child_by_field_name("operator");
        let is_and = operator.is_some_and(|operator| self.text(operator, scope) == "and");
        let first = self.eval(left, scope);
        match (self.truth(&first), is_and) {
            (Some(true), false) | (Some(false), true) => first,
            (Some(_), _) => self.eval(right, scope),
            (None, _) => {
                let second = self.eval(right, scope);
                match (self.truth(&second), is_and) {
                    (Some(false), true) => Value::Bool(false),
                    (Some(true), false) => Value::Bool(true),
                    _ => Value::unknown("a condition"),
                }
            }
        }
    }

    pub(super) fn comparison(&mut self, node: Node<'a>, scope: usize) -> Value {
        let parts = named(node);
        let [left, right] = parts[..] else { return Value::unknown("a chain of comparisons") };
        let mut cursor = node.walk();
        let operators: Vec<&str> = node
            .children(&mut cursor)
            .filter(|child| !child.is_named() || child.kind().contains(' '))
            .map(|child| child.kind())
            .collect();
        let operator = operators.join(" ");
        let (left, right) = (self.eval(left, scope), self.eval(right, scope));
        let unknown = || Value::unknown("a comparison of something unknown");
        let is_known = |value: &Value| {
            !matches!(value, Value::Unknown(_) | Value::Name(_) | Value::Method(..))
        };
        match operator.as_str() {
            "in" | "not in" => {
                let Some(values) = self.iterated(&right) else { return unknown() };
                if !is_known(&left) || !values.iter().all(is_known) {
                    return unknown();
                }
                Value::Bool(values.contains(&left) == (operator == "in"))
            }
            "is" | "is not" | "==" | "!=" => {
                let wants = matches!(operator.as_str(), "is" | "==");
                let same = match (&left, &right) {
                    (Value::None, other) | (other, Value::None) if is_known(other) => left == right,
                    (Value::Name(one), Value::Name(other)) if one == other => true,
                    (left, right) if !is_known(left) || !is_known(right) => return unknown(),
                    (left, right) => match (self.elements(left), self.elements(right)) {
                        (Some(left), Some(right)) => left == right,
                        _ => match (left.float(), right.float()) {
                            (Some(left), Some(right)) => left == right,
                            _ => left == right,
                        },
                    },
                };
                Value::Bool(same == wants)
            }
            "<" | ">" | "<=" | ">=" => match (left.float(), right.float()) {
                (Some(left), Some(right)) => Value::Bool(match operator.as_str() {
                    "<" => left < right,
                    ">" => left > right,
                    "<=" => left <= right,
                    _ => left >= right,
                }),
                _ => unknown(),
            },
            _ => unknown(),
        }
    }

    pub(super) fn binary(&mut self, operator: &str, left: Value, right: Value) -> Value {
        let tensors = [&left, &right].map(|side| match side {
            Value::Tensor(tensor) => Some(*tensor),
            _ => None,
        });
        match tensors {
            [Some(one), Some(other)] => {
                return self.tensor(vec![one, other], Op::Call(operator.into(), Args::default()));
            }
            [Some(one), None] | [None, Some(one)] => {
                let args = Args { at: vec![left, right], named: Vec::new() };
                return self.tensor(vec![one], Op::Call("scale".into(), args));
            }
            [None, None] => {}
        }
        if let Value::Data(data) = left {
            return Value::Data(data);
        }
        match (operator, &left, &right) {
            ("+", Value::Text(one), Value::Text(other)) => text(format!("{one}{other}")),
            ("/", Value::Text(one), Value::Text(other)) => text(format!("{one}/{other}")),
            ("%", Value::Text(_), _) => Value::unknown("a string put together"),
            ("+", Value::List(_) | Value::Tuple(_), Value::List(_) | Value::Tuple(_)) => {
                let mut whole = self.elements(&left).unwrap_or_default().to_vec();
                whole.extend_from_slice(self.elements(&right).unwrap_or_default());
                if matches!(left, Value::List(_)) { self.list(whole) } else { self.tuple(whole) }
            }
            ("*", Value::List(list) | Value::Tuple(list), times)
            | ("*", times, Value::List(list) | Value::Tuple(list)) => {
                let part = self.lists[*list].clone();
                let times = times.int().unwrap_or(0).clamp(0, LIST_MOST as i64) as usize;
                let whole: Vec<Value> = part
                    .iter()
                    .cycle()
                    .take((part.len() * times).min(LIST_MOST))
                    .cloned()
                    .collect();
                if matches!(left, Value::Tuple(_)) { self.tuple(whole) } else { self.list(whole) }
            }
            _ => arithmetic(operator, &left, &right).unwrap_or_else(|| {
                let of = [&left, &right].into_iter().find(|side| side.float().is_none());
                Value::unknown(of.map_or("a number out of range".into(), |of| self.why(of)))
            }),
        }
    }
}

fn arithmetic(operator: &str, left: &Value, right: &Value) -> Option<Value> {
    if let (Value::Int(one), Value::Int(other)) = (left, right) {
        let whole = match operator {
            "+" => one.checked_add(*other),
            "-" => one.checked_sub(*other),
            "*" => one.checked_mul(*other),
            "//" => (*other != 0).then(|| one.checked_div_euclid(*other)).flatten(),
            "%" => (*other != 0).then(|| one.checked_rem_euclid(*other)).flatten(),
            "**" => u32::try_from(*other).ok().and_then(|power| one.checked_pow(power)),
            "/" if *other != 0 => return Some(Value::Float(*one as f64 / *other as f64)),
            _ => None,
        };
        if whole.is_some() || !matches!(operator, "**") {
            return whole.map(Value::Int);
        }
    }
    let (one, other) = (left.float()?, right.float()?);
    let number = match operator {
        "+" => one + other,
        "-" => one - other,
        "*" => one * other,
        "/" => one / other,
        "//" => (one / other).floor(),
        "%" => one.rem_euclid(other),
        "**" => one.powf(other),
        _ => return None,
    };
    number.is_finite().then_some(Value::Float(number))
}
