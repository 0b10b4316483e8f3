//! Results as JSON in the shape that hyperfine exports (`--export-json`), so that scripts written for it work on ours.
//!
//! `results[]` holds `command`, `mean`, `stddev`, `median`, `user`, `system`, `min`, `max`, `times`, `exit_codes` and
//! `parameters`, times in seconds; added are `command_line` and each run's `user_times` and `system_times`.

use serde_json::{Value, json};

use super::{Comparison, Machine, Sample, Series, State};

/// All series of `comparisons` in one document, with the machine beside them.
#[must_use]
pub fn to_json(comparisons: &[Comparison], machine: &Machine) -> Value {
    let results: Vec<Value> = comparisons
        .iter()
        .flat_map(|comparison| {
            comparison
                .series
                .iter()
                .map(|series| result(comparison, series))
        })
        .collect();
    json!({ "results": results, "machine": machine.to_json() })
}

fn result(comparison: &Comparison, series: &Series) -> Value {
    let wall = series.wall();
    let all = |figure: fn(&Sample) -> f64| series.samples.iter().map(figure).collect::<Vec<f64>>();
    json!({
        "command": label(comparison, series),
        "mean": wall.mean,
        "stddev": wall.deviation,
        "median": wall.median,
        "user": series.summary(|sample| sample.user).mean,
        "system": series.summary(|sample| sample.system).mean,
        "min": wall.min,
        "max": wall.max,
        "times": all(|sample| sample.wall),
        "user_times": all(|sample| sample.user),
        "system_times": all(|sample| sample.system),
        "exit_codes": series.samples.iter().map(|sample| sample.exit_code).collect::<Vec<_>>(),
        "parameters": {
            "app": comparison.title,
            "state": comparison.state.name(),
            "variant": series.subject.name,
        },
        "command_line": series.subject.command_line(),
    })
}

/// One name per result, as hyperfine's plots label by it.
fn label(comparison: &Comparison, series: &Series) -> String {
    let state = match comparison.state {
        State::Cold => ", cold",
        State::Warm => "",
    };
    format!("{}: {}{state}", comparison.title, series.subject.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::Subject;
    use std::path::Path;

    #[test]
    fn a_result_has_what_hyperfines_scripts_read() {
        let sample = |wall| Sample {
            wall,
            user: 0.1,
            system: 0.2,
            exit_code: 0,
        };
        let subject = Subject::new("embedded", "/x/app", &["--help".into()]);
        let series = Series {
            subject,
            samples: vec![sample(1.0), sample(3.0)],
        };
        let comparison = Comparison {
            title: "app".into(),
            state: State::Cold,
            baseline: 0,
            series: vec![series],
        };
        let document = to_json(&[comparison], &Machine::here(Path::new("/")));
        let result = &document["results"][0];
        assert_eq!(result["command"], "app: embedded, cold");
        assert_eq!(result["times"], json!([1.0, 3.0]));
        assert_eq!(result["exit_codes"], json!([0, 0]));
        for (key, value) in [
            ("mean", 2.0),
            ("median", 2.0),
            ("min", 1.0),
            ("max", 3.0),
            ("user", 0.1),
            ("system", 0.2),
        ] {
            assert_eq!(result[key], json!(value), "{key}");
        }
        assert_eq!(result["stddev"], json!(2.0_f64.sqrt()));
    }
}
