use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::RawFd;

use proptest::prelude::*;

use super::{ChildTable, FdOp, FdSource, Refused, gaps};

/// A descriptor table: number → (which description, close-on-exec).
type Table = BTreeMap<RawFd, (usize, bool)>;

fn map_of(pairs: &[(RawFd, RawFd)]) -> ChildTable {
    let mut map = ChildTable::new();
    for &(source, target) in pairs {
        map.insert(source, target).unwrap();
    }
    map
}

/// Does to `table` what the kernel would; panics where a system call would fail.
fn execute(ops: &[FdOp], table: &mut Table) {
    let mut temps = Vec::new();
    for op in ops {
        match *op {
            FdOp::Save { from, above, temp } => {
                assert_eq!(temp, temps.len(), "saves are numbered in order");
                let number = (above..).find(|n| !table.contains_key(n)).unwrap();
                table.insert(number, (table[&from].0, true));
                temps.push(number);
            }
            FdOp::Dup2 { from, to } => {
                let from = match from {
                    FdSource::Fd(fd) => fd,
                    FdSource::Temp(k) => temps[k],
                };
                assert_ne!(from, to, "dup2(n, n) would leave close-on-exec set");
                table.insert(to, (table[&from].0, false));
            }
            FdOp::Keep { fd } => table.get_mut(&fd).unwrap().1 = false,
        }
    }
}

/// The cycles of two or more numbers that no entry outside reads, found by walking target → source.
fn closed_cycles(pairs: &[(RawFd, RawFd)]) -> usize {
    let source_of: BTreeMap<RawFd, RawFd> = pairs.iter().map(|&(source, target)| (target, source)).collect();
    let mut cycles = BTreeSet::new();
    for &start in source_of.keys() {
        let mut members = BTreeSet::from([start]);
        let mut at = start;
        while let Some(&source) = source_of.get(&at) {
            at = source;
            if !members.insert(at) {
                break;
            }
        }
        // A walk that came back to where it began has seen exactly its cycle.
        if members.len() > 1 && at == start {
            cycles.insert(members);
        }
    }
    cycles
        .iter()
        .filter(|cycle| !pairs.iter().any(|(source, target)| cycle.contains(source) && !cycle.contains(target)))
        .count()
}

fn check(pairs: &[(RawFd, RawFd)], strangers: &[(RawFd, bool)]) {
    let map = map_of(pairs);
    let ops = map.plan();

    let mut table = Table::new();
    for &(fd, cloexec) in strangers {
        let id = table.len();
        table.insert(fd, (id, cloexec));
    }
    for &(source, _) in pairs {
        let id = table.len();
        table.entry(source).or_insert((id, true));
    }
    let wanted: Table = pairs.iter().map(|&(source, target)| (target, (table[&source].0, false))).collect();

    execute(&ops, &mut table);
    let keep: Vec<RawFd> = map.targets().collect();
    assert!(keep.is_sorted());
    let gaps = gaps(&keep);
    table.retain(|&fd, _| {
        let fd = u32::try_from(fd).unwrap();
        !gaps.iter().any(|&(first, last)| (first..=last).contains(&fd))
    });
    assert_eq!(table, wanted, "{pairs:?} by {ops:?}");

    let top = pairs.iter().map(|&(source, target)| source.max(target)).max().unwrap_or(0);
    let saves = ops.iter().filter(|op| matches!(op, FdOp::Save { .. })).count();
    assert_eq!(saves, closed_cycles(pairs), "{pairs:?} by {ops:?}");
    assert!(ops.iter().all(|op| !matches!(op, FdOp::Save { above, .. } if *above <= top || *above < 3)));
    assert_eq!(ops.len(), pairs.len() + saves, "one op for each entry and save");
}

/// Every map from targets 0..=5 to sources 0..=5, each target given or not: all permutations, cycles, chains, fans.
#[test]
fn every_map_over_six_numbers() {
    let mut pairs = Vec::new();
    for code in 0..7_usize.pow(6) {
        pairs.clear();
        let mut rest = code;
        for target in 0..6 {
            let source = RawFd::try_from(rest % 7).unwrap();
            rest /= 7;
            if source < 6 {
                pairs.push((source, target));
            }
        }
        check(&pairs, &[(4, false), (7, true)]);
    }
}

