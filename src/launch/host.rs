//! Whether the host's `site` runs in a hermetic PEX: where packager or user say so, else where the host has a hook that
//! matters. Without one Python is started with `-S`, which is faster and the same to the application.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use crate::archive::Seal;
use crate::boot::Scrubbed;
use crate::interpreter::{Hook, Hooks, Record};
use crate::launch::fact::{About, Fact};
use crate::launch::facts::shown;
use crate::launch::{Invocation, Report};
use crate::plan::{Anchor, Inputs, Place, place};

/// The `site` of a hermetic start.
pub(super) struct HostSite {
    /// Whether it runs.
    pub runs: bool,
    /// What said so, where that are not the hooks.
    pub told_by: Option<&'static str>,
    /// What the host has.
    pub hooks: Hooks,
}

impl HostSite {
    /// Decides for a Python that is started with these options. Hooks are looked for where they decide, and for someone
    /// who `explains`.
    pub fn decide(
        invocation: &Invocation,
        seal: Option<&Seal>,
        interpreter: &Record,
        options: &[Vec<u8>],
        explains: bool,
        inputs: &mut Inputs,
    ) -> HostSite {
        let told = told(invocation, seal);
        let mut hooks = if told.is_none() || explains {
            interpreter.hooks(!has_flag(options, b"sI"))
        } else {
            Hooks::default()
        };
        if told.is_none() && hooks.first_that_matters().is_some() && !has_flag(options, b"E") {
            // The user's own hooks don't count where Python is told so.
            let variable = invocation.variable("PYTHONNOUSERSITE");
            inputs.variable("PYTHONNOUSERSITE", variable);
            if variable.is_some_and(|value| !value.is_empty()) {
                hooks = interpreter.hooks(false);
            }
        }
        if told.is_none() {
            let home = home(invocation);
            match hooks.first_that_matters() {
                // As long as this one is there, it is right to let `site` run.
                Some(hook) => watch(&hook.path, home, inputs),
                None => hooks
                    .watched
                    .iter()
                    .for_each(|path| watch(path, home, inputs)),
            }
        }
        HostSite {
            runs: told.map_or(hooks.first_that_matters().is_some(), |(runs, _)| runs),
            told_by: told.map(|(_, by)| by),
            hooks,
        }
    }

    /// What comes of a hook.
    pub fn outcome(&self, hook: &Hook) -> &'static str {
        match (self.runs, hook.matters) {
            (true, _) => "runs",
            (false, true) => "does not run",
            (false, false) => "without effect on a hermetic PEX: does not run",
        }
    }

    /// Says what was found, and what was done.
    pub fn tell(&self, report: &mut dyn Report) {
        for hook in &self.hooks.found {
            report.fact(&|| Fact::new(About::Hook, shown(&hook.path), self.outcome(hook)));
        }
        report.fact(&|| {
            let flag = if self.runs {
                "starts with its site"
            } else {
                "starts with -S"
            };
            let why = match (self.told_by, self.hooks.first_that_matters()) {
                (Some(by), _) => format!("{by} says so"),
                (None, Some(_)) => {
                    "a host hook matters; PEXBOOT_HOST_SITE=0 leaves all out".to_owned()
                }
                (None, None) => "no host hook matters".to_owned(),
            };
            Fact::new(About::Start, "Python", flag).because(why)
        });
    }
}

/// Says of PYTHONPATH what the original says, which leaves it to children; and what of it a user may miss.
pub(super) fn tell_python_path(entries: Option<&OsStr>, report: &mut dyn Report) {
    let Some(entries) = entries else {
        return;
    };
    report.say(2, &|| {
        format!("Stashed PYTHONPATH of {}", entries.to_string_lossy())
    });
    for entry in entries.as_bytes().split(|byte| *byte == b':') {
        let entry = PathBuf::from(OsString::from_vec(entry.to_vec()));
        report.say(1, &|| {
            format!("Scrubbing user PYTHONPATH element: {}", entry.display())
        });
        for module in ["sitecustomize", "usercustomize"] {
            let files = [format!("{module}.py"), format!("{module}/__init__.py")];
            let mut files = files.iter().map(|file| entry.join(file));
            if let Some(file) = files.find(|file| file.is_file()) {
                report.say(1, &|| {
                    format!("`{}` does not run: the PEX is hermetic", file.display())
                });
            }
        }
    }
}

