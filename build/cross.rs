//! What `./cross` compiles and runs: `cross WORKSPACE BUILD OUT TARGET…` builds the parts for each target, with the cargo and
//! the rustc that are first on PATH, and leaves them in `OUT/TARGET/`.

mod maker;

use std::error::Error;
use std::path::Path;
use std::{env, fs};

use maker::Maker;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [workspace, build, out, targets @ ..] = arguments.as_slice() else {
        return Err("cross WORKSPACE BUILD OUT TARGET…".into());
    };
    for target in targets {
        let machine = target.strip_suffix("-linux").ok_or("MACHINE-linux")?;
        let maker = Maker {
            cargo: "cargo".into(),
            rustc: "rustc".into(),
            workspace: workspace.into(),
            directory: Path::new(build).to_path_buf(),
            target: format!("{machine}-unknown-linux-gnu"),
        };
        let directory = Path::new(out).join(target);
        fs::create_dir_all(&directory)?;
        for part in [maker.stub()?, maker.engine()?] {
            let name = part.file_name().ok_or("a path without a name")?;
            fs::copy(&part, directory.join(name))?;
        }
    }
    Ok(())
}
