//! Supported tags in order of preference (PEP 425, 600, 656), as `packaging.tags.sys_tags` lists them.
//!
//! A function of what a probe learned and of the machine's name; never looks at the machine itself.

/// What the tags of an interpreter follow from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Traits {
    /// `sys.implementation.name`.
    pub(crate) implementation: String,
    /// `sys.version_info[:2]`.
    pub(crate) version: (u32, u32),
    /// Whether it is a build without the global interpreter lock.
    pub(crate) free_threaded: bool,
    /// Whether it is a debug build.
    pub(crate) debug: bool,
    /// `EXT_SUFFIX`, e.g. `.cpython-311-x86_64-linux-gnu.so`; decides the ABI of all but CPython.
    pub(crate) ext_suffix: String,
    /// `uname -m`.
    pub(crate) machine: String,
    /// Whether pointers have four bytes.
    pub(crate) narrow: bool,
    /// The header of a 32-bit ELF: machine and flags.
    pub(crate) elf: Option<(u16, u32)>,
    /// Version of the running glibc.
    pub(crate) glibc: Option<(u32, u32)>,
    /// Version of the running musl.
    pub(crate) musl: Option<(u32, u32)>,
}

/// Machines whose ABI needs no look at the ELF header (PEP 599, 600).
const PLAIN_MACHINES: [&str; 7] = [
    "x86_64",
    "aarch64",
    "ppc64",
    "ppc64le",
    "s390x",
    "loongarch64",
    "riscv64",
];

/// ELF `e_machine` of 32-bit Arm and x86.
const EM_ARM: u16 = 40;
const EM_386: u16 = 3;
/// ELF `e_flags` of Arm: ABI version mask and version 5, and hard float.
const EF_ARM_ABIMASK: u32 = 0xff00_0000;
const EF_ARM_ABI_VER5: u32 = 0x0500_0000;
const EF_ARM_ABI_FLOAT_HARD: u32 = 0x0000_0400;

/// The glibc 2.x minors that have a name of their own (PEP 513, 571, 599).
const NAMED_GLIBC: [(u32, &str); 3] = [
    (17, "manylinux2014"),
    (12, "manylinux2010"),
    (5, "manylinux1"),
];

/// Every supported tag, best first.
pub(crate) fn supported(traits: &Traits) -> Vec<String> {
    let (major, minor) = traits.version;
    let platforms = platforms(traits);
    let mut tags = Vec::new();
    let mut add = |python: &str, abi: &str| {
        // A thousand tags: formatting them would be a tenth of what the engine does.
        let tag = |platform: &String| [python, "-", abi, "-", platform].concat();
        tags.extend(platforms.iter().map(tag));
    };

    let own = match traits.implementation.as_str() {
        "cpython" => {
            let python = format!("cp{major}{minor}");
            for abi in cpython_abis(traits) {
                add(&python, &abi);
            }
            let stable = if traits.free_threaded {
                "abi3t"
            } else {
                "abi3"
            };
            add(&python, stable);
            add(&python, "none");
            for older in (2..minor).rev() {
                add(&format!("cp{major}{older}"), stable);
            }
            Some(python)
        }
        other => {
            let name = if other == "pypy" { "pp" } else { other };
            let python = format!("{name}{major}{minor}").to_lowercase();
            for abi in generic_abi(traits).as_deref().into_iter().chain(["none"]) {
                add(&python, abi);
            }
            (other == "pypy").then(|| "pp3".to_owned())
        }
    };

    let pythons: Vec<String> = [format!("py{major}{minor}"), format!("py{major}")]
        .into_iter()
        .chain((0..minor).rev().map(|older| format!("py{major}{older}")))
        .collect();
    for python in &pythons {
        add(python, "none");
    }
    tags.extend(
        own.iter()
            .chain(&pythons)
            .map(|python| format!("{python}-none-any")),
    );
    tags
}

/// The ABIs of a CPython (3.8 and later), its own first; a debug build also loads normal extension modules.
fn cpython_abis(traits: &Traits) -> Vec<String> {
    let (major, minor) = traits.version;
    let threads = if traits.free_threaded { "t" } else { "" };
    // Until 3.7 pymalloc was part of the ABI, and nobody builds without it.
    if (major, minor) < (3, 8) {
        let debug = if traits.debug { "d" } else { "" };
        return vec![format!("cp{major}{minor}{debug}m")];
    }
    let plain = format!("cp{major}{minor}{threads}");
    if traits.debug {
        vec![format!("{plain}d"), plain]
    } else {
        vec![plain]
    }
}

/// The ABI that an extension module's suffix names: `.pypy39-pp73-x86_64-linux-gnu.so` is `pypy39_pp73`.
fn generic_abi(traits: &Traits) -> Option<String> {
    let mut parts = traits.ext_suffix.strip_prefix('.')?.split('.');
    let soabi = parts.next().filter(|soabi| !soabi.is_empty())?;
    // `.so` alone names no ABI.
    parts.next()?;
    let words = |count: usize| soabi.split('-').take(count).collect::<Vec<_>>().join("-");
    let abi = if let Some(rest) = soabi.strip_prefix("cpython-") {
        format!("cp{}", rest.split('-').next().unwrap_or_default())
    } else if soabi.starts_with("pypy") {
        words(2)
    } else if soabi.starts_with("graalpy") {
        words(3)
    } else {
        soabi.to_owned()
    };
    Some(abi.replace(['.', '-', ' '], "_").to_lowercase())
}

