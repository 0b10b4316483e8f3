//! Items 1-17: the file's format and what unpacking makes of it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;

use crate::fixtures::{Built, Pex, Wheel, files_below, legacy};
use crate::harness::subject::{no_oracle, on_each};
use crate::harness::{Case, Stage, Way, stated};

/// An application that prints mode and text of the files beside it.
const LISTS_ITSELF: &str = r#"
import os
def main():
    here = os.path.dirname(os.path.realpath(__file__))
    for name in sorted(os.listdir(here)):
        path = os.path.join(here, name)
        if name.startswith("member") and not os.path.isdir(path):
            with open(path) as text:
                print(name, oct(os.stat(path).st_mode), os.path.islink(path), text.read())
"#;

/// Runs a PEX that neither way may start; `embed` may refuse it as well.
fn check_unusable(pex: &Built) {
    for &way in stated() {
        match Stage::attempt(way, pex, "app.pex") {
            Ok(stage) => {
                stage.start().run().refused();
            }
            Err(message) => assert!(
                way == Way::Embedded && message.lines().count() > 1,
                "{message}"
            ),
        }
    }
}

#[test]
fn item_01_pex_info_is_found_behind_a_prefix_of_any_length() {
    on_each(|| {
        let pex = Pex::probe("item01").build();
        for length in [0, 1, 100_000] {
            let (_directory, padded) = pex.altered(|bytes| {
                let line = bytes.iter().position(|&byte| byte == b'\n').unwrap() + 1;
                let padding = "#".repeat(length) + "\n";
                [&bytes[..line], padding.as_bytes(), &bytes[line..]].concat()
            });
            Case::new(&padded).holds(|run| {
                run.state();
            });
        }
    });
}

#[test]
fn item_02_bytes_after_the_archive_do_no_harm() {
    on_each(|| {
        let pex = Pex::probe("item02").build();
        let (_directory, trailed) =
            pex.altered(|bytes| [bytes, b"\n\n# trailing\n".to_vec()].concat());
        Case::new(&trailed).holds(|run| {
            run.state();
        });
    });
}

#[test]
fn item_03_the_x_bit_is_kept_and_the_umask_honoured() {
    on_each(|| {
        let pex = Pex::app("item03", LISTS_ITSELF)
            .source_with_mode("member_x", "x", 0o755)
            .source_with_mode("member_y", "y", 0o644)
            .build();
        for (umask, x, y) in [
            ("022", "0o100755", "0o100644"),
            ("077", "0o100700", "0o100600"),
        ] {
            let case =
                Case::new(&pex).with(move |start, _| start.after_shell(&format!("umask {umask}")));
            case.holds(|run| {
                run.ok()
                    .prints(&format!("member_x {x} False x\nmember_y {y} False y"));
            });
        }
    });
}

#[test]
fn item_04_without_file_type_bits_nothing_is_executable() {
    on_each(|| {
        let pex = Pex::app("item04", LISTS_ITSELF)
            .edit_entry("member", "text", 0o755, false)
            .build();
        Case::new(&pex).holds(|run| {
            run.ok().prints("member 0o100644 False text");
        });
    });
}

#[test]
fn item_05_set_id_bits_are_dropped() {
    on_each(|| {
        let pex = Pex::app("item05", LISTS_ITSELF)
            .edit_entry("member", "text", 0o104_711, false)
            .build();
        Case::new(&pex).holds(|run| {
            run.ok().prints("member 0o100755 False text");
        });
    });
}

#[test]
fn item_06_a_symlink_member_becomes_a_file_with_the_link_text() {
    on_each(|| {
        let pex = Pex::app("item06", LISTS_ITSELF)
            .edit_entry("member", "/etc/passwd", 0o120_777, false)
            .build();
        Case::new(&pex).holds(|run| {
            run.ok().prints("member 0o100644 False /etc/passwd");
        });
    });
}

#[test]
fn item_07_nothing_is_written_outside_the_cache() {
    on_each(|| {
        let pex = Pex::app("item07", LISTS_ITSELF)
            .edit_entry("../escaped_up", "x", 0o100_644, false)
            .edit_entry("../../../../../../../escaped_far", "x", 0o100_644, false)
            .edit_entry("/escaped_root", "x", 0o100_644, false)
            .build();
        for &way in stated() {
            // Refusing such a file is as good as defusing it.
            let Ok(stage) = Stage::attempt(way, &pex, "app.pex") else {
                continue;
            };
            stage.start().run();
            let written: Vec<_> = files_below(&stage.root())
                .into_iter()
                .filter(|file| file.to_string_lossy().contains("escaped"))
                .filter(|file| !file.starts_with(stage.root().join("home/.cache")))
                .collect();
            assert!(written.is_empty(), "{way:?}: {written:?}");
            for above in ["/", "/tmp"] {
                let names = fs::read_dir(above)
                    .unwrap()
                    .flatten()
                    .map(|entry| entry.file_name());
                let escaped: Vec<_> = names
                    .filter(|name| name.to_string_lossy().starts_with("escaped"))
                    .collect();
                assert!(escaped.is_empty(), "{way:?}: {above}: {escaped:?}");
            }
        }
    });
}

