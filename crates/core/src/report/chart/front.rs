//! The picture of validation accuracy against what a network costs.

use super::scale::Scale;
use super::{Frame, dot, line, polylines, text};
use crate::report::front::{Cost, front_by};
use crate::report::markup::Markup;
use crate::report::{LineageTrial, Report, words};

const FRAME: Frame =
    Frame { width: 300.0, height: 240.0, left: 52.0, right: 288.0, top: 16.0, bottom: 204.0 };

/// All trials by one cost, on a logarithmic scale; those that no other one beats are joined. `None` unless two are known.
pub(in crate::report) fn front_chart(report: &Report, cost: Cost) -> Option<Markup> {
    let trials = &report.lineage.trials;
    let known = |trial| Some((trial, cost.of(trial)?, LineageTrial::measured(trial)?));
    let points: Vec<(&LineageTrial, f64, f64)> = trials.iter().filter_map(known).collect();
    if points.len() < 2 {
        return None;
    }
    let gate = report.started.threshold.filter(|gate| gate.is_finite() && *gate > 0.0);
    let scale = Scale::of_accuracies(points.iter().map(|point| point.2).chain(gate));
    let costs = points.iter().map(|point| point.1.log10());
    let low = costs.clone().fold(f64::INFINITY, f64::min);
    let high = costs.fold(f64::NEG_INFINITY, f64::max);
    // Costs that hardly differ must not fill the whole width.
    let margin = (0.06 * (high - low)).max(0.15);
    let (low, high) = (low - margin, high + margin);
    let x =
        |cost: f64| FRAME.left + (FRAME.right - FRAME.left) * (cost.log10() - low) / (high - low);
    let at =
        |(_, cost, accuracy): &(&LineageTrial, f64, f64)| (x(*cost), FRAME.y(&scale, *accuracy));
    let title = format!(
        "Validation accuracy of {} by {}, of {}; the table below has the figures",
        report.started.name,
        cost.name(),
        words::count(points.len() as u64, "trial")
    );
    let front = front_by(trials, cost);
    Some(FRAME.draw("front", &title, &scale, words::short_percent, |svg| {
        for (tick, label) in ticks(cost, low, high) {
            line(svg, "grid", (x(tick), FRAME.top), (x(tick), FRAME.bottom));
            text(svg, "tick middle", x(tick), FRAME.bottom + 17.0, label);
        }
        text(svg, "tick end", FRAME.right, FRAME.bottom + 31.0, cost.name());
        if let Some(gate) = gate {
            let y = FRAME.y(&scale, gate);
            line(svg, "gate", (FRAME.left, y), (FRAME.right, y));
            text(svg, "gate-label", FRAME.left + 3.0, y - 4.0, "gate");
        }
        polylines(svg, "curve main", front.iter().map(|point| Some(at(point))));
        for is_front in [false, true] {
            let is_on = |trial: &LineageTrial| front.iter().any(|on| on.0.trial == trial.trial);
            for point in points.iter().filter(|point| is_on(point.0) == is_front) {
                let title = format!(
                    "trial {}: {}, {} {}",
                    point.0.trial,
                    words::percent(Some(point.2)),
                    cost.words(point.1),
                    cost.name()
                );
                dot(svg, if is_front { "main" } else { "side" }, at(point), 4.0, &title);
            }
        }
        let best = report.figures.best_trial;
        if let Some(best) = points.iter().find(|point| best == Some(point.0.trial)) {
            let (x, y) = at(best);
            let title = format!("the best trial, {}", best.0.trial);
            dot(svg, "published", (x, y), 7.5, &title);
        }
    }))
}

/// Where lines are drawn between two powers of ten, at most about five.
fn ticks(cost: Cost, low: f64, high: f64) -> Vec<(f64, String)> {
    let powers = low.floor() as i32..=high.ceil() as i32;
    let factors: &[f64] = match high - low {
        ..0.7 => &[1.0, 1.5, 2.0, 3.0, 5.0, 7.0],
        ..1.6 => &[1.0, 2.0, 5.0],
        ..2.5 => &[1.0, 3.0],
        _ => &[1.0],
    };
    let all = powers.flat_map(|power| factors.iter().map(move |factor| (power, *factor)));
    let apart = if high - low > 5.0 { 2 } else { 1 };
    let all = all.filter(|(power, _)| power % apart == 0);
    let ticks = all.map(|(power, factor)| factor * 10_f64.powi(power));
    let ticks = ticks.filter(|tick| (low..=high).contains(&tick.log10()));
    // Fractions of a thousand are the exception, so that `5 k` is better than `5.00 k`.
    let label = |tick: f64| match cost {
        Cost::Milliseconds => {
            format!("{tick:.6}").trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        _ => {
            let text = words::magnitude(tick as u64);
            let (number, prefix) = text.split_once(' ').unwrap_or((&text, ""));
            let number = match number.contains('.') {
                true => number.trim_end_matches('0').trim_end_matches('.'),
                false => number,
            };
            format!("{number} {prefix}").trim_end().to_owned()
        }
    };
    ticks.map(|tick| (tick, label(tick))).collect()
}

#[cfg(test)]
mod tests;
