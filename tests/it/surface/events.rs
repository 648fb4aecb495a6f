//! The events of a run: to callbacks, and to iterators of its job, begun early or late.

mod panics;

use crate::prelude::*;

/// Without what differs from run to run.
fn word(kind: &EventKind) -> String {
    match kind {
        EventKind::Started { stage, label, pid } => format!("started {stage} {label} {}", pid.is_some()),
        EventKind::Line { stage, stream, line } => {
            format!("line {stage:?} {stream} {}", String::from_utf8_lossy(line))
        }
        EventKind::Exited { stage, status } => format!("exited {stage}: {status}"),
        EventKind::Stopped { stage, signal } => format!("stopped {stage} {signal:?}"),
        EventKind::Killed { signal } => format!("killed {signal}"),
        EventKind::Leaked { streams, processes } => format!("leaked {streams:?} {}", processes.len()),
        EventKind::Finished { status, error } => {
            let status = status.map_or("-".to_owned(), |status| status.to_string());
            format!("finished {status} {}", error.as_deref().unwrap_or("-"))
        }
        other => format!("{other:?}"),
    }
}

fn words(job: &Job) -> Vec<String> {
    job.events().map(|event| word(&event.kind)).collect()
}

fn good_end() -> String {
    "finished exited with code 0 -".to_owned()
}

fn three_lines() -> Pipeline {
    role("lines").arg("3").label("first") | role("cat").label("second")
}

const LINES: [&str; 3] = ["line Some(1) stdout line 0", "line Some(1) stdout line 1", "line Some(1) stdout line 2"];

#[test]
fn the_events_are_the_whole_run_in_order() {
    isolated(|| {
        for _ in 0..count(20, 500) {
            let job = three_lines().stdout(Redirect::capture()).spawn().expect("it starts");
            let heard = words(&job);
            assert_eq!(heard[..2], ["started 0 first true", "started 1 second true"]);
            let lines: Vec<&String> = heard.iter().filter(|word| word.starts_with("line")).collect();
            assert_eq!(lines, LINES);
            let mut exits: Vec<&String> = heard.iter().filter(|word| word.starts_with("exited")).collect();
            exits.sort();
            assert_eq!(exits, ["exited 0: exited with code 0", "exited 1: exited with code 0"]);
            assert_eq!((heard.len(), heard.last()), (2 + 3 + 2 + 1, Some(&good_end())));
            assert_eq!(job.output().expect("it ends well").stdout, "line 0\nline 1\nline 2\n");
        }
    });
}

#[test]
fn events_that_are_asked_for_after_the_run_are_complete() {
    isolated(|| {
        let job = three_lines().stdout(Redirect::capture()).spawn().expect("it starts");
        job.wait().expect("a status");
        let late = words(&job);
        assert_eq!((late.len(), late.last()), (2 + 2 + 3 + 1, Some(&good_end())));
        assert_eq!(late[4..7], LINES);
        assert_eq!(words(&job), late, "once more");
    });
}

#[test]
fn events_that_are_asked_for_while_the_run_ends_are_complete() {
    isolated(|| {
        for _ in 0..count(60, 3000) {
            // Its own thread may be at any point by the time of the question.
            let job = role("say").args(["1", "one\ntwo"]).stdout(Redirect::capture()).spawn().expect("it starts");
            let heard = words(&job);
            let lines: Vec<&String> = heard.iter().filter(|word| word.starts_with("line")).collect();
            assert_eq!(lines, ["line Some(0) stdout one", "line Some(0) stdout two"], "{heard:?}");
        }
    });
}

