//! The parts of a start, timed one by one: what replay reads at every warm start, and the steps of preparing one.
//! Whole processes, which users wait for, are timed by `startup`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::hint::black_box;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use pexboot::internals::archive::Archive;
use pexboot::internals::boot::Compiled;
use pexboot::internals::interpreter::Record;
use pexboot::internals::pex::Pex;
use pexboot::internals::pex_info::PexInfo;
use pexboot::internals::resolve::{Selected, resolve};
use pexboot::internals::store::Store;
use pexboot::internals::unpack;
use pexboot_core::machine::Machine;
use pexboot_core::plan::{Anchor, Exec, Input, Place, Plan, Plans, encode};
use pexboot_core::replay::{Launch, World, command, holds};
use pexboot_core::seal::Seal;
use sha2::{Digest, Sha256};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

criterion_group!(
    benches,
    warm,
    central_directory,
    inflate,
    resolving,
    unpacking
);
criterion_main!(benches);

/// What the stub does before it execs, but for reading the plan's file: seal, plan, its inputs, the command.
fn warm(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let path = file.as_os_str().as_bytes().to_vec();
    let place = || Place {
        anchor: Anchor::Root,
        path: path.clone(),
    };
    let identity = Machine.stat(&path).unwrap();
    let inputs = vec![
        Input::File(place(), identity),
        Input::Present(place(), 0),
        Input::Absent(Place {
            anchor: Anchor::Root,
            path: b"/nonexistent/.pexrc".to_vec(),
        }),
    ];
    let exec = Exec {
        program: b"/usr/bin/python3.11".to_vec(),
        argv: vec![b"python3.11".to_vec(), b"-I".to_vec(), path.clone()],
        ..Exec::default()
    };
    let seal = Seal {
        sealed: true,
        ..Seal::default()
    }
    .encode()
    .unwrap();
    let plans = encode(&[Plan {
        files: vec![identity],
        inputs,
        exec,
        ..Plan::default()
    }]);
    let env: [&[u8]; 3] = [b"PATH=/usr/bin:/bin", b"HOME=/home/me", b"LANG=C.UTF-8"];
    let launch = Launch {
        pex: &path,
        real: &path,
        args: &[b"--help"],
        env: &env,
    };
    criterion.bench_function("seal: decode", |bencher| {
        bencher.iter(|| black_box(Seal::decode(black_box(&seal)).unwrap()));
    });
    criterion.bench_function("plan: decode, check, command", |bencher| {
        bencher.iter(|| {
            let plan = Plans::of(black_box(&plans)).next().unwrap();
            assert!(holds(&plan, launch, &Machine));
            black_box(command(&plan.exec, launch))
        });
    });
}

/// Opening the zip of a very large PEX: 70,000 members, zip64.
fn central_directory(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("many.pex");
    let members = (0..70_000).map(|index| {
        (
            format!(".deps/wheel-{}/package/module_{index}.py", index / 1000),
            Vec::new(),
        )
    });
    write_zip(&file, CompressionMethod::Stored, members);
    criterion.bench_function("archive: central directory of 70,000 entries", |bencher| {
        bencher.iter(|| black_box(Archive::open(&file).unwrap()));
    });
}

/// Members that inflate in one go, and one that streams.
fn inflate(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("text.pex");
    let sizes = [
        ("1 MiB, one shot", 1_usize << 20),
        ("16 MiB, streaming", 16 << 20),
    ];
    write_zip(
        &file,
        CompressionMethod::Deflated,
        sizes.map(|(name, size)| (name.to_owned(), text(size))),
    );
    let archive = Archive::open(&file).unwrap();
    let mut group = criterion.benchmark_group("inflate");
    for (name, size) in sizes {
        group.throughput(Throughput::Bytes(size as u64));
        let entry = archive.find(name).unwrap();
        group.bench_function(name, |bencher| {
            bencher.iter(|| archive.copy(entry, &mut std::io::sink()).unwrap())
        });
    }
}

/// A PEX of 130 wheels, each needing the next few: the size of an apache-airflow.
fn resolving(criterion: &mut Criterion) {
    const COUNT: usize = 130;
    let wheel = |index: usize| format!("package_{index}-1.{index}.0-py3-none-any.whl");
    let distributions: BTreeMap<String, String> = (0..COUNT)
        .map(|index| (wheel(index), format!("{index:064x}")))
        .collect();
    let info = serde_json::json!({ "requirements": ["package-0"], "distributions": distributions });
    let info = PexInfo::parse(info.to_string().as_bytes()).unwrap();
    let metadata: BTreeMap<String, String> = (0..COUNT)
        .map(|index| {
            let mut text = format!("Metadata-Version: 2.1\nName: package_{index}\nVersion: 1.{index}.0\n");
            for next in index + 1..(index + 4).min(COUNT) {
                text += &format!("Requires-Dist: package-{next}>=1.0,<2; python_version >= \"3.8\" and sys_platform != \"win32\"\n");
            }
            (wheel(index), text + "\nA description.\n")
        })
        .collect();
    let python = python();
    criterion.bench_function("resolve: 130 wheels", |bencher| {
        bencher.iter(|| {
            let mut read = |name: &str| Ok(metadata[name].clone().into_bytes());
            let selected = resolve(&info, false, &python, "bench.pex", &mut read).unwrap();
            assert_eq!(selected.len(), COUNT);
            selected
        });
    });
}

