//! Tests as users write them: each captures in this process, beside all the others, with the harness's own capture on or off. They are
//! deliberately not [`isolated`](crate::harness::isolated). [`matrix`](super::matrix) runs them once more, beside noise.

use std::fs::OpenOptions;

use pipewright::testing::capture_stdout;

use super::{assert_printed, c_printf, raw_write};
use crate::prelude::*;

/// How often each of the 40 tests captures.
pub(super) const CAPTURES: usize = 10;

/// One way of printing, and what it has to give.
type Kind = fn(&str) -> String;

const KINDS: [(&str, Kind); 8] = [
    ("println!", |name| {
        let said = capture_stdout(|| (0..20).for_each(|n| println!("{name} {n}")));
        assert_printed(&said, &(0..20).map(|n| format!("{name} {n}\n")).collect::<String>());
        said.text().into()
    }),
    ("print! of partial lines", |name| {
        let said = capture_stdout(|| (0..50).for_each(|n| print!("{name} {n},")));
        assert_printed(&said, &(0..50).map(|n| format!("{name} {n},")).collect::<String>());
        said.text().into()
    }),
    ("io::stdout", |name| {
        let said = capture_stdout(|| {
            (0..20).for_each(|n| writeln!(std::io::stdout(), "{name} {n}").expect("stdout takes it"));
            std::io::stdout().write_all(b"no newline").expect("stdout takes it");
        });
        assert_printed(&said, &((0..20).map(|n| format!("{name} {n}\n")).collect::<String>() + "no newline"));
        said.text().into()
    }),
    ("write(2), printf(3)", |name| {
        let said = capture_stdout(|| {
            print!("{name} ");
            c_printf(c"by C ");
            raw_write("by the kernel ");
        });
        // Each buffer comes when it is flushed.
        let mut words: Vec<_> = said.text().split(' ').map(String::from).collect();
        words.sort();
        let mut expected: Vec<_> = format!("{name} by C by the kernel ").split(' ').map(String::from).collect();
        expected.sort();
        assert_eq!(words, expected);
        said.text().into()
    }),
    ("children, in order", |name| {
        let said = capture_stdout(|| {
            println!("{name} before");
            role("echo").arg(name).run().expect("it says it");
            println!("between");
            assert!(Command::new(fixture()).args(["echo", name]).status().expect("it starts").success());
            println!("after");
        });
        assert_printed(&said, &format!("{name} before\n{name}\nbetween\n{name}\nafter\n"));
        said.text().into()
    }),
    ("/dev/stdout", |name| {
        let said = capture_stdout(|| {
            println!("{name}");
            let mut file = OpenOptions::new().write(true).open("/dev/stdout").expect("it opens");
            file.write_all(b"by its path\n").expect("it takes it");
        });
        assert_printed(&said, &format!("{name}\nby its path\n"));
        said.text().into()
    }),
    ("more than a pipe holds", |name| {
        let line = format!("{name} {}\n", "x".repeat(1000));
        let said = capture_stdout(|| (0..200).for_each(|_| print!("{line}")));
        assert_printed(&said, &line.repeat(200));
        said.text().into()
    }),
    ("a capture in a capture, and a panic", |name| {
        let said = capture_stdout(|| {
            println!("{name} outer");
            let inner = capture_stdout(|| {
                println!("{name} inner");
                let panic = || std::panic::resume_unwind(Box::new("on purpose"));
                let panicked: Result<(), _> = catch_unwind(AssertUnwindSafe(|| {
                    capture_stdout(|| {
                        println!("shown again");
                        panic()
                    });
                }));
                assert_eq!(panicked.unwrap_err().downcast_ref(), Some(&"on purpose"));
            });
            assert_printed(&inner, &format!("{name} inner\nshown again\n"));
            println!("{name} outer again");
        });
        assert_printed(&said, &format!("{name} outer\n{name} outer again\n"));
        said.text().into()
    }),
];

fn capture_exactly(number: usize) {
    let (what, kind) = KINDS[number % KINDS.len()];
    for round in 0..count(CAPTURES, 10 * CAPTURES) {
        let said = kind(&format!("m{number} {round}"));
        assert!(said.contains(&format!("m{number}")), "{what}");
    }
}

/// Prints in every way except by system calls and by children of `Command`: those two reach the descriptor, captured or not.
fn make_noise(number: usize) {
    for round in 0..60 {
        println!("noise {number} {round}");
        print!("noise without an end, ");
        eprintln!("noise on stderr");
        writeln!(std::io::stdout(), "noise past the harness").expect("stdout takes it");
        std::io::stdout().write_all(b"noise past the harness, without an end, ").expect("stdout takes it");
        if round % 20 == 0 {
            role("echo").arg("noise of a child").run().expect("it says it");
        }
    }
}

macro_rules! tests {
    ($($name:ident $number:literal)*) => {$(
        mod $name {
            #[test]
            fn what_is_captured_is_exact() {
                super::capture_exactly($number);
            }

            #[test]
            #[ignore = "noise, for the tests beside it"]
            fn noise() {
                super::make_noise($number);
            }
        }
    )*};
}

tests! {
    m00 0 m01 1 m02 2 m03 3 m04 4 m05 5 m06 6 m07 7 m08 8 m09 9
    m10 10 m11 11 m12 12 m13 13 m14 14 m15 15 m16 16 m17 17 m18 18 m19 19
    m20 20 m21 21 m22 22 m23 23 m24 24 m25 25 m26 26 m27 27 m28 28 m29 29
    m30 30 m31 31 m32 32 m33 33 m34 34 m35 35 m36 36 m37 37 m38 38 m39 39
}
