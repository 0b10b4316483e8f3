//! Items 18-32: what an import finds, and in which order.

use std::path::PathBuf;

use crate::fixtures::{Pex, Wheel};
use crate::harness::subject::{on_each, subject};
use crate::harness::{Case, Outcome, Stage};

/// A module that says who it is.
fn who(name: &str) -> String {
    format!("WHO = '{name}'\n")
}

/// Holds that `modules` are found where expected: pairs of a module and its `WHO` (or the error's name).
fn finds(expected: &[(&str, &str)]) -> impl Fn(&Outcome) + use<> {
    let expected: Vec<(String, String)> = expected
        .iter()
        .map(|(module, who)| (module.to_string(), who.to_string()))
        .collect();
    move |run| {
        let state = run.state();
        for (module, who) in &expected {
            assert_eq!(state.who(module), who, "{module}\n{run}");
        }
    }
}

/// The user site directory of a machine.
fn user_site(stage: &Stage) -> PathBuf {
    stage.path(&format!(
        "home/.local/lib/{}/site-packages",
        subject().name()
    ))
}

/// Writes modules into the user site directory.
fn write_user_site(stage: &Stage, modules: &[&str]) {
    std::fs::create_dir_all(user_site(stage)).unwrap();
    for module in modules {
        std::fs::write(
            user_site(stage).join(format!("{module}.py")),
            who("user site"),
        )
        .unwrap();
    }
}

#[test]
fn item_18_code_then_each_dist_with_its_second_entry() {
    on_each(|| {
        let a = Wheel::empty("aa", "1.0")
            .requires("bb")
            .file("mine.py", &who("aa"))
            .file("first.py", &who("aa"))
            .file("contested.py", &who("aa"))
            .file("DATA/platlib/first.py", &who("aa platlib"))
            .file("DATA/platlib/second.py", &who("aa platlib"));
        let b = Wheel::empty("bb", "1.0")
            .file("contested.py", &who("bb"))
            .file("second.py", &who("bb"))
            .file("last.py", &who("bb"));
        let pex = Pex::probe("item18")
            .source("mine.py", &who("code"))
            .dep(a)
            .wheel(b)
            .build();
        Case::new(&pex)
            .env("PROBE_IMPORT", "mine,first,second,contested,last")
            .holds(finds(&[
                ("mine", "code"),
                ("first", "aa"),
                ("second", "aa platlib"),
                ("contested", "aa"),
                ("last", "bb"),
            ]));
    });
}

#[test]
fn item_19_user_code_precedes_the_standard_library_and_dists_follow_it() {
    on_each(|| {
        let dep = Wheel::empty("dep", "1.0")
            .file("tabnanny.py", &who("dep"))
            .file("colorsys.py", &who("dep"));
        let pex = Pex::probe("item19")
            .source("colorsys.py", &who("code"))
            .dep(dep)
            .build();
        Case::new(&pex)
            .env("PROBE_IMPORT", "colorsys,tabnanny")
            .holds(finds(&[("colorsys", "code"), ("tabnanny", "<no WHO>")]));
    });
}

#[test]
fn item_20_requirements_are_resolved_in_stored_order() {
    on_each(|| {
        let wheel = |name| Wheel::new(name, "1.0").file("contested.py", &who(name));
        let pex = |order: [&str; 2]| {
            Pex::probe("item20")
                .dep(wheel("aa"))
                .dep(wheel("dd"))
                .edit_info("requirements", order.map(String::from).to_vec())
                .build()
        };
        for order in [["dd", "aa"], ["aa", "dd"]] {
            Case::new(&pex(order))
                .env("PROBE_IMPORT", "contested")
                .holds(finds(&[("contested", order[0])]));
        }
    });
}

#[test]
fn item_21_host_packages_are_not_importable() {
    on_each(|| {
        let pex = Pex::probe("item21").build();
        let case = Case::new(&pex)
            .env("PROBE_IMPORT", "in_user_site")
            .with(|start, stage| {
                write_user_site(stage, &["in_user_site"]);
                start
            });
        case.holds(|run| {
            let state = run.state();
            assert_eq!(state.who("in_user_site"), "ModuleNotFoundError", "{run}");
            let host: Vec<_> = state
                .texts("/path")
                .into_iter()
                .filter(|p| p.contains("dist-packages"))
                .collect();
            assert!(host.is_empty(), "{host:?}");
        });
    });
}

