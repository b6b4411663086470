//! Python source → [`Facts`]. Comments, docstrings, strings and imports that are not used leave no facts.

use tree_sitter::{Node, Tree};

use super::calls::keep;
use super::facts::{Arg, Call, Class, Facts, Scope, Value};
use super::names::{Bound, Names};
use super::python_values::{constant, value};
use super::tree::{self, line, named, text, walk};
use crate::limits::Limits;
use crate::text::one_line;

/// Names of a scope beyond this number are not noted.
const MENTIONS_MOST: usize = 20_000;
/// Arguments of a call beyond this number are not noted.
const ARGUMENTS_MOST: usize = 40;

/// Reads a Python file.
///
/// # Errors
///
/// Says in words why the file cannot be read.
pub fn read(source: &str, limits: &Limits) -> Result<Facts, String> {
    let language = tree_sitter_python::LANGUAGE.into();
    let tree = tree::parse(source, &language, limits)
        .ok_or("parsing it takes too many steps, as text does that is nested strangely")?;
    let names = names(&tree, source);
    let mut reader = Reader { source, names, facts: Facts::default(), limits };
    reader.facts.scopes.push(Scope::default());
    let start = Context { scope: 0, is_top: true, in_loop: false, decorated: false };
    walk(tree.root_node(), start, |node, context| reader.visit(node, context));
    let Reader { mut facts, names, .. } = reader;
    facts.imports = names.imports;
    facts.broken_at = tree::first_error(&tree).map(line);
    Ok(facts)
}

/// Everything that is bound by a name, before calls are resolved: a function may be written above the import
/// that it uses.
fn names(tree: &Tree, source: &str) -> Names {
    let mut names = Names::default();
    walk(tree.root_node(), (), |node, ()| {
        match node.kind() {
            "import_statement" => names.import(node, source),
            "import_from_statement" => names.import_from(node, source),
            "call" => note_option(node, &mut names, source),
            _ => {}
        }
        Some(())
    });
    walk(tree.root_node(), (), |node, ()| {
        match node.kind() {
            "assignment" => {
                let sides = (node.child_by_field_name("left"), node.child_by_field_name("right"));
                if let (Some(left), Some(right)) = sides {
                    assign(&mut names, left, right, source);
                }
            }
            // What the file defines itself comes from nowhere else.
            "class_definition" | "function_definition" => {
                let name = node.child_by_field_name("name").map_or("", |name| text(name, source));
                names.bind(name, Bound::Several);
            }
            "parameters" => {
                for parameter in named(node) {
                    let name = match parameter.kind() {
                        "identifier" => Some(parameter),
                        _ => parameter.child_by_field_name("name"),
                    };
                    names.forget(name.map_or("", |name| text(name, source)));
                }
            }
            _ => {}
        }
        Some(())
    });
    names
}

/// Notes what an assignment binds.
fn assign(names: &mut Names, left: Node, right: Node, source: &str) {
    if left.kind() != "identifier" {
        return;
    }
    let name = text(left, source);
    if let Some(path) = names.path(right, source) {
        names.bind(name, Bound::Path(path));
    } else if let Some(value) = constant(right, names, source) {
        names.bind(name, Bound::Text(value));
    } else if right.kind() == "call"
        && let Some(function) = right.child_by_field_name("function")
        && let Some(path) = names.path(function, source)
    {
        names.bind(name, Bound::Made(path));
    } else {
        names.bind(name, Bound::Several);
    }
}

