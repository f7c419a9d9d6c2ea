//! The files of this repository, read once.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

/// Made by others or by machines, or not committed.
const SKIPPED: [&str; 4] = [".git", "target", "node_modules", ".sqlx"];

/// A text file.
pub(crate) struct Text {
    /// From the root, with `/`.
    pub(crate) path: String,
    pub(crate) content: String,
}

impl Text {
    pub(crate) fn is(&self, extension: &str) -> bool {
        self.path.rsplit_once('.').is_some_and(|(_, own)| own == extension)
    }

    pub(crate) fn is_below(&self, folders: &[&str]) -> bool {
        folders.iter().any(|folder| self.path.starts_with(folder))
    }
}

/// Every text file there is.
pub(crate) static FILES: LazyLock<Vec<Text>> = LazyLock::new(|| {
    let mut files = Vec::new();
    collect(root(), &mut files);
    files.sort_by(|one, other| one.path.cmp(&other.path));
    assert!(files.len() > 100, "the repository was not found at {}", root().display());
    files
});

/// Whether something is there, by its path from the root.
pub(crate) fn exists(path: &str) -> bool {
    root().join(path).exists()
}

/// The files of one kind.
pub(crate) fn files(extension: &'static str) -> impl Iterator<Item = &'static Text> {
    FILES.iter().filter(move |file| file.is(extension))
}

/// Fails with everything that was found, at once.
pub(crate) fn expect_none(what: &str, found: &[String]) {
    assert!(found.is_empty(), "{what}:\n  {}", found.join("\n  "));
}

fn root() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own)
}

fn collect(folder: &Path, files: &mut Vec<Text>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if SKIPPED.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        if path.is_dir() {
            collect(&path, files);
        } else if let (Ok(content), Ok(own)) = (fs::read_to_string(&path), path.strip_prefix(root())) {
            files.push(Text { path: own.to_string_lossy().replace('\\', "/"), content });
        }
    }
}
