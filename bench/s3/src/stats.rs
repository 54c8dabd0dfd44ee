//! Latencies: every one is kept (a row has at most a few hundred thousand), so that percentiles are exact.

use std::time::Duration;

/// The latencies of a row.
#[derive(Clone, Debug, Default)]
pub(crate) struct Latencies {
    sorted_micros: Vec<u32>,
}

impl Latencies {
    pub(crate) fn of(all: Vec<Duration>) -> Self {
        let mut sorted_micros: Vec<u32> = all
            .into_iter()
            .map(|d| u32::try_from(d.as_micros()).unwrap_or(u32::MAX))
            .collect();
        sorted_micros.sort_unstable();
        Self { sorted_micros }
    }

    /// The smallest latency that `share` of the requests did not exceed, in milliseconds.
    pub(crate) fn percentile(&self, share: f64) -> f64 {
        let rank = (share * self.sorted_micros.len() as f64).ceil() as usize;
        let micros = self
            .sorted_micros
            .get(rank.saturating_sub(1))
            .copied()
            .unwrap_or_default();
        f64::from(micros) / 1e3
    }

    pub(crate) fn max(&self) -> f64 {
        self.percentile(1.0)
    }
}

/// The median; of two middle ones the mean.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let upper = values.get(values.len() / 2).copied().unwrap_or(f64::NAN);
    if values.len() % 2 == 1 {
        return upper;
    }
    let lower = values
        .get((values.len() / 2).wrapping_sub(1))
        .copied()
        .unwrap_or(f64::NAN);
    f64::midpoint(lower, upper)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Latencies, median};

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let latencies = Latencies::of((1..=1000).rev().map(Duration::from_millis).collect());
        assert_eq!(latencies.percentile(0.5), 500.0);
        assert_eq!(latencies.percentile(0.999), 999.0);
        assert_eq!(latencies.max(), 1000.0);
        assert_eq!(Latencies::default().max(), 0.0);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0]), 2.5);
    }
}
