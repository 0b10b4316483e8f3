//! Items 33-49: which dists a launch activates.

use serde_json::json;

use crate::fixtures::{Built, Pex, Wheel};
use crate::harness::subject::{on_each, subject};
use crate::harness::{Case, Outcome};

/// Holds that importing `modules` (comma separated) finds what is expected, in order.
#[track_caller]
fn check(pex: &Pex, modules: &'static str, expected: &[&str]) {
    let pex = pex.build();
    let expected: Vec<String> = expected.iter().map(ToString::to_string).collect();
    Case::new(&pex)
        .env("PROBE_IMPORT", modules)
        .holds(|run| found(run, modules, &expected));
}

fn found(run: &Outcome, modules: &str, expected: &[String]) {
    let state = run.state();
    let found: Vec<&str> = modules.split(',').map(|module| state.who(module)).collect();
    assert_eq!(found, expected, "{modules}\n{run}");
}

/// What an import says of a module that is not there.
const ABSENT: &str = "ModuleNotFoundError";

/// A wheel for a tag, whose module `foo` says which.
fn tagged(version: &str, tag: &str) -> Wheel {
    let tag = tag.replace("PLATFORM", &format!("linux_{}", std::env::consts::ARCH));
    Wheel::empty("foo", version)
        .tag(&tag)
        .platlib()
        .file("foo.py", &format!("WHO = '{tag}'\n"))
}

#[test]
fn item_33_the_most_specific_wheel_is_used() {
    on_each(|| {
        let pex = Pex::probe("item33")
            .requires("foo")
            .wheel(tagged("1.0", "cp311-cp311-PLATFORM"))
            .wheel(tagged("1.0", "cp312-cp312-PLATFORM"))
            .wheel(tagged("1.0", "cp38-abi3-PLATFORM"))
            .wheel(tagged("1.0", "py3-none-any"))
            .build();
        let python = subject();
        let tag = match (python.implementation.as_str(), python.version.1) {
            ("pypy", _) => "py3-none-any",
            (_, 11) => "cp311-cp311",
            (_, 12) => "cp312-cp312",
            _ => "cp38-abi3",
        };
        Case::new(&pex).env("PROBE_IMPORT", "foo").holds(|run| {
            let state = run.state();
            assert!(state.who("foo").starts_with(tag), "{python:?}\n{run}");
        });
    });
}

#[test]
fn item_34_the_highest_version_that_is_allowed_is_used() {
    on_each(|| {
        let pex = |requirement| {
            Pex::probe("item34")
                .requires(requirement)
                .wheel(Wheel::new("p", "1.0"))
                .wheel(Wheel::new("p", "2.0"))
        };
        check(&pex("p"), "p", &["p 2.0"]);
        check(&pex("p<2"), "p", &["p 1.0"]);
    });
}

#[test]
fn item_35_a_native_wheel_beats_a_higher_pure_one() {
    on_each(|| {
        let tag = match subject().implementation.as_str() {
            "pypy" => format!("pp{}-none", subject().nodot()),
            _ => "cp38-abi3".to_owned(),
        };
        let native = tagged("1.0", &format!("{tag}-PLATFORM"));
        let pex = Pex::probe("item35")
            .requires("foo")
            .wheel(native)
            .wheel(tagged("2.0", "py3-none-any"))
            .build();
        Case::new(&pex).env("PROBE_IMPORT", "foo").holds(|run| {
            assert!(run.state().who("foo").starts_with(&tag), "{run}");
        });
    });
}

#[test]
fn item_36_requires_python_excludes_a_dist() {
    on_each(|| {
        let pex = Pex::probe("item36")
            .requires("p")
            .wheel(Wheel::new("p", "1.0").metadata("Requires-Python: >=3.6"))
            .wheel(Wheel::new("p", "2.0").metadata("Requires-Python: >=3.99"));
        check(&pex, "p", &["p 1.0"]);
    });
}

#[test]
fn item_37_a_root_whose_marker_is_false_is_ignored() {
    on_each(|| {
        let pex = Pex::probe("item37")
            .requires("absent; python_version < \"3\"")
            .requires("p; python_version >= \"3\"")
            .wheel(Wheel::new("p", "1.0"));
        check(&pex, "p,absent", &["p 1.0", ABSENT]);
    });
}

/// A wheel `x` with the extras `one`, `two` and `Three-3`, each with a dependency, and those.
fn with_extras(pex: Pex) -> Pex {
    let x = Wheel::new("x", "1.0")
        .metadata("Provides-Extra: one")
        .metadata("Provides-Extra: two")
        .metadata("Provides-Extra: Three-3")
        .requires("for-one; extra == \"one\"")
        .requires("for-two; extra == \"two\"")
        .requires("for-three; extra == \"Three-3\"");
    pex.wheel(x)
        .wheel(Wheel::new("for-one", "1.0"))
        .wheel(Wheel::new("for-two", "1.0"))
        .wheel(Wheel::new("for-three", "1.0"))
}

const EXTRAS: &str = "x,for_one,for_two,for_three";

#[test]
fn item_38_an_extra_activates_its_dependencies() {
    on_each(|| {
        let pex = with_extras(Pex::probe("item38").requires("x[one]"));
        check(&pex, EXTRAS, &["x 1.0", "for-one 1.0", ABSENT, ABSENT]);
    });
}

