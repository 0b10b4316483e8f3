//! The parts of a virtual environment that every one has: interpreter, settings, activation (PEP 405).

use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::image::{Image, Mode};
use super::layout::Layout;
use super::{FillIo, Request};

/// The settings file.
const SETTINGS: &str = "pyvenv.cfg";
/// Our own key in it: the place that the environment was made for.
const LOCATION: &[u8] = b"location = ";

/// The empty environment that will be at `place`.
pub(super) fn make(
    request: &Request<'_>,
    layout: &Layout,
    place: &Path,
    image: &mut Image,
) -> Result<(), FillIo> {
    image.directory(&layout.include)?;
    image.directory(&layout.site_packages)?;
    if layout.site_packages.starts_with("lib/") {
        // Builds with `sys.platlibdir` of lib64 look there for extension modules.
        image.neighbour("lib64", "lib".to_owned())?;
    }
    let base = format!("bin/{}", layout.base);
    let binary = &request.interpreter.binary;
    if request.info.venv_copies {
        image.put(Mode::Copy, binary, &base)?;
    } else {
        image.link(&base, binary)?;
    }
    for alias in layout.aliases.iter().map(|alias| format!("bin/{alias}")) {
        if request.info.venv_copies {
            image.put(Mode::Copy, binary, &alias)?;
        } else {
            image.neighbour(&alias, layout.base.clone())?;
        }
    }
    image.text(SETTINGS, settings(request, place), false)?;
    image.text(
        &format!("{}/PEX_EXTRA_SYS_PATH.pth", layout.site_packages),
        EXTRA_SYS_PATH.into(),
        false,
    )?;
    for (name, template, quote) in ACTIVATE {
        let mut text = Vec::new();
        let prompt = [b"(", request.prompt.as_bytes(), b") "].concat();
        for part in template.split_inclusive('@') {
            match part {
                "VENV@" => text.extend(quote(place.as_os_str())),
                "PROMPT@" => text.extend(quote(OsStr::from_bytes(&prompt))),
                _ => text.extend(part.strip_suffix('@').unwrap_or(part).bytes()),
            }
        }
        image.text(&format!("bin/{name}"), text, false)?;
    }
    Ok(())
}

/// The place that the environment at `path` was made for; `None` when it does not say.
pub(super) fn location(path: &Path) -> Option<PathBuf> {
    let settings = crate::regular::read(&path.join(SETTINGS)).ok()?;
    let line = settings
        .split(|byte| *byte == b'\n')
        .find_map(|line| line.strip_prefix(LOCATION))?;
    Some(PathBuf::from(std::ffi::OsString::from_vec(line.to_vec())))
}

/// `pyvenv.cfg`. Python itself reads `home` and `include-system-site-packages`, from 3.11 on `executable` too.
fn settings(request: &Request<'_>, place: &Path) -> Vec<u8> {
    let interpreter = request.interpreter;
    let (major, minor, micro) = interpreter.version;
    let home = interpreter.binary.parent().unwrap_or(Path::new("/"));
    let mut text = Vec::new();
    let mut line = |key: &str, value: &[u8]| {
        text.extend(key.as_bytes());
        text.extend(b" = ");
        text.extend(value);
        text.push(b'\n');
    };
    line("home", home.as_os_str().as_bytes());
    line(
        "include-system-site-packages",
        if request.info.venv_system_site_packages {
            b"true"
        } else {
            b"false"
        },
    );
    line("version", format!("{major}.{minor}.{micro}").as_bytes());
    line("prompt", &[b"'", request.prompt.as_bytes(), b"'"].concat());
    line("executable", interpreter.binary.as_os_str().as_bytes());
    text.extend(LOCATION);
    text.extend(place.as_os_str().as_bytes());
    text.push(b'\n');
    text
}

/// Appends what `PEX_EXTRA_SYS_PATH` names (reference 6.7). The second variable is what children see of it once `PEX_*`
/// is stripped. Python runs such lines twice in a virtual environment, hence the test.
const EXTRA_SYS_PATH: &str = "import os, sys; sys.path.extend(dict.fromkeys(\
    entry for name in ('PEX_EXTRA_SYS_PATH', '__PEX_EXTRA_SYS_PATH__') if os.environ.get(name) \
    for entry in os.environ[name].split(os.pathsep) if entry not in sys.path))\n";

/// How a shell writes a text that means itself.
type Quote = fn(&OsStr) -> Vec<u8>;

/// The activation scripts: name, text with `@VENV@` and `@PROMPT@`, and the shell's quoting.
const ACTIVATE: [(&str, &str, Quote); 3] = [
    ("activate", include_str!("activate.sh"), quote_sh),
    ("activate.csh", include_str!("activate.csh"), quote_csh),
    ("activate.fish", include_str!("activate.fish"), quote_fish),
];

fn quoted(text: &OsStr, escape: impl Fn(u8) -> Option<&'static [u8]>) -> Vec<u8> {
    let mut out = vec![b'\''];
    for byte in text.as_bytes() {
        match escape(*byte) {
            Some(escaped) => out.extend(escaped),
            None => out.push(*byte),
        }
    }
    out.push(b'\'');
    out
}

fn quote_sh(text: &OsStr) -> Vec<u8> {
    quoted(text, |byte| (byte == b'\'').then_some(br"'\''"))
}

fn quote_csh(text: &OsStr) -> Vec<u8> {
    quoted(text, |byte| match byte {
        b'\'' => Some(br"'\''"),
        b'!' => Some(br"\!"),
        b'\n' => Some(b"\\\n"),
        _ => None,
    })
}

fn quote_fish(text: &OsStr) -> Vec<u8> {
    quoted(text, |byte| match byte {
        b'\'' => Some(br"\'"),
        b'\\' => Some(br"\\"),
        _ => None,
    })
}
