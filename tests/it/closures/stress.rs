//! Random pipelines of closures and processes, ended at random: never a hang, the right kind of error, nothing left.

use pipewright::{CancelHandle, StageReader, StageWriter};

use super::*;
use crate::prelude::*;

/// What a closure does next.
#[derive(Debug, Clone, Copy)]
enum Step {
    Read(usize),
    ReadLine,
    Write(usize),
    Format,
    CopyAll,
    DrainAll,
    WriteForEver,
    Err,
    Panic,
    Return,
}

fn steps(random: &mut Random) -> Vec<Step> {
    let step = |random: &mut Random| match random.below(24) {
        0..4 => Step::Read(1 + random.below(100_000)),
        4..6 => Step::ReadLine,
        6..11 => Step::Write(random.below(200_000)),
        11..13 => Step::Format,
        13..17 => Step::CopyAll,
        17..19 => Step::DrainAll,
        19 => Step::WriteForEver,
        20 => Step::Err,
        21 => Step::Panic,
        _ => Step::Return,
    };
    (0..random.below(6)).map(|_| step(random)).collect()
}

fn perform(
    steps: &[Step],
    input: &mut StageReader,
    output: &mut StageWriter,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    for step in steps {
        match *step {
            Step::Read(bytes) => drop(input.read(&mut vec![0; bytes])?),
            Step::ReadLine => drop(input.read_until(b'\n', &mut Vec::new())?),
            Step::Write(bytes) => output.write_all(&vec![b'w'; bytes])?,
            Step::Format => writeln!(output, "{} and {}", 1, 2)?,
            Step::CopyAll => drop(io::copy(input, output)?),
            Step::DrainAll => drop(io::copy(input, &mut io::sink())?),
            Step::WriteForEver => loop {
                output.write_all(&[b'\n'; 5000])?;
            },
            Step::Err => return Err(Own(7).into()),
            // Without the hook's words.
            Step::Panic => std::panic::resume_unwind(Box::new("a panic of chance")),
            Step::Return => return Ok(()),
        }
    }
    Ok(())
}

fn closure(random: &mut Random) -> Stage {
    let steps = steps(random);
    match random.below(8) {
        0 => Stage::map_lines(|line| line.to_owned()),
        1 => Stage::filter_lines(|line| line.len() % 2 == 0),
        2 => Stage::tap(|_| ()),
        3 => Stage::tee_to(io::sink()),
        4 => Stage::from_fn_once(move |input, output| perform(&steps, input, output)),
        _ => Stage::from_fn(move |input, output| perform(&steps, input, output)),
    }
}

fn stage(random: &mut Random) -> Stage {
    if !random.one_in(4) {
        return closure(random);
    }
    let roles: [&[&str]; 9] = [
        &["exit", "3"],
        &["echo", "x"],
        &["cat"],
        &["upper"],
        &["yes"],
        &["lines", "5000"],
        &["take", "5"],
        &["stubborn-yes"],
        &["hang"],
    ];
    let [name, args @ ..] = *random.pick(&roles) else { unreachable!("each has a name") };
    role(name).args(args).into()
}

/// A pipeline that may go on for ever: its end has to come from outside.
fn pipeline(random: &mut Random) -> Pipeline {
    let mut line = Pipeline::from(stage(random));
    for _ in 0..random.below(5) {
        line = line | stage(random);
    }
    let line = match random.below(4) {
        0 => line.stdin(Redirect::bytes(vec![b'\n'; 300_000])),
        1 => line.stdin(Redirect::reader_with(|| io::repeat(b'r'))),
        2 => line.stdin(Redirect::piped()),
        _ => line.stdin(Redirect::null()),
    };
    let line = match random.below(5) {
        0 => line.stdout(Redirect::capture()).stdout_limit(pipewright::Limit::Tail(1000)),
        1 => line.stdout(Redirect::each_line(|_: &[u8]| ())),
        2 => line.stdout(Redirect::tee([Redirect::null(), Redirect::to_writer(io::sink())])),
        3 => line.stdout(Redirect::piped()),
        _ => line.stdout(Redirect::null()),
    };
    let line = if random.one_in(4) { line.pipe_capacity(random.below(10_000)) } else { line };
    let line = match random.below(4) {
        0 => line.status_policy(StatusPolicy::Strict),
        1 => line.status_policy(StatusPolicy::Last),
        2 => line.unchecked(),
        _ => line,
    };
    line.stderr(Redirect::null()).grace(Duration::from_millis(random.below(30) as u64))
}

