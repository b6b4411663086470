//! PyTorch's layers, and functions on tensors of PyTorch and Keras.

use super::arrange::Arranger;
use super::find::Refused;
use super::keras_layers::NO_SUCH_LAYER;
use super::step::{Pad, Shape};
use super::value::{Args, Value};

impl Arranger<'_, '_> {
    pub(super) fn torch_layer(&mut self, args: &Args) -> Result<(), Refused> {
        match self.name.clone().as_str() {
            "Conv2d" | "LazyConv2d" => {
                let is_lazy = self.name == "LazyConv2d";
                let at = |place: usize| if is_lazy { place - 1 } else { place };
                let (channels, ..) = self.image()?;
                if !is_lazy {
                    let given = self.int(args, 0, &["in_channels"], None, 1)?;
                    if given != channels {
                        return self.no_counterpart(&format!(
                            "it expects {given} channels, but gets {channels}"
                        ));
                    }
                }
                let filters = self.int(args, at(1), &["out_channels"], None, 1)?;
                let kernel = self.side(args, at(2), &["kernel_size"], None, 1)?;
                let stride = self.side(args, at(3), &["stride"], Some(1), 1)?;
                let pad = self.torch_pad(args, at(4))?;
                let dilation = self.side(args, at(5), &["dilation"], Some(1), 1)?;
                let groups = self.int(args, at(6), &["groups"], Some(1), 1)?;
                let bias = self.flag(args, at(7), &["bias"], true);
                if dilation != 1 {
                    return self.no_counterpart("its kernel is dilated, which a study's is not");
                }
                if let Some(Value::Text(mode)) = args.get(at(8), &["padding_mode"])
                    && &**mode != "zeros"
                {
                    return self
                        .no_counterpart(&format!("it pads by {mode:?}; a study pads with zeros"));
                }
                self.conv([filters, kernel, stride, groups], pad, bias)
            }
            "Linear" | "LazyLinear" => {
                let is_lazy = self.name == "LazyLinear";
                let units = self.int(args, usize::from(!is_lazy), &["out_features"], None, 1)?;
                let bias = self.flag(args, 2 - usize::from(is_lazy), &["bias"], true);
                if !is_lazy {
                    let given = self.int(args, 0, &["in_features"], None, 1)?;
                    if given != self.shape.len() {
                        let gets = self.shape.len();
                        return self.no_counterpart(&format!(
                            "it expects {given} features, but gets {gets}"
                        ));
                    }
                }
                if let Shape::Image(_, height, width) = self.shape
                    && height * width > 1
                {
                    self.say("it gets an image that nothing flattens, for which PyTorch fails; the study flattens before it");
                }
                self.dense(units, bias)
            }
            "MaxPool2d" | "AvgPool2d" => self.torch_pool(args, 0),
            "AdaptiveAvgPool2d" | "AdaptiveMaxPool2d" => self.adaptive(args, 0),
            "BatchNorm2d" | "BatchNorm1d" | "LazyBatchNorm2d" | "LazyBatchNorm1d" => {
                let at = usize::from(!self.name.starts_with("Lazy"));
                let features = match at {
                    1 => self.int(args, 0, &["num_features"], None, 1)?,
                    _ => self.shape.channels(),
                };
                if features != self.shape.channels() {
                    let gets = self.shape.channels();
                    return self.no_counterpart(&format!(
                        "it expects {features} channels, but gets {gets}"
                    ));
                }
                let epsilon = self.float(args, at, &["eps"], 1e-5);
                let momentum = self.float(args, at + 1, &["momentum"], 0.1);
                let trained = if self.flag(args, at + 2, &["affine"], true) { 2 } else { 0 };
                self.norm(features, momentum, epsilon, trained)
            }
            "Dropout" | "Dropout2d" | "AlphaDropout" | "FeatureAlphaDropout" | "Dropout1d" => {
                let rate = self.float(args, 0, &["p"], 0.5);
                if self.name != "Dropout" {
                    self.say("it drops in another way than a study's dropout, which was taken at its rate");
                }
                self.dropout(rate)
            }
            "Flatten" => {
                self.flatten();
                Ok(())
            }
            "ZeroPad2d" => self.torch_zeros(args),
            "Identity" => Ok(()),
            "LeakyReLU" => {
                let slope = self.float(args, 0, &["negative_slope"], 0.01);
                self.activate("leaky_relu", Some(slope))
            }
            "PReLU" => {
                let lost = self.int(args, 0, &["num_parameters"], Some(1), 1)?;
                self.row(lost, 0, None);
                self.activate("prelu", None)
            }
            "Softmax2d" => self.activate("softmax", None),
            "ReLU" | "ReLU6" | "ELU" | "SELU" | "CELU" | "GELU" | "SiLU" | "Mish" | "Tanh"
            | "Sigmoid" | "Softmax" | "LogSoftmax" | "Hardswish" | "Hardsigmoid" | "Hardtanh"
            | "Softplus" | "Softsign" | "RReLU" => {
                if matches!(args.get(0, &["approximate"]), Some(Value::Text(text)) if &**text == "tanh")
                {
                    self.say("it is approximated by tanh; a study's gelu is exact");
                }
                let name = self.name.to_lowercase();
                self.activate(&name, None)
            }
            _ => self.no_counterpart(NO_SUCH_LAYER),
        }
    }

