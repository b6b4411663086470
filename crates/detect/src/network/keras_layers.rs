//! Keras' layers.

use super::arrange::Arranger;
use super::augmentation::{is_random_layer, set};
use super::find::Refused;
use super::step::{Pad, Shape};
use super::value::{Args, Value};

/// Why a layer is refused that nobody thought of.
pub(super) const NO_SUCH_LAYER: &str = "a study has no such layer; it has convolutions, dense layers, pools, batch-norm, dropout and residual blocks";

const FILTERS: [&str; 2] = ["filters", "nb_filter"];
const STRIDES: [&str; 2] = ["strides", "subsample"];

impl Arranger<'_, '_> {
    pub(super) fn keras_layer(&mut self, args: &Args) -> Result<(), Refused> {
        match self.name.clone().as_str() {
            "Conv2D" | "Convolution2D" => self.keras_conv(args)?,
            "DepthwiseConv2D" => {
                let kernel = self.side(args, 0, &["kernel_size"], None, 1)?;
                let stride = self.side(args, 1, &["strides"], Some(1), 1)?;
                let pad = if self.same(args, 2)? { Pad::Same } else { Pad::Pixels(0) };
                let times = self.int(args, 3, &["depth_multiplier"], Some(1), 1)?;
                let (channels, ..) = self.image()?;
                self.no_dilation(args)?;
                let bias = self.flag(args, usize::MAX, &["use_bias"], true);
                self.conv([channels.saturating_mul(times), kernel, stride, channels], pad, bias)?;
            }
            "SeparableConv2D" | "SeparableConvolution2D" => {
                let filters = self.int(args, 0, &FILTERS, None, 1)?;
                let kernel = self.side(args, 1, &["kernel_size"], None, 1)?;
                let stride = self.side(args, 2, &STRIDES, Some(1), 1)?;
                let pad = if self.same(args, 3)? { Pad::Same } else { Pad::Pixels(0) };
                let times = self.int(args, usize::MAX, &["depth_multiplier"], Some(1), 1)?;
                let (channels, ..) = self.image()?;
                self.no_dilation(args)?;
                let bias = self.flag(args, usize::MAX, &["use_bias"], true);
                let between = channels.saturating_mul(times);
                self.conv([between, kernel, stride, channels], pad, false)?;
                self.conv([filters, 1, 1, 1], Pad::Pixels(0), bias)?;
            }
            "MaxPooling2D" | "MaxPool2D" | "AveragePooling2D" | "AvgPool2D" => {
                let size = self.side(args, 0, &["pool_size"], Some(2), 1)?;
                let stride = self.side(args, 1, &["strides"], Some(size), 1)?;
                let pad = if self.same(args, 2)? { Pad::Same } else { Pad::Pixels(0) };
                return self.pool(self.name.starts_with("Max"), size, stride, pad, false);
            }
            "GlobalAveragePooling2D" | "GlobalAvgPool2D" => return self.global_pool(false),
            "GlobalMaxPooling2D" | "GlobalMaxPool2D" => return self.global_pool(true),
            "Flatten" => self.flatten(),
            "Reshape" => {
                self.is_of_rows = false;
                return self.reshape(args);
            }
            "Dense" => {
                let units = self.int(args, 0, &["units", "output_dim"], None, 1)?;
                let bias = self.flag(args, usize::MAX, &["use_bias", "bias"], true);
                match self.shape {
                    // On an image without channels, Keras applies it to each row, as no layer of a study is.
                    Shape::Image(_, height, width)
                        if self.is_of_rows && self.steps.is_empty() && height > 1 =>
                    {
                        let more = (height - 1).saturating_mul(width).saturating_mul(units);
                        self.say(format!(
                            "it gets rows of {width} pixels, as no Flatten stands before it, so that Keras has no answer for the \
                             whole; the study flattens before it, and {more} parameters are added"
                        ));
                        self.shape = Shape::Flat(self.shape.len());
                        self.dense(units, bias)?;
                        if let Some(row) = self.rows.last_mut() {
                            row.parameters = row.parameters.saturating_sub(more);
                        }
                    }
                    // On an image, Keras applies it to each pixel, as a convolution of 1×1 is.
                    Shape::Image(_, height, width) if height * width > 1 => {
                        self.conv([units, 1, 1, 1], Pad::Pixels(0), bias)?;
                        self.dense_on_pixels = true;
                    }
                    _ => self.dense(units, bias)?,
                }
            }
            "Dropout" | "AlphaDropout" | "GaussianDropout" | "SpatialDropout2D" => {
                let rate = self.float(args, 0, &["rate", "p"], 0.5);
                if self.name != "Dropout" {
                    self.say("it drops in another way than a study's dropout, which was taken at its rate");
                }
                return self.dropout(rate);
            }
            "BatchNormalization" => {
                let axis = args.named(&["axis"]).and_then(Value::int).unwrap_or(-1);
                let features = match self.shape {
                    Shape::Flat(features) => features,
                    Shape::Image(channels, height, width) => {
                        let sides = if self.channels_first {
                            [channels, height, width]
                        } else {
                            [height, width, channels]
                        };
                        let at = if axis < 0 { axis + 4 } else { axis } - 1;
                        usize::try_from(at)
                            .ok()
                            .and_then(|at| sides.get(at))
                            .copied()
                            .unwrap_or(channels)
                    }
                };
                let momentum = 1.0 - self.float(args, 1, &["momentum"], 0.99);
                let epsilon = self.float(args, 2, &["epsilon"], 1e-3);
                let trained = ["scale", "center"]
                    .map(|key| usize::from(self.flag(args, usize::MAX, &[key], true)));
                return self.norm(features, rounded(momentum), epsilon, trained.iter().sum());
            }
            "Activation" => {
                let (name, slope) = match args.get(0, &["activation"]) {
                    Some(value) => self.named_activation(value)?,
                    None => return self.no_counterpart("it names no activation"),
                };
                return self.activate(&name, slope);
            }
            "LeakyReLU" => {
                let slope = self.float(args, 0, &["negative_slope", "alpha"], 0.3);
                return self.activate("leaky_relu", Some(slope));
            }
            "ReLU" => {
                if args.get(0, &["max_value"]).is_some_and(|value| *value != Value::None) {
                    return self.activate("relu6", None);
                }
                return self.activate("relu", None);
            }
            "PReLU" => {
                let lost = self.shape.len();
                self.row(lost, 0, None);
                return self.activate("prelu", None);
            }
            "Softmax" | "ELU" | "ThresholdedReLU" => {
                let name = self.name.to_lowercase();
                return self.activate(&name, None);
            }
            "ZeroPadding2D" => return self.keras_zeros(args),
            "InputLayer" => return Ok(()),
            "Rescaling" | "Normalization" => {
                self.say("burgeon normalizes the images itself; it was left out");
                return Ok(());
            }
            "GaussianNoise" | "ActivityRegularization" => {
                self.say("it has no counterpart in a study; it was left out");
                return Ok(());
            }
            kind if is_random_layer(kind) => {
                self.random(args);
                return Ok(());
            }
            "Lambda" => {
                self.say("what a function of the program does to the numbers is not followed; it was left out");
                return Ok(());
            }
            "Add" | "Concatenate" | "Merge" => {
                return self.no_counterpart(
                    "it joins several paths; a study's layers follow one after another",
                );
            }
            _ => return self.no_counterpart(NO_SUCH_LAYER),
        }
        // Convolutions and dense layers say their activation themselves.
        if let Some(value) = args.named(&["activation"]).cloned() {
            let (name, slope) = self.named_activation(&value)?;
            self.activate(&name, slope.or((name == "leaky_relu").then_some(0.2)))?;
        }
        if args
            .named(&["kernel_regularizer", "W_regularizer"])
            .is_some_and(|value| *value != Value::None)
        {
            self.say("its own penalty on weights has no counterpart; [train] weight-decay is one for all layers");
        }
        Ok(())
    }

