//! Statements.

use tree_sitter::Node;

use super::interpreter::Interpreter;
use super::value::{Class, Function, Made, Place, Scope, Value};
use crate::source::names::canonical;
use crate::source::tree::{line, named, role};

/// Rounds of a loop that are followed.
const ROUNDS_MOST: usize = 2_000;

/// How a statement ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Flow {
    Next,
    Break,
    Continue,
    Return(Value),
}

impl<'a> Interpreter<'a> {
    /// The statements of a block, after another.
    pub(super) fn block(&mut self, node: Node<'a>, scope: usize) -> Flow {
        for statement in named(node) {
            let flow = self.deeper(Flow::Next, |this| this.statement(statement, scope));
            if flow != Flow::Next {
                return flow;
            }
            if self.is_spent() {
                break;
            }
        }
        Flow::Next
    }

    fn statement(&mut self, node: Node<'a>, scope: usize) -> Flow {
        let file = self.scopes[scope].file;
        self.at = Place { file, line: line(node) };
        match node.kind() {
            "expression_statement" => {
                for part in named(node) {
                    self.expression(part, scope);
                }
            }
            "return_statement" => {
                let value = named(node).first().copied();
                let value = value.map_or(Value::None, |value| self.eval(value, scope));
                return Flow::Return(value);
            }
            "raise_statement" => {
                return Flow::Return(Value::unknown("the program raises an error"));
            }
            "break_statement" => return Flow::Break,
            "continue_statement" => return Flow::Continue,
            "if_statement" => return self.branch(node, scope),
            "for_statement" => return self.for_loop(node, scope),
            "while_statement" => return self.while_loop(node, scope),
            "with_statement" => {
                for item in named(node) {
                    match item.kind() {
                        "with_clause" => self.with_items(item, scope),
                        "block" => return self.block(item, scope),
                        _ => {}
                    }
                }
            }
            "try_statement" => {
                let mut flow = Flow::Next;
                for part in named(node) {
                    match part.kind() {
                        "block" => flow = self.block(part, scope),
                        "else_clause" | "finally_clause" if flow == Flow::Next => {
                            flow = self.inner_block(part, scope);
                        }
                        _ => {}
                    }
                }
                return flow;
            }
            "function_definition" => self.function(node, scope, &[]),
            "class_definition" => self.class(node, scope),
            "decorated_definition" => {
                let marks: Vec<&str> = named(node)
                    .into_iter()
                    .filter(|part| part.kind() == "decorator")
                    .map(|part| self.text(part, scope).trim_start_matches('@').trim())
                    .collect();
                match node.child_by_field_name("definition") {
                    Some(inner) if inner.kind() == "class_definition" => self.class(inner, scope),
                    Some(inner) => self.function(inner, scope, &marks),
                    None => {}
                }
            }
            "import_statement" => self.import(node, scope),
            "import_from_statement" => self.import_from(node, scope),
            "global_statement" | "nonlocal_statement" => {
                for name in named(node) {
                    let name = self.text(name, scope).to_owned();
                    self.scopes[scope].global.push(name);
                }
            }
            "ERROR" => {
                let saw = self.text(node, scope);
                self.say(saw, "this part is no Python that can be parsed; it was passed over");
            }
            "block" => return self.block(node, scope),
            _ => {}
        }
        Flow::Next
    }

    fn inner_block(&mut self, node: Node<'a>, scope: usize) -> Flow {
        let block = named(node).into_iter().find(|part| part.kind() == "block");
        block.map_or(Flow::Next, |block| self.block(block, scope))
    }

    fn with_items(&mut self, node: Node<'a>, scope: usize) {
        for item in named(node) {
            let value = item.child_by_field_name("value").unwrap_or(item);
            if value.kind() == "as_pattern" {
                let parts = named(value);
                let made = parts.first().map(|part| self.eval(*part, scope));
                let target =
                    value.child_by_field_name("alias").and_then(|at| named(at).first().copied());
                if let (Some(made), Some(target)) = (made, target) {
                    self.assign(target, made, scope);
                }
            } else {
                self.eval(value, scope);
            }
        }
    }

