//! The variants: every way of packing the same wheels that is compared, each built as its own documentation says and
//! for the very Python that is measured.

use std::fs;
use std::path::{Path, PathBuf};

use pexboot::bench::{
    App, BenchError, PEX, PythonEnvironment, Subject, Workshop, embed, execute, plain, write,
};

/// The packagers, pinned.
pub const TOOLS: [&str; 3] = [PEX, "shiv==1.0.8", "pyinstaller==6.22.3"];

/// What the others' ratios are to.
pub const BASELINE: &str = "plain venv";

/// A way of packing an application.
pub struct Peer {
    /// Its name in reports.
    pub name: &'static str,
    /// Its name on the command line and in the cache.
    pub id: &'static str,
    /// Packs it; gives the file to start.
    build: fn(&Peer, &Bench, &App) -> Result<PathBuf, BenchError>,
}

/// What building needs.
pub struct Bench {
    /// Makes and keeps the variants.
    pub workshop: Workshop,
    /// The `pexboot` that is measured.
    pub pexboot: PathBuf,
}

/// All that are known. The first is the baseline and must stay so.
pub const PEERS: [Peer; 10] = [
    Peer {
        name: BASELINE,
        id: "venv",
        build: |_, bench, app| bench.workshop.venv(app),
    },
    Peer {
        name: "pex",
        id: "pex",
        build: |peer, bench, app| bench.workshop.pex(app, peer.id, &[]),
    },
    Peer {
        name: "pex --venv",
        id: "pex-venv",
        build: |peer, bench, app| bench.workshop.pex(app, peer.id, &["--venv"]),
    },
    Peer {
        name: "pex --sh-boot",
        id: "pex-sh-boot",
        build: |peer, bench, app| bench.workshop.pex(app, peer.id, &["--sh-boot"]),
    },
    Peer {
        name: "pex --venv --sh-boot",
        id: "pex-venv-sh-boot",
        build: |peer, bench, app| bench.workshop.pex(app, peer.id, &["--venv", "--sh-boot"]),
    },
    Peer {
        name: "pex --rc",
        id: "pex-rc",
        build: |peer, bench, app| bench.workshop.pex(app, peer.id, &["--rc"]),
    },
    Peer {
        name: "shiv",
        id: "shiv",
        build: shiv,
    },
    Peer {
        name: "PyInstaller onefile",
        id: "pyinstaller",
        build: pyinstaller,
    },
    Peer {
        name: "pexboot",
        id: "pexboot",
        build: |peer, bench, app| embedded(peer, bench, app, "pex", &[]),
    },
    Peer {
        name: "pexboot, --venv PEX",
        id: "pexboot-venv",
        build: |peer, bench, app| embedded(peer, bench, app, "pex-venv", &[]),
    },
];

impl Peer {
    /// The application packed this way, ready to be measured.
    ///
    /// # Errors
    /// When it cannot be packed this way.
    pub fn subject(&self, bench: &Bench, app: &App) -> Result<Subject, BenchError> {
        let file = (self.build)(self, bench, app)?;
        let args: Vec<_> = app.args.iter().map(Into::into).collect();
        let subject = Subject::new(self.name, file, &args);
        Ok(if self.name == BASELINE {
            subject.always_warm()
        } else {
            subject
        })
    }
}

/// The PEX that `source` built, embedded: anew each time, since `pexboot` is what changes.
fn embedded(
    peer: &Peer,
    bench: &Bench,
    app: &App,
    source: &str,
    options: &[&str],
) -> Result<PathBuf, BenchError> {
    let Some(source) = PEERS.iter().find(|peer| peer.id == source) else {
        unreachable!("a peer's own name")
    };
    let pex = (source.build)(source, bench, app)?;
    let directory = bench.workshop.directory(app).join(peer.id);
    let at = |source| BenchError::Io {
        path: directory.clone(),
        source,
    };
    if directory.exists() {
        fs::remove_dir_all(&directory).map_err(at)?;
    }
    fs::create_dir_all(&directory).map_err(at)?;
    let file = directory.join(app.script);
    embed(&bench.pexboot, &pex, &file, options)?;
    Ok(file)
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
    let workshop = &bench.workshop;
    let wheels = workshop.wheels(app)?;
    workshop.variant(app, peer.id, |work| {
        let freezer = work.join("freezer");
        let mut requirements = app.wanted();
        requirements.push(TOOLS[2]);
        let find_links = format!("--find-links={}", wheels.display());
        requirements.push(&find_links);
        let environment = PythonEnvironment::at(&freezer, workshop.python(), &requirements)?;
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

fn discard(directories: &[&Path]) -> Result<(), BenchError> {
    for directory in directories {
        fs::remove_dir_all(directory).map_err(|source| BenchError::Io {
            path: directory.to_path_buf(),
            source,
        })?;
    }
    Ok(())
}
