//! The binary under test: built once for each test program, from the same profile as the tests.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Names a binary to be tested in place of the one that would be built.
const OVERRIDE: &str = "SWITCHYARD_BIN";

/// Where `switchyard` is. The first call builds it; cargo keeps several test programs from building at once.
pub fn switchyard() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| std::env::var_os(OVERRIDE).map_or_else(build, PathBuf::from))
}

fn build() -> PathBuf {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "-q", "-p", "api-front", "--bin", "switchyard"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    let built = cargo.status().expect("cargo can be run");
    assert!(built.success(), "the switch does not build: {cargo:?}");
    beside_the_tests().join("switchyard")
}

/// `target/<profile>`: the tests' own program is in `deps` below it.
fn beside_the_tests() -> PathBuf {
    let tests = std::env::current_exe().expect("a running program has a path");
    tests.ancestors().nth(2).expect("a test program lies two folders deep").to_owned()
}
