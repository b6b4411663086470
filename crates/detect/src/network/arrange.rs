//! The chain of a program's layers → layers of a study, with shapes and the parameters of each.

use super::find::{Chain, Link, Refused, refused};
use super::interpreter::{Interpreter, Said};
use super::step::{Pad, Row, Shape, Step};
use super::value::{Op, Place};

/// Layers that a study may have.
const STEPS_MOST: usize = 256;

/// A network in the terms of a study.
#[derive(Debug, Clone)]
pub struct Arranged {
    /// Layers without the head.
    pub steps: Vec<Step>,
    /// Classes.
    pub classes: usize,
    /// The program's own table.
    pub rows: Vec<Row>,
    /// What was not carried over.
    pub said: Vec<Said>,
    /// Keys of `[train] augment`.
    pub augment: Vec<(&'static str, String)>,
}

/// Arranges layers one after the other.
pub struct Arranger<'i, 'a> {
    pub(super) it: &'i Interpreter<'a>,
    pub(super) shape: Shape,
    /// The shape of the images.
    pub(super) image: Shape,
    pub(super) steps: Vec<Step>,
    pub(super) rows: Vec<Row>,
    pub(super) said: Vec<Said>,
    pub(super) augment: Vec<(&'static str, String)>,
    /// Zeros on top, below, left and right that the next convolution brings.
    pub(super) padding: Option<[usize; 4]>,
    /// Where softmax was applied, after which nothing with weights may come.
    softmax: Option<Place>,
    /// Whether pixels of several channels lie in a row, which a study's dense layer alone takes.
    pub(super) is_in_a_row: bool,
    /// A dense layer of Keras that was applied to each pixel, as the last one so far.
    pub(super) dense_on_pixels: bool,
    /// Whether the image has no axis for channels, so that Keras' dense layers take it for rows.
    pub(super) is_of_rows: bool,
    pub(super) channels_first: bool,
    /// Whether the program is written for Keras 1.
    pub(super) is_old: bool,
    seen: Vec<usize>,
    /// Whether the layers at hand are a path of a sum.
    pub(super) is_on_path: bool,
    /// Where the layer at hand stands, and its name.
    pub(super) place: Place,
    pub(super) name: String,
}

impl<'i, 'a> Arranger<'i, 'a> {
    /// For images of this shape; `flat` where the network gets them as one row of numbers.
    pub fn new(
        it: &'i Interpreter<'a>,
        image: Shape,
        flat: bool,
        channels_first: bool,
        is_old: bool,
    ) -> Self {
        Self {
            it,
            shape: if flat { Shape::Flat(image.len()) } else { image },
            image,
            steps: Vec::new(),
            rows: Vec::new(),
            said: Vec::new(),
            augment: Vec::new(),
            padding: None,
            softmax: None,
            is_in_a_row: flat,
            dense_on_pixels: false,
            is_of_rows: false,
            channels_first,
            is_old,
            seen: Vec::new(),
            is_on_path: false,
            place: Place::default(),
            name: String::new(),
        }
    }

    /// All layers of a chain.
    pub fn arrange(mut self, chain: &Chain) -> Result<Arranged, Refused> {
        for link in &chain.links {
            self.link(link)?;
            if self.steps.len() > STEPS_MOST {
                return self.no_counterpart(&format!("a study has at most {STEPS_MOST} layers"));
            }
        }
        self.finished()
    }

    /// One layer or function.
    pub(super) fn link(&mut self, link: &Link) -> Result<(), Refused> {
        self.place = link.place;
        match &link.op {
            Op::Input(_) => Ok(()),
            Op::Layer(layer) if link.paths.is_none() => self.layer(*layer, link.place),
            Op::Layer(layer) => {
                self.name = self.it.objects[*layer].kind().to_owned();
                self.residual(link)
            }
            Op::Call(path, args) => {
                self.name = path.rsplit('.').next().unwrap_or_default().to_owned();
                match link.paths {
                    Some(_) => self.residual(link),
                    None => self.function(path, args),
                }
            }
        }
    }

