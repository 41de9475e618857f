//! Finds the files that are to be loaded and opens them: local ones, those of a folder, and those behind a URL. Packed ones are unpacked.
//!
//! What lies behind a URL is read by [`object`], a range at a time, so that a long load does not hang on one connection.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use indicatif::ProgressBar;

use super::load::Export;
use crate::exit::Failure;

pub mod object;

use object::{Objects, RemoteFile};

/// What packed files begin with.
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// What exports' names end with; of a folder, other files are left alone.
const ENDINGS: [&str; 3] = [".csv", ".csv.gz", ".csv.gzip"];

/// A file to load.
#[derive(Debug)]
pub struct SourceFile {
    name: String,
    location: String,
    size_bytes: u64,
    place: Place,
    progress: ProgressBar,
}

#[derive(Debug)]
enum Place {
    Local(PathBuf),
    Remote(RemoteFile),
}

/// What was asked for, found.
#[derive(Debug, Default)]
pub struct Sources {
    /// The files, in the order in which they are to be loaded.
    pub files: Vec<SourceFile>,
    /// How many files of folders have other names than exports have.
    pub passed_over: usize,
}

impl SourceFile {
    /// Bytes as it lies there, packed or not.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Shows on this bar how much of it was read.
    pub fn show(&mut self, progress: ProgressBar) {
        self.progress = progress;
    }
}

impl Export for SourceFile {
    fn name(&self) -> &str {
        &self.name
    }

    fn location(&self) -> &str {
        &self.location
    }

    fn open(&self) -> io::Result<Box<dyn Read + '_>> {
        self.progress.set_position(0);
        match &self.place {
            Place::Local(path) => unpack(self.progress.wrap_read(File::open(path)?)),
            Place::Remote(file) => unpack(self.progress.wrap_read(file.open())),
        }
    }
}

/// Unpacks what is packed, whatever its name says.
pub fn unpack<'r>(mut source: impl Read + 'r) -> io::Result<Box<dyn Read + 'r>> {
    let mut first = Vec::new();
    source.by_ref().take(GZIP.len() as u64).read_to_end(&mut first)?;
    let is_packed = first == GZIP;
    let whole = Cursor::new(first).chain(source);
    Ok(if is_packed { Box::new(MultiGzDecoder::new(whole)) } else { Box::new(whole) })
}

/// Finds all files that these paths and URLs name; folders with all below them, in the order of their names.
pub fn find(names: &[String]) -> Result<Sources, Failure> {
    let mut found = Sources::default();
    for name in names {
        if name.contains("://") { found.add_url(name)? } else { found.add_path(Path::new(name))? }
    }
    Ok(found)
}

fn is_export(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    !name.starts_with('.') && ENDINGS.iter().any(|ending| name.ends_with(ending))
}

impl Sources {
    fn add_path(&mut self, path: &Path) -> Result<(), Failure> {
        let refused = |error: io::Error| Failure::failed(format!("{} cannot be read: {error}", path.display()));
        // One file has one location, however it is named, so that it is found again.
        let path = path.canonicalize().map_err(refused)?;
        if path.is_dir() { self.add_folder(&path) } else { self.add_file(path) }
    }

    fn add_folder(&mut self, folder: &Path) -> Result<(), Failure> {
        let refused = |error: io::Error| Failure::failed(format!("the folder {} cannot be read: {error}", folder.display()));
        let entries = std::fs::read_dir(folder).map_err(refused)?;
        let mut paths: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>().map_err(refused)?;
        paths.sort();
        for path in paths {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            // A link to a folder may lead back to where one came from.
            let is_folder = path.is_dir() && !path.is_symlink();
            if is_folder && !name.starts_with('.') {
                self.add_folder(&path)?;
            } else if path.is_file() && is_export(&name) {
                self.add_file(path)?;
            } else {
                self.passed_over += 1;
            }
        }
        Ok(())
    }

    fn add_file(&mut self, path: PathBuf) -> Result<(), Failure> {
        let refused = |error: io::Error| Failure::failed(format!("{} cannot be read: {error}", path.display()));
        let size_bytes = std::fs::metadata(&path).map_err(refused)?.len();
        self.files.push(SourceFile {
            name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            location: path.to_string_lossy().into_owned(),
            size_bytes,
            place: Place::Local(path),
            progress: ProgressBar::hidden(),
        });
        Ok(())
    }

    fn add_url(&mut self, url: &str) -> Result<(), Failure> {
        let objects = Objects::find(url).map_err(|error| error.context(url))?;
        for file in objects.files {
            let name = file.name().to_owned();
            if !objects.is_folder || is_export(&name) {
                self.files.push(SourceFile {
                    name,
                    location: file.location().to_owned(),
                    size_bytes: file.size_bytes(),
                    place: Place::Remote(file),
                    progress: ProgressBar::hidden(),
                });
            } else {
                self.passed_over += 1;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
