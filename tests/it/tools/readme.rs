//! What the README says of this library: most of it the first column of its comparison.
//!
//! | the README | tested by |
//! |---|---|
//! | a stage whose reader has enough did not fail | `status` |
//! | a stage that cannot be started leaves none running | `launch::failure` |
//! | a timeout ends the tree and keeps what came | `time`, `trees` |
//! | a process that holds the pipe is waited for as long as asked | `time::eof_grace` |
//! | input that is not wanted is no error | `bytes::broken_pipe` |
//! | a dropped job is gone | `time::drops` |
//! | three streams and no more; a bare name is one for the child's PATH | `launch::{descriptors, path}` |
//! | the last call counts | `conformance` |
//! | output that is no text is kept | `bytes::streams::lines` |
//! | a stage's own stderr is left alone by a capture | `conformance` |
//! | a child can be made to die with this process | `trees::parent_death` |
//! | feeding and capturing takes no thread; peak memory | here |

#[rustfmt::skip]
mod examples;
mod text;

use std::sync::atomic::Ordering::Relaxed;

use crate::prelude::*;

#[test]
fn feeding_and_capturing_takes_no_thread() {
    isolated(|| {
        if std::env::var("PIPEWRIGHT_ENGINE").is_ok_and(|engine| engine == "portable") {
            return skip("without process descriptors each child has a thread that waits for it");
        }
        let before = threads().len();
        let seen = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&seen);
        // In the middle of the run: more than a pipe holds goes in and comes out again afterwards.
        let look = move |_: &[u8]| count.store(threads().len(), Relaxed);
        let stderr = Redirect::tee([Redirect::capture(), Redirect::each_line(look)]);
        let noisy = Cmd::sh("echo now >&2; exec cat").stdin(Redirect::bytes(vec![b'x'; 1 << 20])).stderr(stderr);
        let out = noisy.output().expect("a success");
        assert_eq!((out.stdout.len(), out.stderr_str()), (1 << 20, Ok("now\n")));
        assert_eq!(seen.load(Relaxed), before);
    });
}

#[test]
fn the_peak_memory_of_a_child_is_not_below_this_programs() {
    isolated(|| {
        let big = vec![1_u8; 64 << 20];
        let out = role("exit").arg("0").output().expect("a success");
        let peak = out.stages[0].usage.expect("ours to read").max_rss;
        assert!(peak > 60 << 20, "{peak}");
        drop(std::hint::black_box(big));
    });
}
