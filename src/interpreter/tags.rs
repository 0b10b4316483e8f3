//! Supported tags in order of preference (PEP 425, 600, 656), as `packaging.tags.sys_tags` lists them.
//!
//! A function of what a probe learned and of the machine's name; never looks at the machine itself.

/// What the tags of an interpreter follow from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Traits {
    /// `sys.implementation.name`.
    pub(super) implementation: String,
    /// `sys.version_info[:2]`.
    pub(super) version: (u32, u32),
    /// Whether it is a build without the global interpreter lock.
    pub(super) free_threaded: bool,
    /// Whether it is a debug build.
    pub(super) debug: bool,
    /// `EXT_SUFFIX`, e.g. `.cpython-311-x86_64-linux-gnu.so`; decides the ABI of all but CPython.
    pub(super) ext_suffix: String,
    /// `uname -m`.
    pub(super) machine: String,
    /// Whether pointers have four bytes.
    pub(super) narrow: bool,
    /// The header of a 32-bit ELF: machine and flags.
    pub(super) elf: Option<(u16, u32)>,
    /// Version of the running glibc.
    pub(super) glibc: Option<(u32, u32)>,
    /// Version of the running musl.
    pub(super) musl: Option<(u32, u32)>,
}

/// Machines whose ABI needs no look at the ELF header (PEP 599, 600).
const PLAIN_MACHINES: [&str; 7] = ["x86_64", "aarch64", "ppc64", "ppc64le", "s390x", "loongarch64", "riscv64"];

/// ELF `e_machine` of 32-bit Arm and x86.
const EM_ARM: u16 = 40;
const EM_386: u16 = 3;
/// ELF `e_flags` of Arm: ABI version mask and version 5, and hard float.
const EF_ARM_ABIMASK: u32 = 0xff00_0000;
const EF_ARM_ABI_VER5: u32 = 0x0500_0000;
const EF_ARM_ABI_FLOAT_HARD: u32 = 0x0000_0400;

/// The glibc 2.x minors that have a name of their own (PEP 513, 571, 599).
const NAMED_GLIBC: [(u32, &str); 3] = [(17, "manylinux2014"), (12, "manylinux2010"), (5, "manylinux1")];

/// Every supported tag, best first.
pub(super) fn supported(traits: &Traits) -> Vec<String> {
    let (major, minor) = traits.version;
    let platforms = platforms(traits);
    let mut tags = Vec::new();
    let mut add = |python: &str, abi: &str| tags.extend(platforms.iter().map(|platform| format!("{python}-{abi}-{platform}")));

    let own = match traits.implementation.as_str() {
        "cpython" => {
            let python = format!("cp{major}{minor}");
            for abi in cpython_abis(traits) {
                add(&python, &abi);
            }
            let stable = if traits.free_threaded { "abi3t" } else { "abi3" };
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
    tags.extend(own.iter().chain(&pythons).map(|python| format!("{python}-none-any")));
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
    if traits.debug { vec![format!("{plain}d"), plain] } else { vec![plain] }
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
    let machine = traits.machine.replace(['.', '-', ' ', '/'], "_").to_lowercase();
    let machine = match (machine.as_str(), traits.narrow) {
        ("x86_64", true) => "i686",
        ("aarch64", true) => "armv8l",
        (machine, _) => machine,
    };
    let machines = if machine == "armv8l" { vec!["armv8l", "armv7l"] } else { vec![machine] };
    let mut platforms = Vec::new();
    if abi_is_known(&machines, traits.elf) {
        for machine in &machines {
            manylinux(machine, machines.contains(&"x86_64") || machines.contains(&"i686"), traits.glibc, &mut platforms);
        }
    }
    if let Some((major, minor)) = traits.musl {
        for machine in &machines {
            platforms.extend((0..=minor).rev().map(|minor| format!("musllinux_{major}_{minor}_{machine}")));
        }
    }
    platforms.extend(machines.iter().map(|machine| format!("linux_{machine}")));
    platforms
}

/// Whether the executable's ABI is one that manylinux speaks of.
fn abi_is_known(machines: &[&str], elf: Option<(u16, u32)>) -> bool {
    if machines.contains(&"armv7l") {
        return elf.is_some_and(|(machine, flags)| {
            machine == EM_ARM && flags & EF_ARM_ABIMASK == EF_ARM_ABI_VER5 && flags & EF_ARM_ABI_FLOAT_HARD != 0
        });
    }
    if machines.contains(&"i686") {
        return elf.is_some_and(|(machine, _)| machine == EM_386);
    }
    machines.iter().any(|machine| PLAIN_MACHINES.contains(machine))
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