#[test]
fn events_that_are_asked_for_in_the_middle_begin_with_earlier_lines() {
    isolated(|| {
        let cat = role("cat").stdin(Redirect::piped()).stdout(Redirect::capture());
        let job = cat.spawn().expect("it starts");
        let mut stdin = job.take_stdin().expect("piped");
        let mut early = job.events();
        stdin.write_all(b"one\ntwo\nth").expect("it reads");
        let line = |text: &str| format!("line Some(0) stdout {text}");
        let next_line = |events: &mut pipewright::Events| {
            events.map(|event| word(&event.kind)).find(|word| word.starts_with("line"))
        };
        assert_eq!(next_line(&mut early), Some(line("one")));
        assert_eq!(next_line(&mut early), Some(line("two")));
        // The first two were read; the third has begun.
        let mut late = job.events();
        stdin.write_all(b"ree\nno newline").expect("it reads");
        assert_eq!(next_line(&mut early), Some(line("three")));
        drop(stdin);
        for text in ["one", "two", "three", "no newline"] {
            assert_eq!(next_line(&mut late), Some(line(text)));
        }
        assert_eq!(next_line(&mut early), Some(line("no newline")));
        assert_eq!((next_line(&mut early), next_line(&mut late)), (None, None));
    });
}

#[test]
fn a_callback_hears_the_same_with_every_verb() {
    isolated(|| {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&heard);
        let pipeline = three_lines().on_event(move |event| noted.lock().unwrap().push((event.at, word(&event.kind))));
        let runs: [fn(&Pipeline); 6] = [
            |it| drop(it.output().expect("output")),
            |it| drop(it.read().expect("read")),
            |it| drop(it.for_each_line(|_| ()).expect("for_each_line")),
            |it| assert_eq!(it.lines().expect("lines").filter_map(Result::ok).count(), 3),
            |it| drop(std::io::read_to_string(it.reader().expect("reader")).expect("reader")),
            |it| drop(it.clone().stdout(Redirect::capture()).spawn().expect("spawn").output().expect("spawn")),
        ];
        for (index, run) in runs.iter().enumerate() {
            run(&pipeline);
            let heard = std::mem::take(&mut *heard.lock().unwrap());
            assert!(heard.is_sorted_by_key(|(at, _)| *at), "{index}: {heard:?}");
            let words: Vec<&str> = heard.iter().map(|(_, word)| word.as_str()).collect();
            let count = |what: &str| words.iter().filter(|word| word.starts_with(what)).count();
            assert_eq!(
                (count("started"), count("exited"), words.last()),
                (2, 2, Some(&good_end().as_str())),
                "{index}"
            );
            // What the caller reads by itself is not read here.
            let ours = !matches!(index, 3 | 4);
            assert_eq!(count("line"), if ours { 3 } else { 0 }, "{index}: {words:?}");
        }
    });
}

#[test]
fn an_end_by_force_is_told_step_by_step() {
    isolated(|| {
        let second = Duration::from_secs(30);
        let job = role("ignore-term").stdout(Redirect::piped()).spawn().expect("it starts");
        std::io::Read::read_exact(&mut job.take_stdout().expect("piped"), &mut [0; 6]).expect("it is ready");
        job.shutdown_with([(libc::SIGTERM, Duration::from_millis(1)), (libc::SIGQUIT, second)]).expect("a report");
        let heard = words(&job);
        assert_eq!(heard[1..3], ["killed 15", "killed 3"], "{heard:?}");
        assert!(heard[3].starts_with("exited 0: ") && heard[3].contains("SIGQUIT"), "{heard:?}");

        let late = role("ignore-term").grace(Duration::ZERO).timeout(Duration::from_millis(200));
        let heard = words(&late.stdout(Redirect::null()).spawn().expect("it starts"));
        assert_eq!(heard[1..3], ["killed 15", "killed 9"], "{heard:?}");
        assert!(heard.last().is_some_and(|word| word.contains("timed out after 200ms")), "{heard:?}");
    });
}

