//! What a subscriber of `tracing` is told: `cargo test --features tracing`.

use tracing_subscriber::fmt::format::FmtSpan;

use crate::prelude::*;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What is logged meanwhile.
fn log_of(act: impl FnOnce()) -> String {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).without_time().with_ansi(false);
    tracing::subscriber::with_default(subscriber.with_span_events(FmtSpan::NEW | FmtSpan::CLOSE).finish(), act);
    let text = log.0.lock().unwrap().clone();
    String::from_utf8(text).expect("text")
}

fn pipeline() -> Pipeline {
    role("echo").arg("an argument").secret_arg("s3cr3t").env("KEY", "v4lu3").label("first")
        | role("cat").label("second")
}

#[test]
fn each_stage_is_a_span_of_its_run_whichever_thread_drives_it() {
    isolated(|| {
        let runs: [fn(Pipeline); 2] = [
            |it| drop(it.output().expect("it ends well")),
            // On a thread that has no subscriber.
            |it| {
                let job = it.stdout(Redirect::capture()).timeout(Duration::from_secs(60)).spawn().expect("it starts");
                job.wait().expect("a status");
            },
        ];
        for run in runs {
            let log = log_of(|| run(pipeline()));
            for stage in ["stage=0 label=first", "stage=1 label=second"] {
                let of = |what: &str| {
                    log.lines().find(|line| line.contains(stage) && line.contains(what)).map(str::to_owned)
                };
                assert!(
                    of(": new").is_some_and(|line| line.contains("run{stages=2}:stage{") && line.contains("pid=")),
                    "{log}"
                );
                assert!(of(": close").is_some_and(|line| line.contains("status=exited with code 0")), "{log}");
            }
            assert!(log.contains("run{stages=2}: pipewright: is over status=exited with code 0"), "{log}");
            for hidden in ["an argument", "s3cr3t", "v4lu3"] {
                assert!(!log.contains(hidden), "{hidden}: {log}");
            }
        }
    });
}

#[test]
fn the_command_line_is_there_when_asked_for_and_secrets_never() {
    isolated(|| {
        let log = log_of(|| drop(pipeline().trace_command(true).output().expect("it ends well")));
        assert!(log.contains("'an argument'") && !log.contains("s3cr3t") && !log.contains("v4lu3"), "{log}");
    });
}

#[test]
fn an_end_by_force_and_processes_that_are_left_are_warnings() {
    isolated(|| {
        let late: Cmd = role("hang").timeout(Duration::from_millis(50));
        let log = log_of(|| drop(late.output().expect_err("it hangs")));
        assert!(log.contains("WARN run{stages=1}: pipewright: is being ended signal=15"), "{log}");
        assert!(log.contains("WARN run{stages=1}: pipewright: failed"), "{log}");
        if cfg!(target_os = "linux") {
            let hold = role("fork-and-hold").arg("30000").stderr(Redirect::null()).on_leak(pipewright::OnLeak::Kill);
            let log = log_of(|| drop(hold.output().expect("its own status is good")));
            assert!(log.contains("left processes behind processes="), "{log}");
        }
    });
}
