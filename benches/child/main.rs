//! What every contender runs: one program that plays every child. It has no runtime and is linked statically, so that an exec of
//! it costs as little as an exec can, and it does its work in large system calls, so that a row measures the parent.
//!
//! A stream is made of blocks of 64 KiB of text, each of which begins with its number: losing, doubling or mixing up one shows.

#![no_std]
#![no_main]

mod sys;

use sys::{exit, now, read, sleep, write};

const BLOCK: usize = 65_536;
const LINE: usize = 60;

static mut BUFFER: [u8; BLOCK] = [b'x'; BLOCK];

extern "C" fn entry(stack: *const usize) -> ! {
    // SAFETY: what the kernel leaves there at the start: the count, the pointers to the arguments, each ended by a zero.
    let count = unsafe { *stack };
    let argument = |index: usize| -> &'static [u8] {
        if index >= count {
            return b"";
        }
        // SAFETY: as above.
        unsafe {
            let text = *stack.add(1 + index) as *const u8;
            let mut len = 0;
            while text.add(len).read_volatile() != 0 {
                len += 1;
            }
            core::slice::from_raw_parts(text, len)
        }
    };
    // SAFETY: the only use of it, in a process of one thread.
    let buffer = unsafe { (&raw mut BUFFER).as_mut() }.unwrap_or_else(|| exit(2));
    let number = decimal(argument(2));
    match argument(1) {
        b"nop" => {}
        b"hello" => write(1, b"hello\n"),
        b"generate" => generate(buffer, number, &[1]),
        b"both" => generate(buffer, number, &[1, 2]),
        b"sink" => sink(buffer, number),
        b"cat" => cat(buffer),
        b"tiny" => tiny(number),
        b"lines" => lines(buffer, number),
        b"ticks" => ticks(number),
        b"sleep" => {
            sleep(number * 1_000_000);
            write(1, b"hello\n");
        }
        _ => exit(2),
    }
    exit(0)
}

fn decimal(text: &[u8]) -> u64 {
    text.iter().fold(0, |value, digit| value * 10 + u64::from(digit.wrapping_sub(b'0')))
}

/// Writes a number in hexadecimal, in as many digits as there is room for.
fn hex(into: &mut [u8], mut value: u64) {
    for digit in into.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(value & 15) as usize];
        value >>= 4;
    }
}

/// Writes `bytes` bytes in numbered blocks, the same to each of the descriptors.
fn generate(buffer: &mut [u8; BLOCK], bytes: u64, fds: &[usize]) {
    for block in 0..bytes / BLOCK as u64 {
        hex(&mut buffer[..8], block);
        for fd in fds {
            write(*fd, buffer);
        }
    }
}

/// Exits with 1 unless stdin is `bytes` bytes in numbered blocks.
fn sink(buffer: &mut [u8; BLOCK], bytes: u64) {
    let mut total = 0_u64;
    let mut expected = [0_u8; 8];
    let mut good = true;
    loop {
        let got = read(0, buffer);
        if got == 0 {
            break;
        }
        // Blocks begin where the total is a multiple of theirs; a read may begin anywhere.
        let mut at = (BLOCK as u64 - total % BLOCK as u64) as usize % BLOCK;
        while at < got {
            hex(&mut expected, (total + at as u64) / BLOCK as u64);
            for (offset, digit) in expected.iter().enumerate() {
                // A number that is cut by the end of a read is checked as far as it goes.
                good &= buffer[..got].get(at + offset).is_none_or(|is| is == digit);
            }
            at += BLOCK;
        }
        total += got as u64;
    }
    exit(usize::from(!good || total != bytes))
}

fn cat(buffer: &mut [u8; BLOCK]) {
    loop {
        let got = read(0, buffer);
        if got == 0 {
            return;
        }
        write(1, &buffer[..got]);
    }
}

/// Writes `lines` lines of 20 bytes, each in a write of its own, to stdout and to stderr in turn.
fn tiny(lines: u64) {
    let mut line = *b"0000000000000000 ab\n";
    for number in 0..lines {
        hex(&mut line[..16], number);
        write(1 + (number & 1) as usize, &line);
    }
}

/// Writes `lines` numbered lines of 60 bytes, in large writes.
fn lines(buffer: &mut [u8; BLOCK], lines: u64) {
    let per_write = (BLOCK / LINE) as u64;
    let mut number = 0;
    while number < lines {
        let count = per_write.min(lines - number);
        for line in 0..count {
            let at = line as usize * LINE;
            hex(&mut buffer[at..at + 8], number + line);
            buffer[at + LINE - 1] = b'\n';
        }
        write(1, &buffer[..count as usize * LINE]);
        number += count;
    }
}

/// Writes `lines` lines, half a millisecond apart, each with the time at which it was written.
fn ticks(lines: u64) {
    let mut line = *b"0000000000000000\n";
    for _ in 0..lines {
        sleep(500_000);
        hex(&mut line[..16], now());
        write(1, &line);
    }
}
