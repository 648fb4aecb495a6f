//! Choices that look like chance and can be repeated.

/// SplitMix64: enough for choosing, and the same everywhere.
pub(crate) struct Random(u64);

impl Random {
    /// The seed is `PIPEWRIGHT_SEED`, or this test's own; it is printed, to be seen when the test fails.
    pub(crate) fn new(seed: u64) -> Random {
        let asked = std::env::var("PIPEWRIGHT_SEED").ok().and_then(|text| text.parse().ok());
        let seed = asked.unwrap_or(seed);
        println!("PIPEWRIGHT_SEED={seed}");
        Random(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Less than `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}
