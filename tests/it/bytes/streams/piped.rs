//! Ends of pipes that are taken, and those that are not.

use crate::prelude::*;

fn piped(cmd: Cmd) -> Cmd {
    cmd.stdin(Redirect::piped()).stdout(Redirect::piped()).stderr(Redirect::piped())
}

#[test]
fn an_untaken_stdin_is_closed_and_untaken_outputs_are_drained() {
    isolated(|| {
        // Ends only when its stdin does, and writes more than pipes hold.
        let loud = Cmd::sh("\"$0\" both 300000; exec \"$0\" cat").arg(fixture());
        let job = piped(loud.clone()).spawn().expect("it starts");
        assert!(job.try_wait().expect("no failure").is_none(), "a look closes nothing");
        assert!(job.wait().expect("it ends").success());
        assert!(job.take_stdout().is_none(), "it was drained");
        for verb in [Cmd::run, Cmd::output] {
            verb(&piped(loud.clone())).expect("it ends");
        }
        assert!(piped(loud.clone()).status().expect("it ends").success());
        let output = piped(loud).spawn().expect("it starts").output().expect("it ends");
        assert!(!output.stdout.is_captured(), "thrown away is not captured");
    });
}

#[test]
fn verbs_that_capture_capture_what_is_piped() {
    isolated(|| {
        let output = piped(cmd!(fixture(), "say", "1", "out", "2", "err")).output().expect("it ends");
        assert_eq!((&*output.stdout, &*output.stderr), (&b"out"[..], &b"err"[..]));
        assert_eq!(piped(cmd!(fixture(), "echo", "x")).read().expect("it ends"), "x");
    });
}

#[test]
fn the_ends_of_a_pipeline_are_its_own() {
    isolated(|| {
        let pipeline = cmd!(fixture(), "cat") | cmd!(fixture(), "upper");
        let job = pipeline.stdin(Redirect::piped()).stdout(Redirect::piped()).spawn().expect("it starts");
        let mut stdin = job.take_stdin().expect("piped");
        let mut stdout = job.take_stdout().expect("piped");
        stdin.write_all(b"through\n").expect("it reads");
        assert_eq!(read_line(&mut stdout), "THROUGH");
        drop(stdin);
        assert_eq!(stdout.read(&mut [0]).expect("its end comes"), 0);
        assert!(job.wait().expect("it ends").success());
    });
}

#[test]
fn stages_whose_stderr_is_piped_share_the_one_end_there_is_to_take() {
    isolated(|| {
        let say = |text: &str| cmd!(fixture(), "say", "2", text).stderr(Redirect::piped());
        let job = (say("one\n") | say("two\n")).spawn().expect("it starts");
        let said = std::io::read_to_string(job.take_stderr().expect("it is piped")).expect("its end");
        let mut lines: Vec<&str> = said.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, ["one", "two"]);
        assert!(job.wait().expect("it ends").success());
        assert!(job.output().expect("every stage ended well").stages.iter().all(|stage| stage.status.success()));

        let merged = say("one\n") | say("two\n").stderr_to_stdout().stdout(Redirect::null());
        let job = merged.spawn().expect("it starts");
        let said = std::io::read_to_string(job.take_stderr().expect("it is piped")).expect("its end");
        assert_eq!(said, "one\n");
        assert!(job.wait().expect("it ends").success());
    });
}
