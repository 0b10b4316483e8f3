//! Whole resolves: a PEX in, selected wheels or a message out.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;

use super::*;

/// A Python 3.11 that has a handful of tags.
fn python() -> Record {
    let tags = [
        "cp311-cp311-linux_x86_64",
        "cp311-abi3-linux_x86_64",
        "cp39-abi3-linux_x86_64",
        "py3-none-linux_x86_64",
        "cp311-none-any",
        "py311-none-any",
        "py3-none-any",
    ];
    Record {
        binary: PathBuf::from("/usr/bin/python3.11"),
        implementation: "cpython".into(),
        version: (3, 11, 2),
        tags: tags.map(str::to_owned).into(),
        abi: "cp311".into(),
        markers: crate::packaging::marker::tests::environment(),
        prefix: PathBuf::from("/usr"),
        base_prefix: PathBuf::from("/usr"),
        ..Record::default()
    }
}

/// A PEX: requirements, and wheels by file name with the lines of METADATA that its name does not say.
#[derive(Default)]
struct Case<'a> {
    requirements: &'a [&'a str],
    wheels: &'a [(&'a str, &'a str)],
    excluded: &'a [&'a str],
    overridden: &'a [&'a str],
    ignore_errors: bool,
    read: RefCell<Vec<String>>,
}

impl Case<'_> {
    fn resolve(&self) -> Result<Vec<String>, ResolveError> {
        let owned = |items: &[&str]| items.iter().map(|item| (*item).to_owned()).collect();
        let info = PexInfo {
            requirements: owned(self.requirements),
            excluded: owned(self.excluded),
            overridden: owned(self.overridden),
            // Fingerprints that fall as names rise, so that by themselves they never decide (see `order`).
            distributions: (0u32..)
                .zip(self.wheels)
                .map(|(index, (name, _))| (name_of(name), format!("{:08x}", u32::MAX - index)))
                .collect(),
            ..PexInfo::default()
        };
        let selected = resolve(
            &info,
            self.ignore_errors,
            &python(),
            "/app.pex",
            &mut |wheel| {
                self.read.borrow_mut().push(wheel.to_owned());
                self.metadata(wheel).map_err(Into::into)
            },
        )?;
        Ok(selected
            .into_iter()
            .map(|wheel| short(&wheel.name))
            .collect())
    }

    fn metadata(&self, wheel: &str) -> Result<Vec<u8>, String> {
        let (_, lines) = self
            .wheels
            .iter()
            .find(|(name, _)| name_of(name) == wheel)
            .unwrap();
        if *lines == "unreadable" {
            return Err("gone".to_owned());
        }
        let mut fields = wheel.split('-');
        let (name, version) = (fields.next().unwrap(), fields.next().unwrap());
        let field = |name: &str, value: &str| {
            let given = lines.contains(&format!("{name}: "));
            if given {
                String::new()
            } else {
                format!("{name}: {value}\n")
            }
        };
        let (name, version) = (field("Name", name), field("Version", version));
        Ok(format!("{name}{version}{lines}\n\ndescription").into_bytes())
    }
}

/// `a-1` stands for `a-1-py3-none-any.whl`.
fn name_of(short: &str) -> String {
    if short.to_lowercase().ends_with(".whl") {
        short.to_owned()
    } else {
        format!("{short}-py3-none-any.whl")
    }
}

fn short(name: &str) -> String {
    name.strip_suffix("-py3-none-any.whl")
        .unwrap_or(name)
        .to_owned()
}

#[track_caller]
fn check(requirements: &[&str], wheels: &[(&str, &str)], expected: &[&str]) {
    let case = Case {
        requirements,
        wheels,
        ..Case::default()
    };
    assert_eq!(case.resolve().unwrap(), expected);
}

#[track_caller]
fn fails(case: &Case<'_>, expected: &str) {
    assert_eq!(case.resolve().unwrap_err().to_string(), expected);
}