    fn layer(&mut self, layer: usize, applied_at: Place) -> Result<(), Refused> {
        let made = &self.it.objects[layer];
        self.name = made.kind().to_owned();
        self.place = made.place;
        let (path, args) = (made.path.clone(), made.args.clone());
        let parameters =
            |rows: &[Row]| rows.iter().map(|row| row.parameters).fold(0, usize::saturating_add);
        let before = parameters(&self.rows);
        if made.class.is_some() {
            return self.no_counterpart("it is a layer that the program defines itself");
        }
        match path.split('.').next().unwrap_or_default() {
            "keras" => self.keras_layer(&args)?,
            "torch" => self.torch_layer(&args)?,
            _ => {
                return self.no_counterpart("it comes from a module that is not there to be read");
            }
        }
        if parameters(&self.rows) > before && self.seen.contains(&layer) {
            return Err(refused(
                applied_at,
                self.name.clone(),
                "it is applied twice with the same weights (a shared layer), which no layer of a study is",
            ));
        }
        self.seen.push(layer);
        Ok(())
    }

    pub(super) fn say(&mut self, why: impl Into<String>) {
        let said = Said { place: self.place, what: self.name.clone(), why: why.into() };
        if !self.said.contains(&said) {
            self.said.push(said);
        }
    }

    pub(super) fn no_counterpart<T>(&self, why: &str) -> Result<T, Refused> {
        Err(refused(self.place, self.name.clone(), why))
    }

    /// The image that a layer gets.
    pub(super) fn image(&self) -> Result<(usize, usize, usize), Refused> {
        match self.shape {
            Shape::Image(channels, height, width) => Ok((channels, height, width)),
            Shape::Flat(features) => self.no_counterpart(&format!(
                "it needs an image, but gets {features} features in a row"
            )),
        }
    }

    pub(super) fn row(&mut self, parameters: usize, fixed: usize, step: Option<usize>) {
        let (place, name, output) = (self.place, self.name.clone(), self.shape);
        self.rows.push(Row { place, name, output, parameters, fixed, step });
    }

    pub(super) fn push(&mut self, step: Step) -> Result<(), Refused> {
        if self.softmax.is_some() {
            return self.no_counterpart(
                "it comes after softmax, which is at the end of a study's network alone",
            );
        }
        if self.padding.is_some() && !matches!(step, Step::Conv { .. }) {
            return self.no_counterpart("zeros are put around the image before it, which in a study only a convolution does");
        }
        self.dense_on_pixels = false;
        self.steps.push(step);
        Ok(())
    }

    /// A convolution whose settings were read.
    pub(super) fn conv(
        &mut self,
        [filters, kernel, stride, groups]: [usize; 4],
        pad: Pad,
        has_bias: bool,
    ) -> Result<(), Refused> {
        let (channels, height, width) = self.image()?;
        if groups == 0 || channels % groups != 0 || filters % groups != 0 {
            return self.no_counterpart(&format!(
                "{groups} groups do not divide {channels} channels and {filters} filters"
            ));
        }
        let mut pad = pad;
        if let Some(zeros) = self.padding.take() {
            let own = [pad.pads(height, kernel, stride), pad.pads(width, kernel, stride)];
            let all = [
                [zeros[0] + own[0][0], zeros[1] + own[0][1]],
                [zeros[2] + own[1][0], zeros[3] + own[1][1]],
            ];
            let same = [height, width].map(|length| Pad::Same.pads(length, kernel, stride));
            pad = if all == same {
                Pad::Same
            } else if all.iter().flatten().all(|pixels| *pixels == all[0][0]) {
                Pad::Pixels(all[0][0])
            } else {
                return self.no_counterpart(&format!(
                    "the zeros around its image ({all:?}) differ between the sides"
                ));
            };
        }
        // The same for every size: and "same" stays right where a study's kernel grows.
        if stride == 1 && pad == Pad::Pixels(kernel / 2) && kernel % 2 == 1 {
            pad = Pad::Same;
        }
        let side = |length: usize| {
            let padded = length + pad.pads(length, kernel, stride).iter().sum::<usize>();
            padded.checked_sub(kernel).map(|rest| rest / stride + 1)
        };
        let (Some(new_height), Some(new_width)) = (side(height), side(width)) else {
            return self.no_counterpart(&format!(
                "its kernel of {kernel}×{kernel} is larger than its {height}×{width} image"
            ));
        };
        self.push(Step::Conv { filters, kernel, stride, pad, groups, activation: "none" })?;
        self.shape = Shape::Image(filters, new_height, new_width);
        let weights =
            kernel.saturating_mul(kernel).saturating_mul(channels / groups).saturating_mul(filters);
        self.row(
            weights.saturating_add(if has_bias { filters } else { 0 }),
            0,
            Some(self.steps.len() - 1),
        );
        if !has_bias {
            self.say(format!(
                "it has no bias; a study's has one, so {filters} parameters are added"
            ));
        }
        Ok(())
    }