    fn named_activation(&mut self, value: &Value) -> Result<(String, Option<f64>), Refused> {
        match self.activation_of(value) {
            Some(known) => Ok(known),
            None => {
                let why = self.it.why(value);
                self.no_counterpart(&format!("its activation cannot be told: {why}"))
            }
        }
    }

    fn no_dilation(&self, args: &Args) -> Result<(), Refused> {
        let dilation =
            self.side(args, usize::MAX, &["dilation_rate", "dilation", "atrous_rate"], Some(1), 1)?;
        if dilation == 1 {
            Ok(())
        } else {
            self.no_counterpart("its kernel is dilated, which a study's is not")
        }
    }

    fn keras_conv(&mut self, args: &Args) -> Result<(), Refused> {
        let by_name = args.named(&["nb_row", "nb_filter", "nb_col"]).is_some();
        let numbers = args.at.len() >= 3 && args.at[..3].iter().all(|value| value.int().is_some());
        // `Convolution2D(32, 3, 3)` of Keras 1; since Keras 2 the third number is the stride.
        let is_old = by_name || (numbers && (self.is_old || self.name == "Convolution2D"));
        let filters = self.int(args, 0, &FILTERS, None, 1)?;
        let (kernel, stride, padding_at) = if is_old {
            let sides = Args {
                at: Vec::new(),
                named: vec![
                    ("nb_row".into(), args.get(1, &["nb_row"]).cloned().unwrap_or(Value::None)),
                    ("nb_col".into(), args.get(2, &["nb_col"]).cloned().unwrap_or(Value::None)),
                ],
            };
            let rows = self.int(&sides, usize::MAX, &["nb_row"], None, 1)?;
            let columns = self.int(&sides, usize::MAX, &["nb_col"], None, 1)?;
            if rows != columns {
                return self.no_counterpart(&format!(
                    "its kernel is {rows}×{columns}; a study's are square"
                ));
            }
            (rows, self.side(args, usize::MAX, &STRIDES, Some(1), 1)?, usize::MAX)
        } else {
            (
                self.side(args, 1, &["kernel_size"], None, 1)?,
                self.side(args, 2, &STRIDES, Some(1), 1)?,
                3,
            )
        };
        let pad = if self.same(args, padding_at)? { Pad::Same } else { Pad::Pixels(0) };
        let groups = self.int(args, usize::MAX, &["groups"], Some(1), 1)?;
        self.no_dilation(args)?;
        let bias = self.flag(args, usize::MAX, &["use_bias", "bias"], true);
        self.conv([filters, kernel, stride, groups], pad, bias)
    }

