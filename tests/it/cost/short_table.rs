//! Children that begin on this process's own table of descriptors and cut a short copy off it: nothing of the long one reaches
//! them, nothing of it is lost here, and where the cut is refused they start without.

use std::sync::atomic::Ordering;

use crate::launch::descriptors::{careless_neighbour, found_in_children};
use crate::prelude::*;

/// Leaves the numbers above 250 in use and the lower ones free, which a start has seen to be taken: the library then knows that the
/// table is long, and what it opens gets low numbers.
fn long_table() -> Vec<File> {
    let null = File::open("/dev/null").expect("it opens");
    let mut files: Vec<File> = (0..300).map(|_| null.try_clone().expect("the limit is not reached")).collect();
    role("exit").arg("0").run().expect("it runs");
    files.drain(..250);
    files
}

/// More starts than are made without a look at whether the cut works.
fn some_starts() {
    for _ in 0..6 {
        role("exit").arg("0").run().expect("it runs");
    }
}

/// Every kind of start: nothing redirected, pipes, files, stages, a map with a cycle.
fn tour() {
    let hostile = hostile_fd();
    let _table = long_table();
    some_starts();
    assert_eq!(role("count-fds").read().expect("it runs"), "0\n1\n2");
    let both = role("say").args(["1", "out", "2", "err"]).output().expect("it runs");
    assert_eq!((both.stdout_str(), both.stderr_str()), (Ok("out"), Ok("err")));
    let line: Pipeline = (0..3).map(|_| role("cat")).collect();
    assert_eq!(line.stdin(Redirect::bytes("fed")).read().expect("it runs"), "fed");
    let null = || File::open("/dev/null").expect("it opens");
    let swapped =
        role("say").args(["1", "out", "2", "err"]).swap_stdout_stderr().map_fd(null(), 40).map_fd(null(), 900);
    assert_eq!(swapped.read().expect("it runs"), "err");
    let mapped = role("count-fds").map_fd(null(), 40).map_fd(null(), 900);
    assert_eq!(mapped.read().expect("it runs"), "0\n1\n2\n40\n900");
    // A cycle of three numbers: one of them is saved for a moment.
    let fds = [(); 3].map(|()| Arc::new(OwnedFd::from(null())));
    let numbers = fds.each_ref().map(AsRawFd::as_raw_fd);
    let turned = (0..3).fold(role("count-fds"), |cmd, at| cmd.map_fd(Arc::clone(&fds[at]), numbers[(at + 1) % 3]));
    let told = turned.read().expect("it runs");
    let mut expected: Vec<_> = [0, 1, 2].into_iter().chain(numbers).collect();
    expected.sort_unstable();
    assert_eq!(told, expected.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
    assert_eq!(role("count-fds").inherit_fds(true).read().expect("it runs"), "0\n1\n2\n7");
    drop(hostile);
}

/// What each process called first, and how many children began on a shared table.
struct Seen {
    first: BTreeMap<String, String>,
    shared: usize,
    cuts: usize,
    refused: usize,
}

fn look(log: &str) -> Seen {
    let mut first = BTreeMap::new();
    for line in log.lines() {
        let (pid, call) = line.split_once(' ').expect("a pid and a call");
        first.entry(pid.to_owned()).or_insert_with(|| call.trim_start().to_owned());
    }
    let is_child = |line: &&str| line.contains(" clone(") && line.contains("CLONE_FILES") && line.contains("SIGCHLD");
    let cut = |line: &&str| line.contains("CLOSE_RANGE_UNSHARE") && line.contains("4294967295");
    Seen {
        first,
        shared: log.lines().filter(is_child).count(),
        cuts: log.lines().filter(cut).count(),
        refused: log.lines().filter(cut).filter(|line| line.contains("= -1")).count(),
    }
}

#[test]
fn a_long_table_is_cut_by_the_childs_first_call() {
    isolated(|| {
        if std::env::var_os(PART).is_some() {
            return tour();
        }
        if !can_trace() {
            return skip("no strace here, or it may not trace");
        }
        let log = traced("tour", &["trace=all"]);
        let seen = look(&log);
        // All but the first few, and the one that inherits.
        assert!(seen.shared >= 9, "{} children began on the table of their parent", seen.shared);
        assert_eq!((seen.cuts, seen.refused), (seen.shared, 0));
        let began: BTreeSet<_> = seen.first.iter().filter(|(_, call)| call.contains("CLOSE_RANGE_UNSHARE")).collect();
        // The probe's child is one more.
        assert_eq!(began.len(), seen.shared + 1, "{:#?}", seen.first);
    });
}

#[test]
fn a_tour_with_a_long_table_leaves_it_as_it_was() {
    isolated(|| {
        let before = open_fds();
        tour();
        assert_no_new_fd(&before);
    });
}

#[test]
fn a_start_without_redirections_takes_one_call_for_all_descriptors() {
    isolated(|| {
        if std::env::var_os(PART).is_some() {
            return some_starts();
        }
        if !can_trace() {
            return skip("no strace here, or it may not trace");
        }
        let log = traced("few", &["trace=clone,close_range"]);
        let seen = look(&log);
        assert_eq!((seen.shared, seen.cuts), (2, 2), "{log}");
        // Four starts without, the probe, two with.
        assert_eq!(log.matches("close_range(").count(), 7, "{log}");
    });
}

#[test]
fn neither_the_child_nor_the_neighbours_lose_or_gain_a_descriptor_by_a_shared_table() {
    isolated(|| {
        let hostile = hostile_fd();
        let table = long_table();
        let stop = AtomicBool::new(false);
        let found = thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| careless_neighbour(&stop));
            }
            // One that would miss a descriptor that a child closed in the shared table.
            let keeper = scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let before: Vec<File> = (0..20).map(|_| table[0].try_clone().expect("it is open")).collect();
                    thread::yield_now();
                    for file in before {
                        assert!(file.metadata().is_ok(), "a descriptor of this process is gone");
                    }
                }
            });
            let found = found_in_children();
            stop.store(true, Ordering::Relaxed);
            keeper.join().expect("nothing was lost");
            found
        });
        assert_eq!(found, [const { None }; 16]);
        drop((hostile, table));
    });
}