#[test]
fn item_08_of_two_members_with_one_name_the_last_counts() {
    on_each(|| {
        let pex = Pex::app("item08", LISTS_ITSELF)
            .edit_entry("member", "first", 0o100_644, false)
            .edit_entry("member", "second", 0o100_644, false)
            .build();
        Case::new(&pex).holds(|run| {
            run.ok().prints("member 0o100644 False second");
        });
    });
}

#[test]
fn item_09_stored_and_deflated_members_have_the_same_content() {
    on_each(|| {
        let long = "0123456789\n".repeat(10_000);
        let pex = Pex::app("item09", LISTS_ITSELF)
            .edit_entry("member_deflated", &long, 0o100_644, false)
            .edit_entry("member_stored", &long, 0o100_644, true)
            .edit_entry("member_void", "", 0o100_644, false)
            .build();
        // And an archive that pex itself wrote without compression.
        Case::new(&Pex::probe("item09").stored().build()).holds(|run| {
            run.state();
        });
        Case::new(&pex).holds(|run| {
        let text = format!(
            "member_deflated 0o100644 False {long}\nmember_stored 0o100644 False {long}\nmember_void 0o100644 False"
        );
        run.ok().prints(&text);
    });
    });
}

/// A wheel with something in every place that a wheel has.
fn wheel_with_everything() -> Wheel {
    Wheel::new("whole", "1.0")
        .file("DATA/platlib/whole_platlib.py", "WHO = 'platlib'\n")
        .file_with_mode(
            "DATA/scripts/whole-data-script",
            "#!python\nprint('data script')\n",
            0o755,
        )
        .file_with_mode(
            "DATA/scripts/whole-shell",
            "#!/bin/sh\necho shell script $1\n",
            0o755,
        )
        .file("DATA/headers/whole.h", "int whole;\n")
        .file("DATA/data/share/whole.txt", "data\n")
        .file("whole_cli.py", "def main():\n    print('console script')\n")
        .entry_points("[console_scripts]\nwhole-console = whole_cli:main\n")
}

#[test]
fn item_10_wheel_files_are_installed_when_run() {
    on_each(|| {
        let app = r#"
import importlib.metadata
def main():
    import whole, whole_platlib
    print(whole.WHO, whole_platlib.WHO)
    for file in sorted(importlib.metadata.files("whole"), key=str):
        if ".prefix" in str(file) and not str(file).endswith(".pyc"):
            print(file, file.locate().exists())
"#;
        for wheel_files in [true, false] {
            let pex = Pex::app("item10", app)
                .dep(wheel_with_everything())
                .info("deps_are_wheel_files", wheel_files)
                .build();
            let outcome = Case::new(&pex).agrees();
            assert!(
                outcome.ok().stdout.starts_with("whole 1.0 platlib\n"),
                "{outcome}"
            );
            assert!(
                outcome.stdout.contains(".prefix/data/share/whole.txt True"),
                "{outcome}"
            );
            assert!(outcome.stdout.contains("whole/whole.h True"), "{outcome}");
            for (script, says) in [
                ("whole-console", "console script"),
                ("whole-data-script", "data script"),
                ("whole-shell", "shell script a"),
            ] {
                Case::new(&pex)
                    .env("PEX_SCRIPT", script)
                    .args(["a"])
                    .agrees()
                    .ok()
                    .prints(says);
            }
        }
    });
}

#[test]
fn item_11_a_wheel_file_unpacks_to_the_tree_of_the_preinstalled_wheel() {
    on_each(|| {
        let wheel = wheel_with_everything();
        let tree = |way, wheel_files: bool| {
            let pex = Pex::app("item11", "def main():\n    import whole\n")
                .dep(wheel.clone())
                .info("deps_are_wheel_files", wheel_files)
                .build();
            let stage = Stage::new(way, &pex);
            stage.start().run().ok();
            let marker = format!("/{}/", wheel.file_name());
            let mut tree = BTreeMap::new();
            for file in stage.cached_files() {
                let text = file.to_string_lossy().into_owned();
                if let Some((_, inside)) = text.split_once(&marker)
                    && !text.contains("__pycache__")
                    && text.contains("wheels/")
                {
                    let bytes = fs::read(stage.home().join(".cache").join(&file)).unwrap();
                    tree.insert(inside.to_string(), String::from_utf8(bytes).unwrap());
                }
            }
            assert!(
                tree.contains_key("whole.py"),
                "{way:?}: {:?}",
                stage.cached_files()
            );
            tree
        };
        for &way in stated() {
            let (mut preinstalled, mut installed) = (tree(way, false), tree(way, true));
            // Names the fingerprint, which is of the file in one and of the tree in the other.
            for layout in [&mut preinstalled, &mut installed] {
                layout.remove(".layout.json");
            }
            assert_eq!(preinstalled, installed, "{way:?}");
        }
    });
}

