//! The text of a card.
//!
//! Invariant: whatever comes from a study, a record or a file is escaped where it is written.

use std::fmt::Write;

use super::Card;
use crate::model::{Preparation, Subject};
use crate::record::figures::{ModelFigures, SplitFigures};
use crate::record::wilson_interval;
use crate::report::{grouped, inline, times};

/// A table of more classes is left to `figures.json`.
const CLASSES_SHOWN: usize = 200;

impl Card<'_> {
    /// The whole card, in Markdown.
    ///
    /// # Errors
    ///
    /// Never, unless the preparation cannot be written as JSON.
    pub(in crate::study) fn to_markdown(&self) -> Result<String, serde_json::Error> {
        let mut text = self.hub_metadata()?;
        let _ = writeln!(text, "\n# {}\n\n{}", inline(self.spec.name()), self.summary());
        text += &self.figures();
        text += &self.network();
        text += &self.data();
        text += &self.limits();
        text += &self.usage();
        text += &preparation(self.preparation)?;
        text += &self.provenance();
        Ok(text)
    }

    fn summary(&self) -> String {
        let classes = self.spec.input().classes;
        let figures = self.figures;
        let accuracy = figures.validation.accuracy * 100.0;
        let trainer = "[burgeon](https://crates.io/crates/burgeon)";
        match figures.trial {
            ModelFigures::IMPORTED => format!(
                "An image classifier of {classes} classes, whose weights another program trained and {trainer} \
                 imported. {accuracy:.2} % on validation images.\n"
            ),
            trial => format!(
                "An image classifier of {classes} classes, trained by {trainer}. {accuracy:.2} % on validation \
                 images, measured after epoch {} of trial {trial}.\n",
                figures.epoch
            ),
        }
    }

    fn figures(&self) -> String {
        let figures = self.figures;
        let mut text = String::from(
            "## Figures\n\n| images | accuracy | 95 % interval | number | loss | calibration error |\n\
             | --- | ---: | --- | ---: | ---: | ---: |\n",
        );
        let _ = writeln!(text, "{}", row("validation", &figures.validation));
        if let Some(int8) = &figures.int8 {
            let _ = writeln!(text, "{}", row("validation, `model-int8.onnx`", int8));
        }
        if let Some(folds) = &self.folds {
            let _ = writeln!(
                text,
                "| cross-validated, {} | {:.2} % | {} | {} | | |",
                folds.extent(),
                folds.accuracy() * 100.0,
                interval(folds.interval()),
                grouped(folds.images)
            );
        }
        match self.test {
            Some(test) => {
                let interval = interval(wilson_interval(test.accuracy, test.images));
                let _ = writeln!(
                    text,
                    "| test | {:.2} % | {interval} | {} | | |\n\n\
                     The test images decided nothing. They were read {} so far.",
                    test.accuracy * 100.0,
                    grouped(test.images),
                    times(self.test_readings)
                );
            }
            None if self.test_readings > 0 => {
                let read = times(self.test_readings);
                let _ = writeln!(text, "\nThe test images were read {read}, not for this model.");
            }
            None => text += "\nThe test images were not read.\n",
        }
        if self.folds.is_some() {
            text += "\nThe gate judged the cross-validated accuracy, of networks that were each trained without \
                     the images of one fold. This model is the one whose fold are the validation images.\n";
        }
        text += "\nThe validation images chose among epochs and trials, so the accuracy on them is a little too good. \
                 Intervals are Wilson's.\n\n";
        text + &self.by_class(&figures.validation)
    }

    fn by_class(&self, validation: &SplitFigures) -> String {
        let mut text = String::from(
            "| class | precision | recall | F1 | support |\n| --- | ---: | ---: | ---: | ---: |\n",
        );
        let figures = validation.by_class();
        for (name, class) in self.preparation.classes.iter().zip(&figures).take(CLASSES_SHOWN) {
            let _ = writeln!(
                text,
                "| {} | {:.3} | {:.3} | {:.3} | {} |",
                inline(name),
                class.precision,
                class.recall,
                class.f1,
                grouped(class.support)
            );
        }
        if figures.len() > CLASSES_SHOWN {
            let more = figures.len() - CLASSES_SHOWN;
            let _ = writeln!(text, "\n{more} more classes are in `figures.json`.");
        }
        text + "\nOn validation images. `figures.json` has the confusion matrix.\n\n"
    }

    fn network(&self) -> String {
        let table = self.spec.table();
        let input = self.spec.input();
        let mut text = format!(
            "## Network\n\n| | |\n| --- | --- |\n\
             | input | {}×{}×{} |\n| parameters | {} |\n| FLOPs per image | {} |\n| weights (SHA-256) | {} |\n\n\
             | layer | output | parameters |\n| --- | --- | --- |\n",
            input.channels,
            input.height,
            input.width,
            table.parameters(),
            table.flops(),
            inline(&self.weights_hash),
        );
        for (number, row) in table.numbered() {
            // Layers within a residual block have rows below it, each with its number.
            let number = if number.contains('.') { format!("{number}: ") } else { String::new() };
            let _ =
                writeln!(text, "| {number}{} | {} | {} |", row.name, row.output, row.parameters);
        }
        text + "\n"
    }

    fn data(&self) -> String {
        let names: Vec<String> =
            self.preparation.classes.iter().take(CLASSES_SHOWN).map(|name| inline(name)).collect();
        let more = match self.preparation.classes.len().saturating_sub(CLASSES_SHOWN) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let mut text = format!(
            "## Data\n\n| | |\n| --- | --- |\n| data | {} |\n| licence | {} |\n| classes | {}: {}{more} |\n",
            inline(self.data),
            self.data_licence().words,
            self.spec.input().classes,
            names.join(", ")
        );
        if let Some(counts) = &self.counts {
            let sum = |split: &[usize]| grouped(split.iter().sum::<usize>() as u64);
            let _ = writeln!(
                text,
                "| training images | {} |\n| validation images | {} |\n| test images | {} |",
                sum(&counts.train),
                sum(&counts.validation),
                sum(&counts.test)
            );
        }
        if let Some(provenance) = self.provenance {
            for (name, sha256) in provenance.data.sha256.iter().take(CLASSES_SHOWN) {
                let _ = writeln!(text, "| {} (SHA-256) | {} |", inline(name), inline(sha256));
            }
        }
        text += "\n";
        text + &self.counts_by_class()
    }

    fn counts_by_class(&self) -> String {
        let Some(counts) = &self.counts else {
            return String::new();
        };
        let mut text = String::from(
            "| class | training | validation | test |\n| --- | ---: | ---: | ---: |\n",
        );
        for (label, name) in self.preparation.classes.iter().enumerate().take(CLASSES_SHOWN) {
            let of = |split: &[usize]| grouped(split.get(label).copied().unwrap_or(0) as u64);
            let (train, validation, test) =
                (of(&counts.train), of(&counts.validation), of(&counts.test));
            let _ = writeln!(text, "| {} | {train} | {validation} | {test} |", inline(name));
        }
        text + "\n"
    }

    fn limits(&self) -> String {
        let mut text = String::from("## Limits\n\n");
        let mut point = |line: String| {
            let _ = writeln!(text, "- {line}");
        };
        if let Some(reason) =
            self.provenance.and_then(|provenance| provenance.data.fallback.as_ref())
        {
            point(format!(
                "**Trained on the built-in digits, not on the requested data**: {}",
                inline(reason)
            ));
        }
        point(
            "It was measured on images from the same source as its training images only. How it does on others \
             (another camera, paper, light, time or place) is not known."
                .into(),
        );
        point(
            "It answers with one of its classes whatever a picture shows, also where none is right. Pictures made to \
             mislead it were not tried."
                .into(),
        );
        let validation = &self.figures.validation;
        point(format!(
            "Its probabilities differ from the share of right answers by {:.2} points on average (expected calibration \
             error over 15 bins, validation images).",
            validation.calibration_error * 100.0
        ));
        let unseen = validation.by_class().iter().filter(|class| class.support == 0).count();
        if unseen > 0 {
            point(format!(
                "Its accuracy on {unseen} of its classes was not measured: no validation image is of them."
            ));
        }
        for finding in &self.findings {
            let words = finding.words(&self.preparation.classes);
            point(format!("About the data: {}.", inline(&words)));
        }
        let set = self.provenance.and_then(|provenance| provenance.instruction_set.as_deref());
        if let Some(set) = set {
            point(format!(
                "It was trained with the instruction set {}. On another one, or in another program, logits differ in \
                 their last digits.",
                inline(set)
            ));
        }
        text + "\n"
    }

    fn usage(&self) -> String {
        let input = self.spec.input();
        let (channels, height, width) = (input.channels, input.height, input.width);
        format!(
            "## Use\n\n\
             With burgeon, which prepares pictures of any size like the training images:\n\n\
             ```sh\nburgeon predict FOLDER picture.png   # FOLDER is this one\n```\n\n\
             With ONNX Runtime, from floats between 0 and 1 of shape [batch, {channels}, {height}, {width}] \
             (`burgeon export RUN --format onnx-pixels` makes a file that takes decoded bytes):\n\n\
             ```python\nimport json, onnxruntime\n\n\
             session = onnxruntime.InferenceSession(\"model.onnx\")\n\
             classes = json.loads(session.get_modelmeta().custom_metadata_map[\"burgeon.classes\"])\n\
             [logits] = session.run(None, {{\"images\": images}})\n\
             print([classes[index] for index in logits.argmax(1)])\n```\n\n\
             With PyTorch, from bytes of the same shape, or floats between 0 and 1:\n\n\
             ```python\nfrom model import CLASSES, load   # model.py and pytorch.safetensors\n\n\
             network = load()\n\
             print([CLASSES[index] for index in network(images).argmax(1)])\n```\n\n\
             `model.safetensors` holds the weights in PyTorch's layout (dense layers `[out, in]`) for burgeon, \
             `pytorch.safetensors` those with PyTorch's names, `model.bpk` those in burn's layout (dense layers \
             `[in, out]`). `model.onnx` takes pixels from 0 to 1 and normalizes them itself.\n\n"
        )
    }

    fn provenance(&self) -> String {
        let mut text = String::from("## Provenance\n\n| | |\n| --- | --- |\n");
        let mut line = |name: &str, value: &str| {
            let _ = writeln!(text, "| {name} | {} |", inline(value));
        };
        line("study (hash)", &self.spec.hash());
        line("seed", &self.spec.train().seed.to_string());
        match self.provenance {
            None => line("burgeon", env!("CARGO_PKG_VERSION")),
            Some(provenance) => {
                line("burgeon", &provenance.version);
                if let Some(commit) = &provenance.commit {
                    let dirty = if provenance.dirty == Some(true) { ", changed" } else { "" };
                    line("commit", &format!("{commit}{dirty}"));
                }
                line("device", &provenance.device);
                line("threads", &provenance.threads.to_string());
                if let Some(cpu) = &provenance.cpu {
                    line("processor", cpu);
                }
                if let Some(set) = &provenance.instruction_set {
                    line("instruction set", set);
                }
                line("started", &provenance.started_at.to_string());
            }
        }
        text
    }
}