#[test]
fn the_best_tag_wins() {
    let wheels = [
        ("a-1-py3-none-any.whl", ""),
        ("a-1-cp39-abi3-linux_x86_64.whl", ""),
        ("a-1-cp311-cp311-linux_x86_64.whl", ""),
        ("a-1-cp312-cp312-linux_x86_64.whl", ""),
    ];
    check(&["a"], &wheels, &["a-1-cp311-cp311-linux_x86_64.whl"]);
    check(&["a"], &wheels[..2], &["a-1-cp39-abi3-linux_x86_64.whl"]);
    check(
        &["a"],
        &[("a-1-py2.py3-none-any.whl", "")],
        &["a-1-py2.py3-none-any.whl"],
    );
}

#[test]
fn the_highest_version_that_fits_wins() {
    let wheels = [("p-1.0", ""), ("p-2.0", "")];
    check(&["p"], &wheels, &["p-2.0"]);
    check(&["p<2"], &wheels, &["p-1.0"]);
    check(&["p"], &[("p-1.0", ""), ("p-2.0rc1", "")], &["p-2.0rc1"]);
    check(&["p>=1"], &[("p-1.0+local", "")], &["p-1.0+local"]);
    check(&["p @ https://h/p.whl"], &wheels, &["p-2.0"]);
}

#[test]
fn a_native_wheel_beats_a_higher_version() {
    let wheels = [("p-1.0-cp311-cp311-linux_x86_64.whl", ""), ("p-2.0", "")];
    check(&["p"], &wheels, &["p-1.0-cp311-cp311-linux_x86_64.whl"]);
    check(&["p>1"], &wheels, &["p-2.0"]);
}

#[test]
fn of_one_version_the_last_listed_wins() {
    let wheels = [
        ("x-1.0-1-py3-none-any.whl", ""),
        ("x-1.0-10-py3-none-any.whl", ""),
        ("x-1.0-2-py3-none-any.whl", ""),
        ("x-1.0", ""),
    ];
    check(&["x"], &wheels, &["x-1.0"]);
    check(&["x"], &wheels[..3], &["x-1.0-2"]);
}

#[test]
fn a_wheel_for_another_python_is_not_used() {
    let wheels = [("a-1", ""), ("a-2", "Requires-Python: >=3.12")];
    check(&["a"], &wheels, &["a-1"]);
    check(&["a"], &[("a-2", "Requires-Python: >=3.11,<4")], &["a-2"]);
}

#[test]
fn roots_come_in_stored_order_and_dependencies_behind_their_wheel() {
    let wheels = [
        ("aa-1", ""),
        ("bb-1", "Requires-Dist: cc"),
        ("cc-1", "Requires-Dist: bb"),
        ("dd-1", "Requires-Dist: bb (>=1)\nRequires-Dist: aa"),
    ];
    check(&["dd", "aa"], &wheels, &["dd-1", "bb-1", "cc-1", "aa-1"]);
    check(&["aa", "dd"], &wheels, &["aa-1", "dd-1", "bb-1", "cc-1"]);
    check(&[], &wheels, &[]);
}

#[test]
fn a_root_whose_marker_is_false_counts_for_nothing() {
    check(
        &["gone; sys_platform == 'win32'", "a"],
        &[("a-1", "")],
        &["a-1"],
    );
    check(&["a; extra == 'x'"], &[("a-1", "")], &[]);
}

#[test]
fn extras_switch_dependencies_on() {
    let wheels = [
        ("one-1", ""),
        ("two-1", ""),
        (
            "x-1",
            "Requires-Dist: one; extra == 'one'\nRequires-Dist: two; extra == 'Three-3'",
        ),
    ];
    check(&["x"], &wheels, &["x-1"]);
    check(&["x[one]"], &wheels, &["x-1", "one-1"]);
    check(&["x[three_3]"], &wheels, &["x-1", "two-1"]);
    check(
        &["x", "x[three_3]", "x[one]>=1"],
        &wheels,
        &["x-1", "one-1", "two-1"],
    );
    check(&["x", "x[one]>=2"], &wheels, &["x-1"]);
}

