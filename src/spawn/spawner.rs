//! The thread that starts children which are to die with this process.
//!
//! `PR_SET_PDEATHSIG` fires when the *thread* that made the child ends (prctl(2)). A short-lived
//! thread would take its children along; this one is started at first need and lives as long as the process.

use std::io;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};

use crate::clock::Deadline;
use crate::lock::lock;
use crate::sys::{sysinfo, thread};

type Task = Box<dyn FnOnce() + Send>;

/// The thread's queue, and the process that it runs in: a fork without exec copies the queue and not the thread.
static SPAWNER: Mutex<Option<(i32, Sender<Task>)>> = Mutex::new(None);

/// Runs `task` on the spawner thread and waits for its result until the deadline: another start may hang in the kernel, on a dead
/// mount. A result that comes too late goes to `undo`.
pub(super) fn run<T: Send + 'static>(
    task: impl FnOnce() -> T + Send + 'static,
    deadline: Deadline,
    undo: impl FnOnce(T) + Send + 'static,
) -> io::Result<T> {
    // The bell has the type of the queue, so that one kind of channel is compiled.
    let slot = Arc::new(Mutex::new(None));
    let filled = Arc::clone(&slot);
    let (bell, rung) = channel::<Task>();
    let task: Task = Box::new(move || {
        let answer = task();
        let mut slot = lock(&filled);
        *slot = Some(answer);
        if bell.send(Box::new(|| ())).is_err() {
            let late = slot.take();
            drop(slot);
            late.map(undo);
        }
    });
    {
        let mut spawner = lock(&SPAWNER);
        if spawner.as_ref().is_none_or(|(process, _)| *process != sysinfo::pid()) {
            *spawner = Some((sysinfo::pid(), start()?));
        }
        if let Some((_, tasks)) = spawner.as_ref() {
            tasks.send(task).map_err(|_| io::Error::other("the spawner thread is gone"))?;
        }
    }
    let gone = || io::Error::other("the spawner thread is gone");
    let waited = match deadline.remaining() {
        None => rung.recv().map_err(|_| gone()),
        Some(left) => rung.recv_timeout(left).map_err(|error| match error {
            RecvTimeoutError::Timeout => io::Error::from_raw_os_error(libc::ETIMEDOUT),
            RecvTimeoutError::Disconnected => gone(),
        }),
    };
    // The receiver goes under the slot's lock, under which the bell is rung: an answer is in the slot by now, or its bell fails
    // and it is undone. None is dropped in between.
    let mut slot = lock(&slot);
    drop(rung);
    slot.take().ok_or_else(|| waited.err().unwrap_or_else(gone))
}

fn start() -> io::Result<Sender<Task>> {
    let (tasks, queue) = channel::<Task>();
    thread::start("pipewright-spawn", || queue.into_iter().for_each(|task| task()))?;
    Ok(tasks)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_answer_at_the_deadline_is_returned_or_undone() {
        static UNDONE: AtomicUsize = AtomicUsize::new(0);
        let mut returned = 0;
        for _ in 0..500 {
            let deadline = Deadline::after(Duration::from_micros(100));
            let at_the_deadline = move || {
                while !deadline.passed() {
                    std::hint::spin_loop();
                }
            };
            let undo = |()| {
                UNDONE.fetch_add(1, SeqCst);
            };
            returned += usize::from(run(at_the_deadline, deadline, undo).is_ok());
        }
        // The queue is in order: what is before this has been answered.
        run(|| (), Deadline::NEVER, |()| ()).unwrap();
        assert_eq!(returned + UNDONE.load(SeqCst), 500);
    }
}
