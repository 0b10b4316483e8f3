//! Items 105-112: what the host's `site` runs, what is left of it, and what `.start` files do.

use std::fs;
use std::path::PathBuf;

use crate::fixtures::{Built, Pex, Wheel, sid_python};
use crate::harness::host::Host;
use crate::harness::pythons::debian;
use crate::harness::subject::{no_oracle, on_each, subject};
use crate::harness::{Case, Stage, Start, Way, long, stated, ways};

/// Says which `dep` it has, and whether `pack` is the PEX's whole one.
const WHO: &str = "import sys, os
def main():
    import dep
    try:
        import pack.sub
        pack = pack.sub.WHO
    except ImportError as error:
        pack = type(error).__name__
    print(dep.WHO, pack, os.environ.get('HOOK'), sys.excepthook is sys.__excepthook__)
";

/// A PEX with both.
fn pex(name: &str) -> Pex {
    Pex::app(name, WHO)
        .dep(Wheel::empty("dep", "2.0").file("dep.py", "WHO = 'pex'\n"))
        .dep(
            Wheel::empty("pack", "2.0")
                .file("pack/__init__.py", "")
                .file("pack/sub.py", "WHO = 'pex'\n"),
        )
}

/// What a host has under the same names, and a hook that imports it.
const HOSTED: &[(&str, &str)] = &[
    ("dep.py", "WHO = 'host'\n"),
    ("pack/__init__.py", ""),
    (
        "hook.pth",
        "import os, sys, dep, pack; os.environ['HOOK'] = 'ran'; sys.excepthook = print\n",
    ),
];

/// Starts the PEX on a host that has these files, in a site-packages directory of each kind in turn, and says what it
/// printed: the same whichever way, cold and warm.
fn on_host(
    pex: &Built,
    case: &str,
    files: &[&[(&str, &str)]],
    envs: &[(&'static str, &str)],
) -> Vec<String> {
    let mut said: Vec<String> = Vec::new();
    for &way in ways() {
        let stage = Stage::with_hooks(way, pex);
        let Some(host) = Host::new(&stage, case) else {
            return said;
        };
        let mut start = start(&stage, &host);
        for (name, value) in envs {
            start = start.env(name, value);
        }
        let mut printed = Vec::new();
        for files in files {
            for directory in 0..host.site_packages.len() {
                host.install(directory, files);
                let outcome = start.run();
                let text = outcome.ok().stdout.trim_end().to_owned();
                if way == Way::Embedded {
                    start.run().ok().prints(&text);
                }
                printed.push(text);
                host.clear();
            }
        }
        match way {
            Way::Original => said = printed,
            Way::Embedded => assert_eq!(said, printed, "original and embedded"),
        }
    }
    said
}

fn start<'a>(stage: &'a Stage, host: &Host) -> Start<'a> {
    stage.start().env("PATH", host.search())
}

#[test]
fn item_105_what_a_hook_has_imported_shadows_nothing_whatever_is_inherited() {
    on_each(|| {
        let case = "item 105";
        let shadowed = "host ModuleNotFoundError ran True";
        for (inherit, said) in [("fallback", "pex pex ran True"), ("prefer", shadowed)] {
            let built = pex("item105").info("inherit_path", inherit).build();
            for found in on_host(&built, case, &[HOSTED], &[]) {
                assert_eq!(found, said, "{inherit}");
            }
        }
        let built = pex("item105").build();
        for env in [
            &[][..],
            &[("PEX_INHERIT_PATH", "fallback")],
            &[("PEXBOOT_HOST_SITE", "1")],
        ] {
            for found in on_host(&built, case, &[HOSTED], env) {
                assert_eq!(found, "pex pex ran True", "{env:?}");
            }
        }
    });
}

#[test]
fn item_106_what_a_sitecustomize_on_pythonpath_has_imported_shadows_nothing() {
    on_each(|| {
        for (inherit, said) in [
            ("fallback", "pex pex"),
            ("prefer", "path ModuleNotFoundError"),
        ] {
            let built = pex("item106").info("inherit_path", inherit).build();
            Case::new(&built)
                .with(|start, stage| {
                    stage.write("x/dep.py", "WHO = 'path'\n");
                    stage.write("x/pack/__init__.py", "");
                    stage.write("x/sitecustomize.py", "import dep, pack\n");
                    start.env("PYTHONPATH", stage.path("x"))
                })
                .holds(|run| {
                    run.ok().prints(&format!("{said} None True"));
                });
        }
    });
}

