//! The one thread that starts children which shall die with this process.
//!
//! `PR_SET_PDEATHSIG` fires when the *thread* that made the child ends (prctl(2)). A pool thread that comes and goes would
//! take its children along; this one is started at first need and lives as long as the process.

use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::{io, thread};

type Task = Box<dyn FnOnce() + Send>;

static SPAWNER: Mutex<Option<Sender<Task>>> = Mutex::new(None);

/// Runs `task` on the spawner thread and waits for what it returns.
pub(super) fn run<T: Send + 'static>(task: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    let (answer, answered) = channel();
    let task: Task = Box::new(move || {
        // Nobody to answer to means that the asking thread is gone; there is nobody to tell.
        let _ = answer.send(task());
    });
    {
        let mut spawner = SPAWNER.lock().unwrap_or_else(PoisonError::into_inner);
        if spawner.is_none() {
            *spawner = Some(start()?);
        }
        if let Some(tasks) = spawner.as_ref() {
            tasks.send(task).map_err(|_| io::Error::other("the spawner thread is gone"))?;
        }
    }
    answered.recv().map_err(io::Error::other)
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
