//! Calls: of the program's functions and classes, of layers on tensors, of what libraries offer.

use tree_sitter::Node;

use super::interpreter::{Event, Interpreter};
use super::statement::Flow;
use super::value::{Args, Made, Op, Scope, Value};
use crate::source::tree::named;
use crate::text::one_line;

/// Arguments of one call.
const ARGUMENTS_MOST: usize = 1_000;
impl<'a> Interpreter<'a> {
    pub(super) fn call_node(&mut self, node: Node<'a>, scope: usize) -> Value {
        let Some(function) = node.child_by_field_name("function") else { return Value::None };
        let callee = self.eval(function, scope);
        if matches!(&callee, Value::Name(name) if &**name == "super") {
            return self.super_of(scope);
        }
        let mut args = Args::default();
        let arguments = node.child_by_field_name("arguments");
        let given = match arguments {
            // `sum(x for x in y)` has the generator itself there.
            Some(given) if given.kind() == "generator_expression" => vec![given],
            Some(given) => named(given),
            None => Vec::new(),
        };
        for argument in given.into_iter().take(ARGUMENTS_MOST) {
            self.argument(argument, scope, &mut args);
        }
        self.call(&callee, args)
    }

    fn argument(&mut self, node: Node<'a>, scope: usize, args: &mut Args) {
        match node.kind() {
            "keyword_argument" => {
                let sides = (node.child_by_field_name("name"), node.child_by_field_name("value"));
                if let (Some(name), Some(value)) = sides {
                    let name = self.text(name, scope).to_owned();
                    let value = self.eval(value, scope);
                    args.named.push((name, value));
                }
            }
            "list_splat" => {
                let inner = named(node).first().map(|inner| self.eval(*inner, scope));
                match inner.as_ref().and_then(|inner| self.iterated(inner)) {
                    Some(values) => args.at.extend(values.into_iter().take(ARGUMENTS_MOST)),
                    None => args.at.push(inner.unwrap_or(Value::None)),
                }
            }
            "dictionary_splat" => {
                let inner = named(node).first().map(|inner| self.eval(*inner, scope));
                if let Some(Value::Dict(dict)) = inner {
                    self.step(self.dicts[dict].len());
                    args.named.extend(self.dicts[dict].iter().take(ARGUMENTS_MOST).cloned());
                }
            }
            _ => {
                let value = self.eval(node, scope);
                args.at.push(value);
            }
        }
    }

    fn super_of(&self, scope: usize) -> Value {
        let mut at = Some(scope);
        while let Some(scope) = at {
            if let Some((class, object)) = self.scopes[scope].method_of {
                return Value::Super(class, object);
            }
            at = self.scopes[scope].around;
        }
        Value::unknown("`super()` outside of a method")
    }

    /// Calls something.
    pub(super) fn call(&mut self, callee: &Value, args: Args) -> Value {
        let too_deep = Value::unknown("calls are nested too deeply, or the program is too long");
        match callee {
            Value::Function(function) => {
                self.deeper(too_deep, |this| this.run(*function, args, None))
            }
            Value::Bound(function, object) => {
                self.deeper(too_deep, |this| this.run(*function, args, Some(*object)))
            }
            Value::Class(class) => self.deeper(too_deep, |this| this.instance(*class, args)),
            Value::Name(path) => self.library_call(&path.clone(), args),
            Value::Method(object, name) => self.method(&object.clone(), &name.clone(), args),
            Value::Made(object) => self.deeper(too_deep, |this| this.apply(*object, args)),
            Value::Unknown(why) => Value::Unknown(why.clone()),
            _ => Value::unknown("a call of something that is no function"),
        }
    }

    /// Goes into a function.
    fn run(&mut self, function: usize, args: Args, object: Option<usize>) -> Value {
        let definition = self.functions[function];
        let method_of = match (definition.class, object) {
            (Some(class), Some(object)) => Some((class, object)),
            _ => None,
        };
        let scope = self.scope(Scope {
            around: Some(definition.scope),
            file: definition.file,
            method_of,
            ..Scope::default()
        });
        let mut given = args.at.into_iter();
        let mut itself = object.filter(|_| !definition.is_static).map(Value::Made);
        let mut by_name = args.named;
        let parameters = definition.node.child_by_field_name("parameters").map(named);
        for parameter in parameters.unwrap_or_default() {
            match parameter.kind() {
                "list_splat_pattern" => {
                    let rest: Vec<Value> = given.by_ref().collect();
                    let rest = self.tuple(rest);
                    if let Some(name) = named(parameter).first() {
                        self.assign(*name, rest, scope);
                    }
                    continue;
                }
                "dictionary_splat_pattern" => {
                    let rest = std::mem::take(&mut by_name);
                    let rest = self.dict(rest);
                    if let Some(name) = named(parameter).first() {
                        self.assign(*name, rest, scope);
                    }
                    continue;
                }
                _ => {}
            }
            let name = match parameter.kind() {
                "identifier" => Some(parameter),
                "typed_parameter" => named(parameter).first().copied(),
                _ => parameter.child_by_field_name("name"),
            };
            let Some(name) = name else { continue };
            let word = self.text(name, scope);
            let named_at = by_name.iter().position(|(name, _)| name == word);
            let value = match (itself.take().or_else(|| given.next()), named_at) {
                (Some(value), _) => value,
                (None, Some(at)) => by_name.remove(at).1,
                (None, None) => match parameter.child_by_field_name("value") {
                    Some(default) => self.eval(default, definition.scope),
                    None => Value::unknown(format!(
                        "it is the parameter `{}` of a function, which nothing here gives a value",
                        one_line(word, 40)
                    )),
                },
            };
            self.assign(name, value, scope);
        }
        let Some(body) = definition.node.child_by_field_name("body") else { return Value::None };
        if definition.node.kind() == "lambda" {
            return self.eval(body, scope);
        }
        let before = self.at;
        let flow = self.block(body, scope);
        self.at = before;
        match flow {
            Flow::Return(value) => value,
            _ => Value::None,
        }
    }

