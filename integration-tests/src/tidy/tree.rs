//! The files of the repository.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::process::spawn;

/// Scripts that are read although their names have no extension.
const SCRIPTS: &[&str] = &[".ci/run", "integration-tests/fuzz/run"];

/// Folders that hold nothing of ours, where git can't be asked.
const FOREIGN: &[&str] = &["target", ".git", "corpus"];

/// The texts that the rules look at, by their path from the root, which is written with `/`.
#[derive(Debug, Default)]
pub struct Tree {
    files: BTreeMap<String, String>,
    /// Every file, those that aren't read included: links may lead to them.
    all: Vec<String>,
}

impl Tree {
    /// Reads a repository: what git knows or would add. Without git, every file below the root.
    ///
    /// # Errors
    /// When a file or a folder can't be read.
    pub fn read(root: &Path) -> io::Result<Tree> {
        let all = match listed_by_git(root) {
            Some(paths) => paths,
            None => found_below(root, "")?,
        };
        let mut files = BTreeMap::new();
        for path in all.iter().filter(|path| is_read(path)) {
            files.insert(path.clone(), fs::read_to_string(root.join(path))?);
        }
        Ok(Tree { files, all })
    }

    /// A tree in memory.
    pub fn of(files: &[(&str, &str)]) -> Tree {
        let all = files.iter().map(|(path, _)| (*path).to_owned()).collect();
        let owned = |(path, text): &(&str, &str)| ((*path).to_owned(), (*text).to_owned());
        Tree { files: files.iter().map(owned).collect(), all }
    }

    /// The text of a file.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// All texts with their paths, in the order of the paths.
    pub fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// Whether there is a file or a folder at this path.
    pub fn has(&self, path: &str) -> bool {
        let is_it = |file: &String| {
            file.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        path.is_empty() || self.all.iter().any(is_it)
    }
}

fn is_read(path: &str) -> bool {
    let extension = Path::new(path).extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("rs" | "md" | "toml" | "sh")) || SCRIPTS.contains(&path)
}

fn listed_by_git(root: &Path) -> Option<Vec<String>> {
    let mut git = Command::new("git");
    git.arg("-C").arg(root);
    git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let output = spawn(git.stdout(Stdio::piped())).and_then(Child::wait_with_output).ok()?;
    if !output.status.success() {
        return None;
    }
    let listed = String::from_utf8(output.stdout).ok()?;
    let is_there = |path: &&str| !path.is_empty() && root.join(path).is_file();
    Some(listed.split('\0').filter(is_there).map(str::to_owned).collect())
}

fn found_below(root: &Path, folder: &str) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root.join(folder))? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        if !entry.file_type()?.is_dir() {
            found.push(path);
        } else if !FOREIGN.contains(&name.as_str()) {
            found.extend(found_below(root, &path)?);
        }
    }
    found.sort();
    Ok(found)
}
