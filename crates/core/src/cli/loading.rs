//! The bar that shows how far downloading, reading or drawing images is.

use indicatif::{ProgressBar, ProgressStyle};

use crate::data::Progress;

/// A bar, which is hidden while nothing is loaded.
#[derive(Debug)]
pub struct LoadingBar {
    bar: ProgressBar,
    /// Whether there is a terminal to draw it on.
    is_drawn: bool,
}

impl LoadingBar {
    /// No bar yet.
    pub fn new(is_drawn: bool) -> Self {
        Self { bar: ProgressBar::hidden(), is_drawn }
    }

    /// Shows progress; what is no progress of these kinds is passed over. `print` prints what is downloaded.
    pub fn show(&mut self, progress: &Progress, print: impl FnOnce(&str)) {
        match progress {
            Progress::Downloading { file, url, received, total } => {
                if self.bar.prefix() != *file {
                    self.close();
                    print(&format!("downloading {url}"));
                    let style = "  {prefix} {wide_bar:.green} {bytes}/{total_bytes}  {eta} left";
                    self.start(total.unwrap_or(*received), style);
                    self.bar.set_prefix(file.to_string());
                }
                self.bar.set_position(*received);
            }
            Progress::Reading { done, total } => {
                self.count(
                    *done,
                    *total,
                    "  reading pictures {wide_bar:.green} {pos}/{len}  {eta} left",
                );
            }
            Progress::Drawing { done, total } => {
                self.count(*done, *total, "  drawing digits {wide_bar:.green} {pos}/{len}");
            }
            _ => {}
        }
    }

    /// Removes the bar.
    pub fn close(&self) {
        self.bar.finish_and_clear();
    }

    /// Prints above the bar.
    pub fn above(&self, print: impl FnOnce()) {
        self.bar.suspend(print);
    }

    fn count(&mut self, done: usize, total: usize, style: &str) {
        if self.bar.length() != Some(total as u64) {
            self.start(total as u64, style);
        }
        self.bar.set_position(done as u64);
        if done == total {
            self.close();
        }
    }

    fn start(&mut self, length: u64, style: &str) {
        self.close();
        if self.is_drawn {
            let style = ProgressStyle::with_template(style);
            let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
            self.bar = ProgressBar::new(length).with_style(style.progress_chars("━╸ "));
        }
    }
}
