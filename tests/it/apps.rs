//! Real applications, each started by its own bootstrap and embedded, cold and warm: same exit code, same output.

mod beyond;
mod frameworks;
mod made;

use crate::fixtures::{App, Built, legacy};
use crate::harness::{Case, long_tier};

/// Runs a command both ways and says what its output must contain, so that two equal failures do not pass.
#[track_caller]
fn check(pex: &Built, args: &[&str], code: i32, contains: &str) {
    let outcome = Case::new(pex).args(args).every_python().agrees();
    outcome.exits(code);
    let all = format!("{}{}", outcome.stdout, outcome.stderr);
    assert!(all.contains(contains), "expected `{contains}`\n{outcome}");
}

#[test]
fn cowsay_speaks() {
    check(&App::cowsay().build(), &["-t", "moo"], 0, "| moo |");
}

#[test]
fn cowsay_refuses_an_unknown_option() {
    check(
        &App::cowsay().build(),
        &["-t", "x", "--no-such-option"],
        2,
        "unrecognized arguments",
    );
}

#[test]
fn cowsay_as_a_venv_speaks() {
    check(
        &App::cowsay().with(&["--venv"]).build(),
        &["-t", "moo"],
        0,
        "| moo |",
    );
}

#[test]
fn cowsay_with_sh_boot_speaks() {
    check(
        &App::cowsay().with(&["--sh-boot"]).build(),
        &["-t", "moo"],
        0,
        "| moo |",
    );
}

#[test]
fn cowsay_as_a_venv_with_sh_boot_speaks() {
    check(
        &App::cowsay().with(&["--venv", "--sh-boot"]).build(),
        &["-t", "moo"],
        0,
        "| moo |",
    );
}

#[test]
fn cowsay_of_wheel_files_speaks() {
    check(
        &App::cowsay().with(&["--no-pre-install-wheels"]).build(),
        &["-t", "moo"],
        0,
        "| moo |",
    );
}

#[test]
fn cowsay_with_bytecode_speaks() {
    check(
        &App::cowsay().with(&["--compile"]).build(),
        &["-t", "moo"],
        0,
        "| moo |",
    );
}

#[test]
fn cowsay_uncompressed_speaks() {
    check(
        &App::cowsay().with(&["--no-compress"]).build(),
        &["-t", "moo"],
        0,
        "| moo |",
    );
}

#[test]
fn cowsay_by_old_releases_of_pex_speaks() {
    for release in ["pex-2.1.24", "pex-2.1.60", "pex-2.1.137", "pex-2.33.4"] {
        check(&legacy(release), &["-t", "moo"], 0, "| moo |");
    }
}

#[test]
fn black_says_its_version() {
    check(&App::black().build(), &["--version"], 0, "25.1.0 (compiled");
}

#[test]
fn black_formats_standard_input() {
    let pex = App::black().build();
    let outcome = Case::new(&pex)
        .args(["-q", "-"])
        .stdin("x = {  'a':1 }\n")
        .agrees();
    outcome.ok().prints("x = {\"a\": 1}");
}

#[test]
fn black_reports_what_it_would_change() {
    let pex = App::black().build();
    let case = Case::new(&pex)
        .args(["--check", "x.py"])
        .with(|start, stage| {
            stage.write("work/x.py", "x = {  'a':1 }\n");
            start
        });
    case.agrees().exits(1).says("would reformat");
}

#[test]
fn httpie_says_its_version() {
    check(&App::httpie().build(), &["--version"], 0, "3.2.4");
}

#[test]
fn httpie_shows_the_request_it_would_send() {
    check(
        &App::httpie().build(),
        &["--offline", "--ignore-stdin", "example.invalid/path", "a=b"],
        0,
        "POST /path HTTP/1.1",
    );
}

#[test]
fn curator_helps() {
    check(
        &App::curator().build(),
        &["--help"],
        0,
        "Curator for Elasticsearch indices",
    );
}

#[test]
fn curator_refuses_a_missing_action_file() {
    check(
        &App::curator().build(),
        &["no-such-file.yml"],
        2,
        "no-such-file.yml",
    );
}

#[test]
fn django_admin_helps() {
    let pex = App::django_admin().build();
    Case::new(&pex).args(["--help"]).agrees().ok();
}