    /// A pool whose window is the argument at `at`.
    fn torch_pool(&mut self, args: &Args, at: usize) -> Result<(), Refused> {
        let is_max = self.name.to_lowercase().starts_with("max");
        let size = self.side(args, at, &["kernel_size"], None, 1)?;
        let stride = self.side(args, at + 1, &["stride"], Some(size), 1)?;
        let pixels = self.side(args, at + 2, &["padding"], Some(0), 0)?;
        let (ceil_at, count_at) = if is_max { (at + 5, usize::MAX) } else { (at + 3, at + 4) };
        if is_max && self.side(args, at + 3, &["dilation"], Some(1), 1)? != 1 {
            return self.no_counterpart("its window is dilated, which a study's is not");
        }
        let counts = self.flag(args, count_at, &["count_include_pad"], true);
        let mut pad = Pad::Pixels(pixels);
        if self.flag(args, ceil_at, &["ceil_mode"], false) {
            let (_, height, width) = self.image()?;
            let rest = |length: usize| {
                (length + 2 * pixels).checked_sub(size).map_or(0, |rest| rest % stride)
            };
            if rest(height) != 0 || rest(width) != 0 {
                let fits = |length: usize| {
                    let pads = Pad::Same.pads(length, size, stride);
                    let windows = (length + 2 * pixels).saturating_sub(size).div_ceil(stride) + 1;
                    pads[0] == pixels && windows == length.div_ceil(stride)
                };
                if !is_max || !fits(height) || !fits(width) {
                    return self.no_counterpart("its `ceil_mode` adds windows that reach over the border, which a study's do not");
                }
                pad = Pad::Same;
            }
        }
        self.pool(is_max, size, stride, pad, counts)
    }

    fn adaptive(&mut self, args: &Args, at: usize) -> Result<(), Refused> {
        let is_max = self.name.to_lowercase().contains("max");
        let output = self.side(args, at, &["output_size"], None, 1)?;
        let (channels, height, width) = self.image()?;
        if output == 1 && !is_max {
            self.global_pool(false)?;
            // It stays an image of one pixel, which flattening changes nothing of.
            self.shape = Shape::Image(channels, 1, 1);
            return Ok(());
        }
        if height != width || height % output != 0 {
            let why = format!(
                "it divides an image of {height}×{width} into {output}×{output} unequal windows, which no pool of a study does"
            );
            return self.no_counterpart(&why);
        }
        self.pool(is_max, height / output, height / output, Pad::Pixels(0), true)
    }

    fn torch_zeros(&mut self, args: &Args) -> Result<(), Refused> {
        let value = args.get(0, &["padding"]);
        let sides = value.and_then(|value| self.it.known_shape(value));
        let pixels = |at: &i64| usize::try_from(*at).ok().filter(|pixels| *pixels <= 64);
        match sides.as_deref() {
            Some([all]) if pixels(all).is_some() => self.zeros([pixels(all).unwrap_or(0); 4]),
            // Left, right, top, bottom.
            Some([left, right, top, bottom]) => {
                match (pixels(top), pixels(bottom), pixels(left), pixels(right)) {
                    (Some(top), Some(bottom), Some(left), Some(right)) => {
                        self.zeros([top, bottom, left, right])
                    }
                    _ => self.no_counterpart("how many zeros it adds cannot be told"),
                }
            }
            _ => self.no_counterpart("how many zeros it adds cannot be told"),
        }
    }

