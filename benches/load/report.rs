//! The table of a run.

use crate::process::Usage;

/// One row: who, what it cost, and how many units of work that was for.
pub struct Row {
    pub who: String,
    pub usage: Usage,
    /// Units of work within the window: values or messages.
    pub units: u64,
    pub notes: String,
}

impl Row {
    /// Returns CPU time for a million units. **Unit**: s.
    pub fn cpu_s_per_million(&self) -> f64 {
        self.usage.cpu_s / (self.units.max(1) as f64) * 1e6
    }
}

/// Prints the rows; ratios are against the first.
pub fn print(title: &str, unit: &str, rows: &[Row]) {
    println!("\n{title}");
    println!(
        "{:<28} {:>12} {:>10} {:>7} {:>9} {:>9} {:>9}  notes",
        "",
        format!("{unit}/s"),
        "CPU-s/M",
        "ratio",
        "RSS avg",
        "RSS peak",
        "RSS high"
    );
    let floor = rows.first().map_or(0.0, Row::cpu_s_per_million);
    for row in rows {
        let cost = row.cpu_s_per_million();
        println!(
            "{:<28} {:>12.0} {:>10.3} {:>7.1} {:>6.1} MB {:>6.1} MB {:>6.1} MB  {}",
            row.who,
            row.units as f64 / row.usage.seconds,
            cost,
            cost / floor,
            row.usage.rss_mb_average,
            row.usage.rss_mb_peak,
            row.usage.rss_mb_high,
            row.notes
        );
    }
}

/// Prints what the figures were measured on.
pub fn print_machine() {
    let model = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = model.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default().to_owned();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    println!("{cores} cores, {}", model.trim_start_matches([' ', '\t', ':']));
    if cfg!(debug_assertions) {
        println!("NOT AN OPTIMISED BUILD: the figures mean nothing");
    }
}