#[test]
fn django_admin_starts_a_project() {
    let pex = App::django_admin().build();
    let case = Case::new(&pex)
        .args(["startproject", "shop"])
        .with(|start, stage| {
            let _ = std::fs::remove_dir_all(stage.path("work/shop"));
            start.after_shell("rm -rf shop")
        });
    case.agrees().ok();
}

#[test]
fn flask_renders_templates_from_its_own_sources() {
    let pex = App::flask().build();
    check(&pex, &["/greet/ann?loud"], 0, "<p>ANN</p>");
    check(&pex, &["/nowhere"], 3, "404 NOT FOUND");
}

#[test]
fn numpy_without_an_entry_point_is_an_interpreter() {
    let pex = App::numpy().build();
    check(
        &pex,
        &[
            "-c",
            "import numpy; print(numpy.arange(6).reshape(2, 3).sum(axis=0))",
        ],
        0,
        "[3 5 7]",
    );
}

#[test]
fn numpy_multiplies_with_its_bundled_libraries_as_a_venv() {
    let pex = App::numpy().with(&["--venv"]).build();
    check(
        &pex,
        &[
            "-c",
            "import numpy as n; print(n.linalg.inv(n.eye(2)).trace())",
        ],
        0,
        "2.0",
    );
}

#[test]
fn zope_shares_its_namespace() {
    let pex = App::zope().build();
    let code = "import zope.interface, zope.event, zope.component; print('zope')";
    // The original warns that it lent its own `pkg_resources` to declare the namespace; nothing is lent here.
    let case = Case::new(&pex).args(["-c", code]).ignore_stderr();
    case.every_python().agrees().ok().prints("zope");
}

#[test]
fn pytest_runs_a_suite_with_its_plugins() {
    let pex = App::pytest().build();
    let case = Case::new(&pex)
        .args(["-q", "-p", "no:cacheprovider", "test_x.py"])
        .with(|start, stage| {
            stage.write(
                "work/test_x.py",
                "def test_mock(mocker):\n    assert mocker.Mock()(1) is not None\n",
            );
            start
        });
    // The time it took is on the last line.
    let case = case.normalise(|text| text.split(" in ").next().unwrap_or_default().to_string());
    let outcome = case.agrees();
    assert!(outcome.ok().stdout.contains("1 passed"), "{outcome}");
}

#[test]
fn flake8_finds_its_plugins() {
    let pex = App::flake8().build();
    check(&pex, &["--version"], 0, "flake8-bugbear");
}

#[test]
fn ansible_says_its_version_and_runs_a_module() {
    if !long_tier("ansible-core") {
        return;
    }
    let pex = App::ansible().build();
    let case = Case::new(&pex).args(["--version"]).ignore_stderr();
    assert!(case.agrees().ok().stdout.contains("[core 2.18.6]"));
    let case = Case::new(&pex)
        .args(["localhost", "-c", "local", "-m", "debug", "-a", "msg=moo"])
        .ignore_stderr();
    assert!(case.agrees().ok().stdout.contains("moo"));
}

#[test]
fn aws_says_its_version() {
    if long_tier("awscli") {
        check(&App::aws().build(), &["--version"], 0, "aws-cli/1.40.20");
    }
}

#[test]
fn poetry_says_its_version() {
    if long_tier("poetry") {
        check(&App::poetry().build(), &["--version"], 0, "2.1.3");
    }
}

#[test]
fn google_cloud_storage_imports_through_its_namespaces() {
    if long_tier("google-cloud-storage") {
        let code = "import google.cloud.storage as s, google.auth; print('google', s.__version__)";
        check(&App::storage().build(), &["-c", code], 0, "google 3.1.0");
    }
}

#[test]
fn scikit_learn_fits_a_frame_of_pandas() {
    if !long_tier("scikit-learn and pandas") {
        return;
    }
    let code = "import pandas as p; from sklearn.linear_model import LinearRegression as L; \
                d = p.DataFrame({'x': [1, 2, 3], 'y': [2, 4, 6]}); \
                print('slope', round(L().fit(d[['x']], d['y']).coef_[0], 6))";
    check(&App::learn().build(), &["-c", code], 0, "slope 2.0");
}