fn number() -> impl Strategy<Value = RawFd> {
    prop_oneof![8 => 0..=9, 1 => 1000..=1005, 1 => 1000..=100_000]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn random_maps(
        map in prop::collection::btree_map(number(), number(), 0..14),
        strangers in prop::collection::btree_map(number(), any::<bool>(), 0..6),
    ) {
        let pairs: Vec<_> = map.into_iter().map(|(target, source)| (source, target)).collect();
        check(&pairs, &strangers.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn random_permutations(sources in Just((0..=9).collect::<Vec<RawFd>>()).prop_shuffle()) {
        check(&sources.into_iter().zip(0..).collect::<Vec<_>>(), &[]);
    }

    #[test]
    fn gaps_and_kept_numbers_partition_all_numbers(keep in prop::collection::btree_set(number(), 0..14)) {
        let keep: Vec<RawFd> = keep.into_iter().collect();
        let mut covered: Vec<(u64, u64)> = gaps(&keep).into_iter().map(|(a, b)| (a.into(), b.into())).collect();
        covered.extend(keep.iter().map(|&fd| u64::try_from(fd).unwrap()).map(|fd| (fd, fd)));
        covered.sort_unstable();
        let mut next = 0;
        for (first, last) in covered {
            prop_assert!(first == next && first <= last);
            next = last + 1;
        }
        prop_assert_eq!(next, 1 << 32);
    }
}

#[test]
fn a_swap_saves_once() {
    use FdSource::{Fd, Temp};
    assert_eq!(
        map_of(&[(0, 1), (1, 0)]).plan(),
        [
            FdOp::Save { from: 0, above: 3, temp: 0 },
            FdOp::Dup2 { from: Fd(1), to: 0 },
            FdOp::Dup2 { from: Temp(0), to: 1 },
        ]
    );
}

#[test]
fn a_cycle_read_from_outside_needs_no_save() {
    use FdSource::Fd;
    assert_eq!(
        map_of(&[(0, 1), (1, 0), (1, 5)]).plan(),
        [FdOp::Dup2 { from: Fd(1), to: 5 }, FdOp::Dup2 { from: Fd(0), to: 1 }, FdOp::Dup2 { from: Fd(5), to: 0 },]
    );
}

#[test]
fn chains_run_from_their_end() {
    use FdSource::Fd;
    assert_eq!(
        map_of(&[(0, 1), (1, 2), (7, 7)]).plan(),
        [FdOp::Keep { fd: 7 }, FdOp::Dup2 { from: Fd(1), to: 2 }, FdOp::Dup2 { from: Fd(0), to: 1 },]
    );
}

#[test]
fn gaps_lie_around_what_is_kept() {
    assert_eq!(gaps(&[]), [(0, u32::MAX)]);
    assert_eq!(gaps(&[0, 1, 2, 5]), [(3, 4), (6, u32::MAX)]);
    assert_eq!(gaps(&[3, 3, RawFd::MAX]), [(0, 2), (4, 0x7fff_fffe), (0x8000_0000, u32::MAX)]);
}

#[test]
fn refused_pairs_change_nothing() {
    let mut map = map_of(&[(4, 1)]);
    let before = map.clone();
    for (source, target) in [(5, 1), (-1, 2), (2, -1)] {
        assert_eq!(map.insert(source, target), Err(Refused), "{source} as {target}");
    }
    assert_eq!(map, before);
}

#[test]
fn the_highest_number_does_not_overflow() {
    let map = map_of(&[(RawFd::MAX, 0), (0, RawFd::MAX)]);
    assert!(map.plan().contains(&FdOp::Save { from: 0, above: RawFd::MAX, temp: 0 }));
}

#[test]
fn what_an_exec_leaves_open_needs_nothing_done_to_stay() {
    let mut map = map_of(&[(1, 2), (9, 7)]);
    map.insert_open(1).unwrap();
    map.insert_open(0).unwrap();
    assert_eq!(map.insert_open(2), Err(Refused));
    assert_eq!(map.insert_open(-1), Err(Refused));
    let dup = |from, to| FdOp::Dup2 { from: FdSource::Fd(from), to };
    assert_eq!(map.plan(), [dup(9, 7), dup(1, 2)]);
    assert_eq!((map.needed_below(), ChildTable::new().needed_below()), (10, 0));
    assert!(map.targets().eq([0, 1, 2, 7]));
}
