//! What breaks a pipe from outside, which no user can reach.

use std::error::Error;
use std::io::{Read, Write};
use std::thread;

use super::{buffered, memory};

#[derive(Debug, PartialEq, thiserror::Error)]
#[error("cut")]
struct Cut;

#[test]
fn a_break_reaches_who_is_blocked_and_who_comes_later_on_both_sides() {
    let (mut reader, mut writer) = memory();
    let breaker = writer.breaker();
    let blocked = thread::spawn(move || {
        let error = reader.read(&mut [0; 8]).unwrap_err();
        (error.source().unwrap().downcast_ref() == Some(&Cut), reader.read(&mut []).unwrap_err().to_string())
    });
    breaker.break_with(Cut);
    assert_eq!(blocked.join().unwrap(), (true, "cut".to_string()));
    for _ in 0..2 {
        assert_eq!(writer.write(b"x").unwrap_err().to_string(), "cut");
    }
    let (_reader, mut writer) = memory();
    let breaker = writer.breaker();
    let blocked = thread::spawn(move || writer.write(b"x").unwrap_err().to_string());
    breaker.break_with(Cut);
    assert_eq!(blocked.join().unwrap(), "cut");
}

#[test]
fn a_side_that_was_closed_keeps_what_it_has() {
    let (mut reader, mut writer) = memory();
    writer.close_with_error("mine");
    writer.breaker().break_with(Cut);
    assert_eq!(writer.write(b"x").unwrap_err().to_string(), "this end of the memory pipe is closed");
    assert_eq!(reader.read(&mut [0]).unwrap_err().to_string(), "cut", "the reader's side was still open");
    let (mut reader, mut writer) = memory();
    reader.close_with_error("mine");
    writer.breaker().break_with(Cut);
    assert_eq!(reader.read(&mut [0]).unwrap_err().to_string(), "this end of the memory pipe is closed");
    assert_eq!(writer.write(b"x").unwrap_err().to_string(), "cut", "the writer's side was still open");
}

#[test]
fn a_breaker_holds_nothing_open_and_a_break_drops_what_is_kept() {
    let (mut reader, writer) = memory();
    let breaker = writer.breaker();
    drop(writer);
    assert_eq!(reader.read(&mut [0]).unwrap(), 0);
    let (mut reader, mut writer) = buffered(8);
    let second = writer.breaker();
    writer.write_all(b"kept").unwrap();
    drop(writer);
    second.break_with(Cut);
    assert_eq!(reader.read(&mut [0]).unwrap_err().to_string(), "cut");
    drop(breaker);
}
