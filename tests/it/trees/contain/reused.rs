//! Process numbers that another process has by now.

use std::os::unix::process::CommandExt;
use std::process::Child;

use nix::sys::wait::waitpid;

use crate::prelude::*;

/// Where the kernel can be told which number it gave last.
const LAST: &str = "/proc/sys/kernel/ns_last_pid";

/// A process that leads a group of this very number.
fn stranger(number: u32) -> Option<Child> {
    for _ in 0..50 {
        fs::write(LAST, (number - 1).to_string()).ok()?;
        let mut hang = Command::new(fixture());
        hang.arg("hang").stdin(Stdio::null()).stdout(Stdio::null()).process_group(0);
        let mut child = hang.spawn().expect("it starts");
        if child.id() == number {
            return Some(child);
        }
        // Another process of this machine got the number first.
        child.kill().expect("ours");
        child.wait().expect("ours");
    }
    None
}

#[test]
fn a_number_that_another_process_has_by_now_is_not_signalled_as_a_group() {
    isolated(|| {
        if let Err(error) = fs::write(LAST, fs::read_to_string(LAST).unwrap_or_default()) {
            return skip(&format!("numbers cannot be forced here: {error}"));
        }
        if is_portable() {
            return skip("without process descriptors a number is all that there is");
        }
        let mut forced = 0;
        for round in 0..count(8, 1000) {
            let job = role("exit").arg("0").contain(Containment::Group).spawn().expect("it starts");
            let number = job.pids()[0];
            // A thief: the number is free now.
            waitpid(Pid::from_raw(number as i32), None).expect("no other code waits for it yet");
            let Some(mut stranger) = stranger(number) else { continue };
            forced += 1;
            match round % 4 {
                0 => assert!(!job.kill().expect("a report").signalled.is_empty()),
                1 => drop(job.shutdown(Duration::ZERO).expect("a report")),
                2 => drop(job.terminate()),
                _ => {}
            }
            drop(job);
            assert!(stranger.try_wait().expect("ours").is_none(), "round {round}: a stranger was signalled");
            stranger.kill().expect("ours");
            stranger.wait().expect("ours");
            progress();
        }
        if forced == 0 {
            skip("no number could be forced here");
        }
    });
}