/// A machine with the embedded PEX, and its host.
fn embedded(pex: &Built, case: &str) -> Option<(Stage, Host)> {
    let stage = Stage::with_hooks(Way::Embedded, pex);
    let host = Host::new(&stage, case)?;
    Some((stage, host))
}

/// Whether Python was started with `-S`, and what the hooks left in HOOK.
const HOOKED: &str = "import builtins, sys\ndef main():\n    print(sys.flags.no_site, getattr(builtins, 'HOOK', None))\n";

/// A hook that can be told to have run.
const MARK: &str = "import builtins; builtins.HOOK = 'x'\n";

#[test]
fn item_107_a_hook_that_matters_runs_as_under_the_original() {
    on_each(|| {
        let built = Pex::app("item107", HOOKED).build();
        let hooks = [
            [("hook.pth", MARK)],
            [("sitecustomize.py", MARK)],
            [("sitecustomize/__init__.py", MARK)],
        ];
        for found in on_host(
            &built,
            "item 107",
            &hooks.each_ref().map(|hook| &hook[..]),
            &[],
        ) {
            assert_eq!(found, "0 x");
        }
        let Some((stage, host)) = embedded(&built, "item 107") else {
            return;
        };
        for hook in hooks {
            host.install(0, &hook);
            let silent = start(&stage, &host).env("PEXBOOT_HOST_SITE", "0");
            silent.run().ok().prints("1 None");
            host.clear();
        }
        // What a `sitecustomize` puts on the path belongs to the interpreter, what an import line does is scrubbed.
        let text = "import sys\ndef main():\n    before = 'mine' in sys.modules\n    try:\n        import mine\n        \
                    print(before, True)\n    except ImportError:\n        print(before, False)\n";
        let finds = Pex::app("item107-finds", text).build();
        let adds = "import os, sys; d = os.path.join(sys.prefix, 'mine'); os.makedirs(d, exist_ok=True); \
                    open(os.path.join(d, 'mine.py'), 'w').close(); sys.path.append(d); import mine\n";
        for (file, said) in [
            ("hook.pth", "False False"),
            ("sitecustomize.py", "True True"),
        ] {
            for found in on_host(&finds, "item 107", &[&[(file, adds)]], &[]) {
                assert_eq!(found, said, "{file}");
            }
        }
    });
}

#[test]
fn item_108_the_hooks_of_a_user_are_the_users_own() {
    on_each(|| {
        let built = Pex::app("item108", HOOKED).build();
        for name in ["hook.pth", "usercustomize.py"] {
            for (variable, said) in [("", "x"), ("PYTHONNOUSERSITE", "None")] {
                for &way in stated() {
                    let stage = Stage::with_hooks(way, &built);
                    let site = format!("home/.local/lib/{}/site-packages", subject().name());
                    stage.write(&format!("{site}/{name}"), MARK);
                    let start = match variable {
                        "" => stage.start(),
                        name => stage.start().env(name, "1"),
                    };
                    let run = start.run();
                    let found = run.ok().stdout.trim_end().rsplit(' ').next();
                    assert_eq!(found, Some(said), "{name} {variable}\n{run}");
                }
            }
        }
    });
}

#[test]
fn item_109_a_hook_that_comes_or_goes_is_noticed() {
    on_each(|| {
        no_oracle("it has no plan that a hook could make stale");
        let built = Pex::app("item109", HOOKED).build();
        let Some((stage, host)) = embedded(&built, "item 109") else {
            return;
        };
        let user = stage.path(&format!(
            "home/.local/lib/{}/site-packages",
            subject().name()
        ));
        let mut places: Vec<PathBuf> = host
            .site_packages
            .iter()
            .chain([&user])
            .map(|directory| directory.join("hook.pth"))
            .collect();
        places.push(host.site_packages[0].join("sitecustomize.py"));
        let says = |text: &str| {
            // The second is a warm start.
            for _ in 0..2 {
                start(&stage, &host).run().ok().prints(text);
            }
        };
        says("1 None");
        for place in &places {
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::write(place, MARK).unwrap();
            says("0 x");
            // What does nothing is a hook without effect, and a change in place is one.
            fs::write(place, "# nothing\n").unwrap();
            says("1 None");
            fs::write(place, MARK).unwrap();
            says("0 x");
            fs::remove_file(place).unwrap();
            says("1 None");
        }
    });
}

