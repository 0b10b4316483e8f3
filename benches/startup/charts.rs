//! A record as pictures: one for all, and one per state with every application.

use pexboot::internals::bench::{
    Bar, Chart, Comparison, Group, Measure, Role, State, comparison_chart,
};

use crate::apps::SMALL;
use crate::peers::{BASELINE, OURS, PEERS};
use crate::record::Record;
use crate::tables::conditions;

/// Geometric means over the small applications, cold and warm.
pub fn overview(record: &Record) -> Chart {
    let group = |state: State, label: &str| Group {
        label: label.to_owned(),
        bars: PEERS
            .iter()
            .filter_map(|peer| bar(record, state, peer.name))
            .collect(),
    };
    Chart {
        title: "Starting Python applications".to_owned(),
        note: format!(
            "Wall time as a multiple of the same application's console script in a plain virtual environment; \
             geometric mean over {}. {}.",
            SMALL.join(", "),
            record.host.line(),
        ),
        groups: vec![
            group(State::Warm, "Warm start"),
            group(State::Cold, "First start, nothing cached"),
        ],
    }
}

fn bar(record: &Record, state: State, variant: &str) -> Option<Bar> {
    let value = record.mean_multiple(&SMALL, state, variant, Measure::WallMedian)?;
    Some(Bar {
        label: variant.to_owned(),
        value,
        text: format!("{value:.2}×"),
        detail: String::new(),
        role: role(variant),
    })
}

/// Every application and variant in one state.
pub fn state(record: &Record, state: State) -> Chart {
    let comparisons: Vec<Comparison> = record
        .comparisons
        .iter()
        .filter(|one| one.state == state)
        .cloned()
        .collect();
    let measure = Measure::WallMedian;
    let title = match state {
        State::Cold => "Cold start",
        State::Warm => "Warm start",
    };
    let note = format!(
        "{} in ms, each application to its own scale. {}",
        measure.name(),
        conditions(record)
    );
    comparison_chart(title, &note, measure, &comparisons, role)
}

fn role(variant: &str) -> Role {
    match variant {
        BASELINE => Role::Baseline,
        name if name.starts_with(OURS) => Role::Ours,
        _ => Role::Other,
    }
}
