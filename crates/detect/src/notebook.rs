//! Jupyter notebooks: the source of their code cells, as one text with the place of each line. Outputs, which
//! may be large, are passed over without being kept.

use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess, Visitor};

/// The code of a notebook.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Code {
    /// The language of its kernel, in lower case; `python` unless said.
    pub language: String,
    /// The code cells after another, with the lines that are commands for the notebook emptied.
    pub text: String,
    /// Of each line of `text`: the cell, counted from 1 over all cells, and the line in it.
    pub places: Vec<(u32, u32)>,
    /// Lines that call the shell, such as `!pip install tensorflow`, with their place.
    pub shell: Vec<(String, u32, u32)>,
}

#[derive(Deserialize)]
struct Notebook {
    #[serde(default)]
    cells: Vec<Cell>,
    /// Up to version 3 of the format.
    #[serde(default)]
    worksheets: Vec<Worksheet>,
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Worksheet {
    #[serde(default)]
    cells: Vec<Cell>,
}

#[derive(Deserialize)]
struct Cell {
    #[serde(default)]
    cell_type: String,
    #[serde(default, alias = "input")]
    source: Source,
}

#[derive(Deserialize, Default)]
struct Metadata {
    #[serde(default)]
    kernelspec: Kernel,
    #[serde(default)]
    language_info: Language,
}

#[derive(Deserialize, Default)]
struct Kernel {
    #[serde(default)]
    language: Option<String>,
    #[serde(default)]
    name: Option<String>,
}

#[derive(Deserialize, Default)]
struct Language {
    #[serde(default)]
    name: Option<String>,
}

/// Source text, which is a string or a list of lines.
#[derive(Default)]
struct Source(String);

impl<'de> Deserialize<'de> for Source {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Source;
            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("the text of a cell, or a list of its lines")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Source, E> {
                Ok(Source(text.to_owned()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut lines: A) -> Result<Source, A::Error> {
                let mut text = String::new();
                while let Some(line) = lines.next_element::<String>()? {
                    text += &line;
                }
                Ok(Source(text))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// Reads a notebook.
///
/// # Errors
///
/// Text that is not JSON, that is nested too deeply, or that is no notebook.
pub fn read(text: &str) -> Result<Code, String> {
    let notebook: Notebook = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let Notebook { cells, worksheets, metadata } = notebook;
    let mut code = Code { language: language(metadata), ..Code::default() };
    let cells = cells.into_iter().chain(worksheets.into_iter().flat_map(|sheet| sheet.cells));
    for (cell, number) in cells.zip(1..) {
        if cell.cell_type == "code" {
            code.add(&cell.source.0, number);
        }
    }
    Ok(code)
}

fn language(metadata: Metadata) -> String {
    let Metadata { kernelspec: Kernel { language, name }, language_info } = metadata;
    let said = language_info.name.or(language).or(name).unwrap_or_default().to_lowercase();
    match said.as_str() {
        "r" | "ir" => "r".into(),
        "" => "python".into(),
        said if said.contains("python") || said.contains("conda") => "python".into(),
        said => said.to_owned(),
    }
}

impl Code {
    fn add(&mut self, source: &str, cell: u32) {
        let mut lines = source.lines().peekable();
        // A magic of the whole cell says that the cell is written in something else.
        let other = lines.peek().is_some_and(|first| {
            let first = first.trim_start();
            first.starts_with("%%")
                && !["%%time", "%%capture", "%%prun"].iter().any(|own| first.starts_with(own))
        });
        for (line, number) in lines.zip(1..) {
            let trimmed = line.trim_start();
            if let Some(command) = trimmed.strip_prefix('!') {
                self.shell.push((command.to_owned(), cell, number));
            }
            let asks =
                trimmed.trim_end().ends_with('?') && !trimmed.contains(['#', '(', '"', '\'']);
            let is_command = trimmed.starts_with(['!', '%', '?']) || asks;
            if is_command && !other {
                // What a block may hold alone, so that the block stays one.
                let indent = line.len() - trimmed.len();
                self.text += &line[..indent];
                self.text += "pass";
            } else if !other {
                self.text += line;
            }
            self.text.push('\n');
            self.places.push((cell, number));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_cells_are_read_and_outputs_passed_over() {
        let text = r##"{"metadata": {"kernelspec": {"language": "python"}}, "cells": [
            {"cell_type": "markdown", "source": ["# from keras import x"]},
            {"cell_type": "code", "outputs": [{"data": {"image/png": "AAAA"}}],
             "source": ["%matplotlib inline\n", "!pip install keras\n", "import keras\n", "if a:\n", "    !ls"]},
            {"cell_type": "code", "source": "x = 1"},
            {"cell_type": "code", "source": "%%bash\nimport nothing"}]}"##;
        let code = read(text).unwrap();
        assert_eq!(code.language, "python");
        assert_eq!(code.text, "pass\npass\nimport keras\nif a:\n    pass\nx = 1\n\n\n");
        assert_eq!(code.places[2], (2, 3));
        assert_eq!(code.places[5], (3, 1));
        assert_eq!(code.shell, [("pip install keras".into(), 2, 2), ("ls".into(), 2, 5)]);
    }

    #[test]
    fn the_third_version_of_the_format_is_read() {
        let text = r#"{"worksheets": [{"cells": [{"cell_type": "code", "input": ["a\n", "b"]}]}]}"#;
        assert_eq!(read(text).unwrap().text, "a\nb\n");
    }

    #[test]
    fn deep_nesting_is_an_error_and_no_crash() {
        let deep = format!("{}{}", "[".repeat(1 << 20), "]".repeat(1 << 20));
        let text = format!("{{\"cells\": {deep}}}");
        assert!(read(&text).is_err());
        let text = format!("{{\"metadata\": {{\"x\": {deep}}}, \"cells\": []}}");
        // An unknown key is passed over without recursion, or refused; it must not crash.
        let _ = read(&text);
    }
}
