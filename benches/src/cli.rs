//! The command line.

use std::fs::File;
use std::io::Write;
use std::time::{Duration, Instant};

use crate::measure::Bench;
use crate::peers::PEERS;
use crate::rows::{self, ROWS, Row};
use crate::sample::{self, Load};
use crate::task::Result;
use crate::{golang, machine, table, trace};

const USAGE: &str = "usage: bench [--list] [--rounds N] [--quick] [--no-counts] [--output FILE] [ROW…]

Measures the rows, or all of them, and writes a Markdown table to stdout.

    --list         the rows and the contenders
    --rounds N     samples per contender (default 3); without it a row that takes long has fewer
    --quick        an eighth of the work, 2 rounds
    --no-counts    leave out threads and system calls, which are counted in runs of their own
    --output FILE  write the table there, too";

/// Enough for three rounds of most rows on two quiet CPUs, and all rows stay under a quarter of an hour.
const PATIENCE: Duration = Duration::from_secs(10);

pub fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.first().is_some_and(|arg| arg == "--sample") {
        return take_sample(&args[1..]);
    }
    let mut bench =
        Bench { rounds: 0, patience: Duration::MAX, quick: false, counts: true, go: Err("not asked for".to_owned()) };
    let (mut chosen, mut output): (Vec<&'static Row>, Option<File>) = (Vec::new(), None);
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} needs a value\n\n{USAGE}"));
        match arg.as_str() {
            "--list" => return list(),
            "--rounds" => bench.rounds = value()?.parse()?,
            "--quick" => bench.quick = true,
            "--no-counts" => bench.counts = false,
            "--output" => output = Some(File::create(value()?)?),
            "--help" | "-h" => {
                println!("{USAGE}");
                return Ok(());
            }
            name => chosen.push(rows::find(name).ok_or(format!("no row or option `{name}`\n\n{USAGE}"))?),
        }
    }
    if chosen.is_empty() {
        chosen = ROWS.iter().collect();
    }
    if bench.rounds == 0 {
        bench.rounds = if bench.quick { 2 } else { 3 };
        bench.patience = PATIENCE;
    }
    bench.go = golang::build();
    bench.counts &= trace::available();
    run(&bench, &chosen, output)
}

/// One row after the other; each one's table is shown as soon as it is known.
fn run(bench: &Bench, chosen: &[&'static Row], mut output: Option<File>) -> Result<()> {
    let mut say = |text: &str| -> Result<()> {
        println!("{text}");
        output.as_mut().map_or(Ok(()), |file| writeln!(file, "{text}"))?;
        Ok(())
    };
    let began = Instant::now();
    say(&table::preamble(bench))?;
    let mut summary = vec![table::SUMMARY.to_owned()];
    let mut short = Vec::new();
    for row in chosen {
        let since = Instant::now();
        let entries = bench.run(row);
        say(&table::detail(bench, row, &entries))?;
        say(&format!("Took {:.0} s.", since.elapsed().as_secs_f64()))?;
        summary.push(table::summary_line(bench, row, &entries));
        short.extend(table::short_line(bench, row, &entries));
    }
    say("\n## Summary\n\n÷: how many times better pipewright is.\n")?;
    say(&summary.join("\n"))?;
    if !short.is_empty() {
        say(&format!("\n{}", short.join("\n")))?;
    }
    let seconds = began.elapsed().as_secs();
    say(&format!("\nTook {seconds} s; load average {} at the end.", machine::load()))
}

fn list() -> Result<()> {
    for row in ROWS {
        println!("{:16}{}", row.name, row.title);
    }
    let names: Vec<&str> = PEERS.iter().map(|peer| peer.name).collect();
    println!("\ncontenders: {}", names.join(", "));
    Ok(())
}

/// ROW PEER SIZE PIECE OPS WARMUPS, as `Bench::command` writes it.
fn take_sample(args: &[String]) -> Result<()> {
    let [row, peer, size, _piece, ops, warmups] = args else { return Err("a sample takes six arguments".into()) };
    let row = rows::find(row).ok_or("no such row")?;
    let load = Load { size: size.parse()?, ops: ops.parse()?, warmups: warmups.parse()? };
    sample::run(row, peer, load)?.print();
    Ok(())
}
