//! Sums of two paths → a study's residual blocks.

use super::arrange::Arranger;
use super::find::{Link, Refused};
use super::step::{Pad, Shape, Step};

impl Arranger<'_, '_> {
    /// A sum of what two paths return, which begin where the layers before it end. The shortcut is the second.
    pub(super) fn residual(&mut self, sum: &Link) -> Result<(), Refused> {
        let Some([path, shortcut]) = sum.paths.as_deref() else { return Ok(()) };
        let (place, name, from) = (self.place, self.name.clone(), self.shape);
        if self.is_on_path || self.padding.is_some() || !matches!(from, Shape::Image(..)) {
            return self.no_counterpart(
                "two paths are joined here; a study's `residual` adds the layers to their own image alone",
            );
        }
        let rows = self.rows.len();
        let steps = self.path(path)?;
        let to = self.shape;
        self.shape = from;
        let shortcut = self.path(shortcut)?;
        let added = self.shape;
        (self.place, self.name) = (place, name);
        if to != added {
            return self.no_counterpart(&format!("it adds {to} and {added}"));
        }
        let is_within = |step: &Step| {
            matches!(
                step,
                Step::Conv { .. } | Step::Pool { .. } | Step::BatchNorm { .. } | Step::Dropout(_)
            )
        };
        if steps.is_empty() || !steps.iter().all(is_within) {
            return self.no_counterpart("a path to it has layers that a study's `residual` may not have: others than conv, pools, batch-norm and dropout");
        }
        let norm = steps.iter().rev().find_map(|step| match step {
            Step::BatchNorm { momentum, epsilon, .. } => Some((*momentum, *epsilon)),
            _ => None,
        });
        let is_plain = |step: &Step| matches!(step, Step::Conv { kernel: 1, groups: 1, pad, activation: "none", .. } if matches!(pad, Pad::Same | Pad::Pixels(0)));
        match (&shortcut[..], norm) {
            ([], _) => {}
            _ if from == to => {
                return self.no_counterpart("its shortcut has layers although both have one shape; a study's is then the image itself");
            }
            ([conv], None) if is_plain(conv) => {}
            ([conv], Some(_)) if is_plain(conv) => self.say(format!(
                "its shortcut has no batch-norm, and the layers have one; a study's has one in both, so {} parameters are added",
                2 * to.channels()
            )),
            ([conv, Step::BatchNorm { activation: "none", momentum, epsilon }], Some(norm))
                if is_plain(conv) =>
            {
                if (*momentum, *epsilon) != norm {
                    self.say("the batch-norm of its shortcut has other settings; a study's has those of the last one in the layers");
                }
            }
            _ => {
                return self.no_counterpart("its shortcut is neither the image itself nor a convolution of 1×1 with a batch-norm where the layers have one, as a study's is");
            }
        }
        self.push(Step::Residual { steps, activation: "none" })?;
        self.shape = to;
        let number = self.steps.len() - 1;
        for row in self.rows[rows..].iter_mut().filter(|row| row.step.is_some()) {
            row.step = Some(number);
        }
        self.row(0, 0, Some(number));
        Ok(())
    }

    /// The layers of a path, which begins with the shape at hand.
    fn path(&mut self, links: &[Link]) -> Result<Vec<Step>, Refused> {
        let before = std::mem::take(&mut self.steps);
        self.is_on_path = true;
        let done = links.iter().try_for_each(|link| self.link(link));
        self.is_on_path = false;
        let steps = std::mem::replace(&mut self.steps, before);
        done?;
        if self.padding.is_some() {
            return self.no_counterpart("zeros are put around the image before a sum");
        }
        Ok(steps)
    }
}