    fn branch(&mut self, node: Node<'a>, scope: usize) -> Flow {
        let Some(condition) = node.child_by_field_name("condition") else { return Flow::Next };
        let Some(then) = node.child_by_field_name("consequence") else { return Flow::Next };
        let others = role(node, "alternative");
        let value = self.eval(condition, scope);
        match self.truth(&value) {
            Some(true) => return self.block(then, scope),
            Some(false) => {}
            None => {
                let before = (self.objects.len(), self.tensors.len());
                let place = self.at;
                let flow = self.block(then, scope);
                let decides = if others.is_empty() {
                    self.objects[before.0..].iter().any(is_layer)
                } else {
                    (self.objects.len(), self.tensors.len()) != before
                };
                if decides {
                    let saw = self.text(condition, scope);
                    let now = std::mem::replace(&mut self.at, place);
                    self.say(
                        format!("if {saw}"),
                        "it cannot be told without running the program; it was taken as true",
                    );
                    self.at = now;
                }
                // What only leaves early when something unknown is the case is not taken.
                return match flow {
                    Flow::Return(Value::Unknown(_) | Value::None)
                    | Flow::Break
                    | Flow::Continue
                        if others.is_empty() =>
                    {
                        Flow::Next
                    }
                    flow => flow,
                };
            }
        }
        for other in others {
            match other.kind() {
                "elif_clause" => {
                    let condition = other.child_by_field_name("condition");
                    let value = condition.map_or(Value::None, |node| self.eval(node, scope));
                    if self.truth(&value) != Some(false) {
                        let then = other.child_by_field_name("consequence");
                        return then.map_or(Flow::Next, |then| self.block(then, scope));
                    }
                }
                _ => return self.inner_block(other, scope),
            }
        }
        Flow::Next
    }

    fn for_loop(&mut self, node: Node<'a>, scope: usize) -> Flow {
        let sides = (node.child_by_field_name("left"), node.child_by_field_name("right"));
        let (Some(left), Some(right)) = sides else { return Flow::Next };
        let Some(body) = node.child_by_field_name("body") else { return Flow::Next };
        let over = self.eval(right, scope);
        let place = self.at;
        let values = self.iterated(&over);
        let trains = self.is_training_loop(left, body, scope);
        let rounds: Vec<Value> = match values {
            Some(values) if trains => {
                let stride = match values[..] {
                    [Value::Int(first), Value::Int(second), ..] => second.saturating_sub(first),
                    _ => 1,
                };
                let is_over_batches = stride > 1 && !self.names_epochs(left, scope);
                // Where each batch begins, all of which are one epoch: `range(0, len(x), 32)`.
                let count = if is_over_batches { 1 } else { values.len() as i64 };
                // A loop over epochs around one over batches: the outer one counts.
                if count > 0 && self.epochs.is_none() {
                    self.epochs = Some((count, place));
                }
                if is_over_batches {
                    self.batch.get_or_insert((stride, place));
                }
                values.into_iter().take(1).collect()
            }
            Some(values) => values,
            None => vec![Value::unknown(self.why(&over))],
        };
        for value in rounds.into_iter().take(ROUNDS_MOST) {
            self.assign(left, value, scope);
            match self.block(body, scope) {
                Flow::Break => break,
                Flow::Return(value) => return Flow::Return(value),
                Flow::Next | Flow::Continue => {}
            }
            if !self.step(1) {
                break;
            }
        }
        Flow::Next
    }

    /// Whether a loop is that over epochs: by its variable, or as it takes gradients.
    fn is_training_loop(&self, left: Node<'a>, body: Node<'a>, scope: usize) -> bool {
        let body = self.text(body, scope);
        if body.contains(".fit(") {
            return false;
        }
        self.names_epochs(left, scope)
            || ((body.contains(".backward(") || body.contains("train("))
                && !self.text(left, scope).contains(','))
    }

    fn names_epochs(&self, left: Node<'a>, scope: usize) -> bool {
        self.text(left, scope).to_lowercase().contains("epoch")
    }

    fn while_loop(&mut self, node: Node<'a>, scope: usize) -> Flow {
        let Some(condition) = node.child_by_field_name("condition") else { return Flow::Next };
        let Some(body) = node.child_by_field_name("body") else { return Flow::Next };
        for _ in 0..ROUNDS_MOST {
            let value = self.eval(condition, scope);
            let truth = self.truth(&value);
            if truth == Some(false) || !self.step(1) {
                break;
            }
            match self.block(body, scope) {
                Flow::Break => break,
                Flow::Return(value) => return Flow::Return(value),
                Flow::Next | Flow::Continue => {}
            }
            if truth.is_none() {
                break;
            }
        }
        Flow::Next
    }