    /// An object of a class.
    fn instance(&mut self, class: usize, args: Args) -> Value {
        let path = self.library_base(class);
        let made = Made { path, class: Some(class), place: self.at, ..Made::default() };
        self.objects.push(made);
        let object = self.objects.len() - 1;
        match self.class_name(class, "__init__") {
            Some(Value::Function(function)) => {
                self.run(function, args, Some(object));
            }
            _ => self.library_init(object, args),
        }
        Value::Made(object)
    }

    /// The constructor of a class of a library, for an object that was made of it.
    pub(super) fn library_init(&mut self, object: usize, args: Args) {
        let kind = self.objects[object].kind().to_owned();
        if matches!(kind.as_str(), "Sequential" | "ModuleList") {
            let mut items = match args.at.first().or(args.named(&["layers", "modules"])) {
                Some(Value::Dict(dict)) => {
                    let named = self.dicts[*dict].clone();
                    for (name, value) in &named {
                        self.objects[object].set(name, value.clone());
                    }
                    named.into_iter().map(|(_, value)| value).collect()
                }
                Some(list @ (Value::List(_) | Value::Tuple(_))) => {
                    self.iterated(list).unwrap_or_default()
                }
                Some(generator @ Value::Unknown(_)) => vec![generator.clone()],
                _ => args.at.clone(),
            };
            items.retain(|item| *item != Value::None);
            self.step(items.len());
            self.objects[object].items = items;
        }
        self.objects[object].args = args;
    }

    /// Calls an object: a layer on a tensor, a module on images.
    pub(super) fn apply(&mut self, object: usize, args: Args) -> Value {
        let kind = self.objects[object].kind().to_owned();
        if self.objects[object].path == "functools.partial" {
            let mut whole = self.objects[object].args.clone();
            if whole.at.is_empty() || whole.at.len() + args.at.len() > ARGUMENTS_MOST {
                return Value::unknown("a partial of nothing");
            }
            let target = whole.at.remove(0);
            whole.at.extend(args.at);
            whole.named.retain(|(name, _)| !args.named.iter().any(|(new, _)| new == name));
            whole.named.extend(args.named);
            return self.call(&target, whole);
        }
        let tensors = self.tensors_in(&args);
        if tensors.is_empty() {
            self.event(object, "called", args);
            return Value::unknown("what a network returns for data");
        }
        if let Some(class) = self.objects[object].class {
            for name in ["forward", "call", "__call__"] {
                if let Some(Value::Function(function)) = self.class_name(class, name) {
                    return self.run(function, args, Some(object));
                }
            }
        }
        match kind.as_str() {
            "Sequential" => {
                let mut value = Value::Tensor(tensors[0]);
                for item in self.objects[object].items.clone() {
                    if matches!(item, Value::Tensor(_)) {
                        continue;
                    }
                    value = self.call(&item, Args { at: vec![value], named: Vec::new() });
                }
                value
            }
            "Model" | "Functional"
                if !self.objects[object].args.at.is_empty()
                    || self.objects[object].args.named(&["outputs", "output"]).is_some() =>
            {
                self.again(object, tensors[0])
            }
            _ => self.tensor(tensors, Op::Layer(object)),
        }
    }

    /// A functional model on another input: what leads to its output, once more.
    fn again(&mut self, model: usize, input: usize) -> Value {
        let output = self.objects[model].args.get(1, &["outputs", "output"]).cloned();
        let output = match output {
            Some(list @ (Value::List(_) | Value::Tuple(_))) => {
                self.elements(&list).and_then(|list| list.first().cloned())
            }
            other => other,
        };
        let Some(Value::Tensor(mut at)) = output else {
            return Value::unknown("a model without outputs");
        };
        let mut ops = Vec::new();
        while let [from] = self.tensors[at].from[..] {
            ops.push(self.tensors[at].op.clone());
            at = from;
            if !self.step(1) {
                break;
            }
        }
        let mut value = Value::Tensor(input);
        for op in ops.into_iter().rev() {
            let Value::Tensor(from) = value else { break };
            value = self.tensor(vec![from], op);
        }
        value
    }

    /// The tensors that a call was given, also in lists.
    pub(super) fn tensors_in(&self, args: &Args) -> Vec<usize> {
        let mut found = Vec::new();
        let named = args.named.iter().filter(|(name, _)| name != "initial_state");
        for value in args.at.iter().chain(named.map(|(_, value)| value)) {
            let list = self.elements(value).unwrap_or(std::slice::from_ref(value));
            found.extend(list.iter().filter_map(|value| match value {
                Value::Tensor(tensor) => Some(*tensor),
                _ => None,
            }));
        }
        found
    }

    pub(super) fn event(&mut self, on: usize, method: &str, args: Args) {
        if self.events.len() < 1_000 {
            self.step(args.at.len() + args.named.len());
            self.events.push(Event { on, method: method.into(), args, place: self.at });
        }
    }
}