#[test]
fn processes_that_are_left_are_an_event() {
    isolated(|| {
        if !cfg!(target_os = "linux") {
            return skip("the holders of a pipe can only be seen on Linux");
        }
        let hold = role("fork-and-hold").arg("30000").stderr(Redirect::null()).stdout(Redirect::capture());
        let job = hold.on_leak(OnLeak::Kill).spawn().expect("it starts");
        let heard = words(&job);
        assert!(heard.contains(&"leaked [Stdout] 1".to_string()), "{heard:?}");
        assert_eq!(heard.last(), Some(&good_end()));
    });
}

#[test]
fn a_job_that_is_dropped_or_detached_has_no_more_events() {
    isolated(|| {
        for driven in [false, true] {
            let hang = role("hang").stdout(Redirect::null());
            let hang = if driven { hang.timeout(Duration::from_secs(60)) } else { hang };
            let job = hang.spawn().expect("it starts");
            let events = job.events();
            drop(job);
            assert!(events.count() >= 1, "it had started");

            let cat = role("cat").stdin(Redirect::piped());
            let cat = if driven { cat.timeout(Duration::from_secs(60)) } else { cat };
            let job = cat.spawn().expect("it starts");
            let events = job.events();
            // It ends by itself, and its thread goes on with the events.
            job.detach();
            let last = events.last().map(|event| word(&event.kind));
            assert_eq!(last == Some(good_end()), driven, "{last:?}");
        }
    });
}

#[test]
fn several_threads_may_watch_and_wait_at_once() {
    isolated(|| {
        for _ in 0..count(10, 300) {
            let job = role("cat").stdin(Redirect::piped()).stdout(Redirect::null()).spawn().expect("it starts");
            let stdin = job.take_stdin();
            std::thread::scope(|scope| {
                let watchers: Vec<_> = (0..3).map(|_| scope.spawn(|| words(&job))).collect();
                let waiter = scope.spawn(|| job.wait().expect("a status"));
                drop(stdin);
                for watcher in watchers {
                    let heard = watcher.join().expect("no panic");
                    assert_eq!(heard.len(), 3, "{heard:?}");
                }
                assert!(waiter.join().expect("no panic").success());
            });
        }
    });
}

#[test]
fn a_callback_that_panics_at_the_end_leaves_no_waiter_blocked() {
    isolated(|| {
        for driven in [false, true] {
            let exit = role("exit").arg("0").stdout(Redirect::capture()).on_event(|event| {
                if let EventKind::Finished { .. } = event.kind {
                    panic!("the callback's own");
                }
            });
            let exit = if driven { exit.timeout(Duration::from_secs(60)) } else { exit };
            let job = exit.spawn().expect("it starts");
            let error = within(Duration::from_secs(10), || job.wait()).expect_err("it panicked");
            assert_eq!(error.kind(), ErrorKind::Panic, "{error}");
            within(Duration::from_secs(10), || job.events().count());
        }
    });
}

#[test]
fn a_wait_beside_an_iterator_closes_the_stdin_that_was_not_taken() {
    isolated(|| {
        for _ in 0..count(5, 100) {
            let job = role("cat").stdin(Redirect::piped()).stdout(Redirect::piped()).spawn().expect("it starts");
            std::thread::scope(|scope| {
                let (started, seen) = std::sync::mpsc::channel();
                let mut events = job.events();
                let watcher = scope.spawn(move || {
                    started.send(events.next()).expect("the test waits");
                    // Drives from here on.
                    events.count()
                });
                seen.recv().expect("it tells");
                assert!(within(Duration::from_secs(10), || job.wait()).expect("a status").success());
                assert_eq!(watcher.join().expect("no panic"), 2);
            });
        }
    });
}

#[test]
fn a_detached_run_lives_on_after_its_events_were_read() {
    isolated(|| {
        let hang = role("hang").stdout(Redirect::null()).stdin(Redirect::piped()).spawn().expect("it starts");
        let process = hang.processes()[0].clone();
        let mut events = hang.events();
        assert!(events.next().is_some(), "it started");
        let watcher = std::thread::spawn(move || {
            // Drives until something happens, which is the end of what was detached.
            events.next()
        });
        hang.detach();
        process.kill().expect("it is there");
        watcher.join().expect("no panic");
        assert_eq!(process.wait().expect("ours").signal(), Some(libc::SIGKILL));
    });
}