/// What tells the boot the interpreter's own modules from those that its `site` has brought.
pub(super) fn scrubbed(python_path: bool, interpreter: &Record) -> Scrubbed {
    let spelled = |entries: Vec<&PathBuf>| {
        let mut all = Vec::new();
        for entry in entries {
            let real = entry.canonicalize().unwrap_or_else(|_| entry.clone());
            for spelling in [entry.clone(), real] {
                if !all.contains(&spelling) {
                    all.push(spelling);
                }
            }
        }
        all
    };
    let hooks = interpreter.hooks(true);
    let mut site: Vec<&PathBuf> = interpreter.site_packages.iter().collect();
    // What else is on the path by then has PYTHONPATH brought, or an import line, if there are any.
    let others = hooks.only_customize() && !python_path;
    if others {
        site.extend(interpreter.user_site.iter().chain(&hooks.directories));
    }
    Scrubbed {
        own: spelled(interpreter.stdlib.iter().collect()),
        site: spelled(site),
        others,
    }
}

/// What user or packager say, and by which word.
fn told(invocation: &Invocation, seal: Option<&Seal>) -> Option<(bool, &'static str)> {
    match invocation
        .variable("PEXBOOT_HOST_SITE")
        .map(|value| value.as_bytes())
    {
        None | Some(b"") => {
            let sealed = seal.and_then(|seal| seal.options.host_site)?;
            let option = if sealed {
                "`embed --host-site`"
            } else {
                "`embed --no-host-site`"
            };
            Some((sealed, option))
        }
        Some(value) => {
            let runs = value != b"0" && !value.eq_ignore_ascii_case(b"false");
            Some((runs, "PEXBOOT_HOST_SITE"))
        }
    }
}

/// Whether one of these letters is among Python's options.
pub(super) fn has_flag(options: &[Vec<u8>], letters: &[u8]) -> bool {
    options.iter().any(|option| match option.as_slice() {
        [b'-', flags @ ..] if !flags.starts_with(b"-") => {
            let flags = flags.iter().take_while(|flag| !b"cmWX".contains(flag));
            flags.into_iter().any(|flag| letters.contains(flag))
        }
        _ => false,
    })
}

/// The home in which Python looks for the user's own packages, where nothing else names a place. Everything lies below `/`,
/// which a container gives accounts that it does not know: that is no home to find anything by.
fn home(invocation: &Invocation) -> Option<&Path> {
    let other = invocation.variable("PYTHONUSERBASE");
    let home = invocation.variable("HOME").map(Path::new);
    home.filter(|home| {
        home.is_absolute() && home.parent().is_some() && other.is_none_or(|value| value.is_empty())
    })
}

fn watch(path: &Path, home: Option<&Path>, inputs: &mut Inputs) {
    // A plan is for any home.
    let place = match home.and_then(|home| path.strip_prefix(home).ok()) {
        Some(below) => Place {
            anchor: Anchor::Home,
            path: below.as_os_str().as_bytes().to_vec(),
        },
        None => place(path),
    };
    inputs.file_at(place, path);
}

#[cfg(test)]
mod tests {
    use super::has_flag;

    #[test]
    fn letters_are_looked_for_among_the_flags_alone() {
        let options = |words: &[&str]| -> Vec<Vec<u8>> {
            words.iter().map(|word| word.as_bytes().to_vec()).collect()
        };
        for words in [&["-s"][..], &["-O", "-Es"], &["-sWerror"]] {
            assert!(has_flag(&options(words), b"sI"), "{words:?}");
        }
        for words in [
            &["-Xs"][..],
            &["--check-hash-based-pycs", "always"],
            &["-W", "s"],
        ] {
            assert!(!has_flag(&options(words), b"sI"), "{words:?}");
        }
    }
}