    fn keras_zeros(&mut self, args: &Args) -> Result<(), Refused> {
        let value = args.get(0, &["padding"]).cloned().unwrap_or(Value::Int(1));
        let one = |value: &Value| {
            value
                .int()
                .and_then(|pixels| usize::try_from(pixels).ok())
                .filter(|pixels| *pixels <= 64)
        };
        let pair = |value: &Value| match (one(value), self.it.elements(value)) {
            (Some(pixels), _) => Some([pixels; 2]),
            (None, Some([before, after])) => Some([one(before)?, one(after)?]),
            _ => None,
        };
        let sides = match (one(&value), self.it.elements(&value)) {
            (Some(pixels), _) => Some([pixels; 4]),
            (None, Some([rows, columns])) => {
                pair(rows).zip(pair(columns)).map(|([a, b], [c, d])| [a, b, c, d])
            }
            _ => None,
        };
        let Some(sides) = sides else {
            return self.no_counterpart("how many zeros it adds cannot be told");
        };
        self.zeros(sides)
    }

    pub(super) fn zeros(&mut self, sides: [usize; 4]) -> Result<(), Refused> {
        self.image()?;
        if self.padding.is_some() {
            return self.no_counterpart("zeros are put around the image twice");
        }
        self.padding = Some(sides);
        Ok(())
    }

    /// To the same image, or to a row of numbers.
    fn reshape(&mut self, args: &Args) -> Result<(), Refused> {
        let shape =
            args.get(0, &["target_shape", "dims"]).and_then(|value| self.it.known_shape(value));
        match shape.as_deref() {
            Some([_]) => self.flatten(),
            Some(sides) if sides.len() == 3 => {
                let sides: Vec<usize> =
                    sides.iter().map(|side| usize::try_from(*side).unwrap_or(0)).collect();
                let image = if self.channels_first {
                    Shape::Image(sides[0], sides[1], sides[2])
                } else {
                    Shape::Image(sides[2], sides[0], sides[1])
                };
                if !self.steps.is_empty() || image.len() != self.image.len() {
                    return self
                        .no_counterpart("it gives the numbers another shape within the network");
                }
                (self.shape, self.image, self.is_in_a_row) = (image, image, false);
            }
            _ => {
                return self
                    .no_counterpart("the shape that it gives cannot be told, or is of no image");
            }
        }
        Ok(())
    }

    fn random(&mut self, args: &Args) {
        let height = match self.shape {
            Shape::Image(_, height, _) => height,
            Shape::Flat(_) => 1,
        };
        match self.it.random_layer(&self.name, args, height) {
            Ok(keys) => {
                keys.into_iter().for_each(|(key, value)| set(&mut self.augment, key, value))
            }
            Err(why) => self.say(why),
        }
    }
}

/// Without what subtraction leaves in the last places.
pub(super) fn rounded(value: f64) -> f64 {
    (value * 1e9).round() / 1e9
}
