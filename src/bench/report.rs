//! Comparisons as people read them: tables and charts of medians and ratios.

use super::chart::{Bar, Chart, Group, Role};
use super::table::{Align, Table};
use super::{Series, State};

/// Several commands that did the same, in one state.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// What was started: the application.
    pub title: String,
    /// What the launchers found.
    pub state: State,
    /// The index in `series` that the others' ratios are to; where there is none, no ratio is shown.
    pub baseline: usize,
    /// The commands' samples; may be empty.
    pub series: Vec<Series>,
}

/// Which figure of a series a chart shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// The median of wall time: what a user waits.
    WallMedian,
    /// The minimum of CPU time: what the work costs, and the steadiest figure on a shared machine.
    CpuMinimum,
}

impl Measure {
    /// The figure, in seconds.
    #[must_use]
    pub fn of(self, series: &Series) -> f64 {
        match self {
            Measure::WallMedian => series.wall().median,
            Measure::CpuMinimum => series.cpu().min,
        }
    }

    /// Its name, for a chart's second line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Measure::WallMedian => "median wall time",
            Measure::CpuMinimum => "minimum CPU time",
        }
    }
}

impl Comparison {
    /// `series`' figure as a multiple of the baseline's; none without a baseline or when that is 0.
    #[must_use]
    pub fn ratio(&self, measure: Measure, series: &Series) -> Option<f64> {
        let baseline = measure.of(self.series.get(self.baseline)?);
        (baseline > 0.0).then(|| measure.of(series) / baseline)
    }
}

/// One row per command and state. Times in milliseconds; ratios are to each comparison's baseline.
#[must_use]
pub fn comparison_table(comparisons: &[Comparison]) -> Table {
    let mut table = Table::new([
        ("start", Align::Left),
        ("command", Align::Left),
        ("wall ms", Align::Right),
        ("± ms", Align::Right),
        ("min…max", Align::Right),
        ("ratio", Align::Right),
        ("CPU ms (min)", Align::Right),
        ("(median)", Align::Right),
        ("ratio", Align::Right),
    ]);
    let several = comparisons
        .windows(2)
        .any(|pair| pair[0].title != pair[1].title);
    for comparison in comparisons {
        let state = comparison.state.name();
        let start = if several {
            format!("{} {state}", comparison.title)
        } else {
            state.to_owned()
        };
        for series in &comparison.series {
            let (wall, cpu) = (series.wall(), series.cpu());
            table.row([
                start.clone(),
                series.subject.name.clone(),
                milliseconds(wall.median),
                wall.deviation.map(milliseconds).unwrap_or_default(),
                format!("{}…{}", milliseconds(wall.min), milliseconds(wall.max)),
                ratio(comparison.ratio(Measure::WallMedian, series)),
                milliseconds(cpu.min),
                milliseconds(cpu.median),
                ratio(comparison.ratio(Measure::CpuMinimum, series)),
            ]);
        }
    }
    table
}

/// A group of bars per comparison. `role` tells how a command's bar looks, by its name.
#[must_use]
pub fn comparison_chart(
    title: &str,
    note: &str,
    measure: Measure,
    comparisons: &[Comparison],
    role: impl Fn(&str) -> Role,
) -> Chart {
    let groups = comparisons
        .iter()
        .map(|comparison| Group {
            label: format!("{}, {}", comparison.title, comparison.state.name()),
            bars: comparison
                .series
                .iter()
                .map(|series| bar(comparison, series, measure, &role))
                .collect(),
        })
        .collect();
    Chart {
        title: title.to_owned(),
        note: note.to_owned(),
        groups,
    }
}

fn bar(
    comparison: &Comparison,
    series: &Series,
    measure: Measure,
    role: &impl Fn(&str) -> Role,
) -> Bar {
    let value = measure.of(series);
    let times = comparison
        .ratio(measure, series)
        .map(|ratio| format!("{ratio:.2}×"))
        .unwrap_or_default();
    Bar {
        label: series.subject.name.clone(),
        value,
        text: format!("{} ms", milliseconds(value)),
        detail: times,
        role: role(&series.subject.name),
    }
}

/// Seconds as milliseconds, with three significant digits where there are that many.
#[must_use]
pub fn milliseconds(seconds: f64) -> String {
    let value = seconds * 1000.0;
    let digits = if value < 10.0 {
        2
    } else {
        usize::from(value < 100.0)
    };
    format!("{value:.digits$}")
}

/// A ratio for a table's cell; empty when there is none.
#[must_use]
pub fn ratio(ratio: Option<f64>) -> String {
    ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{Sample, Subject};

    fn series(name: &str, walls: &[f64]) -> Series {
        let samples = walls
            .iter()
            .map(|&wall| Sample {
                wall,
                user: wall / 2.0,
                system: 0.0,
                exit_code: 0,
            })
            .collect();
        Series {
            subject: Subject::new(name, "/x", &[]),
            samples,
        }
    }

    fn comparison() -> Comparison {
        let series = vec![
            series("original", &[0.25, 0.5, 0.75]),
            series("embedded", &[0.125, 0.03125, 0.25]),
        ];
        Comparison {
            title: "app".into(),
            state: State::Warm,
            baseline: 0,
            series,
        }
    }

    #[test]
    fn ratios_are_to_the_baseline() {
        let comparison = comparison();
        assert_eq!(
            comparison.ratio(Measure::WallMedian, &comparison.series[1]),
            Some(0.25)
        );
        assert_eq!(
            comparison.ratio(Measure::CpuMinimum, &comparison.series[1]),
            Some(0.125)
        );
    }

    #[test]
    fn a_table_has_a_row_per_command() {
        let text = comparison_table(&[comparison()]).to_text();
        let rows: Vec<Vec<&str>> = text
            .lines()
            .skip(2)
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(
            rows[0],
            [
                "warm",
                "original",
                "500",
                "250",
                "250…750",
                "1.00",
                "125",
                "250",
                "1.00"
            ]
        );
        assert_eq!(
            rows[1],
            [
                "warm",
                "embedded",
                "125",
                "110",
                "31.2…250",
                "0.25",
                "15.6",
                "62.5",
                "0.12"
            ]
        );
    }

    #[test]
    fn milliseconds_keep_three_digits() {
        let shown = [0.000_123, 0.012_34, 0.123_4, 1.234].map(milliseconds);
        assert_eq!(shown, ["0.12", "12.3", "123", "1234"]);
    }
}
