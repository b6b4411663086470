//! Which network a program trains, and the layers from its input to its output.

use super::interpreter::{Interpreter, Said};
use super::value::{Args, Made, Op, Place, Value};
use crate::source::tree::{first_error, line, text};

/// What is said of the place from which on a file is no Python.
const NOT_PARSED: &str =
    "from here on, some of the file cannot be parsed as Python; what can was followed";

/// Why a program is no study: what stands where, and why that cannot be carried over.
pub type Refused = Said;

/// One layer or function on the way from input to output.
#[derive(Debug, Clone)]
pub struct Link {
    /// What it is.
    pub op: Op,
    /// Where it stands.
    pub place: Place,
    /// Of a sum of two paths that begin at the link before it: what is on them, the shortcut last.
    pub paths: Option<Paths>,
}

type Paths = Box<[Vec<Link>; 2]>;

/// A network as a chain.
#[derive(Debug, Clone)]
pub struct Chain {
    /// The model.
    pub model: usize,
    /// Whether it is one of Keras, not of PyTorch.
    pub is_keras: bool,
    /// Shape of its input as the program says it, without the batch.
    pub input: Option<Vec<i64>>,
    /// From input to output.
    pub links: Vec<Link>,
}

impl Chain {
    /// All layers and functions, those of the paths of sums among them.
    pub fn ops(&self) -> impl Iterator<Item = &Op> {
        self.links.iter().flat_map(|link| {
            let paths = link.paths.iter().flat_map(|paths| paths.iter().flatten());
            paths.map(|link| &link.op).chain([&link.op])
        })
    }

    /// The layers among them.
    pub fn layers(&self) -> Vec<usize> {
        let layer = |op: &Op| match op {
            Op::Layer(layer) => Some(*layer),
            _ => None,
        };
        self.ops().filter_map(layer).collect()
    }
}

/// A refusal.
pub fn refused(place: Place, what: impl Into<String>, why: impl Into<String>) -> Refused {
    Said { place, what: what.into(), why: why.into() }
}

/// What a layer of Keras or PyTorch is for that is not for images.
fn what_it_is_for(kind: &str) -> Option<&'static str> {
    const SEQUENCES: [&str; 14] = [
        "LSTM",
        "GRU",
        "RNN",
        "SimpleRNN",
        "LSTMCell",
        "GRUCell",
        "Bidirectional",
        "TimeDistributed",
        "ConvLSTM2D",
        "Embedding",
        "EmbeddingBag",
        "MultiHeadAttention",
        "MultiheadAttention",
        "TextVectorization",
    ];
    let is_layer = ["Conv", "Max", "Average", "Avg", "Global", "Separable", "Adaptive", "Spatial"]
        .iter()
        .any(|start| kind.starts_with(start));
    let lower = kind.to_lowercase();
    let is_of_rows = is_layer && lower.ends_with("1d");
    if SEQUENCES.contains(&kind) || kind.starts_with("Transformer") || is_of_rows {
        Some("sequences")
    } else if is_layer && lower.ends_with("3d") {
        Some("volumes")
    } else {
        None
    }
}

