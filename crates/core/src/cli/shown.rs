//! Text that others have chosen, such as the names of folders, as it may be printed to a terminal.

/// The text with everything that is not plainly visible escaped: control characters, which could change the
/// terminal, and marks that change the direction of writing or take no room, which could fake another name.
/// Longer text is cut, which an ellipsis shows.
pub fn shown(text: &str, characters_max: usize) -> String {
    let mut shown = String::with_capacity(text.len());
    for (count, character) in text.chars().enumerate() {
        if count == characters_max {
            shown.push('…');
            break;
        }
        match character {
            // Quotes are escaped within literals only.
            '\'' | '"' => shown.push(character),
            character => shown.extend(character.escape_debug()),
        }
    }
    shown
}

/// A whole line of such text; long ones are cut.
pub fn shown_line(text: &str) -> String {
    shown(text, 2000)
}

/// Lines of ours that may quote such text: of it, what could change the terminal or the direction of writing is escaped.
pub fn harmless(text: &str) -> String {
    let is_harmful = |character: char| {
        (character.is_control() && !matches!(character, '\n' | '\t'))
            || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut harmless = String::with_capacity(text.len());
    for character in text.chars() {
        match is_harmful(character) {
            true => harmless.extend(character.escape_debug()),
            false => harmless.push(character),
        }
    }
    harmless
}

#[cfg(test)]
mod tests;
