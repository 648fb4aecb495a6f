//! Every kind of rearrangement of the numbers 0 to 9.

use pipewright::fd::dup_above;

use super::*;
use crate::prelude::*;

/// The files that are this process's 0 to 9.
struct Ten([Arc<OwnedFd>; 10]);

impl Ten {
    /// Runs `f` with ten files as 0 to 9, and everything that was there out of the way.
    fn with(f: impl FnOnce(&Ten)) {
        let files: Vec<Arc<OwnedFd>> = (0..10).map(|n| marked(n * 7)).collect();
        with_closed(&[0, 1, 2], || {
            let high: Vec<OwnedFd> = files.iter().map(|fd| dup_above(fd, 100).expect("a copy")).collect();
            drop(files);
            let low = high.iter().map(|fd| Arc::new(dup_above(fd, 0).expect("a copy")));
            let low: Vec<Arc<OwnedFd>> = low.collect();
            drop(high);
            assert!(low.iter().map(|fd| fd.as_raw_fd()).eq(0..10), "{low:?}");
            f(&Ten(low.try_into().expect("ten")));
        });
    }

    /// The child's number `n` is this process's `permutation[n]`.
    fn check(&self, permutation: &[usize]) {
        let map = permutation.iter().enumerate();
        check_map(&map.map(|(number, &source)| (number as i32, Arc::clone(&self.0[source]))).collect());
        progress();
    }
}

/// Every way to write `n` as a sum, the greatest first: the lengths of a permutation's cycles.
fn partitions(n: usize, most: usize) -> Vec<Vec<usize>> {
    if n == 0 {
        return vec![Vec::new()];
    }
    let firsts = (1..=n.min(most)).rev();
    firsts
        .flat_map(|first| partitions(n - first, first).into_iter().map(move |rest| [vec![first], rest].concat()))
        .collect()
}

/// The permutation with these cycles, which go through `order`.
fn with_cycles(lengths: &[usize], order: &[usize]) -> Vec<usize> {
    let mut permutation = vec![0; order.len()];
    let mut rest = order;
    for &length in lengths {
        let (cycle, after) = rest.split_at(length);
        for (at, &number) in cycle.iter().enumerate() {
            permutation[number] = cycle[(at + 1) % length];
        }
        rest = after;
    }
    permutation
}

fn shuffled(random: &mut Random, count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    for at in (1..count).rev() {
        order.swap(at, random.below(at + 1));
    }
    order
}

#[test]
fn every_cycle_structure_of_0_to_9_reaches_the_child() {
    isolated(|| {
        Ten::with(|ten| {
            let mut random = Random::new(4);
            let structures = partitions(10, 10);
            assert_eq!(structures.len(), 42);
            for lengths in structures {
                ten.check(&with_cycles(&lengths, &(0..10).collect::<Vec<_>>()));
                for _ in 0..count(1, 50) {
                    ten.check(&with_cycles(&lengths, &shuffled(&mut random, 10)));
                }
            }
        });
    });
}

#[test]
fn every_way_to_give_three_numbers_three_sources_reaches_the_child() {
    isolated(|| {
        Ten::with(|ten| {
            // Sources with themselves, with each other, twice and thrice: 27 maps onto 3 to 5, and 27 onto 2 to 4.
            for first in [2, 3] {
                for n in 0..27 {
                    let sources = [n % 3, n / 3 % 3, n / 9].map(|at| at + 3);
                    let map = (first..).zip(sources).map(|(to, from)| (to, Arc::clone(&ten.0[from])));
                    check_map(&map.collect::<BTreeMap<_, _>>());
                }
                progress();
            }
        });
    });
}
