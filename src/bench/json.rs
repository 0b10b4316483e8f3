//! Results as JSON in the shape that hyperfine exports (`--export-json`), so that scripts written for it work on ours.
//!
//! `results[]` holds `command`, `mean`, `stddev`, `median`, `user`, `system`, `min`, `max`, `times`, `exit_codes` and
//! `parameters`, times in seconds; added are `command_line` and each run's `user_times` and `system_times`.

use serde_json::{Value, json};

use super::{Comparison, Host, Sample, Series, State, Subject};

/// The version of the shape: see `docs/json.md`.
const SCHEMA: u32 = 1;

/// All series of `comparisons` in one document, with the machine beside them.
#[must_use]
pub fn to_json(comparisons: &[Comparison], host: &Host) -> Value {
    let results: Vec<Value> = comparisons
        .iter()
        .flat_map(|comparison| {
            comparison
                .series
                .iter()
                .map(|series| result(comparison, series))
        })
        .collect();
    json!({ "schema": SCHEMA, "results": results, "machine": host.to_json() })
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
/// The comparisons in a document that [`to_json`] made, in its order; none when it is not one.
#[must_use]
pub fn from_json(document: &Value) -> Option<Vec<Comparison>> {
    let mut comparisons: Vec<Comparison> = Vec::new();
    for result in document["results"].as_array()? {
        let parameter = |name| result["parameters"][name].as_str();
        let title = parameter("app")?;
        let state = [State::Cold, State::Warm]
            .into_iter()
            .find(|state| Some(state.name()) == parameter("state"))?;
        let same = |one: &&mut Comparison| one.title == title && one.state == state;
        let series = series(parameter("variant")?, result)?;
        if let Some(comparison) = comparisons.iter_mut().find(same) {
            comparison.series.push(series);
        } else {
            comparisons.push(Comparison {
                title: title.to_owned(),
                state,
                baseline: 0,
                series: vec![series],
            });
        }
    }
    Some(comparisons)
}

/// One result's samples; of its command only the line for people is left.
fn series(variant: &str, result: &Value) -> Option<Series> {
    let numbers = |name: &str| -> Option<Vec<f64>> {
        result[name].as_array()?.iter().map(Value::as_f64).collect()
    };
    let (walls, users) = (numbers("times")?, numbers("user_times")?);
    let (systems, codes) = (numbers("system_times")?, result["exit_codes"].as_array()?);
    let mut samples = Vec::new();
    for (at, &wall) in walls.iter().enumerate() {
        samples.push(Sample {
            wall,
            user: *users.get(at)?,
            system: *systems.get(at)?,
            exit_code: codes.get(at)?.as_i64()?.try_into().ok()?,
        });
    }
    let mut words = shlex::split(result["command_line"].as_str()?)?;
    let is_variable = |word: &String| !word.starts_with('/') && word.contains('=');
    let mut subject = Subject::new(variant, "", &[]);
    while words.first().is_some_and(is_variable) {
        let word = words.remove(0);
        let (name, value) = word.split_once('=')?;
        subject = subject.with_variable(name, value);
    }
    let mut words = words.into_iter();
    subject.program = words.next()?.into();
    subject.args = words.map(Into::into).collect();
    Some(Series { subject, samples })
}

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
        let document = to_json(&[comparison], &Host::here(Path::new("/")));
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

    #[test]
    fn what_was_written_reads_the_same() {
        let sample = |wall| Sample {
            wall,
            user: 0.125,
            system: 0.25,
            exit_code: 3,
        };
        let series = |name: &str, walls: &[f64]| Series {
            subject: Subject::new(name, "/a b/app", &["-x".into(), "it's".into()])
                .with_variable("A", "b c"),
            samples: walls.iter().map(|&wall| sample(wall)).collect(),
        };
        let comparison = |state, series| Comparison {
            title: "app".into(),
            state,
            baseline: 0,
            series,
        };
        let comparisons = [
            comparison(
                State::Warm,
                vec![series("one", &[1.0]), series("two", &[2.0, 3.0])],
            ),
            comparison(State::Cold, vec![series("one", &[4.0])]),
        ];
        let host = Host::here(Path::new("/"));
        let document = to_json(&comparisons, &host);
        let read = from_json(&document).unwrap();
        assert_eq!(read[0].series[1].samples, comparisons[0].series[1].samples);
        assert_eq!(to_json(&read, &host), document);
        assert!(from_json(&json!({"results": [{}]})).is_none());
    }
}