#[test]
fn item_39_extras_of_two_roots_are_united() {
    on_each(|| {
        let pex = with_extras(Pex::probe("item39").requires("x").requires("x[two]"));
        check(&pex, EXTRAS, &["x 1.0", ABSENT, "for-two 1.0", ABSENT]);
        let pex = with_extras(Pex::probe("item39").requires("x[one]").requires("x[two]"));
        check(
            &pex,
            EXTRAS,
            &["x 1.0", "for-one 1.0", "for-two 1.0", ABSENT],
        );
    });
}

#[test]
fn item_40_extras_are_compared_normalised() {
    on_each(|| {
        let pex = with_extras(Pex::probe("item40").requires("x[three_3]"));
        check(&pex, EXTRAS, &["x 1.0", ABSENT, ABSENT, "for-three 1.0"]);
    });
}

#[test]
fn item_41_an_unreachable_dist_is_not_importable() {
    on_each(|| {
        let pex = Pex::probe("item41")
            .dep(Wheel::new("p", "1.0"))
            .wheel(Wheel::new("unreached", "1.0"));
        check(&pex, "p,unreached", &["p 1.0", ABSENT]);
    });
}

#[test]
fn item_42_no_requirements_no_dists() {
    on_each(|| {
        let pex = Pex::probe("item42").wheel(Wheel::new("p", "1.0"));
        check(&pex, "p", &[ABSENT]);
    });
}

#[test]
fn item_43_the_first_resolved_version_stays() {
    on_each(|| {
        let pex = Pex::probe("item43")
            .dep(Wheel::new("aa", "1.0").requires("cc<2"))
            .dep(Wheel::new("bb", "1.0").requires("cc>=2"))
            .wheel(Wheel::new("cc", "1.0"))
            .wheel(Wheel::new("cc", "2.0"));
        check(&pex, "aa,bb,cc", &["aa 1.0", "bb 1.0", "cc 1.0"]);
    });
}

/// A PEX in which `aa` needs a `zz` that is not there.
fn unmet() -> Built {
    Pex::probe("unmet")
        .dep(Wheel::new("aa", "1.0").requires("zz>=7"))
        .build()
}

#[test]
fn item_44_an_unmet_requirement_is_refused_by_name() {
    on_each(|| {
        Case::new(&unmet()).holds(|run| {
            run.refused().says("zz>=7").says("aa");
        });
        let other = Pex::probe("item44")
            .dep(Wheel::new("aa", "1.0").requires("zz>=7"))
            .wheel(Wheel::new("zz", "1.0"))
            .build();
        Case::new(&other).holds(|run| {
            run.refused().says("zz>=7").says("zz-1.0-py3-none-any.whl");
        });
    });
}

#[test]
fn item_45_ignore_errors_starts_all_the_same() {
    on_each(|| {
        let pex = unmet();
        Case::new(&pex)
            .env("PEX_IGNORE_ERRORS", "1")
            .env("PROBE_IMPORT", "aa,zz")
            .holds(|run| {
                found(run, "aa,zz", &["aa 1.0".into(), ABSENT.into()]);
            });
    });
}

#[test]
fn item_46_ignore_errors_does_not_forgive_a_root_without_any_dist() {
    on_each(|| {
        let pex = Pex::probe("item46")
            .requires("zz")
            .info("ignore_errors", true)
            .build();
        Case::new(&pex).holds(|run| {
            run.refused().says("zz");
        });
    });
}

#[test]
fn item_47_excluded_requirements_vanish_with_what_only_they_need() {
    on_each(|| {
        let pex = |excluded: &str| {
            Pex::probe("item47")
                .dep(Wheel::new("aa", "1.0").requires("bb>=1"))
                .wheel(Wheel::new("bb", "1.0").requires("cc"))
                .wheel(Wheel::new("cc", "1.0"))
                .info("excluded", json!([excluded]))
        };
        check(&pex("bb"), "aa,bb,cc", &["aa 1.0", ABSENT, ABSENT]);
        check(&pex("bb<5"), "aa,bb,cc", &["aa 1.0", "bb 1.0", "cc 1.0"]);
    });
}

#[test]
fn item_48_an_override_stands_in() {
    on_each(|| {
        let pex = Pex::probe("item48")
            .dep(Wheel::new("aa", "1.0").requires("missing"))
            .wheel(Wheel::new("dd", "1.0"))
            .info("overridden", json!(["missing=dd"]));
        check(&pex, "aa,dd", &["aa 1.0", "dd 1.0"]);
    });
}

#[test]
fn item_49_a_pre_release_may_be_the_highest() {
    on_each(|| {
        let pex = Pex::probe("item49")
            .requires("p")
            .wheel(Wheel::new("p", "1.0"))
            .wheel(Wheel::new("p", "2.0rc1"));
        check(&pex, "p", &["p 2.0rc1"]);
    });
}

/// Not on the list, but measured (5.3): of equal versions, the wheel that is listed last.
#[test]
fn of_equal_versions_the_one_without_a_build_tag_is_used() {
    let build = |tag: &str| {
        let text = format!("WHO = 'build {tag}'\n");
        Wheel::empty("p", "1.0").build_tag(tag).file("p.py", &text)
    };
    let pex = || Pex::probe("build_tags").requires("p");
    let tagged = || pex().wheel(build("1")).wheel(build("10")).wheel(build("2"));
    check(&tagged(), "p", &["build 2"]);
    check(&tagged().wheel(Wheel::new("p", "1.0")), "p", &["p 1.0"]);
}
