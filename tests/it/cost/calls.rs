//! What a start costs in system calls: this process's own, and the child's up to its exec. Each is there for a promise; one more is a
//! regression.

use pipewright::Resource;

use crate::prelude::*;

/// Calls by name: the library's, and those of children before their `execve`.
#[derive(Debug, PartialEq)]
struct Calls {
    ours: BTreeMap<String, usize>,
    childs: BTreeMap<String, usize>,
}

/// The allocator's and the locks', which come and go.
const PASSED_OVER: [&str; 7] = ["brk", "mmap", "munmap", "mprotect", "madvise", "futex", "sched_yield"];

fn count_in(log: &str) -> Calls {
    let lines = || log.lines().filter_map(|line| line.split_once(' ')).map(|(pid, call)| (pid, call.trim_start()));
    // The first one became the program that is traced. Threads do not become anything.
    let first = lines().next().map(|(pid, _)| pid);
    let children: BTreeSet<&str> =
        lines().filter(|(pid, call)| Some(*pid) != first && call.starts_with("execve(")).map(|(pid, _)| pid).collect();
    let mut gone = BTreeSet::new();
    let mut last = BTreeMap::new();
    let mut calls = Calls { ours: BTreeMap::new(), childs: BTreeMap::new() };
    for (pid, call) in lines().filter(|(_, call)| !call.starts_with("+++")) {
        let name = call.split('(').next().unwrap_or_default();
        if !gone.contains(pid) && !call.starts_with("<...") && !PASSED_OVER.contains(&name) {
            let of = if children.contains(pid) { &mut calls.childs } else { &mut calls.ours };
            *of.entry(name.to_owned()).or_default() += 1;
            // A std with debug assertions looks whether a descriptor is open before it closes it.
            // Each ends in a bracket, or in a word of strace's where another process came in between.
            let arguments = call.split([')', '<']).next().unwrap_or_default().trim_end();
            let looked = arguments.strip_prefix("close(").map(|fd| format!("fcntl({fd}, F_GETFD"));
            if looked.is_some_and(|looked| last.get(pid) == Some(&looked)) {
                *of.entry("fcntl".to_owned()).or_default() -= 1;
            }
            last.insert(pid, arguments.to_owned());
        }
        if children.contains(pid) && call.contains("execve") && call.ends_with("= 0") {
            gone.insert(pid);
        }
    }
    calls
}

const FEW: usize = 6;
const MORE: usize = 10;

fn counted(part: &str, times: usize) -> Calls {
    count_in(&traced(&format!("{part} {times}"), &["trace=all"]))
}

/// What one more run of `part` costs, without the library's calls in `at_most`, whose number varies: at most that many each.
fn cost_of(part: &str, at_most: &[(&str, usize)]) -> Calls {
    let (few, mut more) = (counted(part, FEW), counted(part, MORE));
    if !at_most.is_empty() {
        let none = counted(part, 0);
        for &(name, limit) in at_most {
            let count = more.ours.remove(name).unwrap_or(0) - none.ours.get(name).copied().unwrap_or(0);
            assert!(count <= limit * MORE, "{part}: {count} of {name} in {MORE} runs");
        }
    }
    let less = |more: BTreeMap<String, usize>, few: &BTreeMap<String, usize>| {
        let each = more.into_iter().map(|(name, count)| {
            let difference = count.saturating_sub(few.get(&name).copied().unwrap_or(0));
            (name, difference.div_ceil(MORE - FEW))
        });
        each.filter(|(_, count)| *count > 0).collect()
    };
    Calls { ours: less(more.ours, &few.ours), childs: less(more.childs, &few.childs) }
}

fn quiet() -> Cmd {
    role("exit").arg("0")
}

fn run(part: &str) {
    match part {
        "spawn" => assert!(quiet().status().expect("it runs").success()),
        "options" => {
            let cmd = quiet().new_session(true).umask(0o27).current_dir("/").rlimit(Resource::Core, 0, 0).nice(1);
            assert!(cmd.status().expect("it runs").success());
        }
        "read" => assert_eq!(role("echo").arg("hello").read().expect("it runs"), "hello"),
        "output" => drop(role("echo").arg("hello").output().expect("it runs")),
        "three" => drop((quiet() | quiet() | quiet()).run().expect("it runs")),
        "null" => drop(quiet().stdin(Redirect::null()).stdout(Redirect::null()).run().expect("it runs")),
        _ => panic!("{part} is no part"),
    }
}