/// A wheel of 500 modules into a store that has never seen it.
fn unpacking(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().unwrap();
    let name = "package-1.0-py3-none-any.whl";
    let wheel = directory.path().join(name);
    let modules = (0..500).map(|index| (format!("package/module_{index}.py"), text(4096)));
    let metadata = [
        (
            "package-1.0.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: package\nVersion: 1.0\n",
        ),
        (
            "package-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        ),
    ];
    let metadata = metadata.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()));
    write_zip(&wheel, CompressionMethod::Deflated, modules.chain(metadata));
    let wheel = fs::read(wheel).unwrap();
    let fingerprint: String = Sha256::digest(&wheel)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let info = serde_json::json!({
        "requirements": ["package"], "distributions": { name: fingerprint }, "deps_are_wheel_files": true,
        "code_hash": "", "pex_hash": "", "build_properties": { "pex_version": "2.105.2" },
    });
    let file = directory.path().join("app.pex");
    let members = [
        ("PEX-INFO".to_owned(), info.to_string().into_bytes()),
        (format!(".deps/{name}"), wheel),
    ];
    write_zip(&file, CompressionMethod::Stored, members);
    let pex = Pex::open(&file).unwrap();
    let selected = [Selected {
        name: name.to_owned(),
        fingerprint,
    }];
    let mut roots = (0..).map(|index: u32| directory.path().join(format!("root-{index}")));
    criterion.bench_function("unpack: a wheel of 500 files", |bencher| {
        // A root of its own for each, and none removed in between: emptied directories would be slower.
        let fresh = || Store::scratch(&roots.next().unwrap()).unwrap();
        bencher.iter_batched(
            fresh,
            |store| unpack::wheels(&pex, &selected, &store, false).unwrap(),
            BatchSize::PerIteration,
        );
    });
}

fn write_zip(
    path: &Path,
    method: CompressionMethod,
    members: impl IntoIterator<Item = (String, Vec<u8>)>,
) {
    let mut zip = ZipWriter::new(File::create(path).unwrap());
    let options = SimpleFileOptions::default().compression_method(method);
    for (name, bytes) in members {
        zip.start_file(name, options).unwrap();
        zip.write_all(&bytes).unwrap();
    }
    zip.finish().unwrap();
}

/// Text that compresses about as well as source code.
fn text(size: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(size + 64);
    let mut state = 1_u32;
    while bytes.len() < size {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let words = [
            "return", "self", "    def", "import", "value", "None", "for", "name",
        ];
        let _ = writeln!(
            bytes,
            "{} {:x}",
            words[(state >> 24) as usize % 8],
            state >> 20
        );
    }
    bytes.truncate(size);
    bytes
}

/// A CPython 3.11 on x86-64 Linux.
fn python() -> Record {
    let markers = [
        ("implementation_name", "cpython"),
        ("implementation_version", "3.11.2"),
        ("os_name", "posix"),
        ("platform_machine", "x86_64"),
        ("platform_python_implementation", "CPython"),
        ("platform_release", "6.1.0"),
        ("platform_system", "Linux"),
        ("platform_version", "1"),
        ("python_full_version", "3.11.2"),
        ("python_version", "3.11"),
        ("sys_platform", "linux"),
    ];
    // As many as a real one has.
    let natives = (5..37).flat_map(|minor| {
        (2..12).map(move |python| format!("cp3{python}-abi3-manylinux_2_{minor}_x86_64"))
    });
    Record {
        proof: Vec::new(),
        binary: PathBuf::from("/usr/bin/python3.11"),
        implementation: "cpython".into(),
        version: (3, 11, 2),
        free_threaded: None,
        tags: natives
            .chain(["py311-none-any".to_owned(), "py3-none-any".to_owned()])
            .collect(),
        abi: "cp311".into(),
        markers: markers
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        prefix: PathBuf::from("/usr"),
        base_prefix: PathBuf::from("/usr"),
        stdlib: Vec::new(),
        site_packages: Vec::new(),
        user_site: None,
        magic: Vec::new(),
        cache_tag: None,
        depends: Vec::new(),
        compiled: Compiled::default(),
    }
}
