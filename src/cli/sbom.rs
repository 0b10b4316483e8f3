//! `pexboot sbom`: what is in a PEX as a bill of materials, SPDX 2.3 or CycloneDX 1.5, from the wheels' own metadata.
//!
//! The same file gives the same bytes: the time is SOURCE_DATE_EPOCH, else that of the file.

use std::path::PathBuf;

use pexboot_core::hex::hex;
use serde_json::{Value, json};

use super::error::CliError;
use crate::output::stdout;
use crate::packaging::headers::Headers;
use crate::packaging::names::normalise;
use crate::pex::Pex;
use crate::shown;

/// What `sbom` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Licences are what the wheels declare. A wheel's hash is the one that PEX-INFO promises and `pexboot verify` checks; it is \
over the installed files, not over a file of an index.

Examples:
  pexboot sbom app > app.spdx.json
  pexboot sbom --format cyclonedx app > app.cdx.json")]
pub struct Args {
    /// The PEX, embedded or not
    pex: PathBuf,
    /// The standard
    #[arg(long, value_enum, default_value_t = Format::Spdx)]
    format: Format,
}

/// The standards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// SPDX 2.3
    Spdx,
    /// CycloneDX 1.5
    Cyclonedx,
}

/// A wheel as it describes itself.
struct Part {
    name: String,
    version: String,
    /// An SPDX expression.
    expression: Option<String>,
    /// Any other text.
    licence: Option<String>,
    hash: String,
}

impl Part {
    /// The package URL.
    fn purl(&self) -> String {
        format!(
            "pkg:pypi/{}@{}",
            normalise(&self.name),
            self.version.replace('+', "%2B")
        )
    }
}

/// Prints the bill.
///
/// # Errors
/// When the PEX cannot be read.
pub fn run(args: &Args) -> Result<(), CliError> {
    let pex = Pex::open(&args.pex)?;
    let mut parts = Vec::new();
    for (wheel, hash) in &pex.info.distributions {
        let metadata = pex.metadata(wheel)?;
        let headers = Headers::parse(&metadata);
        let field = |name: &str| headers.first(name).map(str::to_owned);
        let unknown =
            |value: Option<String>| value.filter(|value| !value.is_empty() && value != "UNKNOWN");
        parts.push(Part {
            name: field("Name").unwrap_or_default(),
            version: field("Version").unwrap_or_default(),
            expression: unknown(field("License-Expression")),
            licence: unknown(field("License")),
            hash: hash.clone(),
        });
    }
    let name = args
        .pex
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let about = About {
        name,
        fingerprint: hex(&pex.fingerprint()?),
        created: time(created(&args.pex)?),
    };
    let value = match args.format {
        Format::Spdx => spdx(&about, &parts),
        Format::Cyclonedx => cyclonedx(&about, &parts),
    };
    stdout::print(&(shown::json(&value) + "\n"));
    Ok(())
}

/// The document.
struct About {
    name: String,
    fingerprint: String,
    created: String,
}

fn spdx(about: &About, parts: &[Part]) -> Value {
    let id = |index: usize| format!("SPDXRef-Package-{index}");
    let packages = parts.iter().enumerate().map(|(index, part)| {
        json!({
            "SPDXID": id(index),
            "name": part.name,
            "versionInfo": part.version,
            "downloadLocation": "NOASSERTION",
            "filesAnalyzed": false,
            "licenseConcluded": "NOASSERTION",
            "licenseDeclared": part.expression.as_deref().unwrap_or("NOASSERTION"),
            "licenseComments": part.licence,
            "copyrightText": "NOASSERTION",
            "comment": format!("hash of the installed files in PEX-INFO: {}", part.hash),
            "externalRefs": [{
                "referenceCategory": "PACKAGE-MANAGER",
                "referenceType": "purl",
                "referenceLocator": part.purl(),
            }],
        })
    });
    let root = json!({
        "SPDXID": "SPDXRef-Application",
        "name": about.name,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": false,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": "NOASSERTION",
        "copyrightText": "NOASSERTION",
        "comment": format!("fingerprint of the PEX: {}", about.fingerprint),
    });
    let relation = |from: &str, kind: &str, to: String| json!({ "spdxElementId": from, "relationshipType": kind, "relatedSpdxElement": to });
    let mut relations = vec![relation(
        "SPDXRef-DOCUMENT",
        "DESCRIBES",
        "SPDXRef-Application".to_owned(),
    )];
    relations.extend(
        (0..parts.len()).map(|index| relation("SPDXRef-Application", "CONTAINS", id(index))),
    );
    // A key without a value is none in SPDX.
    let packages = std::iter::once(root).chain(packages).map(|mut package| {
        if let Some(object) = package.as_object_mut() {
            object.retain(|_, value| !value.is_null());
        }
        package
    });
    let packages: Vec<Value> = packages.collect();
    json!({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": about.name,
        "documentNamespace": format!("urn:pex:sha256:{}", about.fingerprint),
        "creationInfo": {
            "created": about.created,
            "creators": [concat!("Tool: pexboot-", env!("CARGO_PKG_VERSION"))],
        },
        "packages": packages,
        "relationships": relations,
    })
}

fn cyclonedx(about: &About, parts: &[Part]) -> Value {
    let components = parts.iter().map(|part| {
        let licences = match (&part.expression, &part.licence) {
            (Some(expression), _) => json!([{ "expression": expression }]),
            (None, Some(name)) => json!([{ "license": { "name": name } }]),
            (None, None) => json!([]),
        };
        json!({
            "type": "library",
            "bom-ref": part.purl(),
            "name": part.name,
            "version": part.version,
            "purl": part.purl(),
            "licenses": licences,
            "properties": [{ "name": "pexboot:installed-files-hash", "value": part.hash }],
        })
    });
    json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": about.created,
            "tools": { "components": [{
                "type": "application", "name": "pexboot", "version": env!("CARGO_PKG_VERSION"),
            }] },
            "component": {
                "type": "application",
                "bom-ref": about.fingerprint,
                "name": about.name,
                "properties": [{ "name": "pexboot:fingerprint", "value": about.fingerprint }],
            },
        },
        "components": components.collect::<Vec<_>>(),
    })
}

/// Seconds since 1970 that the bill names.
fn created(pex: &std::path::Path) -> std::io::Result<i64> {
    use std::os::unix::fs::MetadataExt as _;
    let told = std::env::var("SOURCE_DATE_EPOCH").ok();
    match told.and_then(|told| told.parse().ok()) {
        Some(seconds) => Ok(seconds),
        None => Ok(std::fs::metadata(pex)?.mtime()),
    }
}

/// A time as RFC 3339 has it, in UTC (days to civil dates: Howard Hinnant, `civil_from_days`).
fn time(seconds: i64) -> String {
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::time;

    #[test]
    fn times_are_dates() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_795_848_093, "2026-11-28T06:41:33Z"),
        ] {
            assert_eq!(time(seconds), text);
        }
    }
}
