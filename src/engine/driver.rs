//! A driver: `poll(2)` on the thread that calls it.

use std::io;

use super::{Pump, Token};
use crate::clock::Deadline;
use crate::io::callback::BorrowedCallback;
use crate::sys::poll::PollSet;

/// Drives the pump until it is done, or until the caller's own `until`: whether it is done.
///
/// # Errors
/// Those of poll itself, for want of memory. The run goes on; the caller decides.
pub(crate) fn drive(pump: &mut Pump, until: Deadline, mut lent: BorrowedCallback<'_>) -> io::Result<bool> {
    let mut set = PollSet::default();
    let mut tokens: Vec<Token> = Vec::new();
    loop {
        pump.flow_out(&mut lent);
        if pump.done() {
            return Ok(true);
        }
        if pump.is_to_be_left() {
            return Ok(false);
        }
        if until.is_never() {
            if let Some(token) = pump.lone_reader() {
                pump.ready(token, &mut lent);
                continue;
            }
        }
        set.clear();
        tokens.clear();
        pump.interests(|fd, interest, token| {
            set.push(fd, interest);
            tokens.push(token);
        });
        let deadline = pump.deadline().earlier(until);
        if let ([Token::Stage(last)], true) = (tokens.as_slice(), deadline.is_never()) {
            if pump.wait_alone(*last) {
                continue;
            }
        }
        let ready = set.wait(deadline)?;
        if ready > 0 {
            for (index, &token) in tokens.iter().enumerate() {
                if set.ready(index) {
                    pump.ready(token, &mut lent);
                }
                if set.hung_up(index) {
                    pump.read_on(token, &mut lent);
                }
            }
        }
        // After the work, and whatever was ready: output that never pauses does not move a deadline.
        if pump.deadline().passed() {
            pump.time_is_up();
        }
        if until.passed() {
            return Ok(pump.done());
        }
    }
}
