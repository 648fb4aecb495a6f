//! Drivers: they wait with poll(2), on the thread that calls them, for what engines wait for.

use std::io;

use super::{Engine, Token};
use crate::clock::Deadline;
use crate::io::callback::BorrowedCallback;
use crate::sys::poll::PollSet;

/// Drives the engine until it is done, or until the caller's own `until`; whether it is done.
///
/// # Errors
/// The errors of poll(2) itself (ENOMEM). The run goes on; the caller decides.
pub(crate) fn drive(engine: &mut Engine, until: Deadline, mut callback: BorrowedCallback<'_>) -> io::Result<bool> {
    let mut set = PollSet::default();
    let mut tokens: Vec<Token> = Vec::new();
    loop {
        engine.flow_out(&mut callback);
        if engine.done() {
            return Ok(true);
        }
        if engine.should_yield() {
            return Ok(false);
        }
        if until.is_never() {
            if let Some(token) = engine.lone_reader() {
                engine.ready(token, &mut callback);
                continue;
            }
        }
        set.clear();
        tokens.clear();
        engine.interests(|fd, interest, token| {
            set.push(fd, interest);
            tokens.push(token);
        });
        let deadline = engine.deadline().earlier(until);
        if let ([Token::Stage(last)], true) = (tokens.as_slice(), deadline.is_never()) {
            if engine.wait_alone(*last) {
                continue;
            }
        }
        let ready = set.wait(deadline)?;
        if ready > 0 {
            for (index, &token) in tokens.iter().enumerate() {
                if set.ready(index) {
                    engine.ready(token, &mut callback);
                }
                if set.hung_up(index) {
                    engine.read_on(token, &mut callback);
                }
            }
        }
        // After the work, whatever was ready: output that never pauses does not delay a deadline.
        if engine.deadline().passed() {
            engine.time_is_up();
        }
        if until.passed() {
            return Ok(engine.done());
        }
    }
}

/// Drives engines until all are done. Each keeps its own times; no engine waits for another one.
///
/// # Errors
/// The errors of poll(2) itself (ENOMEM). The runs go on; the caller decides.
#[cfg_attr(not(test), expect(dead_code, reason = "a pool of runs is to use it"))]
pub(crate) fn drive_many(engines: &mut [&mut Engine]) -> io::Result<()> {
    let mut set = PollSet::default();
    let mut tokens: Vec<(usize, Token)> = Vec::new();
    loop {
        set.clear();
        tokens.clear();
        let (mut deadline, mut all_done) = (Deadline::NEVER, true);
        for (index, engine) in engines.iter_mut().enumerate() {
            engine.flow_out(&mut None);
            if !engine.done() {
                all_done = false;
                deadline = deadline.earlier(engine.deadline());
                engine.interests(|fd, interest, token| {
                    set.push(fd, interest);
                    tokens.push((index, token));
                });
            }
        }
        if all_done {
            return Ok(());
        }
        set.wait(deadline)?;
        for (place, &(index, token)) in tokens.iter().enumerate() {
            if set.ready(place) {
                engines[index].ready(token, &mut None);
            }
        }
        for engine in engines.iter_mut().filter(|engine| engine.deadline().passed()) {
            engine.time_is_up();
        }
    }
}