#[test]
fn the_first_resolution_of_a_project_holds() {
    let wheels = [
        ("a-1", "Requires-Dist: c<2"),
        ("b-1", "Requires-Dist: c>=2"),
        ("c-1", ""),
        ("c-2", ""),
    ];
    check(&["a", "b"], &wheels, &["a-1", "c-1", "b-1"]);
}

#[test]
fn new_extras_may_bring_a_second_version() {
    let wheels = [
        ("a-1", "Requires-Dist: c<2"),
        ("b-1", "Requires-Dist: c[x]>=2"),
        ("c-1", ""),
        ("c-2", ""),
    ];
    check(&["a", "b"], &wheels, &["a-1", "c-1", "b-1", "c-2"]);
    check(&["b", "a"], &wheels, &["b-1", "c-2", "a-1"]);
}

#[test]
fn one_wheel_for_several_requests_is_listed_once() {
    let wheels = [
        ("a-1", "Requires-Dist: c"),
        ("b-1", "Requires-Dist: c[x]"),
        ("c-1", ""),
    ];
    check(&["a", "b"], &wheels, &["a-1", "c-1", "b-1"]);
}

#[test]
fn excluded_requirements_vanish_with_what_only_they_need() {
    #[track_caller]
    fn check(excluded: &[&str], requirements: &[&str], expected: &[&str]) {
        let wheels = [
            ("aa-1", "Requires-Dist: bb>=1"),
            ("bb-2", "Requires-Dist: cc"),
            ("cc-1", ""),
        ];
        let case = Case {
            requirements,
            wheels: &wheels,
            excluded,
            ..Case::default()
        };
        assert_eq!(case.resolve().unwrap(), expected);
    }
    check(&["bb"], &["aa"], &["aa-1"]);
    check(&["BB>=1"], &["aa", "bb>2"], &["aa-1"]);
    check(&["bb<5"], &["aa"], &["aa-1", "bb-2", "cc-1"]);
    check(&["bb>=1,<9"], &["aa"], &["aa-1", "bb-2", "cc-1"]);
    check(&["missing"], &["aa", "missing"], &["aa-1", "bb-2", "cc-1"]);
}

#[test]
fn overrides_stand_in_for_transitive_requirements_with_their_own_marker() {
    #[track_caller]
    fn check(overridden: &[&str], requirement: &str, expected: &[&str]) {
        let wheels = [
            ("aa-1", "Requires-Dist: missing; extra == 'x'"),
            ("dd-1", ""),
            ("dd-2", ""),
            ("missing-1", ""),
        ];
        let case = Case {
            requirements: &[requirement],
            wheels: &wheels,
            overridden,
            ..Case::default()
        };
        assert_eq!(case.resolve().unwrap(), expected);
    }
    check(&[], "aa", &["aa-1"]);
    check(&["missing=dd"], "aa", &["aa-1", "dd-2"]);
    check(
        &["missing=dd<2", "missing=dd; os_name == 'nt'"],
        "aa",
        &["aa-1", "dd-1"],
    );
    check(&["missing=dd"], "missing", &["missing-1"]);
    check(
        &["missing; os_name == 'nt'"],
        "aa[x]",
        &["aa-1", "missing-1"],
    );
}

#[test]
fn two_overrides_of_one_project_are_refused() {
    let case = Case {
        requirements: &["aa"],
        wheels: &[("aa-1", "Requires-Dist: bb>=1")],
        overridden: &["bb=x", "bb=y"],
        ignore_errors: true,
        ..Case::default()
    };
    fails(
        &case,
        "Invalid override configuration for target cp311-cp311-linux_x86_64 interpreter at /usr/bin/python3.11.\n\
         More than one applicable override was found for 'bb>=1':\n1. 'x'\n2. 'y'",
    );
}

