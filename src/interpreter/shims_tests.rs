//! Shims of pyenv, asdf and mise, as fabricated installations.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;
use crate::plan::Input;

/// An installation of a version manager, a working directory `work/deep`, a home.
struct Sandbox {
    directory: tempfile::TempDir,
    variables: BTreeMap<OsString, OsString>,
}

impl Sandbox {
    fn new(versions: &[&str], folder: &str) -> Sandbox {
        let sandbox = Sandbox {
            directory: tempfile::tempdir().unwrap(),
            variables: BTreeMap::new(),
        };
        for version in versions {
            let minor = version
                .rsplit_once('.')
                .map_or(*version, |(minor, _)| minor);
            for name in [
                "python".to_owned(),
                "python3".to_owned(),
                format!("python{minor}"),
            ] {
                sandbox.executable(
                    &format!("root/{folder}/{version}/bin/{name}"),
                    "#!/bin/sh\n",
                );
            }
        }
        fs::create_dir_all(sandbox.at("work/deep")).unwrap();
        fs::create_dir_all(sandbox.at("home")).unwrap();
        sandbox
    }

    fn pyenv(versions: &[&str]) -> Sandbox {
        let sandbox = Sandbox::new(versions, "versions");
        for name in ["python", "python3", "python3.9", "python3.10"] {
            sandbox.executable(
                &format!("root/shims/{name}"),
                "#!/usr/bin/env bash\nset -e\nprogram=\"${0##*/}\"\nexec \"/opt/pyenv/libexec/pyenv\" exec \"$program\" \"$@\"\n",
            );
        }
        sandbox
    }

    fn at(&self, path: &str) -> PathBuf {
        self.directory.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        fs::write(self.at(path), text).unwrap();
    }

