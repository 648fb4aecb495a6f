//! Starts that fail: no closure runs, nothing is left.

use nix::sys::resource::Resource;

use super::*;
use crate::prelude::*;

#[test]
fn closures_do_not_run_when_a_stage_cannot_start() {
    isolated(|| {
        let ran = Arc::new(AtomicBool::new(false));
        let would_run = || {
            let ran = Arc::clone(&ran);
            Stage::from_fn(move |_, _| {
                ran.store(true, SeqCst);
                Ok(())
            })
        };
        let missing = || cmd!("/no/such/program");
        let before = open_fds();
        for _ in 0..count(20, 500) {
            for (stage, line) in [
                (1, would_run() | missing()),
                (0, missing() | would_run()),
                (3, role("stubborn-yes") | would_run() | would_run() | missing() | would_run()),
                (2, would_run() | would_run() | role("cat").current_dir("/no/such/directory")),
            ] {
                let error = within(SLACK, || without_input(line).output()).expect_err("it cannot start");
                assert_eq!(error.stage(), Some(stage), "{error:?}");
                assert!(error.output().is_none(), "nothing ran");
                assert_childless();
            }
            progress();
        }
        assert_no_new_fd(&before);
        assert!(!ran.load(SeqCst));
        assert_eq!(Arc::strong_count(&ran), 1);
    });
}

#[test]
fn with_few_fds_a_pipeline_with_closures_runs_or_says_cleanly_that_it_cannot() {
    isolated(|| {
        let runs = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&runs);
        let line = move || {
            let counted = Arc::clone(&counted);
            let count = Stage::tap(move |_| {
                counted.fetch_add(1, SeqCst);
            });
            let line = copy() | role("cat") | count | copy() | role("upper").stderr_to_stdout() | copy();
            line.stdin(Redirect::bytes("fed")).stderr(Redirect::capture())
        };
        line().output().expect("it runs");
        let before = open_fds();
        let mut least = None;
        for spare in 0..=40 {
            let already = runs.load(SeqCst);
            match spare_fds(spare, || within(Duration::from_secs(5), || line().output())) {
                Ok(output) => {
                    assert_eq!(output.stdout, b"FED");
                    least = least.or(Some(spare));
                }
                Err(error) => {
                    assert!(least.is_none() && spare < 30, "{spare} are enough: {error:?}");
                    assert_eq!((error.kind(), error.raw_os_error()), (ErrorKind::Spawn, Some(libc::EMFILE)));
                    assert!(error.step().is_some(), "with {spare}: {error:?}");
                    assert!(error.to_string().contains("descriptor"), "with {spare}: {error}");
                    assert_eq!(runs.load(SeqCst), already, "with {spare}: a closure ran");
                }
            }
            assert_childless();
            assert_no_new_fd(&before);
            progress();
        }
        assert!(least.is_some_and(|least| least > 0), "the table was never full");
    });
}

#[test]
fn kill_and_drop_of_closures_work_without_a_single_fd() {
    isolated(|| {
        let endless = || {
            let line = yes() | role("cat") | copy() | copy() | role("stubborn-yes");
            line.stdout(Redirect::null()).spawn().expect("it starts")
        };
        let (killed, dropped) = (endless(), endless());
        spare_fds(0, || {
            killed.kill().expect("it can be told");
            assert_eq!(within(SLACK, || killed.wait()).expect("it ends").signal(), Some(libc::SIGKILL));
            within(Duration::from_millis(500), || drop(dropped));
            assert_no_child();
        });
    });
}

/// A thread's stack with its guard.
const STACK_KIB: u64 = 2048 + 4;

/// Runs `f` with an address space that may grow by `kib` KiB.
fn with_room<T>(kib: u64, f: impl FnOnce() -> T) -> T {
    let status = std::fs::read_to_string("/proc/self/status").expect("the status");
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:")).expect("the size");
    let used: u64 = size.trim().trim_end_matches(" kB").parse().expect("a number");
    let (soft, hard) = getrlimit(Resource::RLIMIT_AS).expect("the limit");
    setrlimit(Resource::RLIMIT_AS, ((used + kib) * 1024) as libc::rlim_t, hard).expect("it can be lowered");
    let result = f();
    setrlimit(Resource::RLIMIT_AS, soft, hard).expect("it can be raised");
    result
}

#[test]
fn a_closure_whose_thread_cannot_start_is_an_error_that_names_it_and_loses_nothing() {
    isolated(|| {
        // The stack that children start on is made now, while there is room.
        role("exit").arg("0").run().expect("it runs");
        let (soft, hard) = getrlimit(Resource::RLIMIT_AS).expect("the limit");
        let roomy = |cmd: Cmd| cmd.rlimit(pipewright::Resource::AddressSpace, wide(soft), wide(hard));
        let before = open_fds();
        let mut buffer = b"mine, ".to_vec();
        let line = without_input(roomy(role("stubborn-yes")) | copy() | roomy(role("cat")) | copy());
        let error = with_room(1024, || within(SLACK, || line.output_into(&mut buffer))).expect_err("no room");
        assert_eq!((error.kind(), error.step()), (ErrorKind::Spawn, Some(Step::Thread)), "{error:?}");
        // Where each child needs a thread, too, theirs come first.
        assert!(is_portable() || (error.stage(), error.label()) == (Some(1), Some("copy")), "{error:?}");
        assert_childless();
        assert_no_new_fd(&before);
        assert_eq!(buffer, b"mine, ", "the caller's buffer");
        let error = with_room(1024, || line.spawn()).expect_err("no room");
        assert_eq!((error.kind(), error.step()), (ErrorKind::Spawn, Some(Step::Thread)), "{error:?}");
        assert_childless();
        // Room for some of the threads: those that began are stopped.
        let many: Pipeline = (0..6).map(|_| copy()).collect();
        let many = roomy(role("stubborn-yes")) | many | roomy(role("ignore-term"));
        let many = without_input(many).stdout(Redirect::null());
        let failed = (0..6).filter(|n| {
            // Never so little that a thread that began could not have what it needs besides its stack.
            let result = with_room(1024 + n * STACK_KIB, || within(2 * SLACK, || many.spawn()));
            assert_childless_unless(result.is_ok());
            result.is_err_and(|error| error.step() == Some(Step::Thread))
        });
        assert!(failed.count() > 0);
        assert_childless();
    });
}

#[test]
fn a_scoped_closure_whose_thread_cannot_start_is_an_error_too() {
    isolated(|| {
        role("exit").arg("0").run().expect("it runs");
        let (soft, hard) = getrlimit(Resource::RLIMIT_AS).expect("the limit");
        let first = role("stubborn-yes").rlimit(pipewright::Resource::AddressSpace, wide(soft), wide(hard));
        let mut bytes = 0;
        let lent = with_room(1024, || first.scoped(|s| s.tap(|chunk| bytes += chunk.len()).output()));
        let error = lent.expect_err("no room");
        assert_eq!((error.step(), bytes), (Some(Step::Thread), 0), "{error:?}");
        assert!(is_portable() || error.stage() == Some(1), "{error:?}");
        assert_childless();
    });
}

/// A start that failed left no child; one that did not was dropped by now, or will be.
fn assert_childless_unless(started: bool) {
    if !started {
        assert_childless();
    }
}
