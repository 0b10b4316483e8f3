//! Markers, compared with what `packaging` says of them.

use super::*;

/// Of a CPython 3.11 on Linux.
pub(crate) fn environment() -> BTreeMap<String, String> {
    [
        ("implementation_name", "cpython"),
        ("implementation_version", "3.11.2"),
        ("os_name", "posix"),
        ("platform_machine", "x86_64"),
        ("platform_python_implementation", "CPython"),
        ("platform_release", "6.1.0-18-amd64"),
        ("platform_system", "Linux"),
        ("platform_version", "#1 SMP"),
        ("python_full_version", "3.11.2"),
        ("python_version", "3.11"),
        ("sys_platform", "linux"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

#[track_caller]
fn check(marker: &str, expected: bool) {
    let marker = Marker::parse(marker).unwrap();
    assert_eq!(
        marker.holds(&environment(), [].into_iter()),
        Ok(expected),
        "{marker}"
    );
}

#[test]
fn comparisons() {
    check("python_version >= '3.9'", true);
    check(
        "python_version >= '3.9' and python_version < \"3.11\"",
        false,
    );
    check("python_version < '3.9' or sys_platform == 'linux'", true);
    check(
        "os_name == 'nt' and os_name == 'nt' or os_name == 'posix'",
        true,
    );
    check(
        "os_name == 'nt' and (os_name == 'nt' or os_name == 'posix')",
        false,
    );
    check("(python_version>='3')and(os_name=='posix')", true);
    check("'3.9' <= python_version", true);
    check("'3.9' >= python_version", false);
    check("'linux' in sys_platform", true);
    check("sys_platform not in 'win32 darwin'", true);
    check("os.name == 'posix' and sys.platform == 'linux'", true);
    check("python_implementation == 'CPython'", true);
    check("platform.python_implementation == 'PyPy'", false);
    check("python_version == '3.*'", true);
    check("python_version ~= '3.8'", true);
    check("python_version >= ' 3.9'", true);
    check("implementation_version >= '3.11.0'", true);
    check("platform_machine == 'x86_64'", true);
}

#[test]
fn versions_within_a_text_are_text() {
    check("python_version in '3.10, 3.11'", true);
    check("python_version in '3.110'", true);
    check("python_version not in '3.8 3.9'", true);
}

#[test]
fn a_release_that_is_no_version_is_in_no_range() {
    check("platform_release >= '4'", false);
    check("platform_release < '4'", false);
    check("platform_release != '4'", false);
    check("platform_release == '6.1.0-18-amd64'", true);
    check("platform_release === '6.1.0-18-AMD64'", true);
}

#[test]
fn texts_have_no_order() {
    check("os_name >= 'posix'", true);
    check("os_name >= 'a'", false);
    check("os_name > 'a'", false);
    check("os_name < 'z'", false);
}

#[test]
fn of_two_variables_the_right_one_is_its_name() {
    check("os_name == sys_platform", false);
    check("'linux' == 'sys_platform'", true);
}

#[test]
fn extras_are_compared_normalised() {
    #[track_caller]
    fn check(marker: &str, extras: &[&str], expected: bool) {
        let marker = Marker::parse(marker).unwrap();
        let holds = marker.holds(&environment(), extras.iter().copied());
        assert_eq!(holds, Ok(expected), "{marker} with {extras:?}");
    }
    check("extra == 'Three-3'", &["three_3"], true);
    check("'Three..3' == extra", &["THREE-3"], true);
    check("extra == 'a'", &["b", "a"], true);
    check("extra == 'a'", &[], false);
    check("extra != 'a'", &[], true);
    check("extra != 'a'", &["a"], false);
    check("extra == 'a' and extra == 'b'", &["a", "b"], false);
    check("extra == ''", &[], true);
    check("(extra == 'a-b')", &["A_b"], true);
    check("(extra == 'A_b')", &["A_b"], false);
}

#[test]
fn a_python_of_no_release_has_a_version_all_the_same() {
    let mut environment = environment();
    environment.insert("python_full_version".into(), "3.14.0a1+".into());
    let marker = Marker::parse("python_full_version >= '3.14.0a1'").unwrap();
    assert_eq!(marker.holds(&environment, [].into_iter()), Ok(true));
}

#[test]
fn what_cannot_be_compared_is_refused_even_where_it_could_be_skipped() {
    #[track_caller]
    fn check(marker: &str, message: &str) {
        let marker = Marker::parse(marker).unwrap();
        let error = marker.holds(&environment(), [].into_iter()).unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
    }
    check(
        "os_name == 'posix' or os_name ~= 'x'",
        "`posix` and `x` cannot be compared by `~=`",
    );
    check("python_version ~= '3'", "cannot be compared by `~=`");
    check("os_name === 'x'", "cannot be compared by `===`");
    check("'a' in extras", "`extras` is not a variable");
    check("'a' == 'b'", "`b` is not a variable");
}

#[test]
fn markers_are_shown_as_packaging_shows_them() {
    #[track_caller]
    fn check(marker: &str, expected: &str) {
        assert_eq!(Marker::parse(marker).unwrap().to_string(), expected);
    }
    check("python_version>='3.9'", "python_version >= \"3.9\"");
    check("((os.name=='a'))", "os_name == \"a\"");
    check(
        "(os_name=='a' or os_name=='b')and os_name=='c'",
        "(os_name == \"a\" or os_name == \"b\") and os_name == \"c\"",
    );
    check(
        "(os_name=='a') and os_name=='b'",
        "os_name == \"a\" and os_name == \"b\"",
    );
    check(
        "extra=='A_b' and os_name not  in 'say \"x\"'",
        "extra == \"a-b\" and os_name not in 'say \"x\"'",
    );
}

#[test]
fn what_is_no_marker_is_refused() {
    #[track_caller]
    fn check(marker: &str, message: &str) {
        let error = Marker::parse(marker).unwrap_err();
        assert!(error.contains(message), "{error}");
    }
    check("", "a variable or a quoted text");
    check("python_versions == '3'", "a variable or a quoted text");
    check("python_version", "an operator");
    check("python_version = '3'", "an operator");
    check("python_version >= 3", "a variable or a quoted text");
    check("python_version >= '3", "a closing quote");
    check("(python_version >= '3'", "`)`");
    check("python_version >= '3')", "`and`, `or` or the end");
    check("os_name notin 'a'", "an operator");
    check("os_name not 'a'", "`in` behind `not`");
    check(
        "os_name == 'a' xor os_name == 'b'",
        "`and`, `or` or the end",
    );
    check(
        &format!("{}os_name == 'a'", "(".repeat(100_000)),
        "nested deeper",
    );
}
