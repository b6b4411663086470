//! Follows a program as far as its network and its settings need, within bounds: constants are folded, functions
//! and classes of the program are gone into, loops over what is known are repeated, and of what would need running
//! it is said that it would. Nothing of the program is executed.

use std::collections::BTreeMap;

use tree_sitter::Node;

use super::files::{Parsed, candidates};
use super::value::{Args, Class, Data, Function, Made, Op, Place, Scope, Tensor, Value};
use crate::source::tree::text;
use crate::text::one_line;

/// Expressions, statements and list elements that are looked at in all.
const STEPS_MOST: usize = 400_000;
/// Expressions, calls and blocks within each other.
const DEPTH_MOST: usize = 160;
/// Layers that are applied, in all.
const TENSORS_MOST: usize = 5_000;
/// Longest list.
pub(super) const LIST_MOST: usize = 10_000;
/// Things that are said, in all.
const SAID_MOST: usize = 200;

/// What was noticed on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Where.
    pub place: Place,
    /// What stands there.
    pub what: String,
    /// Why it was not carried over, or what was taken instead.
    pub why: String,
}

/// How far a module of the program was followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Module {
    New,
    Begun(usize),
}

/// A call of a model's method, such as `compile` and `fit`.
#[derive(Debug, Clone)]
pub struct Event {
    /// The model.
    pub on: usize,
    /// The method.
    pub method: String,
    /// Its arguments.
    pub args: Args,
    /// Where.
    pub place: Place,
}

/// The state of following a program.
pub struct Interpreter<'a> {
    pub(super) files: &'a [Parsed],
    pub(super) scopes: Vec<Scope>,
    pub(super) objects: Vec<Made>,
    pub(super) lists: Vec<Vec<Value>>,
    pub(super) dicts: Vec<Vec<(String, Value)>>,
    pub(super) functions: Vec<Function<'a>>,
    pub(super) classes: Vec<Class>,
    pub(super) tensors: Vec<Tensor>,
    pub(super) data: Vec<Data>,
    modules: Vec<Module>,
    /// Where it is at present.
    pub(super) at: Place,
    /// Steps that are left.
    left: usize,
    /// How deep it is.
    depth: usize,
    /// Whether Keras is told that channels come first.
    pub(super) channels_first: bool,
    /// `compile`, `fit` and their like.
    pub(super) events: Vec<Event>,
    /// Rounds of a training loop that is written out, and where.
    pub(super) epochs: Option<(i64, Place)>,
    /// Images of a batch that is cut out by a loop, and where.
    pub(super) batch: Option<(i64, Place)>,
    /// What was noticed.
    pub(super) said: Vec<Said>,
}

impl<'a> Interpreter<'a> {
    /// Nothing is followed yet.
    pub fn new(files: &'a [Parsed]) -> Self {
        Self {
            files,
            scopes: Vec::new(),
            objects: Vec::new(),
            lists: Vec::new(),
            dicts: Vec::new(),
            functions: Vec::new(),
            classes: Vec::new(),
            tensors: Vec::new(),
            data: Vec::new(),
            modules: vec![Module::New; files.len()],
            at: Place::default(),
            left: STEPS_MOST,
            depth: 0,
            channels_first: false,
            events: Vec::new(),
            epochs: None,
            batch: None,
            said: Vec::new(),
        }
    }

    /// Follows a file from its top, once; the scope of its names.
    pub fn module(&mut self, file: usize) -> usize {
        if let Module::Begun(scope) = self.modules[file] {
            return scope;
        }
        let scope = self.scope(Scope { file, ..Scope::default() });
        self.modules[file] = Module::Begun(scope);
        let name = if file == 0 { "__main__" } else { "module" };
        self.scopes[scope].names.insert("__name__".into(), Value::text(name));
        let before = self.at;
        let files = self.files;
        self.block(files[file].tree.root_node(), scope);
        self.at = before;
        scope
    }

    /// Whether the bounds are used up.
    pub fn is_spent(&self) -> bool {
        self.left == 0
    }

    /// Takes so many steps; false if there are none left.
    pub(super) fn step(&mut self, steps: usize) -> bool {
        self.left = self.left.saturating_sub(steps);
        self.left > 0
    }