/// What an application could see of a hook that is said to be without effect.
const SEES: &str = "import sys
def main():
    found = []
    for name in ('distutils', 'distutils.core', 'space', 'space.host', 'space.pex', 'apport_python_hook', 'egg'):
        try:
            module = __import__(name, fromlist=['x'])
            found.append((name, getattr(module, 'WHO', None), 'setuptools' in (getattr(module, '__file__', None) or '')))
        except Exception as error:
            found.append((name, type(error).__name__))
    found.append([name for name in sys.modules if name.split('.')[0] in ('_distutils_hack', 'apport_python_hook')])
    found.append(sys.excepthook is sys.__excepthook__)
    found.append([entry for entry in sys.path if 'packages' in entry and '.whl' not in entry and '/sites/' not in entry])
    print(found)
";

/// setuptools 65's `_distutils_hack`, as far as it goes.
const HACK: &str = "import sys
class Finder:
    def find_spec(self, name, path, target=None):
        if name != 'distutils' or path is not None:
            return None
        import importlib, importlib.abc, importlib.util
        try:
            module = importlib.import_module('setuptools._distutils')
        except Exception:
            return None
        class Loader(importlib.abc.Loader):
            def create_module(self, spec):
                module.__name__ = 'distutils'
                return module
            def exec_module(self, module):
                pass
        return importlib.util.spec_from_loader('distutils', Loader(), origin=module.__file__)
def add_shim():
    sys.meta_path.insert(0, Finder())
";

#[test]
fn item_110_hooks_without_effect_are_without_effect() {
    let distutils = |default: &str| {
        format!(
            "import os; var = 'SETUPTOOLS_USE_DISTUTILS'; enabled = os.environ.get(var, '{default}') == 'local'; \
             enabled and __import__('_distutils_hack').add_shim(); "
        )
    };
    let (local, stdlib) = (distutils("local"), distutils("stdlib"));
    let namespace = "import sys, types, os;has_mfs = sys.version_info > (3, 5);\
        p = os.path.join(sys._getframe(1).f_locals['sitedir'], *('space',));\
        importlib = has_mfs and __import__('importlib.util');has_mfs and __import__('importlib.machinery');\
        m = has_mfs and sys.modules.setdefault('space', importlib.util.module_from_spec(\
        importlib.machinery.PathFinder.find_spec('space', [os.path.dirname(p)])));\
        m = m or sys.modules.setdefault('space', types.ModuleType('space'));\
        mp = (m or []) and m.__dict__.setdefault('__path__',[]);(p not in mp) and mp.append(p)\n";
    let newer = namespace
        .replace("has_mfs = sys.version_info > (3, 5);", "")
        .replace("has_mfs and ", "");
    let older = "import sys, types, os;p = os.path.join(sys._getframe(1).f_locals['sitedir'], *('space',));\
        ie = os.path.exists(os.path.join(p,'__init__.py'));\
        m = not ie and sys.modules.setdefault('space', types.ModuleType('space'));\
        mp = (m or []) and m.__dict__.setdefault('__path__',[]);(p not in mp) and mp.append(p)\n";
    let easy = "import sys; sys.__plen = len(sys.path)\n./egg-1.0.egg\n\
        import sys; new = sys.path[sys.__plen:]; del sys.path[sys.__plen:]; p = getattr(sys, '__egginsert', 0); \
        sys.path[p:p] = new; sys.__egginsert = p + len(new)\n";
    let apport = "# install the apport exception handler if available\ntry:\n    import apport_python_hook\n\
        except ImportError:\n    pass\nelse:\n    apport_python_hook.install()\n";
    let hook = "import sys\ndef install():\n    sys.excepthook = print\n";
    let host_space = ("space/host.py", "WHO = 'host'\n");
    let hooks: [&[(&str, &str)]; 7] = [
        &[
            ("distutils-precedence.pth", &local),
            ("_distutils_hack/__init__.py", HACK),
        ],
        &[
            ("distutils-precedence.pth", &stdlib),
            ("_distutils_hack/__init__.py", HACK),
        ],
        &[("space-1-nspkg.pth", namespace), host_space],
        &[("space-1-nspkg.pth", &newer), host_space],
        &[("space-1-nspkg.pth", older), host_space],
        &[
            ("easy-install.pth", easy),
            ("egg-1.0.egg/egg.py", "WHO = 'host'\n"),
        ],
        &[
            ("sitecustomize.py", apport),
            ("apport_python_hook.py", hook),
        ],
    ];
    on_each(|| {
        let plain = Pex::app("item110", SEES)
            .dep(Wheel::empty("space", "1.0").file("space/pex.py", "WHO = 'pex'\n"));
        // As every setuptools that has a distutils of its own.
        let setuptools = Wheel::empty("setuptools", "65.0")
            .file("setuptools/__init__.py", "")
            .file("setuptools/_distutils/__init__.py", "WHO = 'setuptools'\n")
            .file("setuptools/_distutils/core.py", "WHO = 'setuptools'\n")
            .file("_distutils_hack/__init__.py", HACK)
            .file("distutils-precedence.pth", &local);
        for built in [plain.clone().build(), plain.dep(setuptools).build()] {
            on_host(&built, "item 110", &hooks, &[]);
        }
        let started = Pex::app("item107", HOOKED).build();
        let Some((stage, host)) = embedded(&started, "item 110") else {
            return;
        };
        for files in hooks {
            host.install(0, files);
            start(&stage, &host).run().ok().prints("1 None");
            host.clear();
        }
    });
}

