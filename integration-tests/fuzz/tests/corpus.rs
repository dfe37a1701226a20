//! Every input of the corpus once more: what was found stays mended, and the targets stay
//! buildable.

use std::fs;
use std::path::Path;

use tokio::runtime::{Builder, Runtime};

fn inputs(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let files =
        fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let inputs: Vec<_> = files
        .map(|file| {
            let path = file.expect("a readable folder").path();
            let input =
                fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            (path.display().to_string(), input)
        })
        .collect();
    assert!(!inputs.is_empty(), "{} is empty", folder.display());
    inputs
}

/// Says which input it was when one fails.
fn play(target: &str, check: impl Fn(&[u8])) {
    for (name, input) in inputs(target) {
        let played = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| check(&input)));
        assert!(played.is_ok(), "does not hold for {name}");
    }
}

fn paused() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime")
}

#[test]
fn codec() {
    play("codec", fuzz::codec::check);
}

#[test]
fn server() {
    play("server", |input| fuzz::server::check(&paused(), input));
}

#[test]
fn link() {
    play("link", |input| fuzz::link::check(&paused(), input));
}

#[test]
fn typed() {
    play("typed", fuzz::typed::check);
}

#[test]
fn shown() {
    play("shown", fuzz::shown::check);
}
