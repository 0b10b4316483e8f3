//! The variants: every way of packing the same wheels that is compared, each built as its own documentation says and
//! for the very Python that is measured. What is built is kept; what pexboot makes is kept per build of it.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use pexboot::internals::bench::{
    App, BenchError, Environment, PythonEnvironment, Subject, Workshop, embed, execute, once,
    plain, write,
};
use sha2::{Digest, Sha256};

/// The packagers with all they need; the first lines of a report name some of them.
pub const TOOLS: &str = include_str!("locks/tools.txt");
/// XAR's, which wants an older setuptools than the others.
const XAR_TOOLS: &str = include_str!("locks/xar.txt");

/// What the others' ratios are to.
pub const BASELINE: &str = "plain venv";
/// The PEX as pex builds it when told nothing.
pub const PEX: &str = "pex";
/// The PEX that makes a virtual environment.
const VENV_PEX: &str = "pex --venv";
/// Embedded, nothing else asked for: with bytecode of what the entry point imports.
pub const OURS: &str = "pexboot";
/// Without bytecode.
pub const PLAIN: &str = "pexboot --no-compile";
/// Without the launch pack.
pub const NO_PACK: &str = "pexboot, no pack";
/// PyInstaller's one file.
pub const PYINSTALLER: &str = "PyInstaller onefile";
/// XAR's.
pub const XAR: &str = "XAR";

/// A way of packing an application.
pub struct Peer {
    /// Its name in reports.
    pub name: &'static str,
    /// Its name on the command line and in the cache.
    pub id: &'static str,
    /// A variable that its runs get.
    variable: Option<(&'static str, &'static str)>,
    /// Packs it; gives the file to start.
    build: fn(&Peer, &Bench, &App) -> Result<PathBuf, BenchError>,
}

/// What building needs.
pub struct Bench {
    /// Makes and keeps the variants.
    pub workshop: Workshop,
    /// The `pexboot` that is measured.
    pub pexboot: PathBuf,
    /// Some digits that no other build of it has.
    pub build: String,
}

impl Bench {
    /// With that `pexboot`.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn new(workshop: Workshop, pexboot: PathBuf) -> std::io::Result<Bench> {
        let digest = Sha256::digest(fs::read(&pexboot)?);
        let build = digest[..6]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Ok(Bench {
            workshop,
            pexboot,
            build,
        })
    }
}

/// A PEX with these options of pex.
macro_rules! pex {
    ($name:expr, $id:literal, $options:expr) => {
        Peer {
            name: $name,
            id: $id,
            variable: None,
            build: |peer, bench, app| bench.workshop.pex(app, peer.id, &$options),
        }
    };
}

/// The PEX of another variant, embedded with these options.
macro_rules! pexboot {
    ($name:expr, $id:literal, $source:expr, $options:expr) => {
        Peer {
            name: $name,
            id: $id,
            variable: None,
            build: |peer, bench, app| embedded(peer, bench, app, $source, &$options),
        }
    };
}

/// All that are known. The first is the baseline and must stay so.
pub static PEERS: [Peer; 13] = [
    Peer {
        name: BASELINE,
        id: "venv",
        variable: None,
        build: |_, bench, app| bench.workshop.venv(app),
    },
    pex!(PEX, "pex", []),
    pex!(VENV_PEX, "pex-venv", ["--venv"]),
    pex!("pex --sh-boot", "pex-sh-boot", ["--sh-boot"]),
    pex!(
        "pex --venv --sh-boot",
        "pex-venv-sh-boot",
        ["--venv", "--sh-boot"]
    ),
    Peer {
        name: "pex --rc",
        id: "pex-rc",
        variable: None,
        build: native_runtime,
    },
    Peer {
        name: "shiv",
        id: "shiv",
        variable: None,
        build: shiv,
    },
    Peer {
        name: PYINSTALLER,
        id: "pyinstaller",
        // It unpacks at each start and removes all of it again. On a disk the inodes that this frees would slow down the
        // cold starts of all others; in memory it is faster itself.
        variable: Some(("TMPDIR", "/dev/shm")),
        build: pyinstaller,
    },
    Peer {
        name: XAR,
        id: "xar",
        variable: None,
        build: xar,
    },
    pexboot!(OURS, "pexboot", PEX, ["--python"]),
    pexboot!(PLAIN, "pexboot-no-compile", PEX, ["--no-compile"]),
    Peer {
        name: NO_PACK,
        id: "pexboot-no-pack",
        variable: Some(("PEXBOOT_PACK", "0")),
        build: |_, bench, app| Ok(find(OURS).subject(bench, app)?.program),
    },
    pexboot!("pexboot, --venv PEX", "pexboot-venv", VENV_PEX, []),
];