/// `parser.add_argument("--data-dir", default="data")` and the like.
fn note_option(node: Node, names: &mut Names, source: &str) {
    let Some(function) = node.child_by_field_name("function") else { return };
    let method = function.child_by_field_name("attribute").unwrap_or(function);
    if method.kind() != "identifier" {
        return;
    }
    let method = text(method, source);
    let is_flag = method.starts_with("DEFINE_");
    if !is_flag && method != "add_argument" {
        return;
    }
    let Some(arguments) = node.child_by_field_name("arguments") else { return };
    let mut option = None;
    let mut default = None;
    for (argument, place) in named(arguments).into_iter().zip(0..) {
        if argument.kind() == "keyword_argument" {
            let name = argument.child_by_field_name("name").map(|name| text(name, source));
            let value = argument.child_by_field_name("value");
            let value = value.and_then(|value| constant(value, names, source));
            match name {
                Some("default") => default = value,
                Some("dest") => option = value.or(option),
                _ => {}
            }
        } else if is_flag && place == 1 {
            default = constant(argument, names, source);
        } else if let Some(name) = constant(argument, names, source)
            && (option.is_none() || name.starts_with("--"))
            && (!is_flag || place == 0)
        {
            option = Some(name.trim_start_matches('-').replace('-', "_"));
        }
    }
    if let (Some(option), Some(default)) = (option, default) {
        names.options.insert(option, default);
    }
}

#[derive(Clone, Copy)]
struct Context {
    scope: usize,
    /// Whether no function or class is around.
    is_top: bool,
    in_loop: bool,
    decorated: bool,
}

struct Reader<'a> {
    source: &'a str,
    names: Names,
    facts: Facts,
    limits: &'a Limits,
}

