//! Figures from samples: medians, ranges, ratios.

use crate::measure::Entry;
use crate::rows::{Row, Unit};
use crate::sample::{Load, Sample};

/// The middle of a contender's samples, and how far they spread.
#[derive(Clone, Copy)]
pub struct Spread {
    pub median: f64,
    pub min: f64,
    pub max: f64,
}

/// A sample's figure in the row's unit.
fn figure(row: &Row, load: Load, sample: &Sample) -> f64 {
    let each = sample.wall / sample.ops as f64;
    let size = load.size as f64;
    match row.unit {
        Unit::Micros => each * 1e6,
        Unit::Millis => each * 1e3,
        Unit::Throughput => size / each / 1e6,
        Unit::Lines => size / each / 1e6,
        Unit::MicrosEach => each * 1e6 / size,
        Unit::Delay => sample.figure.unwrap_or(f64::NAN) / 1e3,
        Unit::Memory => sample.figure.unwrap_or(f64::NAN),
    }
}

pub fn spread(row: &Row, load: Load, entry: &Entry) -> Option<Spread> {
    let mut all: Vec<f64> = entry.samples.iter().map(|sample| figure(row, load, sample)).collect();
    all.sort_unstable_by(f64::total_cmp);
    Some(Spread { median: median(&all)?, min: *all.first()?, max: *all.last()? })
}

/// The median over the samples of anything else.
pub fn typical(entry: &Entry, of: impl Fn(&Sample) -> f64) -> Option<f64> {
    let mut all: Vec<f64> = entry.samples.iter().map(of).collect();
    all.sort_unstable_by(f64::total_cmp);
    median(&all)
}

fn median(sorted: &[f64]) -> Option<f64> {
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(sorted[middle]),
        _ => Some((sorted[middle - 1] + sorted[middle]) / 2.0),
    }
}

impl Spread {
    /// The sample that others at work on the machine have troubled least.
    pub fn best(&self, row: &Row) -> f64 {
        if row.more_is_better() { self.max } else { self.min }
    }
}

/// How many times better the first is than the second.
pub fn ratio(row: &Row, this: f64, that: f64) -> f64 {
    if row.more_is_better() { this / that } else { that / this }
}

/// A row's medians by contender.
pub struct Medians(Vec<(&'static str, bool, f64)>);

impl Medians {
    pub fn of(row: &Row, load: Load, entries: &[Entry]) -> Medians {
        let median = |entry: &Entry| Some((entry.peer.name, entry.peer.is_peer(), spread(row, load, entry)?.median));
        Medians(entries.iter().filter_map(median).collect())
    }

    pub fn get(&self, name: &str) -> Option<f64> {
        self.0.iter().find(|(other, ..)| *other == name).map(|(.., median)| *median)
    }

    pub fn best_peer(&self, row: &Row) -> Option<(&'static str, f64)> {
        let peers = self.0.iter().filter(|(_, peer, _)| *peer).map(|(name, _, median)| (*name, *median));
        peers.reduce(|best, next| if ratio(row, next.1, best.1) > 1.0 { next } else { best })
    }

    /// What a goal is measured against.
    pub fn against(&self, row: &Row, whom: &str) -> Option<f64> {
        if whom == "best peer" { self.best_peer(row).map(|(_, median)| median) } else { self.get(whom) }
    }
}
