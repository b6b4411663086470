//! Bytes → text, in the encodings that source files come in.

/// The text of a file, or why it has none.
///
/// UTF-8 with or without a byte order mark, UTF-16 with one, and otherwise Latin-1, in which every byte is a
/// letter. A NUL byte tells a binary file.
pub fn decode(bytes: &[u8]) -> Result<String, &'static str> {
    let text = match bytes {
        [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes)?,
        [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes)?,
        [0xEF, 0xBB, 0xBF, rest @ ..] => utf8_or_latin1(rest),
        bytes => utf8_or_latin1(bytes),
    };
    if text.contains('\0') {
        return Err("it holds NUL bytes, so it is not text");
    }
    Ok(if text.contains('\r') { text.replace("\r\n", "\n").replace('\r', "\n") } else { text })
}

fn utf8_or_latin1(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|&byte| char::from(byte)).collect(),
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, &'static str> {
    let (pairs, _) = bytes.as_chunks::<2>();
    let units = pairs.iter().map(|pair| unit(*pair));
    char::decode_utf16(units).collect::<Result<_, _>>().map_err(|_| "it is not valid UTF-16")
}

/// Text as one short line for people: control characters become spaces, and what is long is cut.
pub fn one_line(text: &str, most: usize) -> String {
    // What is looked at is bounded too: a line may be as long as its file.
    let text = &text[..text.floor_char_boundary(4 * most + 200)];
    let line = text.trim_start().lines().next().unwrap_or_default();
    let mut short: String = line.chars().take(most).map(visible).collect();
    if line.chars().nth(most).is_some() {
        short.push('…');
    }
    short.trim_end().to_owned()
}

/// Control characters, and those that turn the direction of the text around them, as spaces.
fn visible(character: char) -> char {
    let turns = matches!(character, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    if character.is_control() || turns { ' ' } else { character }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_in_usual_encodings_is_read() {
        assert_eq!(decode(b"\xEF\xBB\xBFa = 1\r\n").unwrap(), "a = 1\n");
        assert_eq!(decode(b"\xFF\xFEa\0b\0").unwrap(), "ab");
        assert_eq!(decode(b"\xFE\xFF\0a\0b").unwrap(), "ab");
        assert_eq!(decode(b"caf\xE9").unwrap(), "café");
        assert!(decode(b"\x7FELF\0\0").is_err());
        assert!(decode(b"\xFF\xFE\x00\xD8").is_err(), "half of a surrogate pair");
    }

    #[test]
    fn a_line_for_people_has_no_control_characters() {
        assert_eq!(one_line("  a\u{1b}[31mb\u{202E}c\nd", 80), "a [31mb c");
        assert_eq!(one_line("abcdef", 3), "abc…");
    }
}
