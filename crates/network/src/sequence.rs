//! Numbers that look random, from a seed that is: protocol machines have no randomness of their own.

/// A sequence of numbers that only its seed tells (SplitMix64).
#[derive(Clone, Debug)]
pub(crate) struct Sequence(u64);

impl Sequence {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// The upper half of the next number.
    pub(crate) fn next_u32(&mut self) -> u32 {
        u32::try_from(self.next() >> 32).unwrap_or_default()
    }

    /// `time`, an eighth longer or shorter at most, so that machines that start together do not stay together.
    pub(crate) fn spread(&mut self, time: std::time::Duration) -> std::time::Duration {
        time - time / 8 + time / 1024 * (self.next_u32() % 256)
    }
}
