//! Opening and destroying a task's database, and telling what is wrong when that fails.

use std::path::Path;
use std::{fs, io};

use rocksdb::{ColumnFamilyDescriptor, DB, ErrorKind, Options};

use super::{Rocks, RocksFamily, SharedResources, is_lock_refusal, options, state_error};
use crate::backend::{Family, FamilyRole, FamilySpec};
use crate::error::{OpenError, StateError};

/// The family that RocksDB always has; it holds the metadata.
pub(crate) const DEFAULT_FAMILY: &str = "default";

impl Rocks {
    /// Opens the database in `dir`, or makes it, with these families; others that are found are opened too and dropped by
    /// [`Rocks::drop_strangers`].
    pub(crate) fn open(
        dir: &Path,
        families: Vec<FamilySpec>,
        shared: &SharedResources,
    ) -> Result<(Self, Vec<String>), OpenError> {
        let mut options = options::database_options(shared)?;
        let exists = look(dir)?;
        let found = if exists { DB::list_cf(&options, dir).map_err(|error| open_error(&error, true))? } else { Vec::new() };
        fs::create_dir_all(dir).map_err(|error| io_error(&error))?;
        options.create_if_missing(!exists);
        options.create_missing_column_families(true);
        let strangers: Vec<String> =
            found.into_iter().filter(|name| families.iter().all(|family| family.name != *name)).collect();
        let families: Vec<RocksFamily> = families.into_iter().map(RocksFamily::new).collect();
        let ours = families.iter().map(|family| {
            ColumnFamilyDescriptor::new(&*family.spec.name, options::family_options(&family.spec, &family.horizon, shared))
        });
        let theirs = strangers.iter().map(|name| ColumnFamilyDescriptor::new(name, Options::default()));
        let db = DB::open_cf_descriptors(&options, dir, ours.chain(theirs)).map_err(|error| open_error(&error, exists))?;
        Ok((Self { db, families, shared: shared.clone(), write_options: options::write_options() }, strangers))
    }

    /// Opens what was flushed for reading, without the lock, so that it can be looked at while its task runs.
    pub(crate) fn open_read_only(dir: &Path, shared: &SharedResources) -> Result<Self, OpenError> {
        if !look(dir)? {
            return Err(OpenError::Io(format!("there is no state in {}", dir.display())));
        }
        let options = options::database_options(shared)?;
        let found = DB::list_cf(&options, dir).map_err(|error| open_error(&error, true))?;
        let families: Vec<RocksFamily> =
            found.into_iter().map(|name| RocksFamily::new(FamilySpec { name, role: FamilyRole::Metadata })).collect();
        let descriptors = families.iter().map(|family| {
            ColumnFamilyDescriptor::new(&*family.spec.name, options::family_options(&family.spec, &family.horizon, shared))
        });
        let db =
            DB::open_cf_descriptors_read_only(&options, dir, descriptors, false).map_err(|error| open_error(&error, true))?;
        Ok(Self { db, families, shared: shared.clone(), write_options: options::write_options() })
    }

    /// The family of a name.
    pub(crate) fn family(&self, name: &str) -> Option<Family> {
        self.families.iter().position(|family| family.spec.name == name).map(|index| Family(index as u16))
    }

    /// Drops families that no store has any more.
    pub(crate) fn drop_strangers(&mut self, strangers: &[String]) -> Result<(), StateError> {
        strangers.iter().try_for_each(|name| self.db.drop_cf(name).map_err(|error| state_error(&error)))
    }
}

/// Removes a task's database with its directory; one that is not there is no error.
pub(crate) fn destroy(dir: &Path) -> Result<(), StateError> {
    if !dir.exists() {
        return Ok(());
    }
    // RocksDB goes first because it respects the lock. What it can't read, it can't destroy, so any other failure is no reason to
    // stop.
    if let Err(error) = DB::destroy(&Options::default(), dir)
        && is_lock_refusal(&error)
    {
        return Err(StateError::Locked);
    }
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StateError::Io(error.to_string())),
        _ => Ok(()),
    }
}

/// Whether there is a database; remains of one without its `CURRENT` file are damage, since RocksDB would start anew on top of
/// them.
fn look(dir: &Path) -> Result<bool, OpenError> {
    if dir.join("CURRENT").exists() {
        return Ok(true);
    }
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(io_error(&error)),
    };
    for entry in entries {
        let name = entry.map_err(|error| io_error(&error))?.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("MANIFEST-") || name.ends_with(".sst") {
            return Err(OpenError::Corrupt(format!("`{name}` is there, but `CURRENT` is missing")));
        }
    }
    Ok(false)
}

/// Sorts an error by its cure. An existing database that misses a file or says things that RocksDB does not understand is
/// damaged.
fn open_error(error: &rocksdb::Error, exists: bool) -> OpenError {
    let message = error.to_string();
    match error.kind() {
        _ if is_lock_refusal(error) => OpenError::Locked,
        ErrorKind::Corruption => OpenError::Corrupt(message),
        ErrorKind::InvalidArgument | ErrorKind::NotSupported | ErrorKind::NotFound if exists => OpenError::Corrupt(message),
        ErrorKind::IOError if exists && message.contains("No such file or directory") => OpenError::Corrupt(message),
        _ => OpenError::Io(message),
    }
}

fn io_error(error: &io::Error) -> OpenError {
    OpenError::Io(error.to_string())
}