#[test]
fn item_111_what_is_ignored_on_pythonpath_is_said() {
    on_each(|| {
        let built = Pex::app("item111", HOOKED).build();
        let case = Case::new(&built)
            .env("PEX_VERBOSE", "1")
            .with(|start, stage| {
                stage.write("x/sitecustomize.py", MARK);
                start.env("PYTHONPATH", stage.path("x"))
            });
        case.holds(|run| {
            // The original runs it once, in a Python that ends before the application begins.
            assert!(run.ok().stdout.trim_end().ends_with("None"), "{run}");
            let warm = run.stderr.contains("replaying the launch plan");
            if !warm {
                run.says("Scrubbing user PYTHONPATH element: ");
            }
        });
    });
}

#[test]
fn item_112_start_files_replace_the_import_lines_of_their_name() {
    on_each(|| {
        let app = "import os\ndef main():\n    print('hook', os.environ.get('N', 0), '| pth', os.environ.get('PTH', 0), \
                   '| other', os.environ.get('OTHER', 0))\n";
        let hook = "import os\ndef start():\n    os.environ['N'] = str(int(os.environ.get('N', 0)) + 1)\n\
                    class Deep:\n    start = staticmethod(start)\n";
        let wheel = Wheel::empty("hooked", "1.0")
            .file("hooked.py", hook)
            .file(
                "hooked.start",
                "\u{feff}# functions\n  hooked:start\n\nhooked:Deep.start\n",
            )
            .file("hooked.pth", "import os; os.environ['PTH'] = '1'\n")
            .file("other.pth", "import os; os.environ['OTHER'] = '1'\n")
            .file(
                "wrong.start",
                "hooked\nhooked:missing\nno.such:thing\nh\u{e4}'\\:x\n",
            );
        let built = Pex::app("item112", app).dep(wheel).build();
        let (major, minor, _) = subject().version;
        let said = if (major, minor) >= (3, 15) {
            "hook 2 | pth 0 | other 1"
        } else {
            "hook 0 | pth 1 | other 1"
        };
        Case::new(&built).ignore_stderr().agrees().ok().prints(said);
        if long() && subject() == debian() {
            // None of the Pythons that are usually here reads `.start` files.
            let newer = Case::new(&built).python(sid_python("python3.15"));
            let found = newer.ignore_stderr().agrees();
            found.ok().prints("hook 2 | pth 0 | other 1");
        }
    });
}
