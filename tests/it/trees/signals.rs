//! Signals to this process that are passed on, the terminal, and stops.

mod forwarding;
mod pauses;
mod storm;
mod terminal;

use crate::prelude::*;

/// What a body does that was started once more, in a process of its own: the rest of the test is for the one that starts it.
fn part(name: &str) -> bool {
    std::env::var(PART).is_ok_and(|part| part == name)
}

/// This test's body once more, in that part. What it says comes between libtest's words.
fn in_part(name: &str) -> Cmd {
    let exe = std::env::current_exe().expect("the path of the test binary");
    Cmd::new(exe).args(std::env::args_os().skip(1)).env(PART, name)
}

/// A job and what it writes, line by line.
struct Told {
    job: Job,
    lines: std::io::BufReader<pipewright::pipe::PipeReader>,
}

impl Told {
    fn by(cmd: Cmd) -> Told {
        let job = cmd.stdout(Redirect::piped()).spawn().expect("it starts");
        let lines = std::io::BufReader::new(job.take_stdout().expect("piped"));
        Told { job, lines }
    }

    fn pid(&self) -> i32 {
        i32::try_from(self.job.pids()[0]).expect("a pid")
    }

    fn send(&self, signal: Signal) {
        // To this one process; that it has ended is no error.
        self.job.processes()[0].send_signal(signal as i32).expect("it may be sent");
    }

    /// The rest of the next line that holds this mark.
    #[track_caller]
    fn after(&mut self, mark: &str) -> String {
        let mut seen = String::new();
        loop {
            let start = seen.len();
            if self.lines.read_line(&mut seen).expect("text") == 0 {
                panic!("`{mark}` never came, but this:\n{seen}");
            }
            if let Some((_, rest)) = seen[start..].split_once(mark) {
                return rest.trim().to_owned();
            }
        }
    }

    /// The numbers behind this mark.
    #[track_caller]
    fn pids_after(&mut self, mark: &str) -> Vec<i32> {
        self.after(mark).split(' ').map(|pid| pid.parse().expect("a pid")).collect()
    }
}

/// Says the numbers of a job's processes behind a mark.
fn say_pids(mark: &str, job: &Job) {
    let pids: Vec<String> = job.pids().iter().map(u32::to_string).collect();
    println!("{mark}{}", pids.join(" "));
}

/// Until all of them are in the state; there is nothing that tells.
#[track_caller]
fn wait_for_state(pids: &[i32], wanted: fn(Option<char>) -> bool) {
    let start = Instant::now();
    while !pids.iter().all(|&pid| wanted(process_state(pid))) {
        let states: Vec<_> = pids.iter().map(|&pid| (pid, process_state(pid))).collect();
        assert!(start.elapsed() < Duration::from_secs(5), "{states:?}");
        pause(Duration::from_millis(1));
    }
}

fn is_stopped(state: Option<char>) -> bool {
    state == Some('T')
}

fn is_gone(state: Option<char>) -> bool {
    state.is_none()
}