    /// A function on a tensor, or a method of one as `.name`.
    pub(super) fn function(&mut self, path: &str, args: &Args) -> Result<(), Refused> {
        // The tensor itself is the first argument of a function.
        let at = usize::from(!path.starts_with('.'));
        let root = path.split('.').next().unwrap_or_default();
        if !matches!(root, "" | "torch" | "keras" | "tensorflow" | "scale") {
            return self.no_counterpart("it comes from a module that is not there to be read");
        }
        match self.name.clone().as_str() {
            "relu" | "relu_" | "relu6" | "tanh" | "sigmoid" | "softmax" | "log_softmax" | "elu"
            | "selu" | "gelu" | "silu" | "swish" | "mish" | "hardswish" | "softplus" | "tanh_"
            | "sigmoid_" => {
                let name = self.name.trim_end_matches('_').to_owned();
                self.activate(&name, None)
            }
            "leaky_relu" => {
                let default = if root == "torch" { 0.01 } else { 0.2 };
                let slope = self.float(args, at, &["negative_slope", "alpha"], default);
                self.activate("leaky_relu", Some(slope))
            }
            "max_pool2d" | "avg_pool2d" if matches!(root, "torch" | "") => {
                self.torch_pool(args, at)
            }
            "adaptive_avg_pool2d" | "adaptive_max_pool2d" => self.adaptive(args, at),
            "dropout" | "dropout2d" => {
                let rate = self.float(args, at, &["p"], 0.5);
                if self.name == "dropout2d" {
                    self.say("it drops whole channels; a study's dropout, which was taken at its rate, single values");
                } else if args.get(at + 1, &["training"]).is_none() {
                    self.say("F.dropout without `training=self.training` drops while predicting, too; a study's does not");
                }
                self.dropout(rate)
            }
            "flatten" => {
                self.flatten();
                Ok(())
            }
            "view" | "reshape" => {
                let given = match args.at.get(at) {
                    Some(value) => self.it.elements(value).map_or(&args.at[at..], |list| list),
                    None => &[],
                };
                match given.len() {
                    2 => {
                        if let Some(features) = given[1].int().filter(|features| *features > 1)
                            && usize::try_from(features).ok() != Some(self.shape.len())
                        {
                            let gets = self.shape.len();
                            return self.no_counterpart(&format!(
                                "it makes rows of {features} of images of {gets} values"
                            ));
                        }
                        self.flatten();
                        Ok(())
                    }
                    4 if self.steps.is_empty() => {
                        let sides: Vec<usize> = given[1..]
                            .iter()
                            .filter_map(|side| usize::try_from(side.int()?).ok())
                            .collect();
                        match sides[..] {
                            [channels, height, width]
                                if channels * height * width == self.image.len() =>
                            {
                                self.shape = Shape::Image(channels, height, width);
                                self.is_in_a_row = false;
                                Ok(())
                            }
                            _ => self.no_counterpart("it gives the images another shape"),
                        }
                    }
                    _ => {
                        self.no_counterpart("it gives the numbers another shape within the network")
                    }
                }
            }
            "squeeze" | "squeeze_" | "identity" | "cast" | "type" | "contiguous" => Ok(()),
            "mean" | "reduce_mean" => match self.shape {
                Shape::Image(..) => self.global_pool(false),
                Shape::Flat(_) => self.no_counterpart("it takes a mean over features"),
            },
            "unsqueeze" | "expand_dims" if self.steps.is_empty() => Ok(()),
            "scale" if self.steps.is_empty() => {
                self.say("numbers are added to or multiplied with the images; burgeon normalizes them itself");
                Ok(())
            }
            "scale" => self.no_counterpart(
                "what it computes with the layer before it has no counterpart in a study",
            ),
            "+" | "add" | "concatenate" | "concat" | "cat" | "-" | "*" => self.no_counterpart(
                "it joins several paths; a study's layers follow one after another",
            ),
            _ => self.no_counterpart("a study has nothing that does the same"),
        }
    }
}
