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
            Shim::Active(self.at(&format!("root/{path}")))
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
