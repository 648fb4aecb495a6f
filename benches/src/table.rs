//! The Markdown that a run writes.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::figures::{Medians, ratio, spread, typical};
use crate::measure::{Bench, Entry};
use crate::peers::PEERS;
use crate::rows::{Row, Unit};
use crate::{golang, machine};

/// The head of the table that has a line per row.
pub const SUMMARY: &str = "| row | | pipewright | ÷ std | ÷ best peer | ÷ raw | to reach | aim for | reached |\n|---|---|---:|---:|---:|---:|---|---|---|";

/// A row's line in it: ratios say how many times better pipewright is.
pub fn summary_line(bench: &Bench, row: &Row, entries: &[Entry]) -> String {
    let medians = Medians::of(row, row.load(bench.quick), entries);
    let Some(ours) = medians.get("pipewright") else {
        return format!("| {} | {} | failed | | | | | | |", row.name, row.title);
    };
    let to =
        |whom| medians.against(row, whom).map_or("–".to_owned(), |that| format!("{:.2}", ratio(row, ours, that)));
    let best = medians
        .best_peer(row)
        .map_or("–".to_owned(), |(name, that)| format!("{:.2} ({name})", ratio(row, ours, that)));
    let mut cells: [Vec<String>; 3] = Default::default();
    for goal in row.goals {
        let is = medians.against(row, goal.against).map(|that| ratio(row, ours, that));
        cells[0].push(format!("{:.2} × {}", goal.reach, goal.against));
        cells[1].push(goal.aim.map_or("–".to_owned(), |aim| format!("{aim:.2}")));
        cells[2].push(match is {
            Some(is) if is >= goal.reach => format!("yes, {is:.2}"),
            Some(is) => format!("**no, {is:.2}**"),
            None => "–".to_owned(),
        });
    }
    let [reach, aim, reached] = cells.map(|cell| cell.join("; "));
    let figure = format!("{} {}", number(ours), unit(row.unit));
    let (std, raw) = (to("std"), to("raw"));
    format!("| {} | {} | {figure} | {std} | {best} | {raw} | {reach} | {aim} | {reached} |", row.name, row.title)
}

/// Why a row falls short, if it does.
pub fn short_line(bench: &Bench, row: &Row, entries: &[Entry]) -> Option<String> {
    let medians = Medians::of(row, row.load(bench.quick), entries);
    let ours = medians.get("pipewright")?;
    let is_short = row
        .goals
        .iter()
        .any(|goal| medians.against(row, goal.against).is_some_and(|that| ratio(row, ours, that) < goal.reach));
    let why = if row.why.is_empty() { "not explained yet" } else { row.why };
    is_short.then(|| format!("- `{}` falls short: {why}.", row.name))
}

/// All contenders of a row.
pub fn detail(bench: &Bench, row: &Row, entries: &[Entry]) -> String {
    let load = row.load(bench.quick);
    let medians = Medians::of(row, load, entries);
    let base = medians.get(row.base);
    let base_entry = entries.iter().find(|entry| entry.peer.name == row.base);
    let base_best = base_entry.and_then(|entry| spread(row, load, entry)).map(|spread| spread.best(row));
    let mut text = format!("\n### {}: {}\n\n", row.name, row.title);
    let _ = writeln!(
        text,
        "Median of {}, in {}.\n",
        entries.iter().map(|entry| entry.samples.len()).max().unwrap_or(0),
        unit(row.unit)
    );
    let _ = writeln!(
        text,
        "| | median | min..max | × {} | best × best | CPU own ms | CPU children ms | peak MiB | threads | calls |",
        row.base
    );
    text.push_str("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n");
    let mut notes: BTreeMap<usize, String> = BTreeMap::new();
    for peer in PEERS {
        let entry = entries.iter().find(|entry| entry.peer.name == peer.name);
        let why = match entry {
            Some(entry) => entry.failure.clone(),
            None => (peer.cannot)(row.name).map(str::to_owned),
        };
        let mark = why.map_or(String::new(), |why| {
            let number = notes.len() + 1;
            notes.insert(number, why);
            format!(" [{number}]")
        });
        let Some((entry, spread)) = entry.and_then(|entry| Some((entry, spread(row, load, entry)?))) else {
            if !mark.is_empty() {
                let _ = writeln!(text, "| {}{mark} | – | – | – | – | – | – | – | – | – |", peer.name);
            }
            continue;
        };
        let cpu = |value: Option<f64>| number(value.unwrap_or(f64::NAN) * 1e3);
        let _ = writeln!(
            text,
            "| {}{mark} | {} | {}..{} | {} | {} | {} | {} | {} | {} | {} |",
            peer.name,
            number(spread.median),
            number(spread.min),
            number(spread.max),
            base.map_or("–".to_owned(), |base| format!("{:.2}", ratio(row, spread.median, base))),
            base_best.map_or("–".to_owned(), |base| format!("{:.2}", ratio(row, spread.best(row), base))),
            cpu(typical(entry, |sample| sample.own / sample.ops as f64)),
            cpu(typical(entry, |sample| sample.children / sample.ops as f64)),
            number(typical(entry, |sample| sample.peak as f64 / 1024.0).unwrap_or(f64::NAN)),
            entry.threads.map_or("–".to_owned(), |threads| threads.to_string()),
            entry.calls.map_or("–".to_owned(), number),
        );
    }
    for (number, why) in notes {
        let _ = writeln!(text, "\n[{number}] {why}");
    }
    text
}

/// The machine, the versions, and what was left out.
pub fn preamble(bench: &Bench) -> String {
    let mut text = String::from("# Performance\n\n");
    let _ = writeln!(text, "{}\n", machine::describe());
    let versions: Vec<String> = PEERS
        .iter()
        .filter_map(|peer| peer.package)
        .filter(|name| *name != "pipewright")
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .map(|name| format!("{name} {}", machine::version(name)))
        .collect();
    let go = match &bench.go {
        Ok(_) => format!("Go {}", golang::version().unwrap_or_default()),
        Err(why) => format!("no Go ({why})"),
    };
    let _ = writeln!(text, "{}, {go}, std of {}.\n", versions.join(", "), machine::rustc());
    let _ = writeln!(
        text,
        "One fresh process per sample, contenders in turn, up to {} rounds; medians.{}",
        bench.rounds,
        if bench.quick { " Quick: an eighth of the work." } else { "" }
    );
    if !bench.counts {
        text.push_str(
            "Threads and system calls were not counted: skipped by option, or no strace that may trace here.\n",
        );
    }
    text
}

fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Micros => "µs",
        Unit::Millis => "ms",
        Unit::Throughput => "MB/s",
        Unit::Lines => "million lines/s",
        Unit::MicrosEach => "µs each",
        Unit::Delay => "µs",
        Unit::Memory => "bytes each",
    }
}

/// Three digits or so.
fn number(value: f64) -> String {
    match value.abs() {
        value if value.is_nan() => "–".to_owned(),
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
