//! The order of modules in a network, as far as their names tell it. A safetensors file does not keep the
//! order in which a network has them.

/// What stands at the end of a network, or of a block, wherever the alphabet puts it.
const LAST: [&str; 12] = [
    "fc",
    "head",
    "heads",
    "classifier",
    "linear",
    "output",
    "out",
    "logits",
    "downsample",
    "shortcut",
    "projection",
    "skip",
];
/// What stands at the start.
const FIRST: [&str; 3] = ["stem", "input", "patch_embed"];

/// One word of a name: its place beside the others, its letters, and the number behind them.
type Word = (u8, String, u128);

/// By this key, names are in the order of their layers.
pub(super) fn order_key(name: &str) -> Vec<Word> {
    name.split('.').map(word).collect()
}

fn word(text: &str) -> Word {
    let letters = text.trim_end_matches(|character: char| character.is_ascii_digit());
    // A number of more digits counts as the largest.
    let digits = &text[letters.len()..];
    let number = if digits.is_empty() { 0 } else { digits.parse().unwrap_or(u128::MAX) };
    let plain = letters.trim_end_matches('_').to_ascii_lowercase();
    let place = match plain.as_str() {
        first if FIRST.contains(&first) => 0,
        last if LAST.contains(&last) => 2,
        _ => 1,
    };
    (place, plain, number)
}

#[cfg(test)]
mod tests;
