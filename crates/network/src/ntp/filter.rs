//! The clock filter (RFC 5905 chapter 10): of the last answers, the one that took the least time on its way is the
//! best, since what delays an answer also falsifies it.

use std::collections::VecDeque;
use std::time::Duration;

/// How many answers are kept.
const STAGES: usize = 8;
/// How much a clock may run away, in parts of a million (PHI of RFC 5905).
const DRIFT: u64 = 15;

/// What an answer says about the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sample {
    /// How far the clock is behind the server's, in nanoseconds.
    pub offset: i64,
    /// How long question and answer were on their way.
    pub delay: Duration,
    /// How wrong the server may be.
    pub distance: Duration,
    /// When it was taken, by the clock that never jumps.
    pub at: Duration,
}

impl Sample {
    /// How wrong it may be by now, at most.
    pub(super) fn error(&self, now: Duration) -> Duration {
        let age = now.saturating_sub(self.at);
        let drift =
            Duration::from_nanos(u64::try_from(age.as_micros()).unwrap_or(u64::MAX) / 1000 * DRIFT);
        self.delay / 2 + self.distance + drift
    }
}

/// The last answers of one server.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    samples: VecDeque<Sample>,
    /// When the sample was taken that was used last: an older one says nothing new.
    used: Option<Duration>,
}

impl Filter {
    /// Takes a sample in; gives the best one, when it has not been used yet.
    pub(super) fn add(&mut self, sample: Sample) -> Option<Sample> {
        if self.samples.len() == STAGES {
            self.samples.pop_front();
        }
        self.samples.push_back(sample);
        let best = *self.samples.iter().min_by_key(|kept| kept.error(sample.at))?;
        if self.used.is_some_and(|used| best.at <= used) {
            return None;
        }
        self.used = Some(best.at);
        Some(best)
    }

    /// How much the answers differ from one, as the root of the mean square.
    pub(super) fn jitter(&self, from: i64) -> Duration {
        let others = self.samples.len().saturating_sub(1).max(1);
        let squares: f64 = self
            .samples
            .iter()
            .map(|sample| seconds(sample.offset.saturating_sub(from)).powi(2))
            .sum();
        #[allow(clippy::cast_precision_loss, reason = "it is eight at most")]
        let mean = squares / others as f64;
        Duration::try_from_secs_f64(mean.sqrt()).unwrap_or(Duration::MAX)
    }

    pub(super) fn len(&self) -> usize {
        self.samples.len()
    }

    /// Forgets everything: the clock was set, or another server is asked.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[allow(clippy::cast_precision_loss, reason = "a jitter needs no more than 52 bits")]
fn seconds(nanoseconds: i64) -> f64 {
    nanoseconds as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(second: u64, offset: i64, delay: u64) -> Sample {
        Sample {
            offset,
            delay: Duration::from_millis(delay),
            distance: Duration::ZERO,
            at: Duration::from_secs(second),
        }
    }

    #[test]
    fn the_quickest_answer_counts_once() {
        let mut filter = Filter::default();
        assert_eq!(filter.add(sample(0, 5, 10)), Some(sample(0, 5, 10)));
        assert_eq!(filter.add(sample(1, 900, 80)), None, "a slow one is no better");
        assert_eq!(filter.add(sample(2, 6, 4)), Some(sample(2, 6, 4)));
        for second in 3..10 {
            assert_eq!(filter.add(sample(second, 1000, 50)), None);
        }
        assert!(filter.add(sample(10, 1000, 50)).is_some(), "the quick ones are forgotten");
        // With the years even a quick answer becomes a bad one.
        filter.clear();
        filter.add(sample(0, 5, 1));
        assert!(filter.add(sample(100_000, 7, 50)).is_some());
    }

    #[test]
    fn jitter_is_how_much_they_differ() {
        let mut filter = Filter::default();
        for (second, offset) in [(0, 1_000_000), (1, -1_000_000), (2, 1_000_000)] {
            filter.add(sample(second, offset, 1));
        }
        let jitter = filter.jitter(0).as_micros();
        assert!((1200..1300).contains(&jitter), "{jitter}");
    }
}