    /// A pool; `counts` is whether a mean counts the zeros around the image.
    pub(super) fn pool(
        &mut self,
        is_max: bool,
        size: usize,
        stride: usize,
        pad: Pad,
        counts: bool,
    ) -> Result<(), Refused> {
        let (channels, height, width) = self.image()?;
        let pads = [height, width].map(|length| pad.pads(length, size, stride));
        if !is_max && !counts && pads.iter().flatten().any(|pixels| *pixels > 0) {
            return self.no_counterpart("its mean leaves out what lies around the image, which a study's avg-pool counts as zeros");
        }
        let side = |length: usize, pads: [usize; 2]| {
            (length + pads[0] + pads[1]).checked_sub(size).map(|rest| rest / stride + 1)
        };
        let (Some(new_height), Some(new_width)) = (side(height, pads[0]), side(width, pads[1]))
        else {
            return self.no_counterpart(&format!(
                "its window of {size}×{size} is larger than its {height}×{width} image"
            ));
        };
        let pad = if pads == [[0; 2]; 2] { Pad::Pixels(0) } else { pad };
        self.push(Step::Pool { is_max, size, stride, pad })?;
        self.shape = Shape::Image(channels, new_height, new_width);
        self.row(0, 0, Some(self.steps.len() - 1));
        Ok(())
    }

    /// A mean or maximum over the whole image.
    pub(super) fn global_pool(&mut self, is_max: bool) -> Result<(), Refused> {
        let (channels, height, width) = self.image()?;
        if is_max {
            if height != width {
                return self.no_counterpart(&format!(
                    "the image is {height}×{width} here; a study's windows are square"
                ));
            }
            self.push(Step::Pool { is_max, size: height, stride: height, pad: Pad::Pixels(0) })?;
        } else {
            self.push(Step::GlobalAvgPool)?;
        }
        self.shape = Shape::Flat(channels);
        self.row(0, 0, Some(self.steps.len() - 1));
        Ok(())
    }

    pub(super) fn dense(&mut self, units: usize, has_bias: bool) -> Result<(), Refused> {
        let weights = self.shape.len().saturating_mul(units);
        self.push(Step::Dense { units, activation: "none" })?;
        self.shape = Shape::Flat(units);
        self.is_in_a_row = false;
        self.row(
            weights.saturating_add(if has_bias { units } else { 0 }),
            0,
            Some(self.steps.len() - 1),
        );
        if !has_bias {
            self.say(format!("it has no bias; a study's has one, so {units} parameters are added"));
        }
        Ok(())
    }

    /// A batch-norm over `features`, those of the axis that it is told.
    pub(super) fn norm(
        &mut self,
        features: usize,
        momentum: f64,
        epsilon: f64,
        trained: usize,
    ) -> Result<(), Refused> {
        if self.is_in_a_row {
            return self.no_counterpart(
                "it stands right after a Flatten; a study's batch-norm there has one mean per channel, not per pixel",
            );
        }
        self.push(Step::BatchNorm { activation: "none", momentum, epsilon })?;
        let own = features.saturating_mul(trained);
        self.row(own, features.saturating_mul(2), Some(self.steps.len() - 1));
        if trained != 2 {
            self.say(format!("it trains no scale or no shift; a study's batch-norm trains both, so {} parameters are added", features * (2 - trained)));
        }
        if features != self.shape.channels() {
            self.say(format!("its axis has {features} values; a study's batch-norm has one mean for each of the {} channels", self.shape.channels()));
        }
        Ok(())
    }

    pub(super) fn dropout(&mut self, rate: f64) -> Result<(), Refused> {
        if rate > 0.0 && rate < 1.0 {
            let flag = self.dense_on_pixels;
            self.push(Step::Dropout(rate))?;
            self.dense_on_pixels = flag;
            self.row(0, 0, Some(self.steps.len() - 1));
        } else if rate != 0.0 {
            self.say(format!("its rate is {rate}; it was left out"));
        }
        Ok(())
    }

    pub(super) fn flatten(&mut self) {
        self.is_in_a_row |=
            matches!(self.shape, Shape::Image(_, height, width) if height * width > 1);
        self.shape = Shape::Flat(self.shape.len());
        self.row(0, 0, None);
    }