    pub(super) fn function_value(&mut self, node: Node<'a>, scope: usize, marks: &[&str]) -> Value {
        let class = None;
        self.functions.push(Function {
            node,
            file: self.scopes[scope].file,
            scope,
            class,
            is_static: marks.contains(&"staticmethod"),
            is_property: marks.iter().any(|mark| mark.ends_with("property")),
        });
        Value::Function(self.functions.len() - 1)
    }

    fn function(&mut self, node: Node<'a>, scope: usize, marks: &[&str]) {
        let Some(name) = node.child_by_field_name("name") else { return };
        let name = self.text(name, scope);
        let function = self.function_value(node, scope, marks);
        self.bind(name, function, scope);
    }

    fn class(&mut self, node: Node<'a>, scope: usize) {
        let name = node.child_by_field_name("name").map_or("", |name| self.text(name, scope));
        let bases = node.child_by_field_name("superclasses").map(named).unwrap_or_default();
        let bases = bases.into_iter().filter(|base| base.kind() != "keyword_argument");
        let bases: Vec<Value> = bases.map(|base| self.eval(base, scope)).collect();
        let inner = self.scope(Scope {
            around: Some(scope),
            file: self.scopes[scope].file,
            ..Scope::default()
        });
        if let Some(body) = node.child_by_field_name("body") {
            self.block(body, inner);
        }
        let number = self.classes.len();
        let names = std::mem::take(&mut self.scopes[inner].names);
        for value in names.values() {
            if let Value::Function(function) = value {
                self.functions[*function].class = Some(number);
                // Methods do not see the names of their class.
                self.functions[*function].scope = scope;
            }
        }
        self.classes.push(Class { name: name.to_owned(), bases, names });
        self.bind(name, Value::Class(number), scope);
    }

    fn import(&mut self, node: Node<'a>, scope: usize) {
        let file = self.scopes[scope].file;
        for part in role(node, "name") {
            let whole = part.child_by_field_name("name").unwrap_or(part);
            let path: String =
                self.text(whole, scope).chars().filter(|c| !c.is_whitespace()).collect();
            let alias = part.child_by_field_name("alias").map(|alias| self.text(alias, scope));
            let root = path.split('.').next().unwrap_or(&path).to_owned();
            let (name, module) = match alias {
                Some(alias) => (alias.to_owned(), path),
                None => (root.clone(), root),
            };
            let value = match self.own_module(file, &module) {
                Some(own) => {
                    self.module(own);
                    Value::Module(own)
                }
                None => Value::Name(canonical(&module).into()),
            };
            self.bind(&name, value, scope);
        }
    }

    fn import_from(&mut self, node: Node<'a>, scope: usize) {
        let Some(module) = node.child_by_field_name("module_name") else { return };
        let path: String =
            self.text(module, scope).chars().filter(|c| !c.is_whitespace()).collect();
        let file = self.scopes[scope].file;
        let own = self.own_module(file, &path);
        let inside = own.map(|own| self.module(own));
        if named(node).iter().any(|child| child.kind() == "wildcard_import") {
            match inside {
                Some(inside) => {
                    let names = self.names_of(inside);
                    self.step(names.len());
                    self.scopes[scope].names.extend(names);
                }
                None if self.scopes[scope].stars.len() < 40 => {
                    self.scopes[scope].stars.push(canonical(&path));
                }
                None => {}
            }
            return;
        }
        for part in role(node, "name") {
            let whole = part.child_by_field_name("name").unwrap_or(part);
            let item = self.text(whole, scope).to_owned();
            let alias = part.child_by_field_name("alias").map(|alias| self.text(alias, scope));
            let name = alias.map_or_else(|| item.clone(), str::to_owned);
            let dot = if path.ends_with('.') { "" } else { "." };
            let below = format!("{path}{dot}{item}");
            let known = inside.and_then(|inside| self.scopes[inside].names.get(&item).cloned());
            let value = match (known, self.own_module(file, &below)) {
                (Some(value), _) => value,
                (None, Some(own)) => {
                    self.module(own);
                    Value::Module(own)
                }
                (None, None) => Value::Name(canonical(below.trim_start_matches('.')).into()),
            };
            self.bind(&name, value, scope);
        }
    }
}

/// Whether something is a layer of a network.
fn is_layer(made: &Made) -> bool {
    ["keras.layers.", "torch.nn."].iter().any(|module| made.path.starts_with(module))
        && made.kind().starts_with(|first: char| first.is_uppercase())
        && !made.kind().ends_with("DataParallel")
}