#[test]
fn an_unmet_requirement_names_itself_its_requirers_and_what_there_is() {
    let case = Case {
        requirements: &["aa>=1", "bb<1", "Cc", "ee"],
        wheels: &[
            ("aa-1", "Requires-Dist: Nope_x[y]>=2,<3 ; os_name=='posix'"),
            ("bb-1", ""),
            ("bb-2", ""),
            ("cc-1", "Requires-Dist: bb<1\nRequires-Dist: nope"),
            ("ee-1", "Requires-Dist: bb<1.0"),
        ],
        ..Case::default()
    };
    fails(
        &case,
        "Failed to resolve requirements from PEX environment @ /app.pex.\n\
         Needed cp311-cp311-linux_x86_64 compatible dependencies for:\n \
         1: Nope_x[y]<3,>=2; os_name == \"posix\"\n    Required by:\n      aa 1\n    But this pex had no 'Nope_x' distributions.\n \
         2: bb<1\n    Required by:\n      cc 1\n      ee 1\n    But this pex only contains:\n      bb-1-py3-none-any.whl\n      bb-2-py3-none-any.whl\n \
         3: nope\n    Required by:\n      cc 1\n    But this pex had no 'nope' distributions.",
    );
    let forgiven = Case {
        ignore_errors: true,
        ..case
    };
    assert_eq!(forgiven.resolve().unwrap(), ["aa-1", "cc-1", "ee-1"]);
}

#[test]
fn a_root_without_any_usable_wheel_is_not_forgiven() {
    let case = Case {
        requirements: &["Foo"],
        wheels: &[
            ("foo-1-cp312-cp312.abi3-any.whl", ""),
            ("foo-2", "Requires-Python: >=3.12"),
            ("foo-3-x.WHL", ""),
        ],
        ignore_errors: true,
        ..Case::default()
    };
    fails(
        &case,
        "A distribution for foo could not be resolved for /usr/bin/python3.11.\n\
         Found 3 distributions for foo that do not apply:\n\
         1.) The wheel tags for foo 1 are cp312-cp312-any, cp312-abi3-any which do not match the supported tags of /usr/bin/python3.11:\n\
         cp311-cp311-linux_x86_64\n... 6 more ...\n\
         2.) The distribution has a python requirement of >=3.12 which does not match the python version of 3.11.2 for /usr/bin/python3.11.\n\
         3.) The filename of foo 3 is not a valid wheel file name that can be parsed for tags.",
    );
    let absent = Case {
        requirements: &["foo"],
        ignore_errors: true,
        ..Case::default()
    };
    fails(
        &absent,
        "A distribution for foo could not be resolved for /usr/bin/python3.11.",
    );
}

#[test]
fn a_root_that_a_wheel_has_asked_for_in_vain_is_forgiven() {
    let case = Case {
        requirements: &["a", "b"],
        wheels: &[("a-1", "Requires-Dist: b")],
        ignore_errors: true,
        ..Case::default()
    };
    assert_eq!(case.resolve().unwrap(), ["a-1"]);
}

#[test]
fn versions_of_old_are_reached_by_their_very_text() {
    let wheels = [("a-2004d_final", "Version: 2004d-final")];
    check(&["a===2004d-final"], &wheels, &["a-2004d_final"]);
    let case = Case {
        requirements: &["a===2004D-final"],
        wheels: &wheels,
        ignore_errors: true,
        ..Case::default()
    };
    assert!(case.resolve().unwrap().is_empty());
}

#[test]
fn what_cannot_be_read_is_told_from_what_cannot_be_understood() {
    let case = Case {
        requirements: &["a"],
        wheels: &[("a-1", "unreadable")],
        ..Case::default()
    };
    let error = case.resolve().unwrap_err();
    assert!(matches!(error, ResolveError::Read { .. }));
    assert_eq!(error.to_string(), "wheel `a-1-py3-none-any.whl`: gone");
}