    /// An activation, which a study's layer before it applies.
    pub(super) fn activate(&mut self, name: &str, slope: Option<f64>) -> Result<(), Refused> {
        let name = match name {
            "linear" | "identity" | "none" | "" => return Ok(()),
            "softmax" | "log_softmax" | "logsoftmax" => {
                self.softmax = Some(self.place);
                return Ok(());
            }
            "relu" => "relu",
            "leakyrelu" | "leaky_relu" => {
                let slope = slope.unwrap_or(0.01);
                if (slope - 0.01).abs() > 1e-6 {
                    self.say(format!(
                        "leaky relu has a slope of {slope}; a study's has one of 0.01"
                    ));
                }
                "leaky-relu"
            }
            "gelu" => "gelu",
            "silu" | "swish" => "silu",
            "tanh" => "tanh",
            "sigmoid" => "sigmoid",
            other => {
                let instead = match other {
                    "relu6" | "elu" | "selu" | "prelu" | "thresholdedrelu" | "celu" | "rrelu"
                    | "softplus" => "relu",
                    "mish" | "hard_swish" | "hardswish" | "hard_silu" => "silu",
                    "hard_sigmoid" | "hardsigmoid" => "sigmoid",
                    "hardtanh" | "softsign" => "tanh",
                    _ => {
                        return self.no_counterpart(&format!(
                            "the activation {other:?} has no counterpart in a study"
                        ));
                    }
                };
                self.say(format!("{other} has no counterpart in a study; {instead} was taken, which is close to it"));
                instead
            }
        };
        for step in self.steps.iter_mut().rev() {
            let commutes = match step {
                // The maximum of what rises is what rises from the maximum.
                Step::Pool { is_max: true, .. } => !matches!(name, "gelu" | "silu"),
                Step::Dropout(_) => matches!(name, "relu" | "leaky-relu"),
                _ => false,
            };
            match step.activation() {
                Some(activation) if *activation == "none" => {
                    *activation = name;
                    return Ok(());
                }
                // Once or twice is the same.
                Some(activation) if *activation == "relu" && name == "relu" => return Ok(()),
                Some(activation) => {
                    let why = format!("it comes after {activation:?}; a study's layer has one activation");
                    return self.no_counterpart(&why);
                }
                None if commutes => {}
                None => return self.no_counterpart("it stands after a layer that has no activation in a study (a pool of means, or dropout)"),
            }
        }
        if self.is_on_path {
            return self.no_counterpart(
                "a path of a sum begins with it; those of a study's `residual` begin with a layer",
            );
        }
        self.say("it is applied to the images themselves; it was left out");
        Ok(())
    }

    fn finished(mut self) -> Result<Arranged, Refused> {
        while let Some(Step::Dropout(_)) = self.steps.last() {
            self.steps.pop();
            let left = self.steps.len();
            for row in self.rows.iter_mut().filter(|row| row.step == Some(left)) {
                row.step = None;
            }
            self.name = "Dropout".into();
            self.say("it stands after the last layer; it was left out");
        }
        let forgotten = self.dense_on_pixels;
        let head = match self.steps.last_mut() {
            Some(Step::Dense { units, activation }) => Some((*units, *activation)),
            Some(Step::Conv { filters, activation, .. }) if forgotten => {
                Some((*filters, *activation))
            }
            _ => None,
        };
        let classes = match head {
            Some((units, activation)) => {
                self.steps.pop();
                let last = self.steps.len();
                // The head's layer comes after all others.
                self.name = self
                    .rows
                    .iter()
                    .rev()
                    .find(|row| row.step == Some(last))
                    .map_or("Dense".into(), |row| row.name.clone());
                self.place = self
                    .rows
                    .iter()
                    .rev()
                    .find(|row| row.step == Some(last))
                    .map_or(self.place, |row| row.place);
                if forgotten {
                    self.say("it gets an image, as no Flatten stands before it, so that Keras applies it to each pixel and has no \
                         answer for the whole; the study flattens before it");
                }
                if units == 1 {
                    self.say("its one unit tells two classes apart; a study's head has a unit for each, with softmax: as many \
                         weights again");
                } else if activation != "none" {
                    self.say(format!("it is followed by {activation}; a study's head by softmax"));
                }
                units.max(2)
            }
            None => {
                let units = self.shape.channels();
                if !(2..=65_536).contains(&units)
                    || matches!(self.shape, Shape::Image(_, h, w) if h * w > 1)
                {
                    return self
                        .no_counterpart("the network ends here without an answer for each class");
                }
                let added = units * units + units;
                self.say(format!(
                    "the network ends without a dense layer; a study's head is one from {units} to {units}, so {added} parameters are added"
                ));
                units
            }
        };
        Ok(Arranged {
            steps: self.steps,
            classes,
            rows: self.rows,
            said: self.said,
            augment: self.augment,
        })
    }
}
