//! Real applications that fail under the original and run embedded (docs/compatibility.md, "Better than the original").

use std::process::Command;

use crate::fixtures::{App, Built};
use crate::harness::{Case, PEXBOOT, Stage, Way, long_tier, ways};

/// Airflow's wheels bring parts of one package, and read each other's files by their places in it.
#[test]
fn airflow_migrates_its_database_and_runs_a_dag() {
    if !long_tier("apache-airflow") {
        return;
    }
    let dag = "from airflow.sdk import DAG, task\n\
               with DAG('presses', schedule=None):\n    \
               @task\n    \
               def press():\n        \
               open('pressed', 'w').write(__name__)\n    \
               press()\n";
    for app in [App::airflow(), App::airflow().with(&["--venv"])] {
        let pex = app.build();
        for &way in ways() {
            let stage = Stage::new(way, &pex);
            stage.write("work/dags/presses.py", dag);
            let run = |words: &[&str]| {
                let start = stage.start().args(words);
                let start = start.env("AIRFLOW__CORE__LOAD_EXAMPLES", "False");
                start.env("AIRFLOW_HOME", stage.path("work")).run()
            };
            let migrated = run(&["db", "migrate"]);
            if way == Way::Original {
                // Once it runs, compatibility.md says too much.
                migrated.exits(1).says("Could not find 'config.yml'");
                continue;
            }
            assert!(
                migrated.ok().stdout.contains("migration done"),
                "{migrated}"
            );
            run(&["dags", "test", "presses"]).ok();
            assert!(stage.path("work/pressed").exists());
        }
    }
}

/// What starts `sys.executable` finds no package in zipapp mode, whoever starts it.
fn needs_a_venv(pex: &Built, file: (&'static str, &'static str), args: &[&str], said: &str) {
    let case = Case::new(pex)
        .args([file.0])
        .args(args)
        .with(move |start, stage| {
            stage.write(&format!("work/{}", file.0), file.1);
            start
        });
    case.holds(|run| {
        run.exits(1);
        assert!(!run.stdout.contains(said), "{run}");
    });
    let stage = Stage::new(Way::Embedded, pex);
    let mut embed = Command::new(PEXBOOT);
    embed.args(["embed", "--venv"]).arg(&stage.pex);
    assert!(embed.env("HOME", stage.home()).status().unwrap().success());
    stage.write(&format!("work/{}", file.0), file.1);
    for _ in 0..2 {
        let run = stage.start().args([file.0]).args(args).run();
        assert!(run.ok().stdout.contains(said), "{run}");
    }
}

#[test]
fn django_reloads_itself_where_it_has_a_virtual_environment() {
    let shop = r#"
import os, sys
from django.conf import settings

settings.configure(DEBUG=True, ROOT_URLCONF="shop", SECRET_KEY="x", INSTALLED_APPS=[])
urlpatterns = []

if __name__ == "__main__":
    from django.core.management import execute_from_command_line

    if os.environ.get("RUN_MAIN") == "true":
        # The child of the autoreloader that would serve.
        print("serving", flush=True)
        sys.exit(0)
    execute_from_command_line()
"#;
    let pex = App::django().build();
    needs_a_venv(&pex, ("shop.py", shop), &["runserver", "0"], "serving");
}

#[test]
fn scikit_learn_fits_in_parallel_where_it_has_a_virtual_environment() {
    if !long_tier("scikit-learn's workers") {
        return;
    }
    let fit = r#"
from joblib import Parallel, delayed
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import cross_val_score

if __name__ == "__main__":
    x, y = [[n] for n in range(20)], [2 * n for n in range(20)]
    scores = cross_val_score(LinearRegression(), x, y, n_jobs=2)
    print("scores", [round(float(score), 3) for score in scores])
"#;
    let pex = App::learn().build();
    needs_a_venv(
        &pex,
        ("fit.py", fit),
        &[],
        "scores [1.0, 1.0, 1.0, 1.0, 1.0]",
    );
}
