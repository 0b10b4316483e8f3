//! The frameworks' own ways to start processes (docs/compatibility.md, "Children of `sys.executable`"): what works under
//! the original works embedded, and with a virtual environment all of it does.

use crate::fixtures::App;
use crate::harness::{Case, Outcome, long_tier};

/// A file that starts workers by a framework and prints what these say, and whether zipapp mode will do.
const WAYS: &[(&str, &str, bool)] = &[
    (
        "dask",
        "from distributed import Client, LocalCluster
if __name__ == '__main__':
    cluster = LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None)
    with cluster, Client(cluster) as client:
        print('got', client.submit(lambda: __import__('flask').__name__).result(timeout=120))
",
        true,
    ),
    (
        "gunicorn",
        "import os, signal
import flask
from gunicorn.app.base import BaseApplication
class Served(BaseApplication):
    def load_config(self):
        self.cfg.set('workers', 1)
        self.cfg.set('bind', '127.0.0.1:0')
        self.cfg.set('post_worker_init', lambda worker: (print('got', flask.__name__, flush=True), os.kill(os.getppid(), signal.SIGTERM)))
    def load(self):
        return lambda environ, start: []
Served().run()
",
        true,
    ),
    (
        "jupyter",
        "from jupyter_client.manager import start_new_kernel
manager, client = start_new_kernel(startup_timeout=120)
client.execute_interactive('import flask; print(\"got\", flask.__name__)', timeout=60)
manager.shutdown_kernel(now=True)
",
        false,
    ),
    (
        "joblib",
        "from joblib import Parallel, delayed
def name():
    import flask
    return flask.__name__
if __name__ == '__main__':
    print('got', *set(Parallel(n_jobs=2)(delayed(name)() for _ in range(2))))
",
        false,
    ),
];

#[test]
fn frameworks_start_their_workers_where_the_original_does() {
    if !long_tier("frameworks that start processes") {
        return;
    }
    let got = |run: &Outcome| run.ok().stdout.contains("got flask");
    for app in [App::frameworks(), App::frameworks().with(&["--venv"])] {
        let pex = app.build();
        let venv = app.is_venv();
        for &(name, text, zipapp) in WAYS {
            let case = Case::new(&pex).args([format!("starts_{name}.py")]);
            let case = case.with(move |start, stage| {
                stage.write(&format!("work/starts_{name}.py"), text);
                start
            });
            case.holds(|run| {
                if venv || zipapp {
                    assert!(got(run), "{run}");
                } else {
                    assert_ne!(run.code, Some(0), "{run}");
                }
            });
        }
    }
}