#[test]
fn item_12_packed_and_loose_layouts_import_like_the_zipapp() {
    on_each(|| {
        let make = |layout| {
            Pex::probe("item12")
                .source("own/mine.py", "WHO = 'own'\n")
                .dep(wheel_with_everything())
                .layout(layout)
        };
        for layout in ["zipapp", "packed", "loose"] {
            let pex = make(layout).build();
            Case::new(&pex)
                .env("PROBE_IMPORT", "own.mine,whole,whole_platlib")
                .holds(|run| {
                    let state = run.state();
                    let who = ["own.mine", "whole", "whole_platlib"]
                        .map(|module| state.who(module).to_string());
                    assert_eq!(who, ["own", "whole 1.0", "platlib"], "{layout}\n{run}");
                });
        }
    });
}

#[test]
fn item_13_a_loose_layout_runs_in_place() {
    on_each(|| {
        let pex = Pex::probe("item13")
            .dep(Wheel::new("dep", "1.0"))
            .layout("loose")
            .build();
        for &way in stated() {
            let stage = Stage::new(way, &pex);
            let state = stage.start().run().state();
            let file = state.text("/main/__file__");
            assert!(
                file.starts_with(stage.root().join("work/app.pex").to_str().unwrap()),
                "{way:?}: {file}"
            );
        }
        // As text, unless a link makes that lead elsewhere.
        for (link, path) in [
            ("work", "../link/app.pex/pex"),
            ("work/deep", "../link/../app.pex/pex"),
        ] {
            for &way in stated() {
                let stage = Stage::new(way, &pex);
                stage.write("work/deep/file", "");
                symlink(link, stage.path("link")).unwrap();
                let run = stage.start().cwd(stage.path("home")).program(path).run();
                if way == Way::Original && link != "work" {
                    no_oracle("the text leads it to where nothing is");
                    continue;
                }
                let state = run.state();
                let file = state.text("/main/__file__");
                let named = if link == "work" {
                    "link/app.pex/"
                } else {
                    "home/../link/../app.pex/"
                };
                let expected = stage.root().join(named);
                assert!(file.starts_with(expected.to_str().unwrap()), "{file}");
            }
        }
    });
}

#[test]
fn item_14_a_pex_of_2_33_imports_from_its_chroots() {
    on_each(|| {
        let pex = legacy("pex-2.33.4");
        let code =
            "import cowsay, importlib.metadata as m; print(m.version('cowsay'), cowsay.__name__)";
        let case = Case::new(&pex)
            .env("PEX_INTERPRETER", "1")
            .args(["-c", code]);
        case.agrees().ok().prints("6.1 cowsay");
    });
}

#[test]
fn item_15_unknown_keys_of_pex_info_are_ignored() {
    on_each(|| {
        let pex = Pex::probe("item15")
            .edit_info("no_such_key", vec![1, 2])
            .build();
        Case::new(&pex).holds(|run| {
            run.state();
        });
    });
}

#[test]
fn item_16_pex_info_must_be_there_and_an_object() {
    on_each(|| {
        check_unusable(&Pex::probe("item16").edit_without("PEX-INFO").build());
        check_unusable(&Pex::probe("item16").edit_info_text("[]").build());
        check_unusable(&Pex::probe("item16").edit_info_text("{").build());
    });
}

#[test]
fn item_17_the_legacy_pex_path_merges_its_members() {
    on_each(|| {
        let a = Pex::empty("item17a").dep(Wheel::new("aa", "1.0")).build();
        let b = Pex::empty("item17b").dep(Wheel::new("bb", "1.0")).build();
        let pex = Pex::probe("item17")
            .edit_info("pex_path", "a.pex:b.pex")
            .edit_info_without("pex_paths")
            .build();
        let case = Case::new(&pex)
            .env("PROBE_IMPORT", "aa,bb")
            .with(move |start, stage| {
                stage.place(&a, &stage.path("work/a.pex"));
                stage.place(&b, &stage.path("work/b.pex"));
                start
            });
        case.holds(|run| {
            let state = run.state();
            assert_eq!(
                (state.who("aa"), state.who("bb")),
                ("aa 1.0", "bb 1.0"),
                "{run}"
            );
        });
    });
}