/// From here on this thread and its children are refused the cut, and nothing else.
fn refuse_the_cut(errno: i32) {
    let load = |offset| filter(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset, 0, 0);
    let skip_unless = |value, skipped| filter(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, value, 0, skipped);
    let answer = |value| filter(libc::BPF_RET | libc::BPF_K, value, 0, 0);
    let mut program = [
        // The number of the call, then the lower half of its third argument (struct seccomp_data).
        load(0),
        skip_unless(libc::SYS_close_range as u32, 3),
        load(16 + 2 * 8),
        skip_unless(libc::CLOSE_RANGE_UNSHARE, 1),
        answer(libc::SECCOMP_RET_ERRNO | errno as u32),
        answer(libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: takes numbers.
    let set = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    assert_eq!(set, 0, "{}", io::Error::last_os_error());
    // SAFETY: the program lives on this stack, and the kernel copies it.
    let set = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
    assert_eq!(set, 0, "{}", io::Error::last_os_error());
}

fn filter(code: u32, k: u32, jt: u8, jf: u8) -> libc::sock_filter {
    libc::sock_filter { code: code as u16, jt, jf, k }
}

/// How often children are started once the cut is refused.
const REFUSED: usize = 3;

fn with_the_cut_refused(errno: i32, was_seen_to_work: bool) {
    let hostile = hostile_fd();
    let table = long_table();
    if was_seen_to_work {
        some_starts();
    }
    refuse_the_cut(errno);
    let before = open_fds();
    for _ in 0..REFUSED {
        assert_eq!(role("count-fds").read().expect("it runs"), "0\n1\n2");
        assert_no_new_fd(&before);
        assert_no_child();
    }
    drop((hostile, table));
}

#[test]
fn where_the_cut_is_refused_children_start_without_it() {
    isolated(|| {
        if let Ok(part) = std::env::var(PART) {
            let (errno, worked) = part.split_once(' ').expect("two words");
            return with_the_cut_refused(errno.parse().expect("a number"), worked == "true");
        }
        if cfg!(target_endian = "big") || !can_trace() {
            return skip("no strace here, or it may not trace, or the filter is not for this byte order");
        }
        // A shortage passes; what is not allowed or not known stays so.
        for (errno, times) in [(libc::EPERM, 1), (libc::ENOSYS, 1), (libc::ENOMEM, REFUSED), (libc::EMFILE, REFUSED)] {
            let log = traced(&format!("{errno} true"), &["trace=clone,close_range"]);
            assert_eq!(look(&log).refused, times, "errno {errno}: {log}");
            let log = traced(&format!("{errno} false"), &["trace=clone,close_range"]);
            assert_eq!(look(&log).shared, 0, "errno {errno}: {log}");
            progress();
        }
    });
}

/// Enough children at once to fill the low numbers with their pipes and descriptors.
const ALIVE: usize = 60;

#[test]
fn with_many_children_alive_the_next_one_needs_a_short_table_still() {
    isolated(|| {
        if std::env::var_os(PART).is_some() {
            let before = open_fds();
            let start = |_| role("cat").stdin(Redirect::piped()).stdout(Redirect::null()).spawn().expect("it starts");
            let jobs: Vec<_> = (0..ALIVE).map(start).collect();
            for job in &jobs {
                assert!(job.wait().expect("it ends").success());
            }
            drop(jobs);
            return assert_no_new_fd(&before);
        }
        if !can_trace() {
            return skip("no strace here, or it may not trace");
        }
        let log = traced("many", &["trace=clone,close_range"]);
        let cut_at = |line: &str| {
            line.split_once("close_range(")?.1.split_once(", 4294967295, CLOSE_RANGE_UNSHARE")?.0.parse().ok()
        };
        let cuts: Vec<u32> = log.lines().filter_map(cut_at).collect();
        // Without care for the numbers, those of the last children would be beyond 120.
        assert!(cuts.len() > ALIVE / 2 && cuts.iter().all(|&cut| cut <= 64), "{cuts:?}");
    });
}
