//! Writes markup through functions that always close tags and escape text.

use std::fmt::{Display, Write};

/// HTML, or the SVG in it. Well-formed as XML too, so that a test can read it with a strict parser.
#[derive(Debug, Default)]
pub(crate) struct Markup {
    text: String,
}

/// Names and values; the values are escaped, the names are ours.
pub(crate) type Attributes<'a> = &'a [(&'a str, &'a dyn Display)];

impl Markup {
    /// An element and what `inside` puts into it.
    pub(crate) fn element(
        &mut self,
        tag: &str,
        attributes: Attributes,
        inside: impl FnOnce(&mut Self),
    ) {
        self.text += "<";
        self.text += tag;
        for (name, value) in attributes {
            self.text += " ";
            self.text += name;
            self.text += "=\"";
            self.text(value);
            self.text += "\"";
        }
        self.text += ">";
        inside(self);
        let _ = writeln!(self.text, "</{tag}>");
    }

    /// An element with nothing but text in it.
    pub(crate) fn leaf(&mut self, tag: &str, attributes: Attributes, text: impl Display) {
        self.element(tag, attributes, |inside| inside.text(text));
    }

    /// Text, escaped; characters that no markup may hold become U+FFFD.
    pub(crate) fn text(&mut self, text: impl Display) {
        for character in text.to_string().chars() {
            match character {
                '&' => self.text += "&amp;",
                '<' => self.text += "&lt;",
                '>' => self.text += "&gt;",
                '"' => self.text += "&quot;",
                '\'' => self.text += "&#39;",
                '\t' | '\n' => self.text.push(character),
                // Non-characters, and marks that reverse the text around them, which could fake another one.
                '\u{fffe}' | '\u{ffff}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                    self.text.push('\u{fffd}')
                }
                control if control.is_control() => self.text.push('\u{fffd}'),
                other => self.text.push(other),
            }
        }
    }

    /// Markup from this crate, unescaped.
    pub(crate) fn raw(&mut self, markup: &'static str) {
        self.text += markup;
    }

    /// Other markup.
    pub(crate) fn append(&mut self, other: Self) {
        self.text += &other.text;
    }

    /// The markup as text.
    pub(crate) fn finish(self) -> String {
        self.text
    }
}

/// A length in SVG units.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Px(pub(crate) f64);

impl Display for Px {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "{:.1}", self.0)
    }
}

#[cfg(test)]
mod tests;
