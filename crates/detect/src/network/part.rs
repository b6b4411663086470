//! Parts of lists, dictionaries and arrays: `x[1]`, `x[1:]`, `x[..., None]`.

use tree_sitter::Node;

use super::expression::shown;
use super::interpreter::Interpreter;
use super::value::{Data, Value};

impl<'a> Interpreter<'a> {
    pub(super) fn subscript(&mut self, node: Node<'a>, scope: usize) -> Value {
        let object = node.child_by_field_name("value");
        let object = object.map_or(Value::None, |object| self.eval(object, scope));
        let keys = crate::source::tree::role(node, "subscript");
        if let Value::Data(data) = object {
            return self.data_part(data, &keys, scope);
        }
        let [key] = keys[..] else { return Value::unknown("a part of something") };
        if key.kind() == "slice" {
            let Some(values) = self.iterated(&object) else { return self.unknown_part(&object) };
            let values = self.sliced(key, values, scope);
            return if matches!(object, Value::List(_)) {
                self.list(values)
            } else {
                self.tuple(values)
            };
        }
        let key = self.eval(key, scope);
        match (&object, &key) {
            (Value::Dict(dict), key) => {
                let Some(name) = shown(key) else { return Value::unknown("a key that is unknown") };
                let found = self.dicts[*dict].iter().find(|(known, _)| *known == name);
                found.map_or(Value::unknown("a key that is not there"), |(_, value)| value.clone())
            }
            (Value::Made(made), key) => {
                let items = &self.objects[*made].items;
                let Some(at) = key.int() else { return self.unknown_part(&object) };
                let at = if at < 0 { at + items.len() as i64 } else { at };
                let found = usize::try_from(at).ok().and_then(|at| items.get(at));
                found.cloned().unwrap_or_else(|| self.unknown_part(&object))
            }
            (Value::List(list) | Value::Tuple(list), key) => {
                let values = &self.lists[*list];
                let Some(at) = key.int() else { return Value::unknown(self.why(key)) };
                let at = if at < 0 { at + values.len() as i64 } else { at };
                let found = usize::try_from(at).ok().and_then(|at| values.get(at));
                found.map_or(Value::unknown("an element that is not there"), Value::clone)
            }
            _ => self.unknown_part(&object),
        }
    }

    fn unknown_part(&self, object: &Value) -> Value {
        Value::unknown(match object {
            Value::Unknown(why) => why.to_string(),
            _ => "a part of something that would have to be run".into(),
        })
    }

    /// Start, end and step of a slice, each `None` if it is left out, and `Some(None)` if it is unknown.
    fn bounds(&mut self, node: Node<'a>, scope: usize) -> [Option<Option<i64>>; 3] {
        let mut bounds = [None, None, None];
        let mut at = 0;
        let mut cursor = node.walk();
        let children: Vec<Node<'a>> = node.children(&mut cursor).collect();
        for child in children {
            if child.kind() == ":" {
                at += 1;
            } else if at < 3 {
                bounds[at] = Some(self.eval(child, scope).int());
            }
        }
        bounds
    }

    fn sliced(&mut self, node: Node<'a>, values: Vec<Value>, scope: usize) -> Vec<Value> {
        let [start, end, step] = self.bounds(node, scope);
        let length = values.len() as i64;
        let place = |bound: Option<Option<i64>>, default: i64| {
            let at = bound.flatten().unwrap_or(default);
            (if at < 0 { at.saturating_add(length) } else { at }).clamp(0, length) as usize
        };
        let (start, end) = (place(start, 0), place(end, length));
        match step.flatten() {
            Some(-1) => values.into_iter().rev().collect(),
            step => {
                let step = step.unwrap_or(1).max(1) as usize;
                let count = end.saturating_sub(start);
                values.into_iter().skip(start).take(count).step_by(step).collect()
            }
        }
    }

    /// A part of an array: `x[:1000]`, `x[0]`, `x[..., None]`.
    fn data_part(&mut self, data: usize, keys: &[Node<'a>], scope: usize) -> Value {
        let data = self.data[data].clone();
        let Some(shape) = data.shape.clone() else { return self.make_data(data) };
        let mut left = shape.into_iter();
        let mut new = Vec::new();
        for key in keys {
            match key.kind() {
                "slice" => {
                    let [start, end, step] = self.bounds(*key, scope);
                    let side = left.next().flatten();
                    let whole = start.is_none() && end.is_none() && step.is_none();
                    let start = start.map_or(Some(0), |start| start);
                    let end = end.map_or(side, |end| end);
                    new.push(match (start, end) {
                        _ if whole => side,
                        (Some(start), Some(end)) if start >= 0 && end >= start => {
                            Some(side.map_or(end - start, |side| (end - start).min(side)))
                        }
                        _ => None,
                    });
                }
                "ellipsis" => {
                    let rest = keys.len() - 1;
                    let count = left.len().saturating_sub(rest.saturating_sub(1));
                    new.extend(left.by_ref().take(count));
                }
                _ => match self.eval(*key, scope) {
                    Value::None => new.push(Some(1)),
                    Value::Name(name) if name.ends_with("newaxis") => new.push(Some(1)),
                    Value::Int(_) => {
                        left.next();
                    }
                    _ => new.push(left.next().and(None)),
                },
            }
        }
        new.extend(left);
        self.make_data(Data { shape: Some(new), ..data })
    }
}