impl Peer {
    /// The application packed this way, ready to be measured.
    ///
    /// # Errors
    /// When it cannot be packed this way.
    pub fn subject(&self, bench: &Bench, app: &App) -> Result<Subject, BenchError> {
        let file = (self.build)(self, bench, app)?;
        let args: Vec<_> = app.args.iter().map(Into::into).collect();
        let mut subject = Subject::new(self.name, file, &args);
        if let Some((name, value)) = self.variable {
            subject = subject.with_variable(name, value);
        }
        Ok(if self.name == BASELINE {
            subject.always_warm()
        } else {
            subject
        })
    }
}

/// The variant with that name in reports, one of the constants above.
pub fn find(name: &str) -> &'static Peer {
    match PEERS.iter().find(|peer| peer.name == name) {
        Some(peer) => peer,
        None => unreachable!("`{name}` is not in the list"),
    }
}

/// The PEX that `source` built, embedded by this build of pexboot.
fn embedded(
    peer: &Peer,
    bench: &Bench,
    app: &App,
    source: &str,
    options: &[&str],
) -> Result<PathBuf, BenchError> {
    let source = find(source);
    let pex = (source.build)(source, bench, app)?;
    let variant = format!("{}-{}", peer.id, bench.build);
    bench.workshop.variant(app, &variant, |work| {
        // The one that is measured need not be the first on PATH, for which `embed` compiles when told nothing.
        let python = format!("--python={}", bench.workshop.python().display());
        let options: Vec<&str> = options
            .iter()
            .map(|&option| match option {
                "--python" => &python,
                other => other,
            })
            .collect();
        embed(&bench.pexboot, &pex, &work.join(app.script), &options)
    })
}

/// pexrc is a program of its own: pex uses the one that it finds on PATH, and could only download another.
fn native_runtime(peer: &Peer, bench: &Bench, app: &App) -> Result<PathBuf, BenchError> {
    on_path("pexrc", "not in the package index")?;
    bench.workshop.pex(app, peer.id, &["--rc"])
}

/// shiv, started by the Python itself: `/usr/bin/env`, its default, would cost it half a millisecond.
fn shiv(peer: &Peer, bench: &Bench, app: &App) -> Result<PathBuf, BenchError> {
    let workshop = &bench.workshop;
    let wheels = workshop.wheels(app)?;
    workshop.variant(app, peer.id, |work| {
        let mut command = plain(&workshop.tool("shiv"), ["--console-script", app.script]);
        command
            .arg("--python")
            .arg(workshop.python())
            .arg("--output-file")
            .arg(work.join(app.script));
        execute(
            command
                .args(["--no-index", "--find-links"])
                .arg(&wheels)
                .args(app.wanted()),
        )
    })
}

/// PyInstaller wants the application installed beside itself; the metadata that many applications ask for at run time
/// goes in only when named.
fn pyinstaller(peer: &Peer, bench: &Bench, app: &App) -> Result<PathBuf, BenchError> {
    if app.name == "apache-airflow" {
        let what =
            "not attempted: what it imports by name would have to be listed package by package";
        return Err(BenchError::Missing {
            what: what.to_owned(),
        });
    }
    let workshop = &bench.workshop;
    let wheels = workshop.wheels(app)?;
    workshop.variant(app, peer.id, |work| {
        let freezer = work.join("freezer");
        let tools = freezer.with_extension("txt");
        write(&tools, TOOLS.as_bytes(), 0o644)?;
        let tools = tools.display().to_string();
        let locked = ["--no-deps", "--require-hashes", "--requirement", &tools];
        let environment = PythonEnvironment::at(&freezer, workshop.python(), &locked)?;
        let mut command = plain(&environment.python(), ["-m", "pip", "install", "--quiet"]);
        command.args(["--no-index", "--find-links"]).arg(&wheels);
        execute(command.args(app.wanted()))?;
        // The console script under a name that no module has, or it would shadow the application's own package.
        let entry = work.join(format!("{}-start.py", app.script));
        let script = environment.script(app.script);
        let text = fs::read(&script).map_err(|source| BenchError::Io {
            path: script,
            source,
        })?;
        write(&entry, &text, 0o644)?;
        let mut command = plain(
            &environment.script("pyinstaller"),
            ["--onefile", "--noconfirm", "--log-level", "ERROR"],
        );
        for (option, directory) in [
            ("--distpath", ""),
            ("--workpath", "work"),
            ("--specpath", "work"),
        ] {
            command.arg(option).arg(work.join(directory));
        }
        command.args(["--name", app.script]).args(hints(app));
        execute(command.arg(&entry))?;
        discard(&[&freezer, &work.join("work")])
    })
}

