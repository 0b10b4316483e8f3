//! Hooks that a hermetic PEX does not feel, by their content.
//!
//! | hook | what becomes of it |
//! |---|---|
//! | `distutils-precedence.pth` of setuptools | puts a finder for `distutils` on `sys.meta_path` that serves setuptools' own; where the PEX has setuptools, that brings the same line, else the finder finds nothing |
//! | `*-nspkg.pth` of setuptools | makes a package in `sys.modules` whose path is the host's; both are scrubbed |
//! | `easy-install.pth` of setuptools | moves entries of `sys.path`, which are scrubbed |
//! | Debian's `sitecustomize.py` | sets apport's `sys.excepthook`, which is reset |
//! | comments and blank lines | nothing |

/// setuptools, `setup.py`: until 60.0 the standard library's `distutils` was the default.
const DISTUTILS: [&str; 2] = [
    "import os; var = 'SETUPTOOLS_USE_DISTUTILS'; enabled = os.environ.get(var, 'local') == 'local'; \
     enabled and __import__('_distutils_hack').add_shim();",
    "import os; var = 'SETUPTOOLS_USE_DISTUTILS'; enabled = os.environ.get(var, 'stdlib') == 'local'; \
     enabled and __import__('_distutils_hack').add_shim();",
];

/// setuptools, `command/easy_install.py`.
const EASY_INSTALL: [&str; 2] = [
    "import sys; sys.__plen = len(sys.path)",
    "import sys; new = sys.path[sys.__plen:]; del sys.path[sys.__plen:]; p = getattr(sys, '__egginsert', 0); \
     sys.path[p:p] = new; sys.__egginsert = p + len(new)",
];

/// setuptools, `namespaces.py`: a package's name is `%n`, the tuple of its parts `%t`.
const NAMESPACE: [&str; 3] = [
    "import sys, types, os;has_mfs = sys.version_info > (3, 5);\
     p = os.path.join(sys._getframe(1).f_locals['sitedir'], *%t);\
     importlib = has_mfs and __import__('importlib.util');has_mfs and __import__('importlib.machinery');\
     m = has_mfs and sys.modules.setdefault(%n, importlib.util.module_from_spec(\
     importlib.machinery.PathFinder.find_spec(%n, [os.path.dirname(p)])));\
     m = m or sys.modules.setdefault(%n, types.ModuleType(%n));\
     mp = (m or []) and m.__dict__.setdefault('__path__',[]);(p not in mp) and mp.append(p)",
    "import sys, types, os;p = os.path.join(sys._getframe(1).f_locals['sitedir'], *%t);\
     importlib = __import__('importlib.util');__import__('importlib.machinery');\
     m = sys.modules.setdefault(%n, importlib.util.module_from_spec(\
     importlib.machinery.PathFinder.find_spec(%n, [os.path.dirname(p)])));\
     m = m or sys.modules.setdefault(%n, types.ModuleType(%n));\
     mp = (m or []) and m.__dict__.setdefault('__path__',[]);(p not in mp) and mp.append(p)",
    "import sys, types, os;p = os.path.join(sys._getframe(1).f_locals['sitedir'], *%t);\
     ie = os.path.exists(os.path.join(p,'__init__.py'));\
     m = not ie and sys.modules.setdefault(%n, types.ModuleType(%n));\
     mp = (m or []) and m.__dict__.setdefault('__path__',[]);(p not in mp) and mp.append(p)",
];

/// Debian's and Ubuntu's `/etc/pythonX.Y/sitecustomize.py`.
const APPORT: [&str; 6] = [
    "try:",
    "import apport_python_hook",
    "except ImportError:",
    "pass",
    "else:",
    "apport_python_hook.install()",
];

/// Whether an import line, without blanks around it, has no effect.
pub(super) fn line(line: &str) -> bool {
    DISTUTILS.contains(&line) || EASY_INSTALL.contains(&line) || namespace(line)
}

/// Whether importing a module with this source has no effect.
pub(super) fn module(text: &str) -> bool {
    code(text).next().is_none() || code(text).eq(APPORT)
}

/// Whether there is anything but comments and blank lines.
pub(super) fn has_code(text: &str) -> bool {
    code(text).next().is_some()
}

fn code(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// Whether it is a line that makes a namespace package.
fn namespace(line: &str) -> bool {
    let Some((_, rest)) = line.split_once("['sitedir'], *(") else {
        return false;
    };
    let Some((tuple, _)) = rest.split_once(')') else {
        return false;
    };
    let parts: Option<Vec<&str>> = tuple
        .trim_end_matches(',')
        .split(", ")
        .map(|part| part.strip_prefix('\'')?.strip_suffix('\''))
        .collect();
    let Some(parts) = parts else { return false };
    let word = |part: &&str| {
        !part.is_empty() && part.chars().all(|c| c == '_' || c.is_ascii_alphanumeric())
    };
    if !parts.iter().all(word) {
        return false;
    }
    let filled = |template: &str| {
        template
            .replace("%t", &format!("({tuple})"))
            .replace("%n", &format!("'{}'", parts.join(".")))
    };
    let behind = match parts.as_slice() {
        [parents @ .., child] if !parents.is_empty() => {
            let parent = parents.join(".");
            format!(";m and setattr(sys.modules['{parent}'], '{child}', m)")
        }
        _ => String::new(),
    };
    let mut templates = NAMESPACE.iter();
    templates.any(|template| line == filled(template) + &behind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_the_very_lines_is_without_effect() {
        for known in DISTUTILS.iter().chain(&EASY_INSTALL) {
            assert!(line(known), "{known}");
            assert!(!line(&format!("{known} import evil")), "{known}");
            assert!(!line(&known[..known.len() - 1]), "{known}");
        }
        assert!(!line("import os"));
    }

    #[test]
    fn a_namespace_line_is_known_whatever_the_name() {
        for template in NAMESPACE {
            let zope = template.replace("%t", "('zope',)").replace("%n", "'zope'");
            assert!(line(&zope), "{zope}");
            for (from, to) in [
                ("*('zope',)", "*('zope', x(),)"),
                ("'zope'", "evil"),
                (";p", ";q"),
            ] {
                assert!(!line(&zope.replacen(from, to, 1)), "{from}");
            }
            let deep = template
                .replace("%t", "('a', 'b_2')")
                .replace("%n", "'a.b_2'");
            assert!(!line(&deep), "{deep}");
            assert!(line(&format!(
                "{deep};m and setattr(sys.modules['a'], 'b_2', m)"
            )));
            assert!(!line(&format!(
                "{deep};m and setattr(sys.modules['a'], 'c', m)"
            )));
        }
    }

    #[test]
    fn a_module_that_does_nothing_or_installs_apport_is_without_effect() {
        let apport = "# install the apport exception handler if available\ntry:\n    import apport_python_hook\n\
                      except ImportError:\n    pass\nelse:\n    apport_python_hook.install()\n";
        for (text, without) in [
            ("", true),
            ("# a comment\n\n", true),
            (apport, true),
            ("\"\"\"A docstring.\"\"\"\n", false),
            ("import ca\n", false),
        ] {
            assert_eq!(module(text), without, "{text}");
        }
        assert!(!module(&format!("{apport}import ca\n")));
    }
}
