//! What Python expressions stand for where a program is followed without being run. Everything that is made lies
//! in a list and is named by its number, so that nothing is owned in a circle or dropped by recursion.

use std::collections::BTreeMap;
use std::rc::Rc;

use tree_sitter::Node;

/// A place in one of the files that are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Place {
    /// Number of the file.
    pub file: usize,
    /// Line, counted from 1.
    pub line: u32,
}

/// What an expression stands for.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `None`.
    None,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
    /// A string.
    Text(Rc<str>),
    /// A list.
    List(usize),
    /// A tuple.
    Tuple(usize),
    /// A dictionary with strings as keys.
    Dict(usize),
    /// Something in a library, or in a module that is not there, by its canonical full name.
    Name(Rc<str>),
    /// One of the program's own modules.
    Module(usize),
    /// A function of the program.
    Function(usize),
    /// A method of the program, with its object.
    Bound(usize, usize),
    /// A class of the program.
    Class(usize),
    /// `super()` within a method of this class, for this object.
    Super(usize, usize),
    /// An object: a layer, a model, an optimizer, whatever a library or a class made.
    Made(usize),
    /// What passes between two layers.
    Tensor(usize),
    /// An array of data.
    Data(usize),
    /// An attribute of something, to be called.
    Method(Box<Value>, Rc<str>),
    /// What cannot be told without running the program, and why.
    Unknown(Rc<str>),
}

impl Value {
    /// An unknown value.
    pub fn unknown(why: impl AsRef<str>) -> Self {
        Self::Unknown(Rc::from(why.as_ref()))
    }

    /// A string.
    pub fn text(text: impl AsRef<str>) -> Self {
        Self::Text(Rc::from(text.as_ref()))
    }

    /// The number, also of a float without a fraction and of a truth value.
    pub fn int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            Self::Bool(truth) => Some(i64::from(*truth)),
            Self::Float(number) if number.fract() == 0.0 && number.abs() < 1e15 => {
                Some(*number as i64)
            }
            _ => None,
        }
    }

    /// The number as a float.
    pub fn float(&self) -> Option<f64> {
        match self {
            Self::Float(number) => Some(*number),
            other => other.int().map(|number| number as f64),
        }
    }

    /// Whether it counts as true; `None` where that cannot be told.
    pub fn truth(&self) -> Option<bool> {
        match self {
            Self::None => Some(false),
            Self::Bool(truth) => Some(*truth),
            Self::Int(number) => Some(*number != 0),
            Self::Float(number) => Some(*number != 0.0),
            Self::Text(text) => Some(!text.is_empty()),
            Self::Function(_) | Self::Class(_) | Self::Made(_) | Self::Tensor(_) => Some(true),
            _ => None,
        }
    }
}

/// What a call was given.
#[derive(Debug, Clone, Default)]
pub struct Args {
    /// By position.
    pub at: Vec<Value>,
    /// By name.
    pub named: Vec<(String, Value)>,
}

impl Args {
    /// The argument at a position, or by one of these names.
    pub fn get(&self, position: usize, names: &[&str]) -> Option<&Value> {
        let named = self.named.iter().find(|(name, _)| names.contains(&name.as_str()));
        named.map(|(_, value)| value).or_else(|| self.at.get(position))
    }

    /// The argument by one of these names.
    pub fn named(&self, names: &[&str]) -> Option<&Value> {
        self.get(usize::MAX, names)
    }
}

/// Names that are bound in a module or in one call of a function.
#[derive(Debug, Default)]
pub struct Scope {
    /// The names.
    pub names: BTreeMap<String, Value>,
    /// The scope around it.
    pub around: Option<usize>,
    /// Modules of libraries of which everything was imported.
    pub stars: Vec<String>,
    /// Names that are those of the module.
    pub global: Vec<String>,
    /// The file that its text is in.
    pub file: usize,
    /// The class whose method runs here, and the object.
    pub method_of: Option<(usize, usize)>,
}

/// A function or a lambda.
#[derive(Debug, Clone, Copy)]
pub struct Function<'a> {
    /// The definition.
    pub node: Node<'a>,
    /// The file.
    pub file: usize,
    /// The scope in which it was defined.
    pub scope: usize,
    /// The class that it is a method of.
    pub class: Option<usize>,
    /// Whether the object is no argument of it (`@staticmethod`).
    pub is_static: bool,
    /// Whether it is read like an attribute (`@property`).
    pub is_property: bool,
}

/// A class of the program.
#[derive(Debug, Default)]
pub struct Class {
    /// Its name.
    pub name: String,
    /// What it inherits from.
    pub bases: Vec<Value>,
    /// Methods and other names in it.
    pub names: BTreeMap<String, Value>,
}

/// An object.
#[derive(Debug, Default)]
pub struct Made {
    /// Full name of what made it; of an object of the program's class, that of its base in a library.
    pub path: String,
    /// The program's class.
    pub class: Option<usize>,
    /// What it was made with.
    pub args: Args,
    /// Where.
    pub place: Place,
    /// Attributes.
    pub fields: Vec<(String, Value)>,
    /// Layers of a sequence.
    pub items: Vec<Value>,
}

impl Made {
    /// The last word of its name.
    pub fn kind(&self) -> &str {
        self.path.rsplit('.').next().unwrap_or_default()
    }

    /// An attribute.
    pub fn field(&self, name: &str) -> Option<&Value> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// Sets an attribute.
    pub fn set(&mut self, name: &str, value: Value) {
        match self.fields.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = value,
            None => self.fields.push((name.to_owned(), value)),
        }
    }
}

/// What made a tensor.
#[derive(Debug, Clone)]
pub enum Op {
    /// It is an input of this shape, without the batch.
    Input(Option<Vec<i64>>),
    /// A layer.
    Layer(usize),
    /// A function of a library, or a method of a tensor as `.name`.
    Call(Rc<str>, Args),
}

/// What passes between two layers.
#[derive(Debug, Clone)]
pub struct Tensor {
    /// What it was made of.
    pub from: Vec<usize>,
    /// What made it.
    pub op: Op,
    /// Where.
    pub place: Place,
}

/// An array of data, of which the shape may be known.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Data {
    /// The data set.
    pub set: Option<&'static str>,
    /// Its shape; `None` where the number of axes is not known.
    pub shape: Option<Vec<Option<i64>>>,
    /// Whether it holds labels.
    pub is_labels: bool,
}
