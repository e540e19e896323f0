//! A file into a directory: whole under its name, or not there.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::encode::File;

/// Writes a file below `root`: to a temporary name first, which only then becomes its own, so that whoever fetches
/// files never sees half of one. When this returns, a power loss doesn't take the file away. A file of the same name is
/// replaced. Blocks.
///
/// # Errors
/// Which path can't be written, and why; no part of a file stands under its own name.
pub fn put(root: &Path, file: &File) -> io::Result<()> {
    let folder = make_folders(root, &file.folder)?;
    let (partial, whole) = (folder.join(format!(".{}.part", file.name)), folder.join(&file.name));
    let write = || {
        let mut handle = fs::File::create(&partial)?;
        handle.write_all(file.text.as_bytes())?;
        handle.sync_all()?;
        fs::rename(&partial, &whole)
    };
    write().map_err(|error| naming(&whole, &error))?;
    synchronise(&folder)
}

/// Makes each folder that is missing, durably.
fn make_folders(root: &Path, folders: &[String]) -> io::Result<PathBuf> {
    fs::create_dir_all(root).map_err(|error| naming(root, &error))?;
    let mut folder = root.to_owned();
    for name in folders {
        let within = folder.clone();
        folder.push(name);
        match fs::create_dir(&folder) {
            Ok(()) => synchronise(&within)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(naming(&folder, &error)),
        }
    }
    Ok(folder)
}

/// A name is durable when its directory is.
fn synchronise(folder: &Path) -> io::Result<()> {
    fs::File::open(folder).and_then(|handle| handle.sync_all()).map_err(|error| naming(folder, &error))
}

fn naming(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{} can't be written: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::{File, fs, put};

    fn names(root: &std::path::Path) -> Vec<PathBuf> {
        let entries = |path: &std::path::Path| fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
        let (mut found, mut open) = (Vec::new(), vec![root.to_owned()]);
        while let Some(path) = open.pop() {
            let (folders, files): (Vec<_>, Vec<_>) = entries(&path).partition(|path| path.is_dir());
            open.extend(folders);
            found.extend(files);
        }
        found
    }

    #[test]
    fn a_file_is_replaced_whole_and_nothing_else_stays_behind() {
        let root = tempfile::tempdir().unwrap();
        let folder = ["NUO001", "2026", "01", "01"].map(str::to_owned);
        let mut file = File { folder, name: "a.txt".to_owned(), text: "first, and longer\r\n".to_owned() };
        put(root.path(), &file).unwrap();
        "second\r\n".clone_into(&mut file.text);
        put(root.path(), &file).unwrap();
        let whole = root.path().join("NUO001/2026/01/01/a.txt");
        assert_eq!(fs::read_to_string(&whole).unwrap(), "second\r\n");
        assert_eq!(names(root.path()), [whole]);
    }

    #[test]
    fn what_can_not_be_written_is_named() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("NUO001"), "no folder").unwrap();
        let folder = ["NUO001", "2026", "01", "01"].map(str::to_owned);
        let file = File { folder, name: "a.txt".to_owned(), text: String::new() };
        let error = put(root.path(), &file).unwrap_err().to_string();
        assert!(error.contains("NUO001/2026 can't be written"), "{error}");
    }
}
