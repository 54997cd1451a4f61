//! Every input of every corpus, on the stable toolchain: what a fuzzer found once stays found.

use outside_bytes::TARGETS;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this crate is in fuzz/").to_owned()
}

/// Names in a folder, without what their files' names end in.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let stem = |path: PathBuf| path.file_stem().expect("an entry has a name").to_string_lossy().into_owned();
    let mut names: Vec<String> = entries.map(|entry| stem(entry.expect("an entry can be read").path())).collect();
    names.sort_unstable();
    names
}

#[test]
fn every_target_has_its_program_its_corpus_and_its_row_in_the_readme() {
    let listed: Vec<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names(&fuzz().join("fuzz_targets")), listed);
    assert_eq!(names(&fuzz().join("corpus")), listed);
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    let readme = fs::read_to_string(fuzz().join("README.md")).unwrap();
    for name in &listed {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name} is not in fuzz/Cargo.toml");
        assert!(readme.contains(&format!("| `{name}` |")), "{name} is not in fuzz/README.md");
    }
}

#[test]
fn every_input_of_every_corpus_holds() {
    for (name, target) in TARGETS {
        let folder = fuzz().join("corpus").join(name);
        let inputs = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        let mut count = 0;
        for input in inputs {
            let bytes = fs::read(&input).unwrap();
            assert!(catch_unwind(|| target(&bytes)).is_ok(), "{name} does not hold for {}", input.display());
            count += 1;
        }
        assert!(count > 0, "{name} has no inputs");
    }
}
