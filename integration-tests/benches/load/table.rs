//! Medians, ratios and tables in Markdown.

use std::fmt::Display;

/// The middle one; no number of none.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The middle of what each is to the one beside it.
pub(crate) fn ratio(ours: &[f64], beside: &[f64]) -> f64 {
    median(&ours.iter().zip(beside).map(|(ours, beside)| ours / beside).collect::<Vec<f64>>())
}

/// Nothing of what was not measured.
pub(crate) fn number(value: f64, digits: usize, unit: &str) -> String {
    if value.is_nan() { String::new() } else { format!("{value:.digits$}{unit}") }
}

/// Says whether something is as small as it should be.
pub(crate) fn at_most(value: f64, target: Option<f64>, unit: &str) -> String {
    judged(value, target.map(|target| (value <= target, format!("<= {target:.2}{unit}"))), unit)
}

/// Says whether something is as large as it should be.
pub(crate) fn at_least(value: f64, target: f64, unit: &str) -> String {
    judged(value, Some((value >= target, format!(">= {target:.2}{unit}"))), unit)
}

fn judged(value: f64, target: Option<(bool, String)>, unit: &str) -> String {
    let shown = number(value, 2, unit);
    match target {
        Some((is_met, target)) if !value.is_nan() => {
            if is_met {
                format!("{shown} ({target})")
            } else {
                format!("**{shown}** (missed: {target})")
            }
        }
        _ => shown,
    }
}

/// Prints what the next rows are, and their heads.
pub(crate) fn head(title: &str, what: &str, columns: &[&str]) {
    println!("\n## {title}\n\n{what}\n");
    row(columns);
    println!("|---|{}", "---:|".repeat(columns.len() - 1));
}

/// Prints a row.
pub(crate) fn row<T: Display>(cells: &[T]) {
    cells.iter().for_each(|cell| print!("| {cell} "));
    println!("|");
}
