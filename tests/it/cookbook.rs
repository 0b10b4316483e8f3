//! The recipes of docs/cookbook.md, run as they are written there, as far as the machine lets them.
//!
//! A container is a mount namespace in which the image's directories are read-only, and an account that the image does
//! not know.

use std::path::Path;
use std::process::Command;

use crate::fixtures::{Pex, Wheel};
use crate::harness::{Stage, Way, coverage, is_root};

/// The lines of the first fenced block of this language below a heading.
fn block(heading: &str, language: &str) -> Vec<String> {
    let text = include_str!("../../docs/cookbook.md");
    let (_, section) = text
        .split_once(&format!("\n## {heading}\n"))
        .expect("the heading");
    let section = section.split("\n## ").next().unwrap_or_default();
    let fence = format!("```{language}\n");
    let (_, block) = section.split_once(&fence).expect("the block");
    let (block, _) = block.split_once("```").expect("its end");
    block.lines().map(str::to_owned).collect()
}

/// What follows an instruction of a Dockerfile.
fn instruction<'b>(block: &'b [String], word: &str) -> Vec<&'b str> {
    let prefix = format!("{word} ");
    block
        .iter()
        .filter_map(|line| line.strip_prefix(&prefix))
        .collect()
}

fn app() -> Pex {
    let text = "import os, sys, dep\ndef main():\n    print(dep.WHO, os.getuid(), sys.argv[1:])\n";
    Pex::app("cookbook", text).dep(Wheel::new("dep", "1.0"))
}

/// Runs a script in a mount namespace of its own, in which the box stands for `/opt` and `/usr/local/bin`.
fn in_container(stage: &Stage, script: &str) -> (bool, String) {
    let mounts = "mount --make-rprivate / && mount --bind opt /opt && mount --bind bin /usr/local/bin && \
                  mount -t tmpfs none /var/tmp && chmod 1777 /var/tmp";
    let output = Command::new("unshare")
        .args(["--mount", "sh", "-c", &format!("{mounts} && {script}")])
        .current_dir(stage.root())
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
        .env("LANG", "C.UTF-8")
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

#[test]
fn a_container_starts_from_what_its_image_holds() {
    if !is_root() {
        return coverage::left_out("the container of the cookbook", "root");
    }
    let recipe = block("Containers", "dockerfile");
    let filling = instruction(&recipe, "RUN")
        .into_iter()
        .find(|line| line.contains("pexboot "));
    let filling = filling.expect("the line that fills the root");
    let environment = instruction(&recipe, "ENV").join(" ");

    let stage = Stage::new(Way::Embedded, &app().build());
    for directory in ["opt", "bin"] {
        std::fs::create_dir(stage.path(directory)).unwrap();
    }
    let install = |from: &Path, to: &str| {
        let done = Command::new("/bin/cp")
            .arg(from)
            .arg(stage.path(to))
            .status();
        assert!(done.unwrap().success());
    };
    install(&stage.pex, "bin/app");
    install(Path::new(crate::harness::PEXBOOT), "bin/pexboot");

    let (filled, told) = in_container(&stage, filling);
    assert!(filled, "{told}");
    // As root and as an account that the image does not know, everything read-only, no home.
    for user in ["0", "54321"] {
        let run = format!(
            "mount -o remount,bind,ro /opt && mount -o remount,bind,ro /usr/local/bin && \
             exec setpriv --reuid {user} --clear-groups env {environment} app a"
        );
        let (ran, told) = in_container(&stage, &run);
        assert!(ran, "{user}: {told}");
        assert_eq!(told, format!("dep 1.0 {user} ['a']\n"));
    }
}

/// The command of the recipe, with the paths of the box.
#[test]
fn a_platforms_pex_and_a_users_pex_run_together() {
    let platform = Pex::empty("platform").dep(Wheel::new("dep", "1.0")).build();
    let text = "import dep\ndef main():\n    print('job', dep.WHO)\n";
    let stage = Stage::named(Way::Embedded, &Pex::app("job", text).build(), "job.pex");
    std::fs::create_dir_all(stage.path("opt/platform")).unwrap();
    stage.place(&platform, &stage.path("opt/platform/env.pex"));
    let recipe = block("A platform's PEX and a user's PEX", "console");
    let command = recipe[0].strip_prefix("$ ").expect("a command");
    let command = command.replace("/opt/", &format!("{}/opt/", stage.root().display()));
    let output = output_of(&stage, Command::new("sh").args(["-c", &command]));
    assert_eq!(output, "job dep 1.0\n");
}

fn output_of(stage: &Stage, command: &mut Command) -> String {
    let output = command
        .current_dir(stage.path("work"))
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", stage.home())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What Airflow hands to a shell, with a task's values in place of its templates.
#[test]
fn the_commands_of_airflows_tasks_run() {
    let stage = Stage::new(Way::Embedded, &app().build());
    let environment = Pex::empty("environment")
        .dep(Wheel::new("dep", "1.0"))
        .build();
    let dags = stage.path("opt/dags");
    std::fs::create_dir_all(&dags).unwrap();
    stage.place(&environment, &dags.join("env.pex"));
    stage.place(&app().build(), &dags.join("app"));
    stage.write(
        "opt/dags/fit.py",
        "import sys, dep\nprint(dep.WHO, sys.argv[1:])\n",
    );
    let lines = block("Airflow", "python");
    let commands = lines.iter().filter_map(|line| {
        let (_, command) = line.split_once("bash_command=\"")?;
        Some(command.split('"').next()?.trim())
    });
    let commands: Vec<String> = commands
        .map(|command| command.replace("{{ ds }}", "2026-01-31"))
        .map(|command| command.replace("/opt/", &format!("{}/opt/", stage.root().display())))
        .collect();
    let output = |command: &str| output_of(&stage, Command::new("bash").args(["-c", command]));
    assert!(output(&commands[0]).ends_with("['--day', '2026-01-31']\n"));
    assert_eq!(output(&commands[1]), "dep 1.0 ['2026-01-31']\n");
}