#[test]
fn what_cannot_be_understood_is_refused() {
    #[track_caller]
    fn check(case: &Case<'_>, expected: &str) {
        let error = case.resolve().unwrap_err();
        assert!(matches!(error, ResolveError::Bad { .. }));
        assert!(error.to_string().starts_with(expected), "{error}");
    }
    check(
        &Case {
            requirements: &["a b"],
            ..Case::default()
        },
        "PEX-INFO's `requirements`: requirement `a b`",
    );
    check(
        &Case {
            excluded: &["a b"],
            ..Case::default()
        },
        "PEX-INFO's `excluded`: requirement `a b`",
    );
    check(
        &Case {
            overridden: &["a=b c"],
            ..Case::default()
        },
        "PEX-INFO's `overridden`: requirement `b c`",
    );
    let a = |wheel| Case {
        requirements: &["a"],
        wheels: wheel,
        ..Case::default()
    };
    check(
        &a(&[("a-1", "Requires-Dist: b c")]),
        "wheel `a-1-py3-none-any.whl`: METADATA's `Requires-Dist` is invalid",
    );
    check(
        &a(&[("a-1", "Requires-Python: 3")]),
        "wheel `a-1-py3-none-any.whl`: METADATA's `Requires-Python` is invalid",
    );
    check(
        &a(&[("a-old!", "")]),
        "wheel `a-old!-py3-none-any.whl`: version `old!` is not one of PEP 440",
    );
    check(
        &a(&[("a-1", "Requires-Dist: b; os_name ~= 'x'")]),
        "marker of requirement `b; os_name ~= \"x\"`: ",
    );
}

#[test]
fn names_are_compared_normalised() {
    check(
        &["Foo.Bar"],
        &[("foo_bar-1", "Requires-Dist: B__B"), ("b_b-1", "")],
        &["foo_bar-1", "b_b-1"],
    );
}

#[test]
fn metadata_has_the_last_word_on_whose_a_wheel_is() {
    check(&["other"], &[("a-1", "Name: Other")], &["a-1"]);
    check(
        &["a"],
        &[("a-1", "Name: other"), ("b-1", "Name: a")],
        &["b-1"],
    );
}

#[test]
fn only_wheels_that_can_matter_are_read() {
    let case = Case {
        requirements: &["a"],
        wheels: &[
            ("a-1", "Requires-Dist: b"),
            ("a-1-cp312-cp312-any.whl", "unreadable"),
            ("b-1", ""),
            ("c-1", "unreadable"),
        ],
        ..Case::default()
    };
    assert_eq!(case.resolve().unwrap(), ["a-1", "b-1"]);
    assert_eq!(
        *case.read.borrow(),
        ["a-1-py3-none-any.whl", "b-1-py3-none-any.whl"]
    );
}

#[test]
fn a_long_chain_needs_no_stack() {
    let names: Vec<String> = (0..5_000).map(|index| format!("w{index}-1")).collect();
    let lines: Vec<String> = (1..=5_000)
        .map(|next| format!("Requires-Dist: w{next}"))
        .collect();
    let wheels: Vec<(&str, &str)> = names
        .iter()
        .map(String::as_str)
        .zip(lines.iter().map(String::as_str))
        .collect();
    let case = Case {
        requirements: &["w0"],
        ignore_errors: true,
        ..Case::default()
    };
    let info = PexInfo {
        requirements: vec!["w0".into()],
        distributions: wheels
            .iter()
            .map(|(name, _)| (name_of(name), String::new()))
            .collect(),
        ..PexInfo::default()
    };
    let by_name: BTreeMap<String, &str> = wheels
        .iter()
        .map(|(name, lines)| (name_of(name), *lines))
        .collect();
    let selected = resolve(&info, case.ignore_errors, &python(), "", &mut |wheel| {
        let project = wheel.split('-').next().unwrap();
        Ok(format!("Name: {project}\nVersion: 1\n{}\n", by_name[wheel]).into_bytes())
    });
    assert_eq!(selected.unwrap().len(), 5_000);
}
