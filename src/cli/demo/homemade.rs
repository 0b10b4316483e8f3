//! The demo without network: a PEX written by hand, without the start that pex puts into every PEX. It cannot run as it
//! is, only embedded, and is compared with the same code in a virtual environment.

use std::error::Error;
use std::fs;
use std::path::Path;

use super::{Contestant, Prepared, embedded, step, subject};
use crate::bench::{App, BenchError, Environment, execute, once, plain, write};

/// The application.
const APP: App = App {
    name: "homemade",
    requirements: &[],
    lock: None,
    script: "homemade",
    args: &["--name", "you"],
    code: None,
};

/// Its code.
const CODE: &str = r#"import argparse


def main():
    parser = argparse.ArgumentParser(prog="homemade")
    parser.add_argument("--name", default="world")
    print(f"hello, {parser.parse_args().name}")


if __name__ == "__main__":
    main()
"#;

/// Writes the code as a PEX with those fields of PEX-INFO that a start needs (reference, section 2).
const ZIP: &str = r##"import hashlib, json, os, sys, zipfile
code, out = sys.argv[1:]
digest = hashlib.sha1(code.encode()).hexdigest()
info = {
    "build_properties": {}, "code_hash": digest, "distributions": {}, "entry_point": "homemade:main",
    "interpreter_constraints": [], "pex_hash": digest, "requirements": [],
}
main = "import sys\nsys.exit('this PEX was made by hand: only a native start can run it')\n"
with open(out, "wb") as file:
    file.write(b"#!/usr/bin/env python3\n")
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as zip:
        zip.writestr("PEX-INFO", json.dumps(info, sort_keys=True))
        zip.writestr("__main__.py", main)
        zip.writestr("homemade.py", code)
os.chmod(out, 0o755)
"##;

/// Makes the PEX and its embedded form.
pub(super) fn prepare(cache: &Path, python: &Path) -> Result<Prepared, Box<dyn Error>> {
    say!(
        "Without network there is no pex to build PEXes with. So here is one written by hand, without the start that\n\
         pex puts into a PEX: it cannot run as it is, only embedded, and is compared with the same code in a\n\
         virtual environment.\n"
    );
    let directory = cache.join("offline");
    let (venv, pex) = (
        directory.join("venv"),
        directory.join("original").join(APP.script),
    );
    step("a virtual environment with the code", || {
        fs::create_dir_all(&directory).map_err(|source| BenchError::Io {
            path: directory.clone(),
            source,
        })?;
        once(&venv, |work| install(python, work, &venv))
    })?;
    step("a PEX of it, by hand", || {
        let original = directory.join("original");
        fs::create_dir_all(&original).map_err(|source| BenchError::Io {
            path: original,
            source,
        })?;
        once(&pex, |work| {
            execute(plain(python, ["-c", ZIP, CODE]).arg(work))
        })
    })?;
    let embedded = embedded(&directory, &pex)?;
    say!("");
    let venv = subject("plain venv", venv.join("bin").join(APP.script), &APP).always_warm();
    let subjects = vec![venv, subject("embedded", embedded, &APP)];
    Ok(Prepared {
        environment: Environment::clean(),
        contestants: vec![Contestant { app: APP, subjects }],
    })
}

/// Makes a virtual environment at `work`, to be moved to `venv`, with the code as pip would install it. Without pip,
/// which Debian packages on its own.
fn install(python: &Path, work: &Path, venv: &Path) -> Result<(), BenchError> {
    execute(plain(python, ["-m", "venv", "--without-pip"]).arg(work))?;
    let shown = venv.join("bin").join("python");
    let script = format!(
        "#!{}\nimport sys\nfrom homemade import main\nsys.exit(main())\n",
        shown.display()
    );
    write(&work.join("bin").join(APP.script), script.as_bytes(), 0o755)?;
    let library = work.join("lib");
    let versions = fs::read_dir(&library).map_err(|source| BenchError::Io {
        path: library.clone(),
        source,
    })?;
    for version in versions.flatten() {
        write(
            &version.path().join("site-packages").join("homemade.py"),
            CODE.as_bytes(),
            0o644,
        )?;
    }
    Ok(())
}
