//! What a source file does, in whichever language: the calls that it makes, by their full names.

use std::collections::BTreeSet;

/// The facts of one file.
#[derive(Debug, Default)]
pub struct Facts {
    /// Calls, and some other places that tell as much, in the order of the text.
    pub calls: Vec<Call>,
    /// Classes with the full names of what they inherit from.
    pub classes: Vec<Class>,
    /// The module level, which comes first, and the functions and classes at the top level.
    pub scopes: Vec<Scope>,
    /// Imported modules.
    pub imports: Vec<Import>,
    /// Line of `if __name__ == "__main__":`.
    pub main_guard: Option<u32>,
    /// Whether a class or a function is looked up by a name that is computed.
    pub is_dynamic: bool,
    /// The line from which on the text is not what its language allows, so that calls may be missing.
    pub broken_at: Option<u32>,
    /// What was left out, in words.
    pub cut: Option<String>,
}

/// A call whose callee has a full name.
#[derive(Debug)]
pub struct Call {
    /// The canonical full name, such as `keras.layers.Conv2D`; a method of something else begins with a dot.
    pub path: String,
    /// Of a method: the full name of what its object was made with, where that is known.
    pub on: Option<String>,
    /// Its arguments.
    pub args: Vec<Arg>,
    /// Line, counted from 1.
    pub line: u32,
    /// Index of the scope.
    pub scope: usize,
    /// Whether it stands in a loop or a comprehension.
    pub in_loop: bool,
    /// The beginning of its text.
    pub saw: String,
}

/// An argument of a call.
#[derive(Debug)]
pub struct Arg {
    /// Its keyword.
    pub name: Option<String>,
    /// Its value, as far as it can be told without running anything.
    pub value: Value,
}

/// A value, as far as it can be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A string.
    Text(String),
    /// Several strings, of which it is one.
    OneOf(Vec<String>),
    /// A full name.
    Name(String),
    /// What a call returns.
    CallOf(String),
    /// A literal that is no string, as it is written.
    Literal(String),
    /// It depends on what only running the program tells; as it is written.
    Unknown(String),
}

/// A class.
#[derive(Debug)]
pub struct Class {
    /// Its name.
    pub name: String,
    /// Full names of what it inherits from.
    pub bases: Vec<String>,
    /// Line, counted from 1.
    pub line: u32,
    /// Index of the scope.
    pub scope: usize,
    /// The beginning of its text.
    pub saw: String,
}

/// The module level, or a function or class at the top level.
#[derive(Debug, Default)]
pub struct Scope {
    /// Its name; empty for the module level.
    pub name: String,
    /// Names that occur in it, other than in imports.
    pub mentions: BTreeSet<String>,
    /// Whether it has a decorator, which may register it under a name.
    pub is_decorated: bool,
}

/// An import of a module that may be one of the checkout's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// Dotted name, without the dots of a relative import.
    pub module: String,
    /// Number of dots of a relative import.
    pub level: usize,
    /// Names imported out of it; these may be modules too.
    pub names: Vec<String>,
}

impl Facts {
    /// How much memory and work these facts take, roughly in names.
    pub fn weight(&self) -> usize {
        let mentions: usize = self.scopes.iter().map(|scope| scope.mentions.len() + 1).sum();
        let imports: usize = self.imports.iter().map(|import| import.names.len() + 1).sum();
        mentions + imports + 4 * self.calls.len() + self.classes.len()
    }
}

impl Call {
    /// The argument with this keyword.
    pub fn named(&self, name: &str) -> Option<&Value> {
        self.args.iter().find(|arg| arg.name.as_deref() == Some(name)).map(|arg| &arg.value)
    }

    /// The positional argument at this place.
    pub fn at(&self, place: usize) -> Option<&Value> {
        self.args.iter().filter(|arg| arg.name.is_none()).nth(place).map(|arg| &arg.value)
    }

    /// The argument at this place, or with one of these keywords.
    pub fn arg(&self, place: usize, names: &[&str]) -> Option<&Value> {
        self.at(place).or_else(|| names.iter().find_map(|name| self.named(name)))
    }
}

/// The last part of a dotted name.
pub fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

impl Value {
    /// The strings that it may be.
    pub fn texts(&self) -> &[String] {
        match self {
            Self::Text(text) => std::slice::from_ref(text),
            Self::OneOf(texts) => texts,
            _ => &[],
        }
    }
}
