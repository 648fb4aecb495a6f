//! What a table must say about where it was made.

use std::fs;

/// The versions that this program was built with.
const LOCK: &str = include_str!("../Cargo.lock");

pub fn describe() -> String {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown CPU", |(_, name)| name);
    let cpus = std::thread::available_parallelism().map_or(0, |count| count.get());
    let memory = read("/proc/meminfo");
    let kib =
        memory.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    let gib = kib.unwrap_or(0) as f64 / f64::from(1 << 20);
    let kernel = read("/proc/sys/kernel/osrelease");
    let load = load();
    format!("{cpus} × {model}, {gib:.0} GiB, Linux {}; load average {load} at the start.", kernel.trim())
}

/// The load average of the last minute.
pub fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or("unknown").to_owned()
}

pub fn version(package: &str) -> &'static str {
    let entry = format!("name = \"{package}\"\nversion = \"");
    LOCK.split_once(&entry).and_then(|(_, rest)| rest.split('"').next()).unwrap_or("?")
}

pub fn rustc() -> &'static str {
    env!("BENCH_RUSTC")
}
