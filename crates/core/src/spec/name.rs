//! Which names a study may have; its run folders are named after it.

/// The rule of [`is_run_name`] in words.
pub const RUN_NAME_RULE: &str =
    "1 to 64 letters (a to z), digits, `-`, `_` and `.`, the first a letter or digit";

const LENGTH_MAX: usize = 64;

/// Whether a study may have this name. Run folders are named after it, so it must be a plain file
/// name that is not hidden, is not taken for a command-line option, and names no other folder.
pub fn is_run_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let starts_well = name.starts_with(|first: char| first.is_ascii_alphanumeric());
    starts_well && name.len() <= LENGTH_MAX && name.bytes().all(allowed)
}

#[cfg(test)]
mod tests;
