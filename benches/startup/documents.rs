//! Puts a record where it is read: its report and charts beside it, and its tables into the documents that show them,
//! between `<!-- run NAME: WHAT -->` and `<!-- end of run -->`.

use std::error::Error;
use std::fs;
use std::path::Path;

use pexboot::internals::bench::{Measure, State, fill};

use crate::apps::SMALL;
use crate::peers::{OURS, PEX};
use crate::record::Record;
use crate::{charts, goals, tables};

/// The documents with such places.
const DOCUMENTS: [&str; 3] = ["README.md", "docs/comparison.md", "docs/performance.md"];

/// Writes the run's report and charts into its directory, and fills the documents' places for a run of that name.
pub fn write(record: &Record, directory: &Path, name: &str) -> Result<(), Box<dyn Error>> {
    let charts = [
        ("overview.svg", charts::overview(record)),
        ("warm.svg", charts::state(record, State::Warm)),
        ("cold.svg", charts::state(record, State::Cold)),
    ];
    for (file, chart) in charts {
        fs::write(directory.join(file), chart.to_svg())?;
    }
    fs::write(directory.join("README.md"), tables::report(record))?;
    for document in DOCUMENTS {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(document);
        let before = fs::read_to_string(&path)?;
        let after = fill(&before, name, &|what| block(record, name, what))
            .map_err(|error| format!("{document}: {error}"))?;
        if after != before {
            fs::write(path, after)?;
        }
    }
    Ok(())
}

/// What stands in a place; none when there is no such thing.
fn block(record: &Record, name: &str, what: &str) -> Option<String> {
    Some(match what {
        "conditions" => format!(
            "{} [Everything that was measured](../benches/runs/{name}/README.md), [every sample](../benches/runs/{name}/results.json).",
            tables::conditions(record)
        ),
        "targets" => goals::table(record).to_markdown(),
        "warm" => tables::warm(record, true),
        "warm, large" => tables::warm(record, false),
        "cold" => tables::cold(record, true),
        "cold, large" => tables::cold(record, false),
        "xar" => tables::xar(record),
        "chart" => format!(
            "![Start-up of Python applications, packed in different ways](benches/runs/{name}/overview.svg)"
        ),
        "summary" => summary(record, name),
        _ => return None,
    })
}

/// What the chart says, in a sentence; nothing when the record does not have it.
fn summary(record: &Record, name: &str) -> String {
    let mean = |state, variant| record.mean_multiple(&SMALL, state, variant, Measure::WallMedian);
    let all = [
        (State::Warm, OURS),
        (State::Warm, PEX),
        (State::Cold, OURS),
        (State::Cold, PEX),
    ];
    let means: Option<Vec<f64>> = all
        .iter()
        .map(|&(state, variant)| mean(state, variant))
        .collect();
    let Some([warm, pex_warm, cold, pex_cold]) = means.as_deref() else {
        return String::new();
    };
    format!(
        "Over five applications, the geometric mean of a warm start is {warm:.2} times that of a plain virtual \
         environment, where the PEX as it was takes {pex_warm:.1}; of the very first start {cold:.1}, where it takes \
         {pex_cold:.1}. [Every figure, and every other way of packing that was compared](benches/runs/{name}/README.md)."
    )
}