/// The platforms, best first: manylinux downward, musllinux downward, the bare one.
fn platforms(traits: &Traits) -> Vec<String> {
    let machine = traits
        .machine
        .replace(['.', '-', ' ', '/'], "_")
        .to_lowercase();
    let machine = match (machine.as_str(), traits.narrow) {
        ("x86_64", true) => "i686",
        ("aarch64", true) => "armv8l",
        (machine, _) => machine,
    };
    let machines = if machine == "armv8l" {
        vec!["armv8l", "armv7l"]
    } else {
        vec![machine]
    };
    let mut platforms = Vec::new();
    if abi_is_known(&machines, traits.elf) {
        for machine in &machines {
            manylinux(
                machine,
                machines.contains(&"x86_64") || machines.contains(&"i686"),
                traits.glibc,
                &mut platforms,
            );
        }
    }
    if let Some((major, minor)) = traits.musl {
        for machine in &machines {
            platforms.extend(
                (0..=minor)
                    .rev()
                    .map(|minor| format!("musllinux_{major}_{minor}_{machine}")),
            );
        }
    }
    platforms.extend(machines.iter().map(|machine| format!("linux_{machine}")));
    platforms
}

/// Whether the executable's ABI is one that manylinux speaks of.
fn abi_is_known(machines: &[&str], elf: Option<(u16, u32)>) -> bool {
    if machines.contains(&"armv7l") {
        return elf.is_some_and(|(machine, flags)| {
            machine == EM_ARM
                && flags & EF_ARM_ABIMASK == EF_ARM_ABI_VER5
                && flags & EF_ARM_ABI_FLOAT_HARD != 0
        });
    }
    if machines.contains(&"i686") {
        return elf.is_some_and(|(machine, _)| machine == EM_386);
    }
    machines
        .iter()
        .any(|machine| PLAIN_MACHINES.contains(machine))
}

