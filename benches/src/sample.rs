//! One sample: this process, started anew, runs one contender's operation and prints one line of figures.

use std::fs;
use std::time::{Duration, Instant};

use crate::peers;
use crate::rows::Row;
use crate::task::{Error, Result, Task, numbered_blocks};

/// What a sample prints: `key=value` pairs, so that a program in another language can do the same.
#[derive(Clone, Default, Debug)]
pub struct Sample {
    /// Of all operations together.
    pub wall: f64,
    pub ops: u64,
    /// CPU seconds of this process, and of its children.
    pub own: f64,
    pub children: f64,
    /// Peak resident memory, in KiB.
    pub peak: u64,
    /// A figure that is not the wall time: the median of the operations' own.
    pub figure: Option<f64>,
}

/// How much one sample does.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    pub size: u64,
    pub ops: u64,
    pub warmups: u64,
}

/// A sample that takes longer than this is ended by the kernel, and has no figure.
const LONGEST: u32 = 60;
/// Short operations are not repeated beyond this many seconds: a busy machine makes a run longer, not endless.
const ENOUGH: f64 = 1.0;
/// The fewest operations in a sample, whatever they take: runs that count system calls differ by the number.
const LEAST: u64 = 3;

pub fn run(row: &Row, peer: &str, load: Load) -> Result<Sample> {
    // SAFETY: takes a number; the default action of the signal is to end the process.
    unsafe { libc::alarm(LONGEST) };
    let job = peers::find(peer).and_then(|peer| peer.job(row.name)).ok_or("no such contender in this row")?;
    let task = Task::new(load.size, row.piece)?;
    (row.prepare)(&task)?;
    let mut sample = Sample::default();
    let mut figures = Vec::new();
    for op in 0..load.warmups + load.ops {
        if row.feeds {
            task.input.set(numbered_blocks(load.size));
        }
        let (own, children) = (cpu(libc::RUSAGE_SELF), cpu(libc::RUSAGE_CHILDREN));
        let began = Instant::now();
        let outcome = job(&task)?;
        let wall = began.elapsed();
        let (own, children) = (cpu(libc::RUSAGE_SELF) - own, cpu(libc::RUSAGE_CHILDREN) - children);
        (row.check)(&task, &outcome).map_err(|what| Error::from(format!("wrong result: {what}")))?;
        figures.extend(outcome.figure);
        task.buffer.set(outcome.stdout);
        if op >= load.warmups {
            sample.wall += wall.as_secs_f64();
            sample.own += own.as_secs_f64();
            sample.children += children.as_secs_f64();
            sample.ops += 1;
        }
        if sample.wall > ENOUGH && sample.ops >= LEAST {
            break;
        }
    }
    figures.sort_unstable_by(f64::total_cmp);
    sample.figure = figures.get(figures.len() / 2).copied();
    sample.peak = peak_memory()?;
    Ok(sample)
}

impl Sample {
    pub fn print(&self) {
        let Sample { wall, ops, own, children, peak, figure } = self;
        print!("sample wall={wall} ops={ops} own={own} children={children} peak={peak}");
        println!("{}", figure.map(|figure| format!(" figure={figure}")).unwrap_or_default());
    }

    pub fn parse(text: &str) -> Option<Sample> {
        let line = text.lines().find_map(|line| line.strip_prefix("sample "))?;
        let mut sample = Sample::default();
        for (key, value) in line.split(' ').filter_map(|pair| pair.split_once('=')) {
            match key {
                "wall" => sample.wall = value.parse().ok()?,
                "ops" => sample.ops = value.parse().ok()?,
                "own" => sample.own = value.parse().ok()?,
                "children" => sample.children = value.parse().ok()?,
                "peak" => sample.peak = value.parse().ok()?,
                "figure" => sample.figure = Some(value.parse().ok()?),
                _ => return None,
            }
        }
        (sample.ops > 0).then_some(sample)
    }
}

/// CPU time, user and system, of this process or of its reaped children.
fn cpu(whose: libc::c_int) -> Duration {
    // SAFETY: all zeroes is a valid value of this plain structure.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is valid for writes.
    unsafe { libc::getrusage(whose, &mut usage) };
    let time = |of: libc::timeval| Duration::new(of.tv_sec as u64, of.tv_usec as u32 * 1000);
    time(usage.ru_utime) + time(usage.ru_stime)
}

/// The high-water mark of this process's memory: unlike ru_maxrss, it begins with the program.
fn peak_memory() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse()?)
}
