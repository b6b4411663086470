//! What functions of libraries return, as far as networks and their settings depend on it: data sets and shapes,
//! arithmetic, Keras' settings. Everything else is noted as made, with its arguments.

use super::interpreter::Interpreter;
use super::value::{Args, Data, Op, Value};

/// Python's own functions that are known here.
pub(super) const BUILTINS: [&str; 33] = [
    "range",
    "len",
    "int",
    "float",
    "str",
    "bool",
    "list",
    "tuple",
    "dict",
    "set",
    "max",
    "min",
    "sum",
    "abs",
    "round",
    "zip",
    "enumerate",
    "reversed",
    "sorted",
    "print",
    "super",
    "isinstance",
    "hasattr",
    "getattr",
    "setattr",
    "object",
    "type",
    "open",
    "input",
    "Exception",
    "property",
    "map",
    "any",
];

/// Numbers of a `range` that are followed.
const RANGE_MOST: i64 = 5_000;

impl Interpreter<'_> {
    pub(super) fn library_call(&mut self, path: &str, args: Args) -> Value {
        let kind = path.rsplit('.').next().unwrap_or_default();
        if BUILTINS.contains(&path) {
            return self.builtin(path, args);
        }
        if path.starts_with("keras.datasets.") && kind == "load_data" {
            return self.load_data(path);
        }
        let root = path.split('.').next().unwrap_or_default();
        match (root, kind) {
            ("keras", "Input") => return self.input(&args),
            ("keras" | "tensorflow", "Sequential") | ("torch", "Sequential" | "ModuleList") => {
                let made = self.make(path, Args::default());
                if let Value::Made(object) = made {
                    self.library_init(object, args);
                }
                return made;
            }
            (_, "to_categorical" | "one_hot") if self.tensors_in(&args).is_empty() => {
                return self.categorical(&args);
            }
            ("keras", "set_image_data_format" | "set_image_dim_ordering") => {
                let order = args.get(0, &["data_format", "dim_ordering"]);
                self.channels_first = matches!(order, Some(Value::Text(text)) if matches!(&**text, "channels_first" | "th"));
                return Value::None;
            }
            ("keras", "image_data_format") => {
                return Value::text(if self.channels_first {
                    "channels_first"
                } else {
                    "channels_last"
                });
            }
            ("keras", "image_dim_ordering") => {
                return Value::text(if self.channels_first { "th" } else { "tf" });
            }
            ("keras", "backend") => return Value::text("tensorflow"),
            ("keras" | "tensorflow", "int_shape" | "shape") => {
                return match args.at.first() {
                    Some(Value::Tensor(tensor)) => self.output_shape(*tensor),
                    _ => Value::unknown("the size of a layer's output"),
                };
            }
            (_, "is_available" | "is_gpu_available" | "exists" | "isfile" | "isdir") => {
                return Value::Bool(false);
            }
            ("os", "getenv") => return args.at.get(1).cloned().unwrap_or(Value::None),
            ("os", "get") => return args.at.get(1).cloned().unwrap_or(Value::None),
            ("collections", "OrderedDict") => return self.ordered(&args),
            ("torch", "randn" | "rand" | "zeros" | "ones")
            | ("numpy", "zeros" | "ones" | "rand" | "randn") => {
                let shape = self.dims(&args.at);
                return self.make_data(Data { set: None, shape, is_labels: false });
            }
            ("math" | "numpy", "ceil" | "floor" | "sqrt" | "log" | "log2" | "exp") => {
                return math(kind, args.at.first().and_then(Value::float));
            }
            ("numpy" | "math", "prod") => {
                let values =
                    args.at.first().and_then(|list| self.iterated(list)).unwrap_or_default();
                let product = values
                    .iter()
                    .try_fold(1_i64, |product, value| product.checked_mul(value.int()?));
                return product
                    .map_or(Value::unknown("a product of something unknown"), Value::Int);
            }
            ("numpy" | "tensorflow" | "torch", _) if self.tensors_in(&args).is_empty() => {
                if let Some(Value::Data(data)) = args.at.first() {
                    return self.data_method(
                        *data,
                        kind,
                        &Args { at: args.at[1..].to_vec(), named: args.named },
                    );
                }
            }
            _ => {}
        }
        let is_type = kind.starts_with(|first: char| first.is_uppercase());
        let tensors = self.tensors_in(&args);
        if !tensors.is_empty() && !is_type {
            return self.tensor(tensors, Op::Call(path.into(), args));
        }
        self.make(path, args)
    }

    fn builtin(&mut self, name: &str, args: Args) -> Value {
        let first = args.at.first().cloned().unwrap_or(Value::None);
        let unknown = || Value::unknown("it would have to be worked out by running the program");
        match name {
            "range" => {
                let numbers: Option<Vec<i64>> = args.at.iter().map(Value::int).collect();
                let (start, end, step) = match numbers.as_deref() {
                    Some([end]) => (0, *end, 1),
                    Some([start, end]) => (*start, *end, 1),
                    Some([start, end, step]) if *step != 0 => (*start, *end, *step),
                    _ => return Value::unknown(self.why(&first)),
                };
                let mut numbers = Vec::new();
                let mut at = start;
                while (if step > 0 { at < end } else { at > end })
                    && numbers.len() < RANGE_MOST as usize
                {
                    numbers.push(Value::Int(at));
                    let Some(next) = at.checked_add(step) else { break };
                    at = next;
                }
                self.list(numbers)
            }
            "len" => match &first {
                Value::Text(text) => Value::Int(text.chars().count() as i64),
                Value::Dict(dict) => Value::Int(self.dicts[*dict].len() as i64),
                Value::Data(data) => {
                    let rows = self.data[*data]
                        .shape
                        .as_ref()
                        .and_then(|shape| shape.first().copied().flatten());
                    rows.map_or_else(unknown, Value::Int)
                }
                Value::Made(made) if !self.objects[*made].items.is_empty() => {
                    Value::Int(self.objects[*made].items.len() as i64)
                }
                list => {
                    self.elements(list).map_or_else(unknown, |list| Value::Int(list.len() as i64))
                }
            },
            "int" => match &first {
                Value::Text(text) => text.trim().parse().map_or_else(|_| unknown(), Value::Int),
                value => match value.float() {
                    Some(number) if number.abs() < 1e15 => Value::Int(number.trunc() as i64),
                    _ => Value::unknown(self.why(&first)),
                },
            },
            "float" => match &first {
                Value::Text(text) => text.trim().parse().map_or_else(|_| unknown(), Value::Float),
                value => value.float().map_or_else(unknown, Value::Float),
            },
            "str" => super::expression::shown(&first).map_or_else(unknown, Value::text),
            "bool" => self.truth(&first).map_or_else(unknown, Value::Bool),
            "list" | "sorted" | "set" | "tuple" => match self.iterated(&first) {
                Some(values) if name == "tuple" => self.tuple(values),
                Some(values) => self.list(values),
                None if args.at.is_empty() => self.list(Vec::new()),
                None => Value::unknown(self.why(&first)),
            },
            "reversed" => match self.iterated(&first) {
                Some(mut values) => {
                    values.reverse();
                    self.list(values)
                }
                None => unknown(),
            },
            "dict" => {
                let mut pairs = match &first {
                    Value::Dict(dict) => self.dicts[*dict].clone(),
                    _ => Vec::new(),
                };
                pairs.extend(args.named);
                self.dict(pairs)
            }
            "max" | "min" | "sum" => {
                let values = if args.at.len() == 1 { self.iterated(&first) } else { Some(args.at) };
                let numbers: Option<Vec<f64>> =
                    values.as_ref().and_then(|values| values.iter().map(Value::float).collect());
                let whole =
                    values.unwrap_or_default().iter().all(|value| matches!(value, Value::Int(_)));
                let result = numbers.and_then(|numbers| {
                    let numbers = numbers.into_iter();
                    match name {
                        "max" => numbers.reduce(f64::max),
                        "min" => numbers.reduce(f64::min),
                        _ => Some(numbers.sum()),
                    }
                });
                match result {
                    Some(number) if whole && number.abs() < 1e15 => Value::Int(number as i64),
                    Some(number) => Value::Float(number),
                    None => match &first {
                        Value::Data(data) if name == "max" => {
                            self.data_method(*data, "max", &Args::default())
                        }
                        _ => unknown(),
                    },
                }
            }
            "abs" | "round" => match (&first, first.float()) {
                (Value::Int(number), _) => Value::Int(number.saturating_abs()),
                (_, Some(number)) if name == "abs" => Value::Float(number.abs()),
                (_, Some(number)) if number.abs() < 1e15 => {
                    Value::Int(number.round_ties_even() as i64)
                }
                _ => unknown(),
            },
            "zip" => {
                let lists: Option<Vec<Vec<Value>>> =
                    args.at.iter().map(|list| self.iterated(list)).collect();
                let Some(lists) = lists else { return unknown() };
                let length = lists.iter().map(Vec::len).min().unwrap_or(0);
                let rows: Vec<Value> = (0..length)
                    .map(|at| self.tuple(lists.iter().map(|list| list[at].clone()).collect()))
                    .collect();
                self.list(rows)
            }
            "enumerate" => match self.iterated(&first) {
                Some(values) => {
                    let start = args.get(1, &["start"]).and_then(Value::int).unwrap_or(0);
                    let pairs = values.into_iter().zip(0_i64..);
                    let pairs: Vec<Value> = pairs
                        .map(|(value, at)| {
                            self.tuple(vec![Value::Int(start.saturating_add(at)), value])
                        })
                        .collect();
                    self.list(pairs)
                }
                None => unknown(),
            },
            "getattr" => match args.at.get(1) {
                Some(Value::Text(name)) => self.attribute(&first, &name.clone()),
                _ => Value::unknown("an attribute whose name is not a constant"),
            },
            "setattr" => {
                if let (Value::Made(made), Some(Value::Text(name)), Some(value)) =
                    (&first, args.at.get(1), args.at.get(2))
                {
                    self.objects[*made].set(name, value.clone());
                }
                Value::None
            }
            "print" => Value::None,
            "isinstance" => match (&first, args.at.get(1)) {
                (Value::Text(_), Some(Value::Name(name))) => Value::Bool(&**name == "str"),
                (Value::Int(_), Some(Value::Name(name))) => Value::Bool(&**name == "int"),
                (Value::Made(made), Some(Value::Name(name))) => {
                    Value::Bool(self.objects[*made].path == **name)
                }
                _ => unknown(),
            },
            _ => unknown(),
        }
    }

    fn input(&mut self, args: &Args) -> Value {
        let batched = args.named(&["batch_shape", "batch_input_shape"]).cloned();
        let shape = args.get(0, &["shape"]).cloned();
        let shape = match (batched, shape) {
            (Some(batched), _) => {
                self.known_shape(&batched).map(|shape| shape.into_iter().skip(1).collect())
            }
            (None, Some(Value::Tensor(_)) | None) => None,
            (None, Some(shape)) => self.known_shape(&shape),
        };
        self.tensor(Vec::new(), Op::Input(shape))
    }

    /// A shape of whole numbers; a side that is unknown or None is -1.
    pub(super) fn known_shape(&self, value: &Value) -> Option<Vec<i64>> {
        if let Some(number) = value.int() {
            return Some(vec![number]);
        }
        Some(self.elements(value)?.iter().map(|side| side.int().unwrap_or(-1)).collect())
    }

    fn load_data(&mut self, path: &str) -> Value {
        let name = path.rsplit('.').nth(1).unwrap_or_default();
        let (set, sides, train): (_, &[i64], _) = match name {
            "mnist" => ("mnist", &[28, 28], 60_000),
            "fashion_mnist" => ("fashion_mnist", &[28, 28], 60_000),
            "cifar10" if self.channels_first => ("cifar10", &[3, 32, 32], 50_000),
            "cifar100" if self.channels_first => ("cifar100", &[3, 32, 32], 50_000),
            "cifar10" => ("cifar10", &[32, 32, 3], 50_000),
            "cifar100" => ("cifar100", &[32, 32, 3], 50_000),
            _ => return Value::unknown(format!("keras.datasets.{name} holds no images")),
        };
        let mut parts = Vec::new();
        for count in [train, 10_000] {
            let shape = std::iter::once(count).chain(sides.iter().copied()).map(Some).collect();
            let images =
                self.make_data(Data { set: Some(set), shape: Some(shape), is_labels: false });
            let labels = if set.starts_with("cifar") {
                vec![Some(count), Some(1)]
            } else {
                vec![Some(count)]
            };
            let labels =
                self.make_data(Data { set: Some(set), shape: Some(labels), is_labels: true });
            parts.push(self.tuple(vec![images, labels]));
        }
        self.tuple(parts)
    }

    fn categorical(&mut self, args: &Args) -> Value {
        let labels = match args.at.first() {
            Some(Value::Data(data)) => self.data[*data].clone(),
            _ => Data::default(),
        };
        let classes = args.get(1, &["num_classes", "nb_classes", "depth"]).and_then(Value::int);
        let classes = classes.or(labels.set.map(classes_of));
        let rows = labels.shape.as_ref().and_then(|shape| shape.first().copied().flatten());
        self.make_data(Data { set: labels.set, shape: Some(vec![rows, classes]), is_labels: true })
    }

    fn ordered(&mut self, args: &Args) -> Value {
        let pairs = match args.at.first() {
            Some(Value::Dict(dict)) => return Value::Dict(*dict),
            Some(list) => self.iterated(list).unwrap_or_default(),
            None => Vec::new(),
        };
        let pairs = pairs.iter().filter_map(|pair| match self.elements(pair)? {
            [Value::Text(name), value] => Some((name.to_string(), value.clone())),
            _ => None,
        });
        let pairs = pairs.collect();
        self.dict(pairs)
    }

    /// Sides given one by one or as a tuple.
    fn dims(&self, given: &[Value]) -> Option<Vec<Option<i64>>> {
        let sides = match given {
            [one] => self.elements(one).unwrap_or(given),
            sides => sides,
        };
        let sides: Vec<Option<i64>> = sides.iter().map(Value::int).collect();
        (!sides.is_empty()).then_some(sides)
    }

    /// What a program loads, as an array of the shape that `reshape` brings it to, where that has at least so many
    /// axes and all but the first are told.
    pub(super) fn loaded(&mut self, args: &Args, axes: usize) -> Option<Value> {
        let given = if args.at.is_empty() {
            args.named(&["newshape", "shape", "new_shape"]).cloned().into_iter().collect()
        } else {
            args.at.clone()
        };
        let shape = inferred(self.dims(&given)?, None);
        let is_told = |side: &Option<i64>| side.is_some_and(|side| side > 0);
        if shape.len() < axes || !shape[1..].iter().all(is_told) {
            return None;
        }
        Some(self.make_data(Data { shape: Some(shape), ..Data::default() }))
    }

    /// The shape of what a layer of Keras returns: of an image the channels, where the layers before say them.
    pub(super) fn output_shape(&mut self, tensor: usize) -> Value {
        let unknown = || Value::unknown("the size of a layer's output");
        match self.last_axis(tensor) {
            Some(channels) => {
                self.tuple(vec![unknown(), unknown(), unknown(), Value::Int(channels)])
            }
            None => unknown(),
        }
    }

    /// The last axis of an image between two layers of Keras.
    fn last_axis(&mut self, tensor: usize) -> Option<i64> {
        if self.channels_first {
            return None;
        }
        let mut at = tensor;
        while self.step(1) {
            let tensor = &self.tensors[at];
            match &tensor.op {
                Op::Input(shape) => {
                    return match shape.as_deref()? {
                        [_, _, last] if *last > 0 => Some(*last),
                        _ => None,
                    };
                }
                Op::Layer(layer) => {
                    let made = &self.objects[*layer];
                    let order = made.args.named(&["data_format", "dim_ordering"]);
                    if !made.path.starts_with("keras") || order.is_some() {
                        return None;
                    }
                    match made.kind() {
                        "Conv2D"
                        | "Convolution2D"
                        | "SeparableConv2D"
                        | "SeparableConvolution2D" => {
                            return made.args.get(0, &["filters", "nb_filter"])?.int();
                        }
                        "Activation" | "Add" | "AveragePooling2D" | "AvgPool2D"
                        | "BatchNormalization" | "Dropout" | "ELU" | "LeakyReLU" | "MaxPool2D"
                        | "MaxPooling2D" | "PReLU" | "ReLU" | "SpatialDropout2D"
                        | "ZeroPadding2D" => {}
                        _ => return None,
                    }
                }
                Op::Call(path, _) => {
                    if !matches!(path.rsplit('.').next(), Some("add" | "relu" | "+")) {
                        return None;
                    }
                }
            }
            at = *tensor.from.first()?;
        }
        None
    }

    /// Methods of arrays, and functions of an array.
    pub(super) fn data_method(&mut self, data: usize, name: &str, args: &Args) -> Value {
        let known = self.data[data].clone();
        match name {
            "reshape" | "view" | "resize" => {
                let given = if args.at.is_empty() {
                    args.named(&["newshape", "shape", "new_shape"]).cloned().into_iter().collect()
                } else {
                    args.at.clone()
                };
                let shape = self.dims(&given).map(|shape| inferred(shape, known.shape.as_deref()));
                self.make_data(Data { shape, ..known })
            }
            "expand_dims" | "unsqueeze" => {
                let axis = args.get(0, &["axis", "dim"]).and_then(Value::int);
                let shape = known.shape.clone().and_then(|mut shape| {
                    let axis = axis?;
                    let length = shape.len() as i64;
                    let at =
                        if axis < 0 { axis.checked_add(length)?.checked_add(1)? } else { axis };
                    let at = usize::try_from(at)
                        .ok()
                        .filter(|at| *at <= shape.len() && shape.len() < 16)?;
                    shape.insert(at, Some(1));
                    Some(shape)
                });
                self.make_data(Data { shape, ..known })
            }
            "max" | "amax" => match known.set {
                Some(set) if known.is_labels => Value::Int(classes_of(set) - 1),
                _ => Value::unknown("a figure of the data"),
            },
            "unique" => match known.set {
                Some(set) if known.is_labels => {
                    let classes = (0..classes_of(set)).map(Value::Int).collect();
                    self.list(classes)
                }
                _ => Value::unknown("the classes of data that the program loads"),
            },
            "flatten" | "ravel" if known.is_labels => {
                let rows = known.shape.as_ref().and_then(|shape| shape.first().copied());
                self.make_data(Data { shape: rows.map(|rows| vec![rows]), ..known })
            }
            "transpose" | "permute" | "moveaxis" | "swapaxes" => {
                let order: Option<Vec<i64>> = match args.at.first() {
                    Some(list @ (Value::Tuple(_) | Value::List(_))) => {
                        self.elements(list).and_then(|order| order.iter().map(Value::int).collect())
                    }
                    _ => args.at.iter().map(Value::int).collect(),
                };
                let shape = known
                    .shape
                    .clone()
                    .filter(|_| matches!(name, "transpose" | "permute"))
                    .zip(order)
                    .and_then(|(shape, order)| {
                        (order.len() == shape.len()).then_some(())?;
                        order
                            .iter()
                            .map(|at| shape.get(usize::try_from(*at).ok()?).copied())
                            .collect()
                    });
                self.make_data(Data { shape, ..known })
            }
            "mean" | "std" | "min" | "sum" | "argmax" => Value::unknown("a figure of the data"),
            _ => Value::Data(data),
        }
    }
}

