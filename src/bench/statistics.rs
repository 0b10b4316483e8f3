//! What a handful of samples say: minimum, median, maximum, mean, standard deviation. All in seconds.

/// A summary of samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// The smallest: the best estimate of what the work itself costs, for CPU time.
    pub min: f64,
    /// The middle one, or the mean of the middle two.
    pub median: f64,
    /// The largest.
    pub max: f64,
    /// The arithmetic mean.
    pub mean: f64,
    /// The sample standard deviation (n - 1); none for fewer than two samples.
    pub deviation: Option<f64>,
}

impl Summary {
    /// Summarises `samples`; none when there are none.
    #[must_use]
    pub fn of(samples: impl IntoIterator<Item = f64>) -> Option<Summary> {
        let mut sorted: Vec<f64> = samples.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let (&min, &max) = (sorted.first()?, sorted.last()?);
        let count = sorted.len();
        let middle = count / 2;
        let median = if count % 2 == 1 {
            sorted[middle]
        } else {
            f64::midpoint(sorted[middle - 1], sorted[middle])
        };
        let mean = sorted.iter().sum::<f64>() / count as f64;
        let deviation = (count > 1).then(|| {
            let squares: f64 = sorted.iter().map(|sample| (sample - mean).powi(2)).sum();
            (squares / (count - 1) as f64).sqrt()
        });
        Some(Summary {
            min,
            median,
            max,
            mean,
            deviation,
        })
    }
}

/// The geometric mean, the one mean that ratios allow; none when there are none.
#[must_use]
pub fn geometric_mean(ratios: impl IntoIterator<Item = f64>) -> Option<f64> {
    let (mut count, mut logarithms) = (0_u32, 0.0);
    for ratio in ratios {
        count += 1;
        logarithms += ratio.ln();
    }
    (count > 0).then(|| (logarithms / f64::from(count)).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_and_even_counts() {
        let odd = Summary::of([3.0, 1.0, 8.0]).unwrap();
        assert_eq!(
            (odd.min, odd.median, odd.max, odd.mean),
            (1.0, 3.0, 8.0, 4.0)
        );
        let even = Summary::of([1.0, 4.0, 2.0, 9.0]).unwrap();
        assert_eq!((even.median, even.mean), (3.0, 4.0));
    }

    #[test]
    fn deviation_is_that_of_a_sample() {
        let summary = Summary::of([2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]).unwrap();
        assert!((summary.deviation.unwrap() - (32.0_f64 / 7.0).sqrt()).abs() < 1e-12);
        assert_eq!(Summary::of([1.0]).unwrap().deviation, None);
        assert_eq!(Summary::of([]), None);
    }

    #[test]
    fn geometric_mean_of_a_half_and_a_double_is_one() {
        assert!((geometric_mean([0.5, 2.0]).unwrap() - 1.0).abs() < 1e-12);
        assert_eq!(geometric_mean([]), None);
    }
}
