//! A run that is dropped, waited for or failed, at any point, leaves no process behind.

use super::DROPPED_WITHIN;
use crate::prelude::*;

/// One that ends by itself, one that waits for its input, and those that have to be ended.
fn stage(random: &mut Random) -> Cmd {
    let roles: [&[&str]; 11] = [
        &["exit", "0"],
        &["echo", "x"],
        &["fail-with", "3", "text"],
        &["cat"],
        &["upper"],
        &["yes"],
        &["stubborn-yes"],
        &["ignore-term"],
        &["stop-self"],
        &["both", "200000"],
        &["close-stdin-hang"],
    ];
    let [name, args @ ..] = *random.pick(&roles) else { unreachable!("each has a name") };
    role(name).args(args)
}

fn pipeline(random: &mut Random) -> Pipeline {
    let stages: Pipeline = (0..=random.below(5)).map(|_| stage(random)).collect();
    let stages = match random.below(4) {
        0 => stages.stdin(Redirect::piped()),
        1 => stages.stdin(Redirect::bytes(vec![b'x'; 300_000])),
        2 => stages.stdin(Redirect::reader_with(|| Box::new(std::io::repeat(b'r')))),
        _ => stages.stdin(Redirect::null()),
    };
    let stages = match random.below(5) {
        0 => stages.stdout(Redirect::piped()),
        1 => stages.stdout(Redirect::capture()),
        2 => stages.stdout(Redirect::each_line(|_: &[u8]| ())),
        3 => stages.stdout(Redirect::tee([Redirect::capture(), Redirect::null()])),
        _ => stages.stdout(Redirect::null()),
    };
    let stages = match random.below(3) {
        0 => stages.stderr(Redirect::capture()),
        1 => stages.stderr(Redirect::piped()),
        _ => stages.stderr(Redirect::null()),
    };
    let ms = random.below(30) as u64;
    if random.one_in(3) { stages.timeout(Duration::from_millis(ms)).grace(Duration::from_millis(ms)) } else { stages }
}

/// What happens to a job before its end.
fn use_it(job: &Job, random: &mut Random) {
    for _ in 0..random.below(3) {
        match random.below(7) {
            0 => drop(job.take_stdin()),
            1 => drop(job.take_stdout()),
            2 => drop(job.take_stderr()),
            3 => drop(job.terminate()),
            4 => drop(job.try_wait()),
            5 => drop(job.processes()[random.below(job.processes().len())].kill()),
            _ => drop(job.wait_timeout(Duration::from_micros(random.below(3000) as u64))),
        }
    }
}

#[test]
fn a_drop_at_any_point_is_short_and_leaves_no_process() {
    isolated(|| {
        let mut random = Random::new(21);
        for _ in 0..count(60, 2000) {
            let Ok(job) = pipeline(&mut random).spawn() else { continue };
            use_it(&job, &mut random);
            within(DROPPED_WITHIN, || drop(job));
            assert_childless();
            progress();
        }
    });
}

#[test]
fn pipelines_of_five_leave_no_process_however_they_end() {
    isolated(|| {
        let mut random = Random::new(3);
        for _ in 0..count(60, 10_000) {
            let ends = ["cat", "exit", "echo", "head"];
            let mut five: Vec<Cmd> = (0..5).map(|_| role(ends[random.below(ends.len())]).arg("0")).collect();
            let fails = random.one_in(3);
            if fails {
                five[random.below(5)] = Cmd::new("/nonexistent/program");
            }
            let five = five.into_iter().collect::<Pipeline>().stdin(Redirect::bytes("in")).stderr(Redirect::null());
            let five = five.stdout(Redirect::capture()).unchecked();
            match (five.spawn(), random.below(4)) {
                (Err(error), _) => assert!(fails, "{error:?}"),
                (Ok(job), 0) => drop(job.wait().expect("a status")),
                (Ok(job), 1) => drop(job.output().expect("unchecked")),
                (Ok(job), 2) => drop(job.shutdown(Duration::from_secs(30)).expect("they end")),
                (Ok(job), _) => drop(job),
            }
            assert_childless();
            progress();
        }
    });
}

#[test]
fn a_drop_does_not_wait_for_a_callback() {
    isolated(|| {
        let (entered, inside) = channel();
        let (release, released) = channel::<()>();
        let stuck = move |_: &[u8]| {
            let _ = entered.send(());
            let _ = released.recv();
        };
        let yes = (role("yes") | role("cat")).stdin(Redirect::null()).stdout(Redirect::each_line(stuck));
        let job = yes.spawn().expect("it starts");
        inside.recv().expect("the first line");
        within(DROPPED_WITHIN, || drop(job));
        // Although their thread sits in the callback.
        assert_childless();
        // The callback is dropped; the lines after the one that it was called with reach no callback.
        drop((release, yes));
        assert!(inside.iter().count() <= 1);
    });
}

#[test]
fn a_panic_while_a_verb_runs_leaves_no_process() {
    isolated(|| {
        let yes = role("yes") | role("cat");
        let panics = || yes.for_each_line(|_| -> () { panic!("a panic of the caller's") }).map(drop);
        let result = catch_unwind(AssertUnwindSafe(panics));
        assert!(!matches!(result, Ok(Ok(()))));
        assert_childless();
        let job = role("hang").stdin(Redirect::null()).stdout(Redirect::piped()).spawn().expect("it starts");
        let result = catch_unwind(AssertUnwindSafe(move || {
            let _job = job;
            panic!("a panic of the caller's");
        }));
        assert!(result.is_err());
        assert_childless();
    });
}
