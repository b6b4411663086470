//! The table of `--profile`: where the time of a training went.

use std::fmt::Write;

use crate::record::Profile;

/// Columns of the widest bar.
const BAR_WIDTH: f64 = 24.0;

/// A line of the table; `forward` and `backward` are `None` for parts other than layers.
struct Line<'a> {
    name: &'a str,
    forward: Option<f64>,
    backward: Option<f64>,
    seconds: f64,
}

/// The table of an average epoch.
pub fn table(profile: &Profile) -> String {
    let per_epoch = 1.0 / profile.epochs.max(f64::MIN_POSITIVE);
    let whole = |name, seconds: f64| Line {
        name,
        forward: None,
        backward: None,
        seconds: seconds * per_epoch,
    };
    let mut lines = vec![whole("data", profile.data_seconds)];
    lines.extend(profile.layers.iter().map(|layer| Line {
        name: &layer.name,
        forward: Some(layer.forward_seconds * per_epoch),
        backward: Some(layer.backward_seconds * per_epoch),
        seconds: (layer.forward_seconds + layer.backward_seconds) * per_epoch,
    }));
    lines.extend([
        whole("loss", profile.loss_seconds),
        whole("optimizer", profile.optimizer_seconds),
        whole("evaluation", profile.evaluation_seconds),
        whole("checkpoints", profile.checkpoint_seconds),
        whole("rest", profile.rest_seconds),
    ]);
    let total = profile.seconds * per_epoch;
    let width = lines.iter().map(|line| line.name.chars().count()).max().unwrap_or(0);
    let mut text = format!(
        "\ntime of an average epoch: {total:.2} s\n  {:<width$} {:>9} {:>9} {:>9} {:>7}\n",
        "", "forward", "backward", "total", "share"
    );
    for line in &lines {
        let share = line.seconds / total.max(f64::MIN_POSITIVE);
        let _ = writeln!(
            text,
            "  {:<width$} {} {} {} {:>5.1} %  {}",
            line.name,
            milliseconds(line.forward),
            milliseconds(line.backward),
            milliseconds(Some(line.seconds)),
            share * 100.0,
            bar(share)
        );
    }
    let reached = profile.flops_per_second / 1e9;
    let _ = match profile.peak_flops_per_second {
        Some(peak) => write!(
            text,
            "the layers reach {reached:.1} GFLOP/s, {:.0} % of the {:.1} GFLOP/s measured as the peak of these threads",
            100.0 * profile.flops_per_second / peak,
            peak / 1e9
        ),
        None => write!(text, "the layers reach {reached:.1} GFLOP/s"),
    };
    text
}

fn milliseconds(seconds: Option<f64>) -> String {
    seconds.map_or(" ".repeat(9), |seconds| format!("{:>6.1} ms", seconds * 1e3))
}

/// A bar in steps of an eighth of a column.
fn bar(share: f64) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (share.clamp(0.0, 1.0) * BAR_WIDTH * 8.0).round() as usize;
    format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
}

#[cfg(test)]
mod tests;