    fn executable(&self, path: &str, text: &str) {
        self.write(path, text);
        fs::set_permissions(self.at(path), fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn set(&mut self, name: &str, value: &str) {
        self.variables.insert(name.into(), value.into());
    }

    fn resolve(&self, name: &str) -> (Shim, Vec<Input>) {
        let mut variables = self.variables.clone();
        variables.insert("HOME".into(), self.at("home").into());
        let surroundings = Surroundings {
            variables,
            cwd: self.at("work/deep"),
        };
        let mut inputs = Inputs::default();
        let shim = resolve(
            &self.at(&format!("root/shims/{name}")),
            &surroundings,
            &mut inputs,
        );
        (shim, inputs.into_list())
    }

    fn check(&self, name: &str, expected: Option<&str>) {
        let expected = expected.map_or(Shim::Inactive, |path| {
            Shim::Active(match path.strip_prefix("../") {
                Some(outside) => self.at(outside),
                None => self.at(&format!("root/{path}")),
            })
        });
        assert_eq!(self.resolve(name).0, expected, "{name}");
    }
}

#[test]
fn pyenv_takes_the_variable_then_the_nearest_file_then_the_global_one() {
    let mut sandbox = Sandbox::pyenv(&["3.9.18", "3.10.13", "3.11.7"]);
    sandbox.check("python3", None);
    sandbox.write("root/version", "3.9.18\n");
    sandbox.check("python3", Some("versions/3.9.18/bin/python3"));
    sandbox.write("work/.python-version", "# comment\n3.10.13\r\n");
    sandbox.check("python3", Some("versions/3.10.13/bin/python3"));
    sandbox.set("PYENV_VERSION", "3.11.7:3.9.18");
    sandbox.check("python3", Some("versions/3.11.7/bin/python3"));
    sandbox.check("python3.9", Some("versions/3.9.18/bin/python3.9"));
}

#[test]
fn pyenv_minors_of_two_digits_are_shims_too() {
    let sandbox = Sandbox::pyenv(&["3.9.18", "3.10.13"]);
    sandbox.write("root/version", "3.9.18\n");
    sandbox.check("python3.10", None);
    sandbox.write("root/version", "3.9.18\n3.10.13\n");
    sandbox.check("python3.10", Some("versions/3.10.13/bin/python3.10"));
}

#[test]
fn pyenv_prefixes_mean_the_newest_installed() {
    let sandbox = Sandbox::pyenv(&["3.9.2", "3.9.18", "3.10.13"]);
    for (version, expected) in [
        ("3.9", "3.9.18"),
        ("python-3.10", "3.10.13"),
        ("3", "3.10.13"),
    ] {
        sandbox.write("root/version", version);
        sandbox.check("python", Some(&format!("versions/{expected}/bin/python")));
    }
    for none in ["3.12", "system", "../../..", "", "3.9.18/../3.9.2"] {
        sandbox.write("root/version", none);
        sandbox.check("python", None);
    }
}

#[test]
fn what_pyenv_consulted_becomes_inputs() {
    let sandbox = Sandbox::pyenv(&["3.9.18"]);
    sandbox.write("root/version", "3.9.18\n");
    let inputs = sandbox.resolve("python3").1;
    assert!(
        inputs.contains(&Input::FirstUpward(b".python-version".to_vec(), None)),
        "{inputs:?}"
    );
    for file in [
        "root/version",
        "root/shims/python3",
        "root/versions/3.9.18/bin/python3",
    ] {
        let mut expected = Inputs::default();
        expected.file(&sandbox.at(file));
        assert!(inputs.contains(&expected.into_list()[0]), "{file}");
    }
}

#[test]
fn asdf_reads_tool_versions() {
    let mut sandbox = Sandbox::new(&["3.9.18", "3.11.7"], "installs/python");
    sandbox.executable(
        "root/shims/python3",
        "#!/usr/bin/env bash\n# asdf-plugin: python 3.11.7\nexec /opt/asdf/bin/asdf exec \"python3\" \"$@\" # asdf_allow: ' asdf '\n",
    );
    sandbox.check("python3", None);
    sandbox.write("home/.tool-versions", "nodejs 20.1\npython 3.9.18 # old\n");
    sandbox.check("python3", Some("installs/python/3.9.18/bin/python3"));
    sandbox.write("work/.tool-versions", "python 3.11.7 3.9.18\n");
    sandbox.write("work/deep/.tool-versions", "nodejs 20.1\n");
    sandbox.check("python3", Some("installs/python/3.11.7/bin/python3"));
    sandbox.set("ASDF_PYTHON_VERSION", "3.9.18");
    sandbox.check("python3", Some("installs/python/3.9.18/bin/python3"));
    sandbox.set("ASDF_PYTHON_VERSION", "system");
    sandbox.check("python3", None);
}

#[test]
fn mise_reads_its_own_files_and_tool_versions() {
    let mut sandbox = Sandbox::new(&["3.9.18", "3.11.7"], "installs/python");
    sandbox.executable("bin/mise", "an ELF");
    fs::create_dir_all(sandbox.at("root/shims")).unwrap();
    symlink(sandbox.at("bin/mise"), sandbox.at("root/shims/python3")).unwrap();
    sandbox.check("python3", None);
    sandbox.write(
        "home/.config/mise/config.toml",
        "[settings]\npython = \"x\"\n[tools]\npython = [\"3.9\", \"3.11\"]\n",
    );
    sandbox.check("python3", Some("installs/python/3.9.18/bin/python3"));
    sandbox.write("work/.tool-versions", "python 3.11.7\n");
    sandbox.check("python3", Some("installs/python/3.11.7/bin/python3"));
    sandbox.write(
        "work/mise.toml",
        "[tools]\n\"python\" = { version = \"3.9.18\", virtualenv = \".venv\" }\n",
    );
    sandbox.check("python3", Some("installs/python/3.9.18/bin/python3"));
    sandbox.set("MISE_PYTHON_VERSION", "latest");
    sandbox.check("python3", Some("installs/python/3.11.7/bin/python3"));
}

/// A program that a stranger's file names, in a directory above the working directory, was run.
#[test]
fn a_file_names_a_program_elsewhere_only_to_asdf_and_only_if_it_can_be_trusted() {
    let planted = |sandbox: &Sandbox| {
        sandbox.executable("elsewhere/bin/python3", "#!/bin/sh\n");
        let elsewhere = sandbox.at("elsewhere");
        ["path:", "python-path:"].map(|path| format!("{path}{}", elsewhere.display()))
    };
    let pyenv = Sandbox::pyenv(&["3.9.18"]);
    for path in planted(&pyenv) {
        pyenv.write("work/.python-version", &path);
        pyenv.check("python3", None);
    }

    let mut mise = Sandbox::new(&["3.9.18"], "installs/python");
    mise.executable(
        "root/shims/python3",
        "#!/bin/sh\nexec mise x -- python3 \"$@\"\n",
    );
    for path in planted(&mise) {
        mise.write("work/.tool-versions", &format!("python {path}\n"));
        mise.check("python3", None);
        mise.write("work/mise.toml", &format!("[tools]\npython = \"{path}\"\n"));
        mise.check("python3", None);
        fs::remove_file(mise.at("work/mise.toml")).unwrap();
        // What else it names counts.
        mise.write("work/.tool-versions", &format!("python {path} 3.9.18\n"));
        mise.check("python3", Some("installs/python/3.9.18/bin/python3"));
    }

    let mut asdf = Sandbox::new(&["3.9.18"], "installs/python");
    asdf.executable(
        "root/shims/python3",
        "#!/bin/sh\nexec asdf exec python3 \"$@\"\n",
    );
    for path in planted(&asdf) {
        asdf.write("work/.tool-versions", &format!("python {path}\n"));
        asdf.check("python3", Some("../elsewhere/bin/python3"));
        for (open, mode) in [("work/.tool-versions", 0o666), ("work", 0o777)] {
            let usual = fs::metadata(asdf.at(open)).unwrap().permissions();
            fs::set_permissions(asdf.at(open), fs::Permissions::from_mode(mode)).unwrap();
            asdf.check("python3", None);
            fs::set_permissions(asdf.at(open), usual).unwrap();
        }
    }
    // What the environment says is the user's own word.
    for (sandbox, name) in [
        (&mut mise, "MISE_PYTHON_VERSION"),
        (&mut asdf, "ASDF_PYTHON_VERSION"),
    ] {
        let [path, _] = planted(sandbox);
        sandbox.set(name, &path);
        sandbox.check("python3", Some("../elsewhere/bin/python3"));
    }
}

#[test]
fn other_files_are_no_shims() {
    let sandbox = Sandbox::pyenv(&[]);
    sandbox.executable(
        "root/shims/wrapper",
        "#!/bin/sh\n# runs pyenv exec\nexec /usr/bin/python3 \"$@\"\n",
    );
    sandbox.executable("root/shims/binary", "\u{7f}ELF exec pyenv exec");
    for name in ["wrapper", "binary", "missing"] {
        let (shim, inputs) = sandbox.resolve(name);
        assert_eq!((shim, inputs), (Shim::No, Vec::new()), "{name}");
    }
}
