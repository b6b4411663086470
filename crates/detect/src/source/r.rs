//! R source, and the chunks of R in R Markdown → [`Facts`].

use tree_sitter::Node;

use super::calls::{keep, plain};
use super::facts::{Arg, Facts, Import, Scope, Value};
use super::tree::{self, named, text, walk};
use crate::limits::Limits;
use crate::text::one_line;

/// Reads R source.
///
/// # Errors
///
/// Says in words why the file cannot be read.
pub fn read(source: &str, limits: &Limits) -> Result<Facts, String> {
    let language = tree_sitter_r::LANGUAGE.into();
    let tree = tree::parse(source, &language, limits)
        .ok_or("parsing it takes too many steps, as text does that is nested strangely")?;
    let mut facts = Facts::default();
    facts.scopes.push(Scope::default());
    walk(tree.root_node(), (), |node, ()| {
        match node.kind() {
            "call" => call(node, source, limits, &mut facts),
            // Data sets that R brings stand for themselves: `train(Species ~ ., data = iris)`.
            "identifier" if ["iris", "titanic", "Boston"].contains(&text(node, source)) => {
                let path = format!("r:={}", text(node, source));
                keep(plain(path, Vec::new(), node, source), limits, &mut facts);
            }
            _ => {}
        }
        Some(())
    });
    Ok(facts)
}

fn call(node: Node, source: &str, limits: &Limits, facts: &mut Facts) {
    let Some(function) = node.child_by_field_name("function") else { return };
    let name = match function.kind() {
        "identifier" => text(function, source),
        "namespace_operator" => {
            function.child_by_field_name("rhs").map_or("", |name| text(name, source))
        }
        _ => return,
    };
    let arguments = node.child_by_field_name("arguments").map(named).unwrap_or_default();
    let args: Vec<Arg> =
        arguments.into_iter().take(40).map(|node| argument(node, source)).collect();
    if ["library", "require", "source"].contains(&name) {
        let module = args.first().map(|arg| match &arg.value {
            Value::Text(text) | Value::Unknown(text) | Value::Name(text) => text.clone(),
            _ => String::new(),
        });
        let module = module.unwrap_or_default();
        if name == "source" {
            facts.imports.push(Import { module, level: 0, names: Vec::new() });
        }
        return;
    }
    keep(plain(format!("r:{name}"), args, node, source), limits, facts);
}

fn argument(node: Node, source: &str) -> Arg {
    let name = node.child_by_field_name("name").map(|name| text(name, source).to_owned());
    let value = node.child_by_field_name("value").unwrap_or(node);
    let written = one_line(text(value, source), 60);
    let value = match value.kind() {
        "string" => {
            let content =
                value.child_by_field_name("content").map_or("", |content| text(content, source));
            Value::Text(content.to_owned())
        }
        "identifier" => Value::Name(written),
        "integer" | "float" | "true" | "false" | "null" => Value::Literal(written),
        _ => Value::Unknown(written),
    };
    Arg { name, value }
}

/// The chunks of R in R Markdown, with every other line emptied, so that lines keep their numbers.
pub fn chunks(markdown: &str) -> String {
    let mut code = String::with_capacity(markdown.len());
    let mut is_in = false;
    for line in markdown.lines() {
        let fence = line.trim_start();
        if fence.starts_with("```") {
            let opens = fence.trim_start_matches('`').trim_start();
            is_in = !is_in && (opens.starts_with("{r") || opens.starts_with("{R"));
        } else if is_in {
            code += line;
        }
        code.push('\n');
    }
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_chunks_of_r_are_read() {
        let text = "a <- 1\n```{r setup}\nlibrary(caret)\n```\ntext\n```{python}\nx\n```\n";
        assert_eq!(chunks(text), "\n\nlibrary(caret)\n\n\n\n\n\n");
    }

    #[test]
    fn calls_have_their_names_and_arguments() {
        let facts =
            read("m <- caret::train(y ~ ., method = \"rf\")  # svm(x)\n", &Limits::default())
                .unwrap();
        let [call] = facts.calls.as_slice() else { panic!("{:?}", facts.calls) };
        assert_eq!(call.path, "r:train");
        assert_eq!(call.named("method"), Some(&Value::Text("rf".into())));
    }
}