fn row(images: &str, figures: &SplitFigures) -> String {
    format!(
        "| {images} | {:.2} % | {} | {} | {:.4} | {:.4} |",
        figures.accuracy * 100.0,
        interval(figures.interval),
        grouped(figures.images),
        figures.loss,
        figures.calibration_error
    )
}

fn interval([low, high]: [f64; 2]) -> String {
    format!("{:.2} to {:.2} %", low * 100.0, high * 100.0)
}

fn preparation(preparation: &Preparation) -> Result<String, serde_json::Error> {
    let json = serde_json::to_string_pretty(preparation)?;
    // Longer than any fence in a class name, so that none of them can end it.
    let longest = json.split(|character| character != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let digits = match preparation.subject {
        Subject::Digit => {
            "Digits are found, made light on dark and centred before that, which only `burgeon predict` does; other \
             programs have to be given pictures like the training images.\n\n"
        }
        Subject::Whole => "",
    };
    Ok(format!(
        "## Preparation\n\n\
         How a picture becomes the input of the network: {}.\n\n{digits}\
         The same JSON is in the metadata of `model.safetensors` (key `burgeon`) and of `model.onnx` (key \
         `burgeon.preparation`), and in `model.py`.\n\n{fence}json\n{json}\n{fence}\n\n",
        preparation.describe()
    ))
}

#[cfg(test)]
mod tests;