impl Interpreter<'_> {
    /// Follows the program, and finds its network.
    pub fn network(&mut self) -> Result<Chain, Refused> {
        let scope = self.module(0);
        self.say_what_does_not_parse();
        if self.models().is_empty() {
            self.call_what_is_not_called(scope);
        }
        if self.is_spent() {
            let why = "following it takes too many steps; a smaller program, or the network alone, can be followed";
            return Err(refused(Place { file: 0, line: 1 }, "the program", why));
        }
        let models = self.models();
        let Some(model) = self.chosen(&models) else {
            return Err(self.why_no_network());
        };
        let trained = self.trained(&models);
        if trained.len() > 1 {
            self.at = self.objects[model].place;
            let kind = self.objects[model].kind().to_owned();
            self.say(
                &kind,
                format!(
                    "the program trains {} networks; this one, the last, was taken",
                    trained.len()
                ),
            );
        }
        self.chain(model)
    }

    /// Why no network was found: it is one that a library ships, the program is broken, or none is made in it.
    fn why_no_network(&self) -> Refused {
        let shipped = ["torchvision.models.", "timm."];
        let is_shipped =
            |made: &&Made| shipped.iter().any(|library| made.path.starts_with(library));
        if let Some(made) = self.objects.iter().find(is_shipped) {
            let why =
                "the network is one that a library ships, so the program does not say its layers";
            return refused(made.place, made.kind().to_owned(), why);
        }
        if let Some(said) = self.said.iter().find(|said| said.why == NOT_PARSED) {
            let why = "from here on, some of the file cannot be parsed as Python, and in what can no network of Keras or PyTorch is \
                       made";
            return refused(said.place, said.what.clone(), why);
        }
        let why = "no network of Keras or PyTorch is made in it, as far as it can be followed without running it";
        refused(Place { file: 0, line: 1 }, "the program", why)
    }

    /// Says of each file where it stops being Python.
    fn say_what_does_not_parse(&mut self) {
        let files = self.files;
        for (file, parsed) in files.iter().enumerate() {
            if let Some(node) = first_error(&parsed.tree) {
                let saw = text(node, &parsed.source);
                self.at = Place { file, line: line(node) };
                let saw = if saw.trim().is_empty() { "the file" } else { saw };
                self.say(saw, NOT_PARSED);
            }
        }
    }

    /// Functions that nothing calls may make the network, and classes that nothing makes be it.
    fn call_what_is_not_called(&mut self, scope: usize) {
        let names: Vec<Value> = self.scopes[scope].names.values().cloned().collect();
        for value in &names {
            if let Value::Function(_) = value {
                self.call(value, Args::default());
            }
        }
        if !self.models().is_empty() {
            return;
        }
        for value in &names {
            if let Value::Class(class) = value
                && ["Module", "Model", "Sequential"]
                    .iter()
                    .any(|base| self.library_base(*class).ends_with(base))
            {
                self.call(value, Args::default());
            }
        }
    }

    fn is_model(&self, object: usize) -> bool {
        let made = &self.objects[object];
        let root = made.path.split('.').next().unwrap_or_default();
        let known = match root {
            "keras" => matches!(made.kind(), "Sequential" | "Model" | "Functional"),
            "torch" => {
                made.kind() == "Sequential" || (made.class.is_some() && made.kind() == "Module")
            }
            "lightning" => made.class.is_some() && made.kind() == "LightningModule",
            _ => false,
        };
        let is_sequence = made.kind() == "Sequential" && made.class.is_none();
        known && (!is_sequence || !made.items.is_empty())
    }

    /// Models that are no part of another one.
    fn models(&self) -> Vec<usize> {
        let mut parts: Vec<usize> = Vec::new();
        for made in &self.objects {
            let fields =
                made.fields.iter().filter(|(name, _)| name != "(owner)").map(|(_, value)| value);
            for value in made.items.iter().chain(fields) {
                match value {
                    Value::Made(part) => parts.push(*part),
                    Value::List(list) | Value::Tuple(list) => {
                        parts.extend(self.lists[*list].iter().filter_map(|value| match value {
                            Value::Made(part) => Some(*part),
                            _ => None,
                        }));
                    }
                    _ => {}
                }
            }
        }
        for tensor in &self.tensors {
            if let Op::Layer(part) = tensor.op {
                parts.push(part);
            }
        }
        parts.sort_unstable();
        (0..self.objects.len())
            .filter(|object| self.is_model(*object) && parts.binary_search(object).is_err())
            .collect()
    }

    /// The models that are trained, in order.
    fn trained(&self, models: &[usize]) -> Vec<usize> {
        let mut found: Vec<usize> = Vec::new();
        let mut note = |model: usize| {
            if models.contains(&model) && !found.contains(&model) {
                found.push(model);
            }
        };
        for event in self.events.iter().filter(|event| event.method.starts_with("fit")) {
            note(event.on);
        }
        for made in self.objects.iter().filter(|made| made.path.starts_with("torch.optim.")) {
            if let Some(Value::Made(parameters)) = made.args.get(0, &["params"])
                && let Some(Value::Made(owner)) = self.objects[*parameters].field("(owner)")
            {
                note(*owner);
            }
        }
        found
    }

    fn chosen(&self, models: &[usize]) -> Option<usize> {
        let compiled = self
            .events
            .iter()
            .rev()
            .find(|event| event.method == "compile" && models.contains(&event.on));
        self.trained(models)
            .last()
            .copied()
            .or(compiled.map(|event| event.on))
            .or(models.last().copied())
    }

    fn chain(&mut self, model: usize) -> Result<Chain, Refused> {
        let made = &self.objects[model];
        let place = made.place;
        let is_keras = made.path.starts_with("keras");
        let kind = made.kind().to_owned();
        let name = match made.class {
            Some(class) => format!("class {}", self.classes[class].name),
            None => kind.clone(),
        };
        let inputs = made.args.get(0, &["inputs", "input"]).cloned();
        let outputs = made.args.get(1, &["outputs", "output"]).cloned();
        let (inputs, outputs) = (self.plain(inputs), self.plain(outputs));
        let is_functional = matches!(kind.as_str(), "Model" | "Functional") && outputs.is_some();
        let output = if is_functional {
            for (what, value) in [("inputs", &inputs), ("outputs", &outputs)] {
                if let Some(list) = value.as_ref().and_then(|value| self.elements(value)) {
                    let why = format!(
                        "it has {} {what}; a study's network has one image and one answer",
                        list.len()
                    );
                    return Err(refused(place, name, why));
                }
            }
            outputs.unwrap_or(Value::None)
        } else {
            self.at = place;
            let (shape, first) = self.input_of(model);
            let input = match first {
                Some(tensor) => Value::Tensor(tensor),
                None => self.tensor(Vec::new(), Op::Input(shape)),
            };
            self.at = place;
            self.apply(model, Args { at: vec![input], named: Vec::new() })
        };
        let mut at = match self.plain(Some(output)) {
            Some(Value::Tensor(tensor)) => tensor,
            Some(Value::Unknown(why)) => return Err(refused(place, name, why.to_string())),
            Some(value) if self.elements(&value).is_some() => {
                return Err(refused(
                    place,
                    name,
                    "it has several outputs; a study's network has one",
                ));
            }
            _ => {
                return Err(refused(
                    place,
                    name,
                    "what it computes cannot be followed without running it",
                ));
            }
        };
        let mut links = Vec::new();
        loop {
            let tensor = &self.tensors[at];
            match (&tensor.op, &tensor.from[..]) {
                (Op::Input(shape), _) => {
                    links.reverse();
                    return Ok(Chain { model, is_keras, input: shape.clone(), links });
                }
                (op, [from]) => {
                    links.push(Link { op: op.clone(), place: tensor.place, paths: None });
                    at = *from;
                }
                (op, [one, other]) if self.is_sum(op) && self.paths(*one, *other).is_some() => {
                    let Some((paths, from)) = self.paths(*one, *other) else { continue };
                    links.push(Link { op: op.clone(), place: tensor.place, paths: Some(paths) });
                    at = from;
                }
                (op, _) => {
                    let what = match op {
                        Op::Layer(layer) => self.objects[*layer].kind().to_owned(),
                        Op::Call(path, _) => path.to_string(),
                        Op::Input(_) => String::new(),
                    };
                    let why = "several paths are joined here; of a study's layers only `residual` does that, which adds two \
                               that begin at the same layer";
                    return Err(refused(tensor.place, what, why));
                }
            }
            if links.len() > self.tensors.len() {
                return Err(refused(place, name, "its layers run in a circle"));
            }
        }
    }

    /// The refusal of a network, or of a program in which none can be followed, that has layers for something else than
    /// images.
    pub(super) fn not_of_images(&self, chain: Option<&Chain>) -> Option<Refused> {
        let layers: Vec<usize> = match chain {
            Some(chain) => chain
                .ops()
                .filter_map(|op| match op {
                    Op::Layer(layer) => Some(*layer),
                    _ => None,
                })
                .collect(),
            None => (0..self.objects.len()).collect(),
        };
        let made = layers.into_iter().map(|layer| &self.objects[layer]);
        let made =
            made.filter(|made| made.path.starts_with("keras") || made.path.starts_with("torch"));
        let mut found: Vec<(&str, &str, Place)> = Vec::new();
        for made in made {
            let kind = made.kind();
            if let Some(what) = what_it_is_for(kind)
                && !found.iter().any(|(known, ..)| *known == kind)
            {
                found.push((kind, what, made.place));
            }
        }
        let (_, what, place) = *found.first()?;
        let kinds: Vec<&str> = found.iter().map(|(kind, ..)| *kind).take(8).collect();
        let why = format!(
            "the network is for {what}, not for images; a study has convolutions in two dimensions, dense layers, pools, batch-norm, \
             dropout and residual blocks alone"
        );
        Some(refused(place, kinds.join(", "), why))
    }

    fn is_sum(&self, op: &Op) -> bool {
        let name = match op {
            Op::Layer(layer) => self.objects[*layer].kind(),
            Op::Call(path, _) => path.rsplit('.').next().unwrap_or_default(),
            Op::Input(_) => return false,
        };
        matches!(name, "Add" | "add" | "add_" | "+")
    }

    /// The two paths to a sum, the shortcut last, and where both begin.
    fn paths(&self, one: usize, other: usize) -> Option<(Paths, usize)> {
        let back = |from: usize| {
            std::iter::successors(Some(from), |at| match self.tensors[*at].from[..] {
                [before] => Some(before),
                _ => None,
            })
        };
        let mut of_other: Vec<usize> = back(other).collect();
        of_other.sort_unstable();
        let begin = back(one).find(|at| of_other.binary_search(at).is_ok())?;
        let path = |from: usize| {
            let tensors = back(from).take_while(|at| *at != begin).map(|at| &self.tensors[at]);
            let links = tensors.map(|tensor| Link {
                op: tensor.op.clone(),
                place: tensor.place,
                paths: None,
            });
            let mut links: Vec<Link> = links.collect();
            links.reverse();
            links
        };
        let mut paths = [path(one), path(other)];
        paths.sort_by_key(|links| std::cmp::Reverse(links.len()));
        Some((Box::new(paths), begin))
    }

    /// A list of one as that one.
    fn plain(&self, value: Option<Value>) -> Option<Value> {
        match value.as_ref().and_then(|value| self.elements(value)) {
            Some([one]) => Some(one.clone()),
            _ => value,
        }
    }

    /// The shape of a model's input, or the tensor that is its input.
    fn input_of(&self, model: usize) -> (Option<Vec<i64>>, Option<usize>) {
        let mut at = model;
        for _ in 0..20 {
            let made = &self.objects[at];
            let args = &made.args;
            if let Some(shape) = args.named(&["batch_input_shape", "batch_shape"]) {
                let shape = self.known_shape(shape);
                return (shape.map(|shape| shape.into_iter().skip(1).collect()), None);
            }
            let given = args.named(&["input_shape", "input_dim"]);
            let given =
                given.or_else(|| args.get(0, &["shape"]).filter(|_| made.kind() == "InputLayer"));
            if let Some(shape) = given.and_then(|shape| self.known_shape(shape)) {
                return (Some(shape), None);
            }
            match made.items.first() {
                Some(Value::Tensor(tensor)) => return (None, Some(*tensor)),
                Some(Value::Made(first)) => at = *first,
                _ => break,
            }
        }
        let on = |event: &&super::interpreter::Event| event.on == model;
        for event in self.events.iter().filter(on) {
            let first = event.args.get(0, &["input_shape", "x"]);
            let shape = match (event.method.as_str(), first) {
                ("build", Some(shape)) => self.known_shape(shape),
                (_, Some(Value::Data(data))) => self.data[*data]
                    .shape
                    .as_ref()
                    .map(|shape| shape.iter().map(|side| side.unwrap_or(-1)).collect()),
                _ => None,
            };
            if let Some(shape) = shape.filter(|shape| shape.len() > 1) {
                return (Some(shape[1..].to_vec()), None);
            }
        }
        (None, None)
    }
}