/// Number of classes of a known data set.
pub(super) fn classes_of(set: &str) -> i64 {
    if set == "cifar100" { 100 } else { 10 }
}

/// A new shape, with the side that is given as -1 where it can be told.
fn inferred(mut shape: Vec<Option<i64>>, old: Option<&[Option<i64>]>) -> Vec<Option<i64>> {
    let total =
        old.and_then(|old| old.iter().try_fold(1_i64, |total, side| total.checked_mul((*side)?)));
    let given = shape.iter().filter(|side| **side != Some(-1));
    let given = given.copied().try_fold(1_i64, |total, side| total.checked_mul(side?));
    for side in &mut shape {
        if *side == Some(-1) {
            *side = match (total, given) {
                (Some(total), Some(given)) if given > 0 && total % given == 0 => {
                    Some(total / given)
                }
                _ => None,
            };
        }
    }
    shape
}

fn math(name: &str, of: Option<f64>) -> Value {
    let Some(of) = of else { return Value::unknown("a number that would have to be worked out") };
    let result = match name {
        "ceil" => return Value::Int(of.ceil() as i64),
        "floor" => return Value::Int(of.floor() as i64),
        "sqrt" => of.sqrt(),
        "log" => of.ln(),
        "log2" => of.log2(),
        _ => of.exp(),
    };
    if result.is_finite() { Value::Float(result) } else { Value::unknown("a number out of range") }
}
