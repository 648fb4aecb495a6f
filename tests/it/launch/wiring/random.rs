//! Maps that chance made, against the plainest model: each number is what it was given.

use nix::sys::resource::Resource;
use pipewright::fd::dup_above;

use super::*;
use crate::prelude::*;

/// Descriptors of this process at low numbers, with gaps, and at some beyond a thousand.
fn sources() -> Vec<Arc<OwnedFd>> {
    let mut sources: Vec<Arc<OwnedFd>> = (1..16).map(|n| marked(n * 3)).collect();
    sources.retain(|fd| !matches!(fd.as_raw_fd(), 5 | 6 | 11));
    for least in [1000, 1001, 1500] {
        let file = marked(least);
        sources.push(Arc::new(dup_above(&file, least as i32).expect("the limit is higher")));
    }
    sources
}

/// A number that collides with something: our sources, the run's own pipes, the fork's status pipe, high ones.
fn number(random: &mut Random) -> i32 {
    let number = if random.one_in(5) { 995 + random.below(12) } else { random.below(30) };
    i32::try_from(number).expect("small")
}

#[test]
fn random_maps_reach_the_child_as_a_model_has_them() {
    isolated(|| {
        let limit = getrlimit(Resource::RLIMIT_NOFILE).expect("the limit can be read").0;
        if limit < 2000 {
            return skip("fewer than 2,000 descriptors are allowed here");
        }
        let sources = sources();
        let mut random = Random::new(10_000);
        for _ in 0..count(200, 10_000) {
            let map: BTreeMap<i32, Arc<OwnedFd>> =
                (0..random.below(12)).map(|_| (number(&mut random), Arc::clone(random.pick(&sources)))).collect();
            check_map(&map);
            progress();
        }
    });
}

/// A stage with one-shots, shared ones, streams of the run, all at once; the model says what each number is.
#[test]
fn random_pipelines_give_each_stage_its_own_map() {
    isolated(|| {
        let before = open_fds();
        let mut random = Random::new(4711);
        for _ in 0..count(60, 3000) {
            let mut models: Vec<BTreeMap<i32, State>> = Vec::new();
            let mut tell = |random: &mut Random| {
                let mut model = BTreeMap::new();
                let mut cmd = reporting();
                let numbers: BTreeSet<i32> = (0..random.below(6)).map(|_| 3 + random.below(12) as i32).collect();
                for number in numbers {
                    let fd = marked(random.below(50));
                    match random.below(4) {
                        0 => cmd = cmd.fd_out(number, Redirect::piped()),
                        1 => cmd = cmd.fd_in(number, Redirect::bytes("unread")),
                        2 => {
                            model.insert(number, State::of(&fd));
                            cmd = cmd.map_fd(fd, number);
                        }
                        _ => {
                            model.insert(number, State::of(&fd));
                            let fd = Arc::try_unwrap(fd).expect("the only owner");
                            // Under its own number now and then.
                            cmd = cmd.map_fd(fd, number);
                        }
                    }
                }
                models.push(model);
                cmd
            };
            let mut line = pipewright::Pipeline::from(tell(&mut random));
            for _ in 0..random.below(4) {
                line = line | tell(&mut random);
            }
            let output = line.run().expect("it runs");
            for (stage, model) in models.iter().enumerate() {
                let report = output.fds.iter().find(|fd| (fd.stage, fd.number) == (stage, REPORT));
                let seen = parsed(report.expect("each stage reports").bytes.to_str().expect("text"));
                for (number, state) in model {
                    assert_eq!(seen.get(number), Some(state), "fd {number} of stage {stage}");
                }
                assert!(seen.values().all(|state| !state.cloexec));
            }
            drop(line);
            progress();
        }
        crate::support::assert_no_new_fd(&before);
    });
}

#[test]
fn numbers_up_to_the_very_last_are_given() {
    isolated(|| {
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("the limit can be read");
        nix::sys::resource::setrlimit(Resource::RLIMIT_NOFILE, 300, hard).expect("it can be lowered");
        let file = marked(9);
        for number in [3, 255, 256, 298, 299] {
            check_map(&BTreeMap::from([(number, Arc::clone(&file))]));
        }
        // A swap below the last: somewhere a third copy has to be for a moment.
        let last = [297, 298].map(|least| Arc::new(dup_above(marked(least as usize), least).expect("it is free")));
        assert_eq!(last.each_ref().map(|fd| fd.as_raw_fd()), [297, 298]);
        let [a, b] = last;
        check_map(&BTreeMap::from([(297, b), (298, a)]));
    });
}

#[test]
fn a_source_may_have_many_numbers_and_all_are_one_description() {
    isolated(|| {
        let file = marked(21);
        let all = [0, 3, 4, 5, 8, 9, 63, 64, 500, 1023].map(|number| (number, Arc::clone(&file)));
        check_map(&BTreeMap::from(all));
        // What the child reads from one it has read from all, and so have we.
        let line = crate::support::role("fan").args(["3", "1"]).stdin(Redirect::null());
        let copy = dup_above(&file, 3).expect("a copy");
        nix::unistd::lseek(&copy, 1, nix::unistd::Whence::SeekSet).expect("a file");
        let output = line.map_fd(Arc::clone(&file), 3).map_fd(file, 9).read().expect("it runs");
        assert_eq!(output.len(), 20);
        assert_eq!(State::of(&copy).offset, 21);
    });
}
