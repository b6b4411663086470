//! Attributes and methods: of lists and dictionaries, of tensors, of models and what else libraries make.

use super::interpreter::Interpreter;
use super::value::{Args, Op, Value};
use crate::source::names::canonical;
use crate::text::one_line;

/// Methods of a model or module that return it.
const RETURN_ITSELF: [&str; 14] = [
    "to",
    "cuda",
    "cpu",
    "train",
    "eval",
    "double",
    "float",
    "half",
    "apply",
    "requires_grad_",
    "type",
    "share_memory",
    "add_argument_group",
    "add_mutually_exclusive_group",
];

impl Interpreter<'_> {
    pub(super) fn attribute(&mut self, object: &Value, name: &str) -> Value {
        let method = || Value::Method(Box::new(object.clone()), name.into());
        match object {
            Value::Name(path) => Value::Name(canonical(&format!("{path}.{name}")).into()),
            Value::Module(file) => {
                let scope = self.module(*file);
                let known = self.scopes[scope].names.get(name).cloned();
                let below = |this: &Self| {
                    let path = this.files[*file].path.with_extension("");
                    let path =
                        if path.ends_with("__init__") { path.parent()?.to_owned() } else { path };
                    let path = path.join(name).with_extension("py");
                    this.files.iter().position(|file| file.path == path).map(Value::Module)
                };
                known.or_else(|| below(self)).unwrap_or_else(|| {
                    let file = &self.files[*file].name;
                    Value::unknown(format!("`{}` is not in {file}", one_line(name, 40)))
                })
            }
            Value::Made(made) => {
                if let Some(value) = self.objects[*made].field(name) {
                    return value.clone();
                }
                if let Some(class) = self.objects[*made].class
                    && let Some(value) = self.class_name(class, name)
                {
                    return match value {
                        Value::Function(function) if self.functions[function].is_property => {
                            self.call(&Value::Bound(function, *made), Args::default())
                        }
                        Value::Function(function) => Value::Bound(function, *made),
                        other => other,
                    };
                }
                if name == "layers" && !self.objects[*made].items.is_empty() {
                    let items = self.objects[*made].items.clone();
                    return self.list(items);
                }
                method()
            }
            Value::Class(class) => self.class_name(*class, name).unwrap_or_else(method),
            Value::Super(class, made) => {
                let bases = self.classes[*class].bases.clone();
                let found = bases.iter().find_map(|base| match base {
                    Value::Class(base) => self.class_name(*base, name),
                    _ => None,
                });
                match found {
                    Some(Value::Function(function)) => Value::Bound(function, *made),
                    Some(other) => other,
                    None => method(),
                }
            }
            Value::Data(data) => {
                let shape = self.data[*data].shape.clone();
                match (name, shape) {
                    ("shape", Some(shape)) => self.shape(&shape),
                    ("shape", None) => Value::unknown("the shape of data that the program loads"),
                    ("ndim", Some(shape)) => Value::Int(shape.len() as i64),
                    ("T" | "values" | "images" | "data", _) => object.clone(),
                    _ => method(),
                }
            }
            Value::Tensor(tensor) if name == "shape" => self.output_shape(*tensor),
            // Whatever the program loads has the shape that it is brought to.
            Value::Unknown(_) if name == "reshape" => method(),
            Value::Unknown(why) => Value::Unknown(why.clone()),
            _ => method(),
        }
    }

    pub(super) fn method(&mut self, object: &Value, name: &str, args: Args) -> Value {
        match object {
            Value::Tensor(tensor) => match name {
                "size" | "dim" | "get_shape" | "item" => {
                    Value::unknown("the size of a layer's output")
                }
                "contiguous" | "float" | "to" | "cuda" | "cpu" | "double" | "clone" => {
                    object.clone()
                }
                _ => {
                    let mut from = vec![*tensor];
                    from.extend(self.tensors_in(&args));
                    self.tensor(from, Op::Call(format!(".{name}").into(), args))
                }
            },
            Value::Data(data) => self.data_method(*data, name, &args),
            Value::Text(text) => match name {
                "lower" => Value::text(text.to_lowercase()),
                "upper" => Value::text(text.to_uppercase()),
                "strip" => Value::text(text.trim()),
                _ => Value::unknown("a string that would have to be worked out"),
            },
            Value::List(list) => self.list_method(*list, name, args),
            Value::Dict(dict) => self.dict_method(*dict, name, &args),
            Value::Super(_, made) => {
                if name == "__init__" {
                    self.library_init(*made, args);
                    return Value::None;
                }
                self.made_method(*made, name, args)
            }
            Value::Class(class) if name == "__init__" || name == "__new__" => {
                let _ = class;
                Value::None
            }
            Value::Made(made) => self.made_method(*made, name, args),
            Value::Unknown(_) if name == "reshape" => {
                let why = self.why(object);
                self.loaded(&args, 3).unwrap_or_else(|| Value::unknown(why))
            }
            _ => Value::unknown(self.why(object)),
        }
    }

    fn list_method(&mut self, list: usize, name: &str, args: Args) -> Value {
        let first = args.at.first().cloned().unwrap_or(Value::None);
        match name {
            "append" => self.extend(list, vec![first]),
            "extend" => {
                let more = self.iterated(&first).unwrap_or_default();
                self.extend(list, more);
            }
            "insert" => {
                let at = first.int().and_then(|at| usize::try_from(at).ok()).unwrap_or(0);
                let at = at.min(self.lists[list].len());
                if let Some(value) = args.at.get(1)
                    && self.lists[list].len() < super::interpreter::LIST_MOST
                {
                    self.step(self.lists[list].len());
                    self.lists[list].insert(at, value.clone());
                }
            }
            "pop" => return self.lists[list].pop().unwrap_or(Value::None),
            "copy" => {
                let values = self.lists[list].clone();
                return self.list(values);
            }
            _ => return Value::unknown("a list that would have to be worked out"),
        }
        Value::None
    }

    fn dict_method(&mut self, dict: usize, name: &str, args: &Args) -> Value {
        let pairs = self.dicts[dict].clone();
        self.step(pairs.len());
        match name {
            "get" | "pop" | "setdefault" => {
                let key = args.at.first().and_then(super::expression::shown);
                let found = pairs.into_iter().find(|(known, _)| Some(known) == key.as_ref());
                let default = args.at.get(1).cloned().unwrap_or(Value::None);
                found.map_or(default, |(_, value)| value)
            }
            "keys" => {
                let keys = pairs.iter().map(|(key, _)| Value::text(key)).collect();
                self.list(keys)
            }
            "values" => self.list(pairs.into_iter().map(|(_, value)| value).collect()),
            "items" => {
                let pairs =
                    pairs.into_iter().map(|(key, value)| self.tuple(vec![Value::text(key), value]));
                let pairs = pairs.collect();
                self.list(pairs)
            }
            "update" => {
                if let Some(Value::Dict(other)) = args.at.first() {
                    let more = self.dicts[*other].clone();
                    self.dicts[dict].retain(|(key, _)| !more.iter().any(|(new, _)| new == key));
                    self.dicts[dict].extend(more);
                }
                self.dicts[dict].extend(args.named.iter().cloned());
                self.dicts[dict].truncate(super::interpreter::LIST_MOST);
                Value::None
            }
            _ => Value::unknown("a dictionary that would have to be worked out"),
        }
    }

    fn made_method(&mut self, made: usize, name: &str, args: Args) -> Value {
        let first = args.at.first().cloned();
        let kind = self.objects[made].kind().to_owned();
        match name {
            "add" | "append" if matches!(kind.as_str(), "Sequential" | "ModuleList") => {
                let layer = first.or_else(|| args.named(&["layer", "module"]).cloned());
                self.push_item(made, layer);
                return if name == "append" { Value::Made(made) } else { Value::None };
            }
            "extend" if kind == "ModuleList" => {
                for layer in first.and_then(|list| self.iterated(&list)).unwrap_or_default() {
                    self.push_item(made, Some(layer));
                }
            }
            "pop" if kind == "Sequential" => {
                return self.objects[made].items.pop().unwrap_or(Value::None);
            }
            "add_module" | "register_module" => {
                if let (Some(Value::Text(name)), Some(module)) = (first, args.get(1, &["module"])) {
                    self.objects[made].set(&name, module.clone());
                    if kind == "Sequential" {
                        let module = module.clone();
                        self.push_item(made, Some(module));
                    }
                }
            }
            "compile" | "fit" | "fit_generator" | "build" | "train_on_batch" => {
                self.event(made, name, args);
                return Value::unknown(format!("what `{name}` returns"));
            }
            "forward" | "call" | "__call__" => return self.apply(made, args),
            "add_argument" => self.option(made, &args),
            "parse_args" | "parse_known_args" => {
                let options = Value::Made(made);
                return match name {
                    "parse_args" => options,
                    _ => self.tuple(vec![options, Value::None]),
                };
            }
            "flow" if kind == "ImageDataGenerator" => {
                let value = self.make("ImageDataGenerator.flow", args);
                self.owned(&value, made);
                return value;
            }
            "step" | "zero_grad" | "backward" | "summary" | "set_weights" | "load_weights"
            | "save" | "evaluate" | "load_state_dict" | "initialize" => return Value::None,
            "reshape" if self.tensors_in(&args).is_empty() => {
                return self
                    .loaded(&args, 2)
                    .unwrap_or_else(|| Value::unknown("the shape of data that the program loads"));
            }
            _ if RETURN_ITSELF.contains(&name) => return Value::Made(made),
            _ if !self.tensors_in(&args).is_empty() => {
                let from = self.tensors_in(&args);
                let path = format!("{}.{name}", self.objects[made].path);
                return self.tensor(from, Op::Call(path.into(), args));
            }
            _ => {
                let path = format!("{}.{name}", self.objects[made].path);
                let value = self.make(&path[..path.floor_char_boundary(200)], args);
                self.owned(&value, made);
                return value;
            }
        }
        Value::None
    }

    /// Notes whose method made an object.
    fn owned(&mut self, value: &Value, owner: usize) {
        if let Value::Made(made) = value {
            self.objects[*made].set("(owner)", Value::Made(owner));
        }
    }

    fn push_item(&mut self, made: usize, layer: Option<Value>) {
        if let Some(layer) = layer
            && self.objects[made].items.len() < super::interpreter::LIST_MOST
        {
            self.objects[made].items.push(layer);
        }
    }

    /// `parser.add_argument("--epochs", type=int, default=12)`.
    fn option(&mut self, parser: usize, args: &Args) {
        let names = args.at.iter().filter_map(|name| match name {
            Value::Text(name) => Some(name.to_string()),
            _ => None,
        });
        let names: Vec<String> = names.collect();
        let long = names.iter().find(|name| name.starts_with("--")).or(names.first());
        let Some(long) = long else { return };
        let mut name = long.trim_start_matches('-').replace('-', "_");
        if let Some(Value::Text(dest)) = args.named(&["dest"]) {
            name = dest.to_string();
        }
        let is_flag = |action: &str| matches!(args.named(&["action"]), Some(Value::Text(text)) if &**text == action);
        let default = match args.named(&["default"]) {
            Some(value) => value.clone(),
            None if is_flag("store_true") => Value::Bool(false),
            None if is_flag("store_false") => Value::Bool(true),
            None => Value::unknown(format!("it is the option {long}, which has no default")),
        };
        self.objects[parser].set(&name, default);
    }
}
