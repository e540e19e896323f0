//! The live line: what the boxes counted so far.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::time::Duration;

use crate::runtime::clock::Clock;
use crate::runtime::health::{Component, Status};

/// Real time between two lines: on a terminal the line is rewritten, elsewhere lines add up.
const ON_A_TERMINAL: Duration = Duration::from_secs(1);
const ELSEWHERE: Duration = Duration::from_secs(5);

/// What the boxes counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Counted {
    samples: u64,
    records: u64,
    pages: u64,
    delivered: u64,
    /// Components that don't do what they promise.
    troubled: Vec<String>,
}

impl Counted {
    /// Adds what one box counted.
    pub(super) fn add(&mut self, board: &BTreeMap<String, Component>) {
        for (name, component) in board {
            let count = |what: &str| component.counts.get(what).copied().unwrap_or(0);
            if name == "pipeline" {
                self.samples += count("samples");
                self.records += count("records");
                self.pages += count("pages");
            } else if name.starts_with("sink.") {
                self.delivered += count("delivered_pages");
            }
            if component.status != Status::Ok {
                self.troubled.push(name.clone());
            }
        }
    }

    fn line(&self, clock: &Clock) -> String {
        let mut line = format!(
            "plant time {}  samples {}  records {}  pages delivered {} of {}",
            clock.now(),
            self.samples,
            self.records,
            self.delivered,
            self.pages
        );
        if !self.troubled.is_empty() {
            line.push_str(&format!("  not well: {}", self.troubled.join(", ")));
        }
        line
    }
}

/// Where the line is shown.
pub(super) struct Live {
    is_terminal: bool,
}

impl Live {
    pub(super) fn new() -> Self {
        Self { is_terminal: std::io::stdout().is_terminal() }
    }

    /// Returns the real time between two lines.
    pub(super) const fn every(&self) -> Duration {
        if self.is_terminal { ON_A_TERMINAL } else { ELSEWHERE }
    }

    /// Shows the line.
    pub(super) fn show(&self, counted: &Counted, clock: &Clock) -> std::io::Result<()> {
        let mut out = std::io::stdout();
        if self.is_terminal {
            write!(out, "\r\x1b[K{}", counted.line(clock))?;
        } else {
            writeln!(out, "{}", counted.line(clock))?;
        }
        out.flush()
    }

    /// Shows the line for the last time.
    pub(super) fn end(&self, counted: &Counted, clock: &Clock) -> std::io::Result<()> {
        self.show(counted, clock)?;
        if self.is_terminal { writeln!(std::io::stdout()) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::{Clock, Counted};
    use crate::model::time::Timestamp;
    use crate::runtime::health::{Health, Status};

    #[test]
    fn the_line_adds_up_what_boxes_counted_and_names_who_is_not_well() {
        let mut counted = Counted::default();
        for _ in 0..2 {
            let health = Health::default();
            for (component, what, amount) in [
                ("pipeline", "samples", 100),
                ("pipeline", "records", 7),
                ("pipeline", "pages", 3),
                ("sink.park-authority", "delivered_pages", 2),
                ("source.floor", "samples", 999),
            ] {
                health.count(component, what, amount);
            }
            health.set("source.floor", Status::Degraded, "no connection", Timestamp(0));
            counted.add(&health.snapshot());
        }
        let line = counted.line(&Clock::manual(Timestamp(0)));
        assert_eq!(
            line,
            "plant time 1970-01-01T00:00:00.000Z  samples 200  records 14  pages delivered 4 of 6  \
             not well: source.floor, source.floor"
        );
    }
}
