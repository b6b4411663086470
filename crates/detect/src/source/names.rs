//! What names stand for in a Python file: modules and what is imported from them, under whichever alias, and
//! constants.

use std::collections::BTreeMap;

use tree_sitter::Node;

use super::facts::Import;
use super::tree::{named, role, text};

/// What a name is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bound {
    /// A module or something in one, by its canonical full name.
    Path(String),
    /// What a call of this full name returned.
    Made(String),
    /// A string.
    Text(String),
    /// Different things at different places.
    Several,
}

/// The names of a file. Scopes are not kept apart: a name that stands for two things is not resolved.
#[derive(Debug, Default)]
pub struct Names {
    bound: BTreeMap<String, Bound>,
    /// Modules of which everything was imported.
    pub stars: Vec<String>,
    /// Defaults of options, by the option's name as an attribute.
    pub options: BTreeMap<String, String>,
    /// All imports.
    pub imports: Vec<Import>,
}

/// Modules beyond these of which everything is imported are not searched.
const STARS_MOST: usize = 40;
/// Deeper expressions are not resolved.
const DEPTH: usize = 24;

impl Names {
    /// What a name is bound to.
    pub fn get(&self, name: &str) -> Option<&Bound> {
        self.bound.get(name)
    }

    /// Binds a name. An import is never replaced by something else: a program that tries one module and
    /// falls back on another means the same by both.
    pub fn bind(&mut self, name: &str, to: Bound) {
        match self.bound.get_mut(name) {
            None => {
                self.bound.insert(name.to_owned(), to);
            }
            Some(Bound::Path(_)) => {}
            Some(known) if *known == to => {}
            Some(known @ Bound::Text(_)) => *known = Bound::Several,
            // A model that is built anew is a model still; the last one counts.
            Some(known) => *known = if matches!(to, Bound::Text(_)) { Bound::Several } else { to },
        }
    }

    /// Notes an `import` statement.
    pub fn import(&mut self, node: Node, source: &str) {
        for name in role(node, "name") {
            let (path, alias) = aliased(name, source);
            self.imports.push(Import { module: path.clone(), level: 0, names: Vec::new() });
            match alias {
                Some(alias) => self.bind(&alias, Bound::Path(canonical(&path))),
                None => {
                    let root = path.split('.').next().unwrap_or(&path).to_owned();
                    self.bind(&root, Bound::Path(canonical(&root)));
                }
            }
        }
    }

    /// Notes a `from … import …` statement.
    pub fn import_from(&mut self, node: Node, source: &str) {
        let Some(module) = node.child_by_field_name("module_name") else { return };
        let written = without_space(text(module, source));
        let path = written.trim_start_matches('.').to_owned();
        let level = written.len() - path.len();
        let mut import = Import { module: path.clone(), level, names: Vec::new() };
        for name in role(node, "name") {
            let (item, alias) = aliased(name, source);
            if level == 0 {
                let alias = alias.unwrap_or_else(|| item.clone());
                self.bind(&alias, Bound::Path(canonical(&format!("{path}.{item}"))));
            }
            import.names.push(item);
        }
        if named(node).iter().any(|child| child.kind() == "wildcard_import")
            && level == 0
            && self.stars.len() < STARS_MOST
        {
            self.stars.push(path);
        }
        self.imports.push(import);
    }

    /// The canonical full name of an expression, if it is a name or an attribute of one.
    pub fn path(&self, node: Node, source: &str) -> Option<String> {
        let mut parts: Vec<&str> = Vec::new();
        let mut at = node;
        for _ in 0..DEPTH {
            match at.kind() {
                "identifier" => {
                    let name = text(at, source);
                    let mut path = match self.bound.get(name) {
                        Some(Bound::Path(path)) => path.clone(),
                        Some(_) => return None,
                        None => self.star_path(name)?,
                    };
                    for part in parts.iter().rev() {
                        path.push('.');
                        path += part;
                    }
                    return Some(canonical(&path));
                }
                "attribute" => {
                    parts.push(text(at.child_by_field_name("attribute")?, source));
                    at = at.child_by_field_name("object")?;
                }
                "parenthesized_expression" => at = named(at).first().copied()?,
                _ => return None,
            }
        }
        None
    }

    /// A name that is bound nowhere comes from a module of which everything was imported.
    fn star_path(&self, name: &str) -> Option<String> {
        let known = |path: &String| crate::meaning::knows(path);
        self.stars.iter().map(|star| canonical(&format!("{star}.{name}"))).find(known)
    }

    /// Notes that a name is a parameter, or assigned in a way that is not followed.
    pub fn forget(&mut self, name: &str) {
        if matches!(self.bound.get(name), Some(Bound::Text(_))) {
            self.bound.insert(name.to_owned(), Bound::Several);
        }
    }
}

fn aliased(node: Node, source: &str) -> (String, Option<String>) {
    let part = |field| node.child_by_field_name(field).map(|node| text(node, source).to_owned());
    match node.kind() {
        "aliased_import" => (without_space(&part("name").unwrap_or_default()), part("alias")),
        _ => (without_space(text(node, source)), None),
    }
}

fn without_space(text: &str) -> String {
    text.chars().filter(|character| !character.is_whitespace() && *character != '\\').collect()
}

/// Prefixes under which one and the same library is imported, longest first.
const SAME: [(&str, &str); 21] = [
    ("tensorflow.contrib.keras.python.keras", "keras"),
    ("tensorflow.contrib.keras.api.keras", "keras"),
    ("tensorflow.python.keras.api._v1.keras", "keras"),
    ("tensorflow.python.keras.api._v2.keras", "keras"),
    ("tensorflow.contrib.keras", "keras"),
    ("tensorflow.compat.v1.keras", "keras"),
    ("tensorflow.compat.v2.keras", "keras"),
    ("tensorflow.python.keras", "keras"),
    ("tensorflow.keras", "keras"),
    ("tensorflow_core.keras", "keras"),
    ("tensorflow.compat.v1", "tensorflow"),
    ("tensorflow.compat.v2", "tensorflow"),
    ("keras.api._v2.keras", "keras"),
    ("keras.api", "keras"),
    ("keras.src", "keras"),
    ("keras_core", "keras"),
    ("tf_keras", "keras"),
    ("lightning.pytorch", "lightning"),
    ("pytorch_lightning", "lightning"),
    ("flax.deprecated.nn", "flax.linen"),
    ("jax.numpy", "jax.numpy"),
];

/// The one name of a thing that may be imported from several places.
pub fn canonical(path: &str) -> String {
    for (prefix, same) in SAME {
        if let Some(rest) = path.strip_prefix(prefix)
            && (rest.is_empty() || rest.starts_with('.'))
        {
            return format!("{same}{rest}");
        }
    }
    path.to_owned()
}
