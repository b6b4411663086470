//! Which of the labelled images are used for training, and which for judging the new model.

use std::collections::BTreeMap;

use super::settings::RetrainSettings;

/// A label from feedback.
#[derive(Debug, Clone)]
pub(crate) struct Label {
    /// Who gave it.
    pub source: String,
    /// SHA-256 of the image.
    pub image: [u8; 32],
    /// The class.
    pub class: u16,
}

/// Indices of labels, ordered by the hashes of their images, so that the selection does not depend on names and times.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Selected {
    /// Those to train on.
    pub train: Vec<usize>,
    /// Those to choose the best epoch on.
    pub validation: Vec<usize>,
    /// Those to judge the new model on.
    pub held_out: Vec<usize>,
    /// How many come from each source.
    pub sources: BTreeMap<String, usize>,
}

/// Why labels cannot be used for training.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shortage {
    /// There are too few.
    TooFew(String),
    /// There are enough, but nearly all are of one class, which is unlikely to be true of all requests.
    Implausible(String),
}

/// Splits labels by the content of their images. Images with contradicting labels are left out, and so are images of a
/// source beyond its share.
///
/// # Errors
///
/// If there are too few, or nearly all are of one class.
pub(crate) fn select(
    labels: &[Label],
    bounds: &RetrainSettings,
    names: &[String],
) -> Result<Selected, Shortage> {
    let taken = bounded(labels, bounds.source_max);
    let (count, all) = (taken.len(), labels.len());
    if count < bounds.least {
        let left_out = match count < all {
            true => format!(
                ", and {} are left out: no source may give more than {} % of the labels, and an image must not have two classes",
                all - count,
                (bounds.source_max * 100.0).round()
            ),
            false => String::new(),
        };
        return Err(Shortage::TooFew(format!(
            "only {count} of {} labelled images are available{left_out}",
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
            "{most} of {count} labelled images are of class {name}: a model trained on them would forget the other classes"
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
        true => Err(Shortage::TooFew(
            "there are too few labelled images for training, validation and held-out images".into(),
        )),
        false => Ok(selected),
    }
}

/// The labels of distinct images, with no source beyond its share, ordered by their hashes.
pub(crate) fn bounded(labels: &[Label], source_max: f64) -> Vec<usize> {
    let mut images: BTreeMap<[u8; 32], Option<usize>> = BTreeMap::new();
    for (index, label) in labels.iter().enumerate() {
        let known = images.entry(label.image).or_insert(Some(index));
        *known = known.filter(|known| labels[*known].class == label.class);
    }
    let mut sources: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    // In the order of the hashes, so that later labels do not change which ones are left out.
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

/// Eight bytes of a hash as a uniformly distributed number from 0 to 1.
fn number(hash: &[u8; 32], at: usize) -> f64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&hash[at..at + 8]);
    u64::from_be_bytes(bytes) as f64 / 2.0_f64.powi(64)
}

#[cfg(test)]
mod tests;
