//! The machine that the server runs on: where it keeps things, copies of that, and its clock.

use std::fs;
use std::path::{Path, PathBuf};

use chatroom_proto::Seq;

use crate::chance::Chance;
use crate::process::Exit;
use crate::program::{Home, run_tool};

/// A library that tells a program another time of day, where it is installed: libfaketime.
const CLOCK_LIBRARIES: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib64/faketime/libfaketime.so.1",
];

/// By how many seconds the clock is ahead: an hour, a day, ten years, and right.
const CLOCK_IS_AHEAD: [&str; 6] = ["+3600", "-3600", "+86400", "-86400", "+315360000", "+0"];

/// The machine.
pub(super) struct Machine {
    directory: PathBuf,
    home: Home,
    /// How many data directories there were, and how many copies.
    directories: u32,
    copies: u32,
    /// The newest copy, and up to where it goes.
    copy: Option<(PathBuf, Seq)>,
    clock_library: Option<&'static str>,
}

impl Machine {
    /// One whose clock is right.
    pub(super) fn new(directory: &Path) -> Machine {
        let clock_library = CLOCK_LIBRARIES.into_iter().find(|path| Path::new(path).is_file());
        let machine = Machine {
            directory: directory.to_owned(),
            home: Home::new(),
            directories: 0,
            copies: 0,
            copy: None,
            clock_library,
        };
        machine.write_clock("+0");
        machine
    }

    /// Where the server keeps its log.
    pub(super) fn data(&self) -> PathBuf {
        self.directory.join(format!("data-{}", self.directories))
    }

    /// What a server on this machine finds in its environment, beside what is always there.
    pub(super) fn environment(&self) -> Vec<(&'static str, String)> {
        let Some(library) = self.clock_library else { return Vec::new() };
        vec![
            ("LD_PRELOAD", library.to_owned()),
            ("FAKETIME_TIMESTAMP_FILE", self.clock_file().to_string_lossy().into_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            // It looks at the file once a second.
            ("FAKETIME_CACHE_DURATION", "1".to_owned()),
        ]
    }

    /// Sets the clock, while a server runs or not. Tells whether it can be set.
    pub(super) fn set_clock(&self, chance: &mut Chance) -> bool {
        self.write_clock(chance.one_of(&CLOCK_IS_AHEAD));
        self.clock_library.is_some()
    }

    fn clock_file(&self) -> PathBuf {
        self.directory.join("clock")
    }

    fn write_clock(&self, ahead: &str) {
        fs::write(self.clock_file(), format!("{ahead}\n")).expect("a file can be written");
    }

    /// A copy of what the server keeps, while it runs.
    pub(super) async fn back_up(&mut self) {
        self.copies += 1;
        let copy = self.directory.join(format!("copy-{}", self.copies));
        let said = self.run(&["backup", text(&copy), "--data", text(&self.data())]).await;
        let newest = said.split(" has everything up to entry ").nth(1).and_then(|rest| {
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            digits.parse().ok()
        });
        let newest = newest.unwrap_or_else(|| panic!("no word of the newest entry: {said}"));
        self.copy = Some((copy, Seq(newest)));
    }

    /// Puts the newest copy back, where no server runs. Tells up to where it goes.
    pub(super) async fn restore(&mut self) -> Option<Seq> {
        let (copy, newest) = self.copy.clone()?;
        self.directories += 1;
        self.run(&["restore", text(&copy), "--data", text(&self.data())]).await;
        Some(newest)
    }

    async fn run(&self, arguments: &[&str]) -> String {
        let said = run_tool(&self.home, arguments).await;
        assert_eq!(said.exit, Exit::Code(0), "{}", said.diagnostics);
        said.output
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path that is text")
}