/// The errors that chance may bring; `ends`: the one that came from outside.
#[track_caller]
fn is_plausible(error: &Error, ends: Option<ErrorKind>) {
    use ErrorKind::*;
    let kind = error.kind();
    assert!(matches!(kind, Status | Closure | Panic) || Some(kind) == ends, "{error:?}");
    let Some(output) = error.output() else { return assert_ne!(kind, Closure, "{error:?}") };
    for report in &output.stages {
        // Every closure here blocks in reads and writes only, so none may be left behind.
        assert!(!report.status.is_unknown(), "{error:?}");
        if let Some(own) = &report.error {
            let code = report.status.code();
            assert!(matches!((own.kind(), code), (Closure, Some(1)) | (Panic, Some(101))), "{error:?}");
        }
    }
    match (kind, error.stage()) {
        (Closure | Panic, Some(stage)) => assert!(output.stages[stage].error.is_some(), "{error:?}"),
        (Status, Some(stage)) => assert!(output.stages[stage].error.is_none(), "{error:?}"),
        _ => {}
    }
}

/// Longer than any of these may take, on a machine that is busy elsewhere.
const BOUND: Duration = Duration::from_secs(8);

#[test]
fn random_pipelines_of_closures_and_processes_end_as_they_should() {
    isolated(|| {
        let mut random = Random::new(28);
        let before = open_fds();
        for _ in 0..count(200, 10_000) {
            let line = pipeline(&mut random);
            let millis = Duration::from_millis(random.below(40) as u64);
            within(BOUND, || match random.below(6) {
                0 => {
                    let result = line.timeout(millis).run();
                    result.map_or_else(|error| is_plausible(&error, Some(ErrorKind::Timeout)), drop);
                }
                1 => {
                    let cancel: CancelHandle = line.cancel_handle();
                    std::thread::scope(|scope| {
                        let run = scope.spawn(|| line.run());
                        // Any moment is as good as another.
                        std::thread::park_timeout(millis);
                        cancel.cancel();
                        if let Err(error) = run.join().expect("no panic") {
                            is_plausible(&error, Some(ErrorKind::Cancelled));
                        }
                    });
                }
                2 => {
                    let job = line.spawn().expect("it starts");
                    drop(job.wait_timeout(millis));
                    drop(job);
                }
                3 => {
                    let job = line.spawn().expect("it starts");
                    drop(job.wait_timeout(millis));
                    assert!(job.kill().expect("it can be told").survivors.is_empty());
                    if let Err(error) = job.wait() {
                        is_plausible(&error, None);
                    }
                }
                4 => {
                    let job = line.spawn().expect("it starts");
                    drop(job.shutdown(millis).expect("it can be ended"));
                    if let Err(error) = job.output() {
                        is_plausible(&error, None);
                    }
                }
                _ => {
                    let job = match line.timeout(millis).spawn() {
                        Ok(job) => job,
                        Err(error) => return is_plausible(&error, Some(ErrorKind::Timeout)),
                    };
                    drop((job.take_stdin(), random.one_in(2).then(|| job.take_stdout())));
                    if let Err(error) = job.wait() {
                        is_plausible(&error, Some(ErrorKind::Timeout));
                    }
                }
            });
            assert_childless();
            progress();
        }
        assert_no_new_fd(&before);
    });
}

#[test]
fn random_scoped_closures_are_all_joined() {
    isolated(|| {
        let mut random = Random::new(29);
        for _ in 0..count(40, 3000) {
            let (work, stage) = (steps(&mut random), closure(&mut random));
            let millis = Duration::from_millis(random.below(40) as u64);
            let alive = std::sync::atomic::AtomicUsize::new(0);
            let line = without_input(role(["yes", "lines", "cat"][random.below(3)]).arg("3000"));
            let line = line.timeout(millis).grace(Duration::from_millis(20));
            let result = within(BOUND, || {
                line.scoped(|s| {
                    let run = |input: &mut StageReader, output: &mut StageWriter| {
                        struct Leave<'a>(&'a std::sync::atomic::AtomicUsize);
                        impl Drop for Leave<'_> {
                            fn drop(&mut self) {
                                self.0.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                            }
                        }
                        alive.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                        let _leave = Leave(&alive);
                        perform(&work, input, output)
                    };
                    s.pipe_fn(run).pipe(stage).pipe_fn(run).stdout(Redirect::null()).run()
                })
            });
            assert_eq!(alive.into_inner(), 0);
            if let Err(error) = result {
                is_plausible(&error, Some(ErrorKind::Timeout));
            }
            assert_childless();
            progress();
        }
    });
}