#[test]
fn a_signal_that_ends_nothing_is_no_end() {
    isolated(|| {
        let job = role("hang").stdout(Redirect::null()).spawn().expect("it starts");
        job.send_signal(libc::SIGCONT).expect("it is there");
        job.kill().expect("a report");
        let killed = words(&job).into_iter().filter(|word| word.starts_with("killed")).collect::<Vec<_>>();
        assert_eq!(killed, ["killed 9"]);
    });
}

#[test]
fn a_line_is_told_while_the_child_lives() {
    isolated(|| {
        let job = role("hang").stdout(Redirect::capture()).spawn().expect("it starts");
        let began = Instant::now();
        let ready = job.events().find(|event| matches!(event.kind, EventKind::Line { .. })).expect("it says so");
        assert!(ready.at >= began - Duration::from_secs(10) && job.try_wait().expect("it is there").is_none());
        assert_eq!(word(&ready.kind), format!("line Some(0) {} ready", Stream::Stdout));
    });
}

/// What is written to stderr meanwhile.
fn stderr_of(act: impl FnOnce()) -> String {
    let (mut reader, writer) = pipewright::pipe::kernel().expect("a pipe");
    let saved = nix::unistd::dup(std::io::stderr()).expect("a copy");
    nix::unistd::dup2_stderr(&writer).expect("in its place");
    drop(writer);
    act();
    nix::unistd::dup2_stderr(&saved).expect("as before");
    let mut said = String::new();
    std::io::Read::read_to_string(&mut reader, &mut said).expect("text");
    said
}

#[test]
fn a_dropped_job_is_told_of_on_stderr_where_that_is_asked_for() {
    isolated(|| {
        let hang = role("hang").stdout(Redirect::null()).label("forgotten");
        let start = || hang.spawn().expect("it starts");
        assert_eq!(stderr_of(|| drop(start())), "", "off unless set");
        Job::warn_when_dropped(true);
        let said = stderr_of(|| drop(start()));
        let expected = format!("was dropped before a wait saw its end, and was ended; started at {}:", file!());
        assert_eq!(said.contains(&expected) && said.contains(" hang"), cfg!(debug_assertions), "{said}");
        let seen_to = stderr_of(|| {
            let job = start();
            job.kill().expect("a report");
            job.wait().expect("a status");
            role("exit").arg("0").spawn().expect("it starts").detach();
            drop(role("yes").lines().expect("it starts"));
        });
        assert_eq!(seen_to, "");
    });
}

#[test]
fn a_stop_and_its_end_are_told_and_are_no_end() {
    isolated(|| {
        // Driven by the thread that asks, and by one that drove it before.
        for timeout in [None, Some(Duration::from_secs(60))] {
            let cat = role("cat").stdin(Redirect::piped()).stdout(Redirect::null());
            let cat = timeout.into_iter().fold(cat, |cat, timeout| cat.timeout(timeout));
            let job = cat.spawn().expect("it starts");
            let mut events = job.events().map(|event| word(&event.kind));
            assert!(events.next().expect("it began").starts_with("started 0"));
            let cat = &job.processes()[0];
            cat.send_signal(libc::SIGSTOP).expect("it is there");
            assert_eq!(events.next().expect("more"), format!("stopped 0 Some({})", libc::SIGSTOP));
            cat.send_signal(libc::SIGCONT).expect("it is there");
            assert_eq!(events.next().expect("more"), "stopped 0 None");
            drop(job.take_stdin());
            assert_eq!(events.collect::<Vec<_>>(), ["exited 0: exited with code 0".to_owned(), good_end()]);
        }
    });
}