/// What PyInstaller does not find by itself.
fn hints(app: &App) -> Vec<String> {
    let all = |packages: &[&str]| {
        packages
            .iter()
            .map(|package| format!("--collect-all={package}"))
            .collect()
    };
    match app.name {
        "black" => all(&["black", "blib2to3"]),
        "django-admin" => all(&["django"]),
        "elasticsearch-curator" => all(&["curator"]),
        "jupyter-nbconvert" => all(&["nbconvert"]),
        _ => Vec::new(),
    }
}

/// The `module:function` of a console script, as installed.
const ENTRY_POINT: &str = "\
import importlib.metadata, sys
for script in importlib.metadata.entry_points(group='console_scripts'):
    if script.name == sys.argv[1]:
        open(sys.argv[2], 'w').write(script.value)
        break
";

/// XAR as `make_xar` builds it from an installed tree, bytecode and all, compressed as in its published table. Started
/// by `xarexec_fuse` itself: `/usr/bin/env`, the default, would cost it half a millisecond.
fn xar(peer: &Peer, bench: &Bench, app: &App) -> Result<PathBuf, BenchError> {
    let exec = on_path("xarexec_fuse", "built from XAR's sources, not packaged")?;
    on_path("squashfuse_ll", "Debian's squashfuse has it")?;
    on_path("mksquashfs", "Debian's squashfs-tools has it")?;
    if !Path::new("/dev/fuse").exists() {
        let what = "XAR needs /dev/fuse, which is not here".to_owned();
        return Err(BenchError::Missing { what });
    }
    let workshop = &bench.workshop;
    let wheels = workshop.wheels(app)?;
    let venv = workshop.venv(app)?;
    let tools = workshop.locked("xar-tools", XAR_TOOLS, &["--no-build-isolation"])?;
    workshop.variant(app, peer.id, |work| {
        let (tree, entry) = (work.join("tree"), work.join("entry"));
        let mut install = plain(&tools.python(), ["-m", "pip", "install", "--quiet"]);
        install.args(["--no-index", "--find-links"]).arg(&wheels);
        execute(install.arg("--target").arg(&tree).args(app.wanted()))?;
        let mut ask = plain(&venv.with_file_name("python"), ["-c", ENTRY_POINT]);
        execute(ask.arg(app.script).arg(&entry))?;
        let entry_point = fs::read_to_string(&entry).map_err(|source| BenchError::Io {
            path: entry.clone(),
            source,
        })?;
        let mut make = plain(&tools.script("make_xar"), ["--python"]);
        make.arg(&tree).arg("--python-interpreter");
        make.arg(workshop.python())
            .args(["--python-entry-point", &entry_point]);
        make.args(["--xar-compression-algorithm", "zstd", "--xar-exec"]);
        execute(make.arg(&exec).arg("--output").arg(work.join(app.script)))?;
        discard(&[&tree])
    })
}

/// A program that no lock can bring.
fn on_path(program: &str, origin: &str) -> Result<PathBuf, BenchError> {
    Environment::clean()
        .find_program(OsStr::new(program))
        .ok_or_else(|| BenchError::Missing {
            what: format!("no `{program}` on PATH ({origin})"),
        })
}

fn discard(directories: &[&Path]) -> Result<(), BenchError> {
    for directory in directories {
        fs::remove_dir_all(directory).map_err(|source| BenchError::Io {
            path: directory.to_path_buf(),
            source,
        })?;
    }
    Ok(())
}

/// A PEX of `bench`'s own making, in no comparison: what `make` does, once.
pub fn extra(
    bench: &Bench,
    app: &App,
    name: &str,
    make: impl FnOnce(&Path) -> Result<(), BenchError>,
) -> Result<PathBuf, BenchError> {
    let path = bench.workshop.directory(app).join(name);
    once(&path, make)?;
    Ok(path)
}
