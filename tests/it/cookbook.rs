//! The recipes of docs/cookbook.md and of some stories, run as they are written there, as far as the machine lets them.
//!
//! A container is a mount namespace in which the image's directories are read-only, and an account that the image does
//! not know.

use std::path::Path;
use std::process::Command;

use crate::fixtures::{App, Pex, Wheel};
use crate::harness::{PEXBOOT, Stage, Way, coverage, is_root};

/// The lines of the first fenced block of this language below a heading.
fn block(heading: &str, language: &str) -> Vec<String> {
    block_of(include_str!("../../docs/cookbook.md"), heading, language)
}

/// The same of another page.
fn block_of(text: &str, heading: &str, language: &str) -> Vec<String> {
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
    let recipe = include_str!("../../examples/kubernetes/Dockerfile").lines();
    let recipe: Vec<String> = recipe.map(str::to_owned).collect();
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
    let page = include_str!("../../examples/platform/README.md");
    let recipe = block_of(page, "PEX_PATH", "console");
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

/// The line of the crontab as cron runs it: by a shell, from the home directory, with four variables and a short PATH.
#[test]
fn the_line_of_the_crontab_runs() {
    let text = "import os, sys, dep\ndef main():\n    opened = [open(name).read() for name in sys.argv[1:] if name[0] == '/']\n    \
                print(dep.WHO, sys.argv[1::2], opened, os.getcwd() == os.environ['HOME'])\n    \
                print(sorted(set(os.environ) - {'LC_CTYPE', 'PWD', 'SHLVL', '_', 'OLDPWD'}))\n";
    let curator = Pex::app("curator", text).dep(Wheel::new("dep", "1.0"));
    let stage = Stage::new(Way::Embedded, &curator.build());
    std::fs::create_dir_all(stage.path("bin")).unwrap();
    stage.place(&curator.build(), &stage.path("bin/curator"));
    stage.write("etc/curator.yml", "config");
    stage.write("etc/curator-actions.yml", "actions");

    let page = include_str!("../../examples/curator/README.md");
    let lines = block_of(page, "cron", "console");
    let entry = lines
        .iter()
        .skip_while(|line| *line != "$ crontab -l")
        .nth(1)
        .expect("the crontab's line");
    // Five fields say when; the rest is the command, in which `%` would end it.
    let mut command = entry.as_str();
    for _ in 0..5 {
        let (field, rest) = command.trim_start().split_once(' ').expect("a field");
        assert!(
            field.chars().all(|c| "0123456789*/,-".contains(c)),
            "{entry}"
        );
        command = rest;
    }
    assert!(!command.contains('%'), "{entry}");
    let root = stage.root();
    let command = command
        .trim_start()
        .replace("/usr/local/bin/", &format!("{}/bin/", root.display()))
        .replace("/etc/", &format!("{}/etc/", root.display()));
    for _ in 0..2 {
        let output = Command::new("/bin/sh")
            .args(["-c", &command])
            .current_dir(stage.home())
            .env_clear()
            .env("HOME", stage.home().canonicalize().unwrap())
            .env("LOGNAME", "root")
            .env("PATH", "/usr/bin:/bin")
            .env("SHELL", "/bin/sh")
            .output()
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        let told = String::from_utf8_lossy(&output.stdout);
        let mut told = told.lines();
        assert_eq!(
            told.next(),
            Some("dep 1.0 ['--config', '[ETC]/curator-actions.yml'] ['config', 'actions'] True")
                .map(|line| line.replace("[ETC]", &format!("{}/etc", root.display())))
                .as_deref()
        );
        assert_eq!(
            told.next(),
            Some("['HOME', 'LOGNAME', 'PATH', 'PEX', 'SHELL']")
        );
    }
}

/// Stored members start without inflating, and are what the deflated ones are.
#[test]
fn a_pex_built_without_compression_runs_and_is_larger() {
    let recipe = block("A faster first start", "console");
    assert!(
        recipe[0].starts_with("$ pex ") && recipe[0].contains(" --no-compress "),
        "{recipe:?}"
    );
    let built = [App::cowsay(), App::cowsay().with(&["--no-compress"])].map(|app| app.build());
    let stages = built.each_ref().map(|pex| Stage::new(Way::Embedded, pex));
    let told = stages
        .each_ref()
        .map(|stage| stage.start().args(["-t", "moo"]).run());
    assert_eq!(told[0].ok().stdout, told[1].ok().stdout);
    let size = |stage: &Stage| std::fs::metadata(&stage.pex).unwrap().len();
    assert!(size(&stages[0]) < size(&stages[1]));
}

#[test]
fn a_tracer_in_the_pex_starts_before_the_application() {
    let line = block("Tracers", "console")
        .into_iter()
        .find(|line| line.starts_with("import "));
    let line = line.expect("the line of the .pth file");
    let tracer = Wheel::empty("ddtrace", "1.0")
        .file("ddtrace/__init__.py", "import traced\n")
        .file("ddtrace/auto.py", "import traced\ntraced.BY = 'ddtrace'\n");
    let starts = Wheel::empty("tracing", "1.0").file("start_tracing.pth", &format!("{line}\n"));
    let traced = Wheel::empty("traced", "1.0").file("traced.py", "BY = None\n");
    let pex = Pex::app(
        "tracers",
        "import traced\ndef main():\n    print(traced.BY)\n",
    )
    .dep(tracer)
    .dep(starts)
    .dep(traced)
    .build();
    for &way in crate::harness::stated() {
        let stage = Stage::new(way, &pex);
        // What a tracer's own command does reaches it in neither way.
        stage.write(
            "x/sitecustomize.py",
            "import traced\ntraced.BY = 'PYTHONPATH'\n",
        );
        let start = stage.start().env("PYTHONPATH", stage.path("x"));
        start.run().ok().prints("ddtrace");
    }
}

/// pex tells a file by its first bytes, which an embedded one cannot have.
#[test]
fn pex_reads_what_was_stripped_and_embedded_directories() {
    let text = "import dep\ndef main():\n    print(dep.WHO)\n";
    let member = |layout| {
        let pex = Pex::empty("member").dep(Wheel::new("dep", "1.0"));
        pex.info("includes_tools", true).layout(layout).build()
    };
    let bare = Pex::app("reads", text).build();
    let stage = Stage::new(Way::Embedded, &bare);
    let job = stage.path("work/job.pex");
    for (from, to) in [
        (&bare.path, &job),
        (&member("zipapp").path, &stage.path("bare.pex")),
    ] {
        let done = Command::new("/bin/cp").arg(from).arg(to).status();
        assert!(done.unwrap().success());
    }
    let embedded = stage.path("embedded.pex");
    stage.place(&member("zipapp"), &embedded);
    let directory = stage.path("directory.pex");
    stage.place(&member("packed"), &directory);
    let stripped = stage.path("stripped.pex");
    let strip = format!(
        "{} strip {} -o - > {}",
        PEXBOOT,
        embedded.display(),
        stripped.display()
    );
    let done = Command::new("/bin/sh").args(["-c", &strip]).status();
    assert!(done.unwrap().success());
    assert_eq!(
        std::fs::read(&stripped).unwrap(),
        std::fs::read(stage.path("bare.pex")).unwrap()
    );

    for (file, reads) in [(&embedded, false), (&stripped, true), (&directory, true)] {
        let start = |program: &Path| stage.start().program(program).env("PEX_PATH", file).run();
        // A bare one leads pex's own bootstrap to it, an embedded one ours.
        let run = start(&job);
        match reads {
            true => run.ok().prints("dep 1.0"),
            false => run.says("Failed to determine project name and version"),
        };
        start(&stage.pex).ok().prints("dep 1.0");

        let file = file.to_str().unwrap();
        let out = stage.path(if reads { "made" } else { "unmade" });
        let out = out.to_str().unwrap();
        let _ = std::fs::remove_dir_all(out);
        let target = format!("{out}.pex");
        for args in [
            &["-m", "pex.tools", file, "info"][..],
            &[
                "-m",
                "pex.cli",
                "venv",
                "create",
                "--pex-repository",
                file,
                "--dest-dir",
                out,
            ],
            &["-m", "pex", "--requirements-pex", file, "-o", &target],
            &["-m", "pex", "--pex-repository", file, "dep", "-o", &target],
        ] {
            let mut pex = crate::fixtures::pex_itself();
            let output = pex.args(args).output().unwrap();
            assert_eq!(output.status.success(), reads, "{args:?}: {output:?}");
        }
    }
}