#[test]
fn item_22_pth_files_of_a_dist_work_once() {
    on_each(|| {
        let pth = "./from_pth\nimport os; os.environ['PTH'] = os.environ.get('PTH', '') + 'x'\n";
        let first = Wheel::empty("aa", "1.0")
            .file("aa.pth", pth)
            .file("from_pth/found.py", &who("pth"))
            .file("from_pth/contested.py", &who("pth"))
            .file("own.py", &who("aa"))
            .file("from_pth/own.py", &who("pth"));
        let second = Wheel::empty("bb", "1.0").file("contested.py", &who("bb"));
        let pex = Pex::probe("item22").dep(first).dep(second).build();
        Case::new(&pex)
            .env("PROBE_IMPORT", "found,contested,own")
            .holds(|run| {
                finds(&[("found", "pth"), ("contested", "pth"), ("own", "aa")])(run);
                assert_eq!(run.state().env("PTH"), Some("x"), "{run}");
            });
    });
}

#[test]
fn item_23_a_namespace_spans_dists_and_user_code() {
    on_each(|| {
        let pex = Pex::probe("item23")
            .source("space/three.py", &who("code"))
            .dep(
                Wheel::empty("aa", "1.0")
                    .file("space/one.py", &who("aa"))
                    .file("space/sub/x.py", &who("aa")),
            )
            .dep(
                Wheel::empty("bb", "1.0")
                    .file("space/two.py", &who("bb"))
                    .file("space/sub/y.py", &who("bb")),
            )
            .build();
        Case::new(&pex)
            .env(
                "PROBE_IMPORT",
                "space.one,space.two,space.three,space.sub.x,space.sub.y",
            )
            .holds(finds(&[
                ("space.one", "aa"),
                ("space.two", "bb"),
                ("space.three", "code"),
                ("space.sub.x", "aa"),
                ("space.sub.y", "bb"),
            ]));
    });
}

#[test]
fn item_24_prefer_puts_pythonpath_first_and_host_packages_before_dists() {
    on_each(|| {
        let pex = Pex::probe("item24")
            .info("inherit_path", "prefer")
            .source("code_or_path.py", &who("code"))
            .dep(
                Wheel::empty("aa", "1.0")
                    .file("dep_or_host.py", &who("aa"))
                    .file("dep_only.py", &who("aa")),
            )
            .build();
        let case = Case::new(&pex)
            .env("PROBE_IMPORT", "code_or_path,dep_or_host,dep_only")
            .with(|start, stage| {
                write_user_site(stage, &["dep_or_host"]);
                stage.write("x/code_or_path.py", &who("PYTHONPATH"));
                start.env("PYTHONPATH", stage.path("x"))
            });
        case.holds(finds(&[
            ("code_or_path", "PYTHONPATH"),
            ("dep_or_host", "user site"),
            ("dep_only", "aa"),
        ]));
    });
}

#[test]
fn item_25_fallback_puts_reversed_dists_first_and_pythonpath_last() {
    on_each(|| {
        let pex = Pex::probe("item25")
            .info("inherit_path", "fallback")
            .source("code_or_dep.py", &who("code"))
            .dep(
                Wheel::empty("aa", "1.0")
                    .file("a_or_b.py", &who("aa"))
                    .file("code_or_dep.py", &who("aa")),
            )
            .dep(
                Wheel::empty("bb", "1.0")
                    .file("a_or_b.py", &who("bb"))
                    .file("dep_or_host.py", &who("bb")),
            )
            .build();
        let modules = "a_or_b,code_or_dep,dep_or_host,host_or_path,path_only";
        let case = Case::new(&pex)
            .env("PROBE_IMPORT", modules)
            .with(|start, stage| {
                write_user_site(stage, &["dep_or_host", "host_or_path"]);
                stage.write("x/host_or_path.py", &who("PYTHONPATH"));
                stage.write("x/path_only.py", &who("PYTHONPATH"));
                start.env("PYTHONPATH", stage.path("x"))
            });
        case.holds(finds(&[
            ("a_or_b", "bb"),
            ("code_or_dep", "aa"),
            ("dep_or_host", "bb"),
            ("host_or_path", "user site"),
            ("path_only", "PYTHONPATH"),
        ]));
    });
}

#[test]
fn item_26_the_environment_cannot_undo_a_built_in_prefer() {
    on_each(|| {
        let pex = Pex::probe("item26").info("inherit_path", "prefer").build();
        let case = Case::new(&pex)
            .env("PEX_INHERIT_PATH", "false")
            .env("PROBE_IMPORT", "hosted")
            .with(|start, stage| {
                write_user_site(stage, &["hosted"]);
                start
            });
        case.holds(finds(&[("hosted", "user site")]));
    });
}

