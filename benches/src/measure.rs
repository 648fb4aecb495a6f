//! Takes samples: each in a process of its own, the contenders of a row in turn, the turn shifted by one each round.

use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::{fs, thread, time};

use crate::peers::{self, GO, Peer};
use crate::rows::Row;
use crate::sample::{Load, Sample};
use crate::{golang, trace};

/// What a contender showed in a row.
pub struct Entry {
    pub peer: &'static Peer,
    pub samples: Vec<Sample>,
    /// Why there is no figure.
    pub failure: Option<String>,
    pub threads: Option<u64>,
    pub calls: Option<f64>,
}

/// What makes samples in this run.
pub struct Bench {
    pub rounds: u64,
    /// A row that has taken longer than this gets no further round: so a busy machine makes fewer samples, not an endless run.
    pub patience: time::Duration,
    pub quick: bool,
    /// Threads and system calls are counted, in runs of their own.
    pub counts: bool,
    pub go: Result<PathBuf, String>,
}

impl Bench {
    /// The command that takes one sample.
    pub fn command(&self, row: &Row, peer: &Peer, load: Load) -> Option<Command> {
        let mut command = if peer.name == GO {
            let go = self.go.as_ref().ok().filter(|_| golang::can(row.name))?;
            Command::new(go)
        } else {
            peer.job(row.name)?;
            let mut command = Command::new(std::env::current_exe().ok()?);
            command.arg("--sample");
            command
        };
        let Load { size, ops, warmups } = load;
        command
            .args([row.name, peer.name])
            .args([size, row.piece as u64, ops, warmups].map(|number| number.to_string()));
        Some(command)
    }

    pub fn run(&self, row: &'static Row) -> Vec<Entry> {
        let load = row.load(self.quick);
        let can = |peer: &&Peer| self.command(row, peer, load).is_some();
        let new = |peer| Entry { peer, samples: Vec::new(), failure: None, threads: None, calls: None };
        let mut entries: Vec<Entry> = peers::PEERS.iter().filter(can).map(new).collect();
        let count = entries.len().max(1);
        let began = time::Instant::now();
        for round in 0..self.rounds.min(row.rounds) as usize {
            if round > 0 && began.elapsed() > self.patience {
                break;
            }
            for turn in 0..entries.len() {
                let entry = &mut entries[(turn + round) % count];
                if entry.failure.is_some() {
                    continue;
                }
                match self.sample(row, entry.peer, load) {
                    Ok(sample) => entry.samples.push(sample),
                    Err(failure) => entry.failure = Some(failure),
                }
            }
        }
        if self.counts {
            for entry in entries.iter_mut().filter(|entry| entry.failure.is_none()) {
                entry.threads = self.threads(row, entry.peer);
                entry.calls = trace::calls(self, row, entry.peer);
            }
        }
        entries
    }

    fn sample(&self, row: &Row, peer: &Peer, load: Load) -> Result<Sample, String> {
        let mut command = self.command(row, peer, load).ok_or("no such contender")?;
        let output = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).output();
        let output = output.map_err(|error| error.to_string())?;
        let text = String::from_utf8_lossy(&output.stdout);
        match Sample::parse(&text) {
            Some(sample) if output.status.success() => Ok(sample),
            _ => {
                let said = String::from_utf8_lossy(&output.stderr);
                Err(format!("{}: {}", output.status, said.lines().last().unwrap_or("nothing said")))
            }
        }
    }

    /// The most threads at once, seen from outside in a run that is not timed.
    fn threads(&self, row: &Row, peer: &Peer) -> Option<u64> {
        let mut command = self.command(row, peer, row.watched_load())?;
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
        let status = format!("/proc/{}/status", child.id());
        let mut most = None;
        while let Ok(None) = child.try_wait() {
            let text = fs::read_to_string(&status).unwrap_or_default();
            let threads = text.lines().find_map(|line| line.strip_prefix("Threads:")?.trim().parse().ok());
            most = most.max(threads);
            thread::sleep(time::Duration::from_micros(500));
        }
        // What it printed fits its pipe.
        let _ = child.stdout.take()?.read_to_end(&mut Vec::new());
        most
    }
}