impl Reader<'_> {
    fn visit(&mut self, node: Node, context: Context) -> Option<Context> {
        match node.kind() {
            "import_statement"
            | "import_from_statement"
            | "future_import_statement"
            | "comment" => return None,
            "decorated_definition" => return Some(Context { decorated: true, ..context }),
            "class_definition" | "function_definition" => {
                return Some(self.definition(node, context));
            }
            "for_statement" | "while_statement" | "list_comprehension" | "generator_expression" => {
                return Some(Context { in_loop: true, ..context });
            }
            "if_statement" => self.main_guard(node),
            "call" => self.call(node, context),
            "assignment" => self.environment(node, context),
            "subscript" => self.looked_up(node, context),
            "identifier" => self.mention(text(node, self.source), context.scope),
            _ => {}
        }
        Some(context)
    }

    fn mention(&mut self, name: &str, scope: usize) {
        let mentions = &mut self.facts.scopes[scope].mentions;
        if mentions.len() < MENTIONS_MOST {
            mentions.insert(name.to_owned());
        }
    }

    fn definition(&mut self, node: Node, context: Context) -> Context {
        let name = node.child_by_field_name("name").map_or("", |name| text(name, self.source));
        let mut inner = Context { is_top: false, decorated: false, ..context };
        if context.is_top {
            inner.scope = self.facts.scopes.len();
            self.facts.scopes.push(Scope {
                name: name.to_owned(),
                is_decorated: context.decorated,
                ..Scope::default()
            });
        }
        if node.kind() == "class_definition" {
            let bases = node.child_by_field_name("superclasses").map(named).unwrap_or_default();
            let bases = bases.into_iter().filter_map(|base| self.names.path(base, self.source));
            let class = Class {
                name: name.to_owned(),
                bases: bases.collect(),
                line: line(node),
                scope: inner.scope,
                saw: self.saw(node),
            };
            self.facts.classes.push(class);
        }
        inner
    }

    fn main_guard(&mut self, node: Node) {
        let condition =
            node.child_by_field_name("condition").map_or("", |node| text(node, self.source));
        if condition.contains("__name__") && condition.contains("__main__") {
            self.facts.main_guard.get_or_insert(line(node));
        }
    }

    fn call(&mut self, node: Node, context: Context) {
        let Some(function) = node.child_by_field_name("function") else { return };
        let (path, on) = match self.names.path(function, self.source) {
            Some(path) => (path, None),
            None if function.kind() == "attribute" => {
                let Some(method) = function.child_by_field_name("attribute") else { return };
                let object = function.child_by_field_name("object");
                let on = object.and_then(|object| self.made(object));
                (format!(".{}", text(method, self.source)), on)
            }
            None => {
                let name = text(function, self.source);
                if name == "open" {
                    self.note("open".into(), None, node, context);
                }
                self.facts.is_dynamic |= ["getattr", "globals", "eval", "exec"].contains(&name);
                if name == "getattr" {
                    self.reached(node, context);
                }
                return;
            }
        };
        self.facts.is_dynamic |= path.starts_with("importlib.") || path.ends_with("instantiate");
        self.note(path, on, node, context);
    }

    fn note(&mut self, path: String, on: Option<String>, node: Node, context: Context) {
        let arguments = node.child_by_field_name("arguments").map(named).unwrap_or_default();
        let args =
            arguments.into_iter().take(ARGUMENTS_MOST).map(|argument| self.arg(argument)).collect();
        self.push(Call {
            path,
            on,
            args,
            line: line(node),
            scope: context.scope,
            in_loop: context.in_loop,
            saw: self.saw(node),
        });
    }

    fn arg(&self, argument: Node) -> Arg {
        match argument.kind() {
            "keyword_argument" => {
                let name = argument.child_by_field_name("name");
                let given = argument.child_by_field_name("value").unwrap_or(argument);
                Arg {
                    name: name.map(|name| text(name, self.source).to_owned()),
                    value: value(given, &self.names, self.source),
                }
            }
            _ => Arg { name: None, value: value(argument, &self.names, self.source) },
        }
    }

    /// What an object was made with: `Sequential()` in `Sequential().fit()`, or by its variable.
    fn made(&self, object: Node) -> Option<String> {
        match object.kind() {
            "identifier" => match self.names.get(text(object, self.source))? {
                Bound::Made(path) => Some(path.clone()),
                _ => None,
            },
            "call" => self.names.path(object.child_by_field_name("function")?, self.source),
            _ => None,
        }
    }

    /// `getattr(torchvision.models, name)`: something of this module is used, whichever.
    fn reached(&mut self, node: Node, context: Context) {
        let arguments = node.child_by_field_name("arguments").map(named).unwrap_or_default();
        let module = arguments.first().and_then(|module| self.names.path(*module, self.source));
        if let Some(module) = module {
            self.some_of(&module, node, context);
        }
    }

    /// `torchvision.models.__dict__[name]`, and `os.environ[name]`.
    fn looked_up(&mut self, node: Node, context: Context) {
        let Some(object) = node.child_by_field_name("value") else { return };
        let Some(path) = self.names.path(object, self.source) else { return };
        if let Some(module) = path.strip_suffix(".__dict__") {
            self.facts.is_dynamic = true;
            self.some_of(module, node, context);
        }
    }

    fn some_of(&mut self, module: &str, node: Node, context: Context) {
        self.push(Call {
            path: format!("{module}.*"),
            on: None,
            args: Vec::new(),
            line: line(node),
            scope: context.scope,
            in_loop: context.in_loop,
            saw: self.saw(node),
        });
    }

    /// `os.environ["CUDA_VISIBLE_DEVICES"] = "0"`.
    fn environment(&mut self, node: Node, context: Context) {
        let sides = (node.child_by_field_name("left"), node.child_by_field_name("right"));
        let (Some(left), Some(right)) = sides else { return };
        let object = left.child_by_field_name("value").filter(|_| left.kind() == "subscript");
        let path = object.and_then(|object| self.names.path(object, self.source));
        if path.as_deref() != Some("os.environ") {
            return;
        }
        let key = left
            .child_by_field_name("subscript")
            .and_then(|key| constant(key, &self.names, self.source));
        let Some(key) = key else { return };
        let value = value(right, &self.names, self.source);
        let args = [Value::Text(key), value].map(|value| Arg { name: None, value });
        self.push(Call {
            path: "os.environ.set".into(),
            on: None,
            args: args.into(),
            line: line(node),
            scope: context.scope,
            in_loop: context.in_loop,
            saw: self.saw(node),
        });
    }

    fn saw(&self, node: Node) -> String {
        one_line(text(node, self.source), 100)
    }

    fn push(&mut self, call: Call) {
        keep(call, self.limits, &mut self.facts);
    }
}