/// Names and counts, as they are compared.
fn calls(list: &[(&str, usize)]) -> BTreeMap<String, usize> {
    list.iter().map(|&(name, count)| (name.to_owned(), count)).collect()
}

/// 64 signals; HUP, INT and QUIT are asked about, and TSTP, TTIN and TTOU have two values.
const SIGNALS: (&str, usize) = ("rt_sigaction", 70);

/// What every child does, and what it does for its options and redirections.
fn childs(children: usize, more: &[(&str, usize)]) -> BTreeMap<String, usize> {
    let each = [SIGNALS, ("rt_sigprocmask", 1), ("close_range", 1), ("execve", 1)];
    let mut all = calls(&each.map(|(name, count)| (name, count * children)));
    all.extend(calls(more));
    all
}

#[test]
fn a_start_takes_no_call_that_no_promise_needs() {
    isolated(|| {
        if let Ok(part) = std::env::var(PART) {
            let (part, times) = part.split_once(' ').expect("two words");
            return (0..times.parse().expect("a number")).for_each(|_| run(part));
        }
        if !can_trace() {
            return skip("no strace here, or it may not trace");
        }
        // Three looks at 0 to 2, of which one may be closed; the mask around the clone; the wait, which reaps; the pidfd.
        let own = [("fcntl", 3), ("rt_sigprocmask", 2), ("clone", 1), ("waitid", 1), ("close", 1)];
        assert_eq!(cost_of("spawn", &[]), Calls { ours: calls(&own), childs: childs(1, &[]) });
        progress();

        // An option costs its own call.
        let each = [("setsid", 1), ("umask", 1), ("chdir", 1), ("prlimit64", 1), ("setpriority", 1)];
        assert_eq!(cost_of("options", &[]), Calls { ours: calls(&own), childs: childs(1, &each) });
        progress();

        if cfg!(target_env = "musl") {
            return skip("the counts of what opens a file are glibc's: musl does it by other calls");
        }
        // `/dev/null` is opened once for both.
        let null = [("fcntl", 1), ("openat", 1), ("rt_sigprocmask", 2), ("clone", 1), ("waitid", 1), ("close", 2)];
        assert_eq!(cost_of("null", &[]), Calls { ours: calls(&null), childs: childs(1, &[("dup2", 2)]) });
        progress();

        // One stream is read without asking first; its end takes a second read.
        let read = [
            ("openat", 1),
            ("fcntl", 1),
            ("pipe2", 1),
            ("rt_sigprocmask", 2),
            ("clone", 1),
            ("read", 2),
            ("waitid", 1),
            ("close", 4),
        ];
        assert_eq!(cost_of("read", &[]), Calls { ours: calls(&read), childs: childs(1, &[("dup2", 2)]) });
        progress();

        let output = cost_of("output", &[("poll", 3), ("read", 5)]);
        let own = [
            ("openat", 1),
            ("fcntl", 2),
            ("pipe2", 2),
            ("rt_sigprocmask", 2),
            ("clone", 1),
            ("waitid", 1),
            ("close", 6),
        ];
        assert_eq!(output, Calls { ours: calls(&own), childs: childs(1, &[("dup2", 3)]) });
        progress();

        // Two pipes, each grown to carry much.
        let three = cost_of("three", &[("poll", 2)]);
        let own = [("pipe2", 2), ("fcntl", 5), ("rt_sigprocmask", 6), ("clone", 3), ("waitid", 3), ("close", 7)];
        let line: Calls = Calls { ours: calls(&own), childs: childs(3, &[("dup2", 4)]) };
        assert_eq!(three, line);
    });
}

#[test]
fn the_stages_of_a_long_pipeline_cost_no_more_calls_than_those_of_a_short_one() {
    isolated(|| {
        if let Ok(part) = std::env::var(PART) {
            let line: Pipeline = (0..part.parse().expect("a number")).map(|_| quiet()).collect();
            line.run().expect("it runs");
            return;
        }
        if !can_trace() {
            return skip("no strace here, or it may not trace");
        }
        let sum = |stages: usize| {
            let log = traced(&stages.to_string(), &["trace=all"]);
            let mut calls = count_in(&log);
            // Once for each stage that ends at another time than the others.
            assert!(calls.ours.remove("poll").unwrap_or(0) <= stages + 1, "{log}");
            calls.ours.values().chain(calls.childs.values()).sum::<usize>()
        };
        let [few, some, many] = [10, 20, 40].map(sum);
        assert_eq!((many - some) / 20, (some - few) / 10, "{few}, {some}, {many} calls of 10, 20, 40 stages");
    });
}
