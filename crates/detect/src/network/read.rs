//! Settings of layers, read from their arguments.

use super::arrange::Arranger;
use super::find::{Refused, refused};
use super::step::Pad;
use super::value::{Args, Value};

/// Larger settings are of no network.
const NUMBER_MOST: i64 = 1 << 24;

impl Arranger<'_, '_> {
    /// A whole number of at least `least`; without `default` it has to be given.
    pub(super) fn int(
        &self,
        args: &Args,
        at: usize,
        names: &[&str],
        default: Option<usize>,
        least: i64,
    ) -> Result<usize, Refused> {
        let word = names.first().copied().unwrap_or_default();
        let value = match (args.get(at, names), default) {
            (Some(Value::None) | None, Some(default)) => return Ok(default),
            (Some(value), _) => value,
            (None, None) => {
                return Err(refused(
                    self.place,
                    self.name.clone(),
                    format!("its `{word}` is not given"),
                ));
            }
        };
        match value.int() {
            Some(number) if (least..=NUMBER_MOST).contains(&number) => Ok(number as usize),
            Some(number) => {
                let why = format!("its `{word}` is {number}, which is out of range");
                Err(refused(self.place, self.name.clone(), why))
            }
            None => {
                let why = format!("its `{word}` cannot be told: {}", self.it.why(value));
                Err(refused(self.place, self.name.clone(), why))
            }
        }
    }

    /// A number for height and width: one, or a pair of equal ones.
    pub(super) fn side(
        &self,
        args: &Args,
        at: usize,
        names: &[&str],
        default: Option<usize>,
        least: i64,
    ) -> Result<usize, Refused> {
        let Some(list) = args.get(at, names).and_then(|value| self.it.elements(value)) else {
            return self.int(args, at, names, default, least);
        };
        let pair = Args { at: list.to_vec(), named: Vec::new() };
        let word = [names.first().copied().unwrap_or_default()];
        let sides: Result<Vec<usize>, Refused> =
            (0..list.len().min(2)).map(|at| self.int(&pair, at, &word, None, least)).collect();
        match sides?[..] {
            [one] => Ok(one),
            [one, other] if one == other => Ok(one),
            [one, other] => {
                let why = format!("its `{}` is {one}×{other}; a study's are square", word[0]);
                Err(refused(self.place, self.name.clone(), why))
            }
            _ => Err(refused(self.place, self.name.clone(), format!("its `{}` is empty", word[0]))),
        }
    }

    pub(super) fn float(&mut self, args: &Args, at: usize, names: &[&str], default: f64) -> f64 {
        match args.get(at, names) {
            None | Some(Value::None) => default,
            Some(value) => match value.float().filter(|number| number.is_finite()) {
                Some(number) => number,
                None => {
                    let why = self.it.why(value);
                    let word = names.first().copied().unwrap_or_default();
                    self.say(format!("its `{word}` cannot be told: {why}; {default} was taken"));
                    default
                }
            },
        }
    }

    pub(super) fn flag(&self, args: &Args, at: usize, names: &[&str], default: bool) -> bool {
        args.get(at, names).and_then(|value| self.it.truth(value)).unwrap_or(default)
    }

    /// `"same"` or `"valid"`, in Keras.
    pub(super) fn same(&self, args: &Args, at: usize) -> Result<bool, Refused> {
        match args.get(at, &["padding", "border_mode"]) {
            None => Ok(false),
            Some(Value::Text(text)) => match text.to_lowercase().as_str() {
                "same" => Ok(true),
                "valid" => Ok(false),
                other => {
                    let why =
                        format!("its padding is {other:?}, which has no counterpart in a study");
                    Err(refused(self.place, self.name.clone(), why))
                }
            },
            Some(value) => {
                let why = format!("its padding cannot be told: {}", self.it.why(value));
                Err(refused(self.place, self.name.clone(), why))
            }
        }
    }

    /// Padding in PyTorch: numbers, `"same"` or `"valid"`.
    pub(super) fn torch_pad(&self, args: &Args, at: usize) -> Result<Pad, Refused> {
        match args.get(at, &["padding"]) {
            Some(Value::Text(text)) if &**text == "same" => Ok(Pad::Same),
            Some(Value::Text(text)) if &**text == "valid" => Ok(Pad::Pixels(0)),
            _ => Ok(Pad::Pixels(self.side(args, at, &["padding"], Some(0), 0)?)),
        }
    }

    /// The activation that an argument names: its name, and a slope.
    pub(super) fn activation_of(&self, value: &Value) -> Option<(String, Option<f64>)> {
        match value {
            Value::None => Some(("linear".into(), None)),
            Value::Text(text) => Some((text.to_lowercase(), None)),
            Value::Name(path) => {
                Some((path.rsplit('.').next().unwrap_or_default().to_lowercase(), None))
            }
            Value::Made(made) => {
                let made = &self.it.objects[*made];
                if matches!(made.kind(), "Activation" | "get") {
                    return match made.args.get(0, &["activation"])? {
                        Value::Made(_) => None,
                        inner => self.activation_of(inner),
                    };
                }
                let slope = made.args.get(0, &["negative_slope", "alpha"]);
                let kind = made.kind().to_lowercase();
                let default = if made.path.starts_with("torch") { 0.01 } else { 0.3 };
                let slope = if kind == "leakyrelu" {
                    Some(slope.and_then(Value::float).unwrap_or(default))
                } else {
                    None
                };
                Some((kind, slope))
            }
            _ => None,
        }
    }
}
