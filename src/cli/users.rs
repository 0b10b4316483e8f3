//! `pexboot cache --all-users`: the command, once for each user that has a cache, as that user. What root does in a directory
//! of another's could be led elsewhere by its owner; so root does nothing there.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::error::CliError;
use crate::output::stdout;
use crate::shown::{self, line};

/// Where roots of users without a home are.
const FALLBACK: &str = "/var/tmp";

/// Someone who may have a cache.
#[derive(Debug, Clone, PartialEq, Eq)]
struct User {
    name: String,
    uid: u32,
    gid: u32,
    /// `None` to look where a start without HOME would.
    home: Option<PathBuf>,
}

/// Does for each user what this command line says.
///
/// # Errors
/// When it isn't root who asks, or the command fails for someone.
pub fn each(json: bool) -> Result<(), CliError> {
    if !nix::unistd::geteuid().is_root() {
        return Err(CliError::refused(
            "`--all-users` is for root: only root can act for each user; leave it out for your own cache",
        ));
    }
    let passwd = crate::regular::read(Path::new("/etc/passwd")).unwrap_or_default();
    let mut users = listed(&String::from_utf8_lossy(&passwd));
    users.extend(homeless(&users));
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    let words: Vec<OsString> = words.into_iter().filter(|w| w != "--all-users").collect();
    let mut roots = Vec::new();
    for user in users {
        let Some(root) = root(&user).filter(|root| root.is_dir() && !roots.contains(root)) else {
            continue;
        };
        let name = line(&user.name);
        let output = user.command(&words).stderr(Stdio::inherit()).output()?;
        if !output.status.success() {
            return Err(CliError::refused(&format!(
                "the cache of user {name}, `{}`: `pexboot cache` ended with {}",
                root.display(),
                output.status
            )));
        }
        stdout::print(
            &match (json, serde_json::from_slice::<Value>(&output.stdout)) {
                (true, Ok(mut value)) => {
                    value["user"] = user.name.clone().into();
                    shown::json(&value) + "\n"
                }
                _ => {
                    let gap = if roots.is_empty() { "" } else { "\n" };
                    let text = String::from_utf8_lossy(&output.stdout);
                    format!("{gap}{name}  {}\n{text}", line(root.display()))
                }
            },
        );
        roots.push(root);
    }
    if roots.is_empty() && !json {
        stdout::print("no user has a cache\n");
    }
    Ok(())
}

impl User {
    /// This program as that user, with nothing of this environment.
    fn command(&self, words: &[OsString]) -> Command {
        // By its path it might be out of the user's reach.
        let mut command = Command::new("/proc/self/exe");
        command.args(words).env_clear().current_dir("/");
        command.envs(self.home.iter().map(|home| ("HOME", home)));
        // Other groups are left with it.
        command.uid(self.uid).gid(self.gid).stdin(Stdio::null());
        command
    }
}

/// The root that a start by the user would use.
fn root(user: &User) -> Option<PathBuf> {
    let words = ["cache", "--json", "path"].map(OsString::from);
    let output = user.command(&words).output().ok()?;
    let told: Value = serde_json::from_slice(&output.stdout).ok()?;
    Some(PathBuf::from(told["root"].as_str()?))
}

/// The users of `/etc/passwd`.
fn listed(passwd: &str) -> Vec<User> {
    let user = |line: &str| {
        let fields: Vec<&str> = line.split(':').collect();
        let &[name, _, uid, gid, _, home, ..] = fields.as_slice() else {
            return None;
        };
        Some(User {
            name: name.to_owned(),
            uid: uid.parse().ok()?,
            gid: gid.parse().ok()?,
            home: Some(PathBuf::from(home)),
        })
    };
    passwd.lines().filter_map(user).collect()
}

/// Those who have a root of starts without HOME, listed or not.
fn homeless(listed: &[User]) -> Vec<User> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(FALLBACK).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let uid = name.to_str().and_then(|name| name.strip_prefix("pexboot-"));
        let Some(uid) = uid.and_then(|uid| uid.parse::<u32>().ok()) else {
            continue;
        };
        // A stranger can take the name, and is not the one to be asked then.
        let owned = entry.metadata().is_ok_and(|status| status.uid() == uid);
        let known = listed.iter().find(|user| user.uid == uid);
        found.extend(owned.then(|| User {
            name: known.map_or_else(|| uid.to_string(), |user| user.name.clone()),
            uid,
            gid: known.map_or(uid, |user| user.gid),
            home: None,
        }));
    }
    found.sort_by_key(|user| user.uid);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_read_from_passwd() {
        let text = "root:x:0:0:root:/root:/bin/sh\n# no user\na:x:1000:100:A,,,:/its/home:/bin/sh\nbad:x:b:1::/:\n";
        let users = listed(text);
        let [root, a] = users.as_slice() else {
            panic!("{users:?}");
        };
        assert_eq!((root.name.as_str(), root.uid), ("root", 0));
        assert_eq!((a.uid, a.gid), (1000, 100));
        assert_eq!(a.home.as_deref(), Some(Path::new("/its/home")));
    }
}