#[test]
fn item_27_a_bad_inherit_path_is_refused() {
    on_each(|| {
        let pex = Pex::probe("item27").build();
        for value in ["bogus", ""] {
            Case::new(&pex).env("PEX_INHERIT_PATH", value).holds(|run| {
                run.refused().says("PEX_INHERIT_PATH");
                assert!(!run.stderr.contains("Traceback"), "{run}");
            });
        }
    });
}

#[test]
fn item_28_extra_entries_stand_between_standard_library_and_dists() {
    on_each(|| {
        let dep = Wheel::empty("aa", "1.0").file("extra_or_dep.py", &who("aa"));
        let pex = Pex::probe("item28")
            .source("code_or_extra.py", &who("code"))
            .dep(dep)
            .build();
        let modules = "extra_or_dep,code_or_extra,tabnanny";
        let case = Case::new(&pex)
            .env("PROBE_IMPORT", modules)
            .with(|start, stage| {
                for module in ["extra_or_dep", "code_or_extra", "tabnanny"] {
                    stage.write(&format!("x/{module}.py"), &who("extra"));
                }
                start.env("PEX_EXTRA_SYS_PATH", stage.path("x"))
            });
        case.holds(|run| {
            finds(&[
                ("extra_or_dep", "extra"),
                ("code_or_extra", "code"),
                ("tabnanny", "<no WHO>"),
            ])(run);
            let state = run.state();
            assert!(
                state
                    .env("PYTHONPATH")
                    .is_some_and(|path| path.ends_with("/x")),
                "{run}"
            );
        });
    });
}

#[test]
fn item_29_extra_entries_replace_an_inherited_pythonpath() {
    on_each(|| {
        let pex = Pex::probe("item29").build();
        let case = Case::new(&pex).with(|start, stage| {
            start
                .env("PEX_EXTRA_SYS_PATH", stage.path("x"))
                .env("PYTHONPATH", stage.path("y"))
        });
        case.holds(|run| {
            let state = run.state();
            let path = state.env("PYTHONPATH").unwrap_or_default();
            assert!(path.ends_with("/x") && !path.contains(':'), "{run}");
        });
    });
}

#[test]
fn item_30_pex_path_puts_the_last_member_first_and_its_dists_last() {
    on_each(|| {
        let member = |name: &str, dist: &str| {
            Pex::empty(name)
                .source("contested.py", &who(name))
                .source(&format!("only_{name}.py"), &who(name))
                .dep(
                    Wheel::empty(dist, "1.0")
                        .file("dists.py", &who(dist))
                        .file("common.py", &who(dist)),
                )
        };
        let a = member("a", "aa").source("a_or_main.py", &who("a")).build();
        let b = member("b", "bb").build();
        let pex = Pex::probe("item30")
            .source("contested.py", &who("main"))
            .source("a_or_main.py", &who("main"))
            .dep(Wheel::empty("mm", "1.0").file("common.py", &who("mm")))
            .build();
        let modules = "contested,a_or_main,only_a,only_b,dists,common";
        let case = Case::new(&pex)
            .env("PROBE_IMPORT", modules)
            .with(move |start, stage| {
                stage.place(&a, &stage.path("work/a.pex"));
                stage.place(&b, &stage.path("work/b.pex"));
                start.env("PEX_PATH", "a.pex:b.pex")
            });
        case.holds(finds(&[
            ("contested", "b"),
            ("a_or_main", "a"),
            ("only_a", "a"),
            ("only_b", "b"),
            ("dists", "aa"),
            ("common", "mm"),
        ]));
    });
}

#[test]
fn item_31_a_missing_member_of_pex_path_is_refused() {
    on_each(|| {
        let pex = Pex::probe("item31").build();
        Case::new(&pex).env("PEX_PATH", "no-such.pex").holds(|run| {
            run.refused().says("no-such.pex");
        });
    });
}

#[test]
fn item_32_metadata_lists_exactly_the_selected_dists() {
    on_each(|| {
        // PyPy's standard library has metadata of its own parts beside it.
        let app = "import importlib.metadata as m, os\n\
               stdlib = os.path.dirname(os.__file__)\n\
               def main():\n    print(sorted(d.metadata['Name'] for d in m.distributions() \
               if str(d.locate_file('')) != stdlib))\n";
        let pex = Pex::app("item32", app)
            .dep(Wheel::new("aa", "1.0").requires("bb"))
            .wheel(Wheel::new("bb", "1.0"))
            .wheel(Wheel::new("unreached", "1.0"))
            .build();
        Case::new(&pex).holds(|run| {
            run.ok().prints("['aa', 'bb']");
        });
    });
}
