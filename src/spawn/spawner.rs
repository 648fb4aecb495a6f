//! The thread that starts children which are to die with this process.
//!
//! `PR_SET_PDEATHSIG` fires when the *thread* that made the child ends (prctl(2)). A short-lived
//! thread would take its children along; this one is started at first need and lives as long as the process.

use std::sync::Mutex;
use std::sync::mpsc::{RecvTimeoutError, SendError, Sender, channel};
use std::{io, thread};

use crate::clock::Deadline;
use crate::lock::lock;
use crate::sys::sysinfo;

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
    let (answer, answered) = channel();
    let task: Task = Box::new(move || {
        if let Err(SendError(late)) = answer.send(task()) {
            undo(late);
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
    let answer = match deadline.remaining() {
        None => answered.recv().map_err(|_| RecvTimeoutError::Disconnected),
        Some(left) => answered.recv_timeout(left),
    };
    answer.map_err(|error| match error {
        RecvTimeoutError::Timeout => io::Error::from_raw_os_error(libc::ETIMEDOUT),
        RecvTimeoutError::Disconnected => io::Error::other("the spawner thread is gone"),
    })
}

fn start() -> io::Result<Sender<Task>> {
    let (tasks, queue) = channel::<Task>();
    thread::Builder::new().name("pipewright-spawn".into()).spawn(move || {
        for task in queue {
            task();
        }
    })?;
    Ok(tasks)
}