/// `manylinux_X_Y` from the running glibc down to the oldest that counts, each followed by its old name.
fn manylinux(machine: &str, intel: bool, glibc: Option<(u32, u32)>, platforms: &mut Vec<String>) {
    let Some((2, newest)) = glibc else { return };
    let oldest = if intel { 5 } else { 17 };
    for minor in (oldest..=newest).rev() {
        platforms.push(format!("manylinux_2_{minor}_{machine}"));
        if let Some((_, name)) = NAMED_GLIBC.iter().find(|(named, _)| *named == minor) {
            platforms.push(format!("{name}_{machine}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::*;

    /// Compares with what `packaging` 26.2 gives for the same traits: count, a tag within, and the whole list's hash.
    fn check(traits: &Traits, count: usize, first: &str, third: &str, digest: &str) {
        let tags = supported(traits);
        assert_eq!(
            (tags.len(), tags[0].as_str(), tags[tags.len() / 3].as_str()),
            (count, first, third)
        );
        assert_eq!(tags[tags.len() - 1], "py30-none-any");
        let hash = pexboot_core::hex::hex(&Sha256::digest(tags.join("\n")));
        assert_eq!(hash, digest, "{tags:#?}");
    }

    fn cpython(version: (u32, u32), machine: &str, glibc: Option<(u32, u32)>) -> Traits {
        Traits {
            implementation: "cpython".to_owned(),
            version,
            machine: machine.to_owned(),
            glibc,
            ..Traits::default()
        }
    }

    #[test]
    fn debian_cpythons() {
        let first = |minor| format!("cp3{minor}-cp3{minor}-manylinux_2_36_x86_64");
        for (minor, count, third, digest) in [
            (
                8,
                695,
                "",
                "0c777b7faa1fde5a6ed1b1d45550c3b733b10e56ccf65c9ff71cde673d0122f5",
            ),
            (
                9,
                768,
                "",
                "1b8d02aa9f1f886d3bcf54c7638c0c40a535cdf6873b61b77c2e13df1af3d2d5",
            ),
            (
                10,
                841,
                "",
                "0bfec252abddb109c5165db93e11f390ce25dabbb3018880d846d108c2cbe333",
            ),
            (
                11,
                914,
                "cp35-abi3-manylinux_2_20_x86_64",
                "383ffd2beb764fa9054698434f944b99ad76427d82d57c95382f2b5df9c80b33",
            ),
            (
                12,
                987,
                "",
                "0f952510c80f9cd9051683b89e7758c7164ea6ae0c524be3798dd0c213fafb7d",
            ),
            (
                13,
                1060,
                "",
                "dc9f6d4798eb3114e40db63493e61133bc4505fc3203e7de352c6020cf170274",
            ),
        ] {
            let traits = cpython((3, minor), "x86_64", Some((2, 36)));
            let tags = supported(&traits);
            let third = if third.is_empty() {
                tags[tags.len() / 3].as_str()
            } else {
                third
            };
            check(&traits, count, &first(minor), third, digest);
        }
    }

    #[test]
    fn free_threaded_and_debug_builds() {
        check(
            &Traits {
                free_threaded: true,
                ..cpython((3, 13), "x86_64", Some((2, 39)))
            },
            1147,
            "cp313-cp313t-manylinux_2_39_x86_64",
            "cp36-abi3t-manylinux_2_10_x86_64",
            "09176ad35710231646b9f8ba9a980299760e2186dccdfbd88fc2754c53fed75f",
        );
        check(
            &Traits {
                debug: true,
                ..cpython((3, 12), "x86_64", Some((2, 31)))
            },
            883,
            "cp312-cp312d-manylinux_2_31_x86_64",
            "cp36-abi3-manylinux2014_x86_64",
            "661985a06dc772ac626c5ef81adf89df6a32d2e00ffcb8d70bb635365ddd1167",
        );
        check(
            &Traits {
                debug: true,
                free_threaded: true,
                ..cpython((3, 14), "aarch64", Some((2, 31)))
            },
            561,
            "cp314-cp314td-manylinux_2_31_aarch64",
            "cp36-abi3t-manylinux_2_31_aarch64",
            "1238c66b888c42eab4c1d4012675781fa79ca6308d0be6e0ca3b69d6872be95a",
        );
    }

    #[test]
    fn musl() {
        check(
            &Traits {
                musl: Some((1, 2)),
                ..cpython((3, 12), "aarch64", None)
            },
            123,
            "cp312-cp312-musllinux_1_2_aarch64",
            "cp34-abi3-musllinux_1_1_aarch64",
            "8b24f4f7ea17678350d21007589ca304c88f1a2b1c8bcec1235379e363797430",
        );
    }

    #[test]
    fn narrow_pythons_on_wide_kernels() {
        check(
            &Traits {
                narrow: true,
                elf: Some((EM_386, 0)),
                ..cpython((3, 9), "x86_64", Some((2, 28)))
            },
            600,
            "cp39-cp39-manylinux_2_28_i686",
            "cp34-abi3-manylinux_2_24_i686",
            "8e076246383d220038a99023b58f86cf90540d462fac636ccb08d9ed27f27cae",
        );
        let hard_float = Some((EM_ARM, EF_ARM_ABI_VER5 | EF_ARM_ABI_FLOAT_HARD));
        check(
            &Traits {
                narrow: true,
                elf: hard_float,
                ..cpython((3, 9), "aarch64", Some((2, 28)))
            },
            600,
            "cp39-cp39-manylinux_2_28_armv8l",
            "cp34-abi3-manylinux_2_24_armv8l",
            "122197bd2ab62752929b8be49894ef9373c44217658f3a3133268af65364327d",
        );
    }

    #[test]
    fn platforms_that_manylinux_does_not_know() {
        let soft_float = Traits {
            narrow: true,
            elf: Some((EM_ARM, EF_ARM_ABI_VER5)),
            ..cpython((3, 9), "armv7l", Some((2, 28)))
        };
        check(
            &soft_float,
            33,
            "cp39-cp39-linux_armv7l",
            "py3-none-linux_armv7l",
            "fc73839935a0a9d41d767c7764ba17a465e89af0d967f0d0f21c7a2d38e6b6bf",
        );
        check(
            &cpython((3, 9), "mips64", Some((2, 28))),
            33,
            "cp39-cp39-linux_mips64",
            "py3-none-linux_mips64",
            "4cd88cf8bddb7954be56aa6c0aafbd33a9153860e415a7834e371a9deb6fe368",
        );
        check(
            &cpython((3, 8), "x86_64", Some((2, 4))),
            30,
            "cp38-cp38-linux_x86_64",
            "py3-none-linux_x86_64",
            "1a7193038ac354ec18eab7d3387aa94a6916a7f78b29f66b3017ee17de1ae499",
        );
    }

    #[test]
    fn other_implementations() {
        let other = |implementation: &str, version, ext_suffix: &str| Traits {
            implementation: implementation.to_owned(),
            ext_suffix: ext_suffix.to_owned(),
            ..cpython(version, "x86_64", Some((2, 36)))
        };
        check(
            &other("pypy", (3, 9), ".pypy39-pp73-x86_64-linux-gnu.so"),
            480,
            "pp39-pypy39_pp73-manylinux_2_36_x86_64",
            "py38-none-manylinux_2_20_x86_64",
            "de9bde526cacaab32a459bd523d59d7897b512380bdf9b99b8224a7782cf89ef",
        );
        check(
            &other("graalpy", (3, 11), ".graalpy-38-native-x86_64-linux.so"),
            553,
            "graalpy311-graalpy_38_native-manylinux_2_36_x86_64",
            "py39-none-manylinux_2_32_x86_64",
            "2bdd475be947f841c806978d12aa3617a2a31a1af2fb75b79b841cdc83113cc8",
        );
    }
}
