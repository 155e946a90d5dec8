//! Compiled programs: from memory, from the node's disk, or compiled now; each at most once at a time.

use std::{
    collections::{HashMap, HashSet},
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use coracle_client::RecentMap;
use coracle_oci::{Image, ImageStore, Module, StoreError};
use coracle_wasi_host::{CompileError, Engine, Program};
use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use parking_lot::Mutex;

use super::turns::Turns;
use crate::files;

/// Programs kept in memory beyond the pods that run them. A program is its machine code: up to some ten megabytes.
const PROGRAMS_LIMIT: usize = 64;
/// The key that seals compiled programs.
const KEY_FILE: &str = "compiled.key";

/// Why an image can't be run.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ProgramError {
    /// the image is no Wasm, and this node has nothing else to run it with
    #[error("no match for platform in manifest: image {image:?} is not Wasm but for {platforms}, and this node has no CRI runtime for Linux containers; build it for wasi/wasm or schedule the pod on a node with a CRI runtime", platforms = .platforms.join(", "))]
    NotWasm {
        /// The image.
        image: String,
        /// What it is for.
        platforms: Vec<String>,
    },
    /// the image's module can't be read
    #[error("{0}")]
    Store(#[from] StoreError),
    /// the module can't be compiled
    #[error("cannot run image {image:?}: {message}")]
    Compile {
        /// The image.
        image: String,
        /// What the engine says, with the imports or exports that are missing.
        message: String,
    },
    /// the compiler itself failed
    #[error("compiling image {image:?} failed: {message}")]
    Internal {
        /// The image.
        image: String,
        /// What happened.
        message: String,
    },
}

/// The key can't be had.
#[derive(Debug, thiserror::Error)]
#[error("the key that seals compiled programs, {path}, cannot be read or written: {source}", path = .path.display())]
pub struct KeyError {
    /// The file.
    pub path: PathBuf,
    /// What the kernel said.
    #[source]
    pub source: io::Error,
}

/// The node's key for compiled programs: made on first start, readable by the node's user only. A key that is
/// damaged is replaced; what it sealed is compiled again.
pub fn load_key(data_dir: &Path) -> Result<[u8; 32], KeyError> {
    let path = data_dir.join(KEY_FILE);
    match fs::read(&path) {
        Ok(bytes) => {
            if let Ok(key) = bytes.try_into() {
                return Ok(key);
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(source) => return Err(KeyError { path, source }),
    }
    let key: [u8; 32] = rand::random();
    files::write_atomic_with_mode(&path, &key, 0o600).map_err(|source| KeyError { path, source })?;
    Ok(key)
}

type Flight = Shared<BoxFuture<'static, Result<Program, ProgramError>>>;

/// The programs of this node. Clones share them.
#[derive(Clone)]
pub struct Programs {
    inner: Arc<Inner>,
}

struct Inner {
    engine: Engine,
    images: ImageStore,
    dir: PathBuf,
    /// By the module's digest: what it became. Errors are remembered too: the same bytes fail the same way.
    known: Mutex<RecentMap<String, Result<Program, ProgramError>>>,
    flights: Mutex<HashMap<String, Flight>>,
    turns: Turns,
}

impl Programs {
    /// The programs of `images`, compiled by `engine`, kept below `dir`. What other engines left there is removed.
    pub fn open(engine: Engine, images: ImageStore, dir: &Path) -> Programs {
        let own = engine.compatibility_hash();
        let inner = Inner {
            engine,
            images,
            dir: dir.join(&own),
            known: Mutex::new(RecentMap::new(PROGRAMS_LIMIT)),
            flights: Mutex::default(),
            turns: Turns::new(),
        };
        if let Err(error) = inner.remove_leftovers(dir, &own) {
            tracing::debug!(dir = %dir.display(), %error, "old compiled programs could not be removed");
        }
        Programs { inner: Arc::new(inner) }
    }

    /// Whether the program of `image` is in memory.
    pub fn is_loaded(&self, image: &Image) -> bool {
        let known = |module: &Module| self.inner.known.lock().get_mut(&module.digest).is_some();
        image.module.as_ref().is_some_and(known)
    }

    /// Removes what is on disk of programs whose image is no longer here.
    pub fn sweep(&self) -> io::Result<()> {
        self.inner.sweep()
    }

    /// The program of `image`.
    pub async fn get(&self, image: &Image) -> Result<Program, ProgramError> {
        let Some(module) = &image.module else { return Err(not_wasm(image)) };
        if let Some(known) = self.inner.known.lock().get_mut(&module.digest) {
            return known.clone();
        }
        let flight = {
            let mut flights = self.inner.flights.lock();
            let make = || Inner::fly(Arc::clone(&self.inner), image.clone(), module.clone());
            flights.entry(module.digest.clone()).or_insert_with(make).clone()
        };
        flight.await
    }
}

impl Inner {
    /// Loads or compiles in a task of its own, so that it is finished even if all who wait for it give up.
    fn fly(inner: Arc<Inner>, image: Image, module: Module) -> Flight {
        let name = image.reference.clone();
        let work = tokio::spawn(async move {
            let made = inner.make(image, &module).await;
            if matches!(made, Ok(_) | Err(ProgramError::Compile { .. })) {
                inner.known.lock().insert(module.digest.clone(), made.clone());
            }
            inner.flights.lock().remove(&module.digest);
            made
        });
        let joined = work.map(move |joined| match joined {
            Ok(made) => made,
            Err(error) => Err(ProgramError::Internal { image: name, message: error.to_string() }),
        });
        joined.boxed().shared()
    }

    async fn make(self: &Arc<Self>, image: Image, module: &Module) -> Result<Program, ProgramError> {
        let file = self.file_of(&module.digest);
        let this = Arc::clone(self);
        let name = image.reference.clone();
        let internal =
            |error: tokio::task::JoinError| ProgramError::Internal { image: name.clone(), message: error.to_string() };
        let load = {
            let file = file.clone();
            tokio::task::spawn_blocking(move || this.load(&file))
        };
        if let Some(program) = load.await.map_err(internal)? {
            return Ok(program);
        }
        let this = Arc::clone(self);
        self.turns.take(move || this.compile(&image, &file)).await.map_err(internal)?
    }

    fn load(&self, file: &Path) -> Option<Program> {
        let bytes = fs::read(file).ok()?;
        match self.engine.deserialize(&bytes) {
            Ok(program) => Some(program),
            Err(error) => {
                tracing::warn!(file = %file.display(), %error, "a compiled program is not usable and is made again");
                None
            }
        }
    }

    fn compile(&self, image: &Image, file: &Path) -> Result<Program, ProgramError> {
        let wasm = self.images.module(image)?;
        let program = self.engine.compile(&wasm).map_err(|error| compile_error(image, &error))?;
        let kept = self.engine.serialize(&program).map_err(|error| error.to_string());
        let kept = kept
            .and_then(|bytes| files::write_atomic_with_mode(file, &bytes, 0o600).map_err(|error| error.to_string()));
        if let Err(error) = kept {
            tracing::warn!(image = image.reference, error, "the compiled program could not be kept");
        }
        Ok(program)
    }

    fn file_of(&self, digest: &str) -> PathBuf {
        self.dir.join(digest.rsplit(':').next().unwrap_or(digest))
    }

    /// Removes what another engine compiled, and what belongs to no image any more.
    fn remove_leftovers(&self, all: &Path, own: &str) -> io::Result<()> {
        fs::create_dir_all(&self.dir)?;
        for engine in fs::read_dir(all)? {
            let engine = engine?;
            if engine.file_name() != own {
                files::remove_dir(&engine.path())?;
            }
        }
        self.sweep()
    }

    /// Removes what belongs to no image any more.
    fn sweep(&self) -> io::Result<()> {
        let programs: Vec<_> = fs::read_dir(&self.dir)?.collect();
        // Images are looked at last: a program is made only when its image is here. Those in use may be of a file that
        // a container named in its image.
        let modules = self.images.list().into_iter().filter_map(|image| image.module);
        let mut wanted: HashSet<PathBuf> = modules.map(|module| self.file_of(&module.digest)).collect();
        wanted.extend(self.known.lock().keys().map(|digest| self.file_of(digest)));
        for program in programs {
            let path = program?.path();
            if !wanted.contains(&path) {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }
}

fn not_wasm(image: &Image) -> ProgramError {
    let platforms = match &image.format {
        coracle_oci::Format::NotWasm { platforms } => platforms.clone(),
        other => vec![other.to_string()],
    };
    ProgramError::NotWasm { image: image.reference.clone(), platforms }
}

fn compile_error(image: &Image, error: &CompileError) -> ProgramError {
    ProgramError::Compile { image: image.reference.clone(), message: error.to_string() }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_key_is_made_once_and_is_nobody_elses() {
        let dir = tempfile::tempdir().unwrap();
        let key = load_key(dir.path()).unwrap();
        assert_eq!(load_key(dir.path()).unwrap(), key);
        let file = dir.path().join(KEY_FILE);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&file, b"short").unwrap();
        assert_ne!(load_key(dir.path()).unwrap(), key);
    }
}
