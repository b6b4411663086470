//! Which of the labelled images are trained on, and which the new model is judged by.

use std::collections::BTreeMap;

use super::settings::RetrainSettings;

/// A label that somebody gave.
#[derive(Debug, Clone)]
pub(crate) struct Label {
    /// Who.
    pub source: String,
    /// SHA-256 of the image.
    pub image: [u8; 32],
    /// The class.
    pub class: u16,
}

/// Indices of labels, in the order of the hashes of their images, so that names and times change nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Selected {
    /// Those to train on.
    pub train: Vec<usize>,
    /// Those to choose the best epoch by.
    pub validation: Vec<usize>,
    /// Those to judge by.
    pub held_out: Vec<usize>,
    /// How many are taken of each source.
    pub sources: BTreeMap<String, usize>,
}

/// Why labels cannot be trained on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shortage {
    /// They are too few.
    TooFew(String),
    /// They are enough, but cannot be all that comes in.
    Implausible(String),
}

/// Divides labels by the content of their images. An image with two classes is left out, and so are images of a source
/// beyond its share.
///
/// # Errors
///
/// If they are too few, or nearly all of one class.
pub(crate) fn select(
    labels: &[Label],
    bounds: &RetrainSettings,
    names: &[String],
) -> Result<Selected, Shortage> {
    let taken = bounded(labels, bounds.source_max);
    let (count, all) = (taken.len(), labels.len());
    if count < bounds.least {
        let sources = match all {
            0 => String::new(),
            _ if count < all => format!(
                " of {all}: no source may give more than {} %, and no image two classes",
                (bounds.source_max * 100.0).round()
            ),
            _ => String::new(),
        };
        return Err(Shortage::TooFew(format!(
            "{count} of {} labelled images are there{sources}",
            bounds.least
        )));
    }
    let mut classes: BTreeMap<u16, usize> = BTreeMap::new();
    for &index in &taken {
        *classes.entry(labels[index].class).or_default() += 1;
    }
    if let Some((class, most)) = classes.iter().max_by_key(|(_, count)| **count)
        && (classes.len() < 2 || *most as f64 > bounds.class_max * count as f64)
    {
        let name = names.get(usize::from(*class)).map_or("?", String::as_str);
        return Err(Shortage::Implausible(format!(
            "{most} of {count} labelled images are of class {name}: a model that is trained on them forgets the others"
        )));
    }
    let mut selected = Selected::default();
    for index in taken {
        let label = &labels[index];
        *selected.sources.entry(label.source.clone()).or_default() += 1;
        let part = match (number(&label.image, 0), number(&label.image, 8)) {
            (held_out, _) if held_out < bounds.held_out => &mut selected.held_out,
            (_, validation) if validation < bounds.held_out => &mut selected.validation,
            _ => &mut selected.train,
        };
        part.push(index);
    }
    let Selected { train, validation, held_out, .. } = &selected;
    match train.is_empty() || validation.is_empty() || held_out.is_empty() {
        true => Err(Shortage::TooFew("too few labelled images are there to be divided".into())),
        false => Ok(selected),
    }
}

/// The labels of distinct images, of which no source has more than its share; in the order of their hashes.
pub(crate) fn bounded(labels: &[Label], source_max: f64) -> Vec<usize> {
    let mut images: BTreeMap<[u8; 32], Option<usize>> = BTreeMap::new();
    for (index, label) in labels.iter().enumerate() {
        let known = images.entry(label.image).or_insert(Some(index));
        *known = known.filter(|known| labels[*known].class == label.class);
    }
    let mut sources: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    // In the order of the hashes, so that the same are left out whatever comes later.
    for index in images.into_values().flatten() {
        sources.entry(&labels[index].source).or_default().push(index);
    }
    let total = |most: usize| sources.values().map(|own| own.len().min(most)).sum::<usize>();
    let longest = sources.values().map(Vec::len).max().unwrap_or(0);
    let (mut fits, mut beyond) = (0, longest + 1);
    while fits + 1 < beyond {
        let middle = (fits + beyond) / 2;
        match middle as f64 <= source_max * total(middle) as f64 {
            true => fits = middle,
            false => beyond = middle,
        }
    }
    let mut taken: Vec<usize> =
        sources.into_values().flat_map(|own| own.into_iter().take(fits)).collect();
    taken.sort_unstable_by_key(|&index| labels[index].image);
    taken
}

/// A part of a hash, as a uniform number from 0 to 1.
fn number(hash: &[u8; 32], at: usize) -> f64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&hash[at..at + 8]);
    u64::from_be_bytes(bytes) as f64 / 2.0_f64.powi(64)
}

#[cfg(test)]
mod tests;
