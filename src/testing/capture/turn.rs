//! One capture at a time: it has the process's streams, and the others wait for them.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::complaint::own_name;

/// The name of the thread whose capture runs.
static HOLDER: Mutex<Option<String>> = Mutex::new(None);
static FREED: Condvar = Condvar::new();

/// The right to replace the streams, given back when dropped.
pub(super) struct Turn(());

impl Turn {
    /// Waits for the turn. When that takes longer than `patience`, `complain` is called, once, with the name of the thread that has it.
    pub(super) fn wait(patience: Duration, complain: impl FnOnce(&str)) -> Turn {
        let mut holder = HOLDER.lock().unwrap_or_else(PoisonError::into_inner);
        let mut complain = Some(complain);
        while let Some(name) = &*holder {
            if complain.is_none() {
                holder = FREED.wait(holder).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let name = name.clone();
            let (back, waited) = FREED.wait_timeout(holder, patience).unwrap_or_else(PoisonError::into_inner);
            holder = back;
            if waited.timed_out() && *holder == Some(name.clone()) {
                if let Some(complain) = complain.take() {
                    complain(&name);
                }
            }
        }
        *holder = Some(own_name());
        Turn(())
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *HOLDER.lock().unwrap_or_else(PoisonError::into_inner) = None;
        FREED.notify_one();
    }
}
