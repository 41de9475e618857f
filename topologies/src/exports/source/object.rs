//! Files in an object store, by URL: S3 with the feature `s3`, and `file://`. Which there are, and their bytes; not what is in them.

use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;

use bytes::{Buf as _, Bytes};
use futures_util::TryStreamExt as _;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt as _};
use tokio::runtime::Runtime;
use url::Url;

use crate::exit::Failure;

/// How much is asked for at once.
const RANGE_BYTES: u64 = 8 << 20;
/// A folder may hold so many files.
const FILES_MAX: usize = 100_000;

/// What a URL names.
#[derive(Debug)]
pub struct Objects {
    /// The files, in the order of their names.
    pub files: Vec<RemoteFile>,
    /// Whether the URL names what they have in common, not one of them.
    pub is_folder: bool,
}

/// One file of a store.
#[derive(Clone)]
pub struct RemoteFile {
    runtime: Arc<Runtime>,
    store: Arc<dyn ObjectStore>,
    meta: ObjectMeta,
    location: String,
}

impl fmt::Debug for RemoteFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteFile").field("location", &self.location).finish_non_exhaustive()
    }
}

impl Objects {
    /// The file at this URL; if there is none, all below it.
    pub fn find(url: &str) -> Result<Self, Failure> {
        let parsed = Url::parse(url).map_err(|error| Failure::usage(format!("it is no URL: {error}")))?;
        let (store, path) = open_store(&parsed)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let runtime = Arc::new(runtime);
        let file = |meta: ObjectMeta, location: String| RemoteFile {
            runtime: Arc::clone(&runtime),
            store: Arc::clone(&store),
            meta,
            location,
        };
        if !parsed.path().ends_with('/') {
            match runtime.block_on(store.head(&path)) {
                Ok(meta) => return Ok(Self { files: vec![file(meta, url.to_owned())], is_folder: false }),
                // It may be a folder that was named without its slash.
                Err(object_store::Error::NotFound { .. }) => {}
                Err(error) if !is_folder(&parsed) => return Err(unreadable(&error)),
                Err(_) => {}
            }
        }
        let listed = runtime.block_on(store.list(Some(&path)).try_collect::<Vec<_>>());
        let mut metas = listed.map_err(|error| unreadable(&error))?;
        if metas.is_empty() {
            return Err(Failure::failed("there is no file, and nothing below it"));
        }
        if metas.len() > FILES_MAX {
            return Err(Failure::failed(format!("there are more than {FILES_MAX} files: name a part of them")));
        }
        metas.sort_by(|a, b| a.location.cmp(&b.location));
        let base = url.strip_suffix(parsed.path()).unwrap_or(url).to_owned();
        let files = metas.into_iter().map(|meta| {
            let location = format!("{base}/{}", meta.location);
            file(meta, location)
        });
        Ok(Self { files: files.collect(), is_folder: true })
    }
}

/// A local folder answers a question for a file with an error of its own.
fn is_folder(url: &Url) -> bool {
    url.to_file_path().is_ok_and(|path| path.is_dir())
}

#[cfg(feature = "s3")]
fn open_store(url: &Url) -> Result<(Arc<dyn ObjectStore>, Path), Failure> {
    if !matches!(url.scheme(), "s3" | "s3a") {
        return open_any(url);
    }
    let refused = |error: object_store::Error| Failure::config(format!("its store cannot be opened: {error}"));
    // Region, keys and roles are where AWS's own tools look for them.
    let store = object_store::aws::AmazonS3Builder::from_env().with_url(url.as_str()).build().map_err(refused)?;
    let path = Path::from_url_path(url.path()).map_err(|error| refused(error.into()))?;
    Ok((Arc::new(store), path))
}

#[cfg(not(feature = "s3"))]
fn open_store(url: &Url) -> Result<(Arc<dyn ObjectStore>, Path), Failure> {
    if matches!(url.scheme(), "s3" | "s3a") {
        return Err(Failure::config(
            "this binary was built without S3: build it with `cargo build -p shoppulse --features s3`, or copy the files here",
        ));
    }
    open_any(url)
}

fn open_any(url: &Url) -> Result<(Arc<dyn ObjectStore>, Path), Failure> {
    let (store, path) = object_store::parse_url(url)
        .map_err(|error| Failure::config(format!("no store is known for it ({error}): there are `s3://` and `file://`")))?;
    Ok((Arc::from(store), path))
}

fn unreadable(error: &object_store::Error) -> Failure {
    Failure::failed(format!("it cannot be read: {error}"))
}

impl RemoteFile {
    /// Its name, without where it is.
    pub fn name(&self) -> &str {
        self.meta.location.filename().unwrap_or(&self.location)
    }

    /// Its URL.
    pub fn location(&self) -> &str {
        &self.location
    }

    /// Its bytes, packed or not.
    pub fn size_bytes(&self) -> u64 {
        self.meta.size
    }

    /// Its bytes from the beginning.
    pub fn open(&self) -> Ranges {
        Ranges { file: self.clone(), next: 0, ready: Bytes::new() }
    }
}

/// A file read range by range. One that is replaced meanwhile is refused, not mixed.
#[derive(Debug)]
pub struct Ranges {
    file: RemoteFile,
    next: u64,
    ready: Bytes,
}

impl Read for Ranges {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ready.is_empty() && self.next < self.file.meta.size {
            let end = (self.next + RANGE_BYTES).min(self.file.meta.size);
            let options = GetOptions {
                range: Some(GetRange::Bounded(self.next..end)),
                if_match: self.file.meta.e_tag.clone(),
                ..GetOptions::default()
            };
            let RemoteFile { runtime, store, meta, .. } = &self.file;
            let got = runtime.block_on(async { store.get_opts(&meta.location, options).await?.bytes().await });
            self.ready = got.map_err(io::Error::other)?;
            self.next = end;
        }
        let taken = buffer.len().min(self.ready.len());
        self.ready.copy_to_slice(&mut buffer[..taken]);
        Ok(taken)
    }
}