    /// Goes a level deeper for `inner`, or answers that this is too deep.
    pub(super) fn deeper<T>(&mut self, too_deep: T, inner: impl FnOnce(&mut Self) -> T) -> T {
        if self.depth >= DEPTH_MOST || !self.step(1) {
            return too_deep;
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    /// Notes something at the present place, once.
    pub(super) fn say(&mut self, what: impl AsRef<str>, why: impl Into<String>) {
        let said = Said { place: self.at, what: one_line(what.as_ref(), 100), why: why.into() };
        if self.said.len() < SAID_MOST && !self.said.contains(&said) {
            self.said.push(said);
        }
    }

    pub(super) fn text(&self, node: Node, scope: usize) -> &'a str {
        let files = self.files;
        text(node, &files[self.scopes[scope].file].source)
    }

    pub(super) fn scope(&mut self, scope: Scope) -> usize {
        self.scopes.push(scope);
        self.scopes.len() - 1
    }

    pub(super) fn list(&mut self, mut values: Vec<Value>) -> Value {
        values.truncate(LIST_MOST);
        self.step(values.len());
        self.lists.push(values);
        Value::List(self.lists.len() - 1)
    }

    pub(super) fn tuple(&mut self, values: Vec<Value>) -> Value {
        match self.list(values) {
            Value::List(list) => Value::Tuple(list),
            other => other,
        }
    }

    /// A shape as a tuple.
    pub(super) fn shape(&mut self, shape: &[Option<i64>]) -> Value {
        let sides = shape.iter();
        let sides = sides.map(|side| side.map_or(Value::unknown("how many there are"), Value::Int));
        let sides = sides.collect();
        self.tuple(sides)
    }

    pub(super) fn dict(&mut self, pairs: Vec<(String, Value)>) -> Value {
        self.step(pairs.len());
        self.dicts.push(pairs);
        Value::Dict(self.dicts.len() - 1)
    }

    pub(super) fn make(&mut self, path: &str, args: Args) -> Value {
        let place = self.at;
        self.objects.push(Made { path: path.into(), args, place, ..Made::default() });
        Value::Made(self.objects.len() - 1)
    }

    pub(super) fn make_data(&mut self, data: Data) -> Value {
        self.step(data.shape.as_ref().map_or(1, Vec::len));
        self.data.push(data);
        Value::Data(self.data.len() - 1)
    }

    pub(super) fn tensor(&mut self, from: Vec<usize>, op: Op) -> Value {
        if self.tensors.len() >= TENSORS_MOST {
            return Value::unknown("too many layers come before it");
        }
        self.step(from.len());
        self.tensors.push(Tensor { from, op, place: self.at });
        Value::Tensor(self.tensors.len() - 1)
    }

    /// The elements of a list or tuple.
    pub(super) fn elements(&self, value: &Value) -> Option<&[Value]> {
        match value {
            Value::List(list) | Value::Tuple(list) => Some(&self.lists[*list]),
            _ => None,
        }
    }

    /// What a name stands for in a scope.
    pub(super) fn name(&mut self, name: &str, scope: usize) -> Value {
        let mut at = Some(scope);
        let mut stars: Vec<String> = Vec::new();
        while let Some(scope) = at {
            let scope = &self.scopes[scope];
            if let Some(value) = scope.names.get(name) {
                return value.clone();
            }
            stars.extend(scope.stars.iter().cloned());
            at = scope.around;
        }
        if super::library::BUILTINS.contains(&name) {
            return Value::Name(name.into());
        }
        // Of several modules of which everything was imported, the one that has such a thing.
        let known = |star: &&String| crate::meaning::knows(&format!("{star}.{name}"));
        // Not every thing of a library is known, but what begins with a capital letter comes from one.
        let is_type = name.starts_with(|first: char| first.is_uppercase());
        let holds = |star: &&String| {
            is_type || ["datasets", "backend", "utils"].iter().any(|end| star.ends_with(end))
        };
        let star = stars.iter().find(known).or_else(|| stars.iter().find(holds));
        match star {
            Some(star) => {
                Value::Name(crate::source::names::canonical(&format!("{star}.{name}")).into())
            }
            None => Value::unknown(format!("`{}` is defined nowhere", one_line(name, 60))),
        }
    }

    /// Binds a name in a scope.
    pub(super) fn bind(&mut self, name: &str, value: Value, scope: usize) {
        let mut scope = scope;
        if self.scopes[scope].global.iter().any(|global| global == name) {
            while let Some(around) = self.scopes[scope].around {
                scope = around;
            }
        }
        self.scopes[scope].names.insert(name.to_owned(), value);
    }

    /// The own module of this name, seen from a file.
    pub(super) fn own_module(&self, from: usize, module: &str) -> Option<usize> {
        let candidates = candidates(&self.files[from].path, module);
        candidates.iter().find_map(|path| self.files.iter().position(|file| file.path == *path))
    }

    /// A name of a class, also one that it inherits.
    pub(super) fn class_name(&self, class: usize, name: &str) -> Option<Value> {
        let mut open = vec![class];
        let mut looked = 0;
        while let Some(class) = open.pop() {
            looked += 1;
            if looked > 50 {
                return None;
            }
            if let Some(value) = self.classes[class].names.get(name) {
                return Some(value.clone());
            }
            let bases = self.classes[class].bases.iter().rev();
            open.extend(bases.filter_map(|base| match base {
                Value::Class(base) => Some(*base),
                _ => None,
            }));
        }
        None
    }

    /// The class of a library that a class of the program inherits from in the end.
    pub(super) fn library_base(&self, class: usize) -> String {
        let mut at = class;
        for _ in 0..50 {
            let mut next = None;
            for base in &self.classes[at].bases {
                match base {
                    Value::Name(path) if &**path != "object" => return path.to_string(),
                    Value::Class(base) => next = Some(*base),
                    _ => {}
                }
            }
            match next {
                Some(base) => at = base,
                None => break,
            }
        }
        String::new()
    }

    /// Words for a value that is not what is needed.
    pub(super) fn why(&self, value: &Value) -> String {
        match value {
            Value::Unknown(why) => why.to_string(),
            Value::Name(path) => {
                let module = path.rsplit_once('.').map_or(&**path, |(module, _)| module);
                format!("it is `{path}`, and the module `{module}` is not there to be read")
            }
            Value::None => "it is None".into(),
            Value::Text(text) => format!("it is {:?}", one_line(text, 40)),
            Value::Float(number) => format!("it is {number}"),
            Value::Made(object) => {
                format!("it is what `{}` returns", one_line(&self.objects[*object].path, 60))
            }
            Value::Function(_) | Value::Bound(..) => "it is a function".into(),
            _ => "it is not a constant".into(),
        }
    }

    /// All own names of a module, for `from module import *`.
    pub(super) fn names_of(&self, scope: usize) -> BTreeMap<String, Value> {
        let names = self.scopes[scope].names.iter();
        let open = names.filter(|(name, _)| !name.starts_with('_'));
        open.map(|(name, value)| (name.clone(), value.clone())).collect()
    }
}
