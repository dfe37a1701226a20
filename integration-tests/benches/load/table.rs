//! Medians, ratios and tables in Markdown.

use std::fmt::Display;

/// The middle one; 0 of none.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// The middle of what each is to the one beside it.
pub(crate) fn ratio(ours: &[f64], beside: &[f64]) -> f64 {
    median(ours.iter().zip(beside).map(|(ours, beside)| ours / beside).collect())
}

/// Says whether something is as small as it should be.
pub(crate) fn at_most(value: f64, target: Option<f64>, unit: &str) -> String {
    match target {
        Some(target) if value <= target => format!("{value:.2}{unit} (<= {target:.2}{unit})"),
        Some(target) => format!("**{value:.2}{unit}** (missed: <= {target:.2}{unit})"),
        None => format!("{value:.2}{unit}"),
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
