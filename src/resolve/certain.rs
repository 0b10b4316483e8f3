//! Which wheels are needed, as far as file names tell before an interpreter is chosen.

use std::collections::HashSet;

use super::Selected;
use super::names::{WheelName, normalise};
use crate::pex_info::PexInfo;

/// Every wheel of a PEX that brings each project once, for Pythons of this platform: whatever interpreter fits such a PEX
/// activates all of them, but for those that a marker leaves out. `None` for any other PEX.
#[must_use]
pub fn certain(info: &PexInfo) -> Option<Vec<Selected>> {
    let mut projects = HashSet::new();
    let wheel = |(name, fingerprint): &(String, String)| {
        let wheel = WheelName::parse(name)?;
        let fits =
            projects.insert(normalise(wheel.project)) && wheel.tags().any(|tag| is_ours(&tag));
        fits.then(|| Selected {
            name: name.clone(),
            fingerprint: fingerprint.clone(),
        })
    };
    info.distributions.iter().map(wheel).collect()
}

/// Whether some Python 3 of this platform can have the tag (PEP 425).
fn is_ours(tag: &str) -> bool {
    let mut parts = tag.splitn(3, '-');
    let (Some(python), Some(_), Some(platform)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let python = ["py3", "cp3"].iter().any(|start| python.starts_with(start));
    let here = platform.contains("linux") && platform.ends_with(std::env::consts::ARCH);
    python && (platform == "any" || here)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_project_once_and_all_for_this_platform() {
        let arch = std::env::consts::ARCH;
        let native = format!("b-1-cp311-cp311-manylinux_2_17_{arch}.manylinux2014_{arch}.whl");
        let other = format!("B-1-cp312-cp312-manylinux_2_17_{arch}.whl");
        let cases: [(&[&str], bool); 7] = [
            (&[], true),
            (&["a-1-py3-none-any.whl", &native], true),
            (&["a-1-py2.py3-none-any.whl"], true),
            (&[&native, &other], false),
            (&["a-1-py2-none-any.whl"], false),
            (&["a-1-cp311-cp311-macosx_11_0_arm64.whl"], false),
            (&["no wheel"], false),
        ];
        for (names, expect) in cases {
            let distributions: Vec<String> = (names.iter())
                .map(|name| format!("\"{name}\":\"00\""))
                .collect();
            let text = format!("{{\"distributions\":{{{}}}}}", distributions.join(","));
            let info = PexInfo::parse(text.as_bytes()).unwrap();
            let found = certain(&info).map(|wheels| wheels.len());
            assert_eq!(found, expect.then_some(names.len()), "{names:?}");
        }
    }
}
