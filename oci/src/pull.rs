//! One pull: ask what the name stands for, fetch what is missing, make the image visible.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};

use crate::auth::Auth;
use crate::blobs::blocking;
use crate::compat;
use crate::digest::Digest;
use crate::error::PullError;
use crate::files::{self, Part};
use crate::format::Format;
use crate::image::{Image, Module};
use crate::manifest::Descriptor;
use crate::plan::{Fetch, Plan, plan};
use crate::progress::{Meter, Progress};
use crate::reference::Reference;
use crate::registries::{Endpoint, Registries};
use crate::remote::Remote;
use crate::store::{InUse, Inner, Want};

/// Layers of one image fetched at a time; containerd's default.
const PARALLEL_LAYERS: usize = 3;

/// How to pull.
#[derive(Clone, Default)]
pub struct PullOptions {
    /// Credentials for the registry.
    pub auth: Auth,
    /// Where registries are.
    pub registries: Arc<Registries>,
    /// Who is told how far it is. Of several callers that wait for the same pull, the first one's is.
    pub progress: Option<Arc<dyn Progress>>,
}

impl std::fmt::Debug for PullOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PullOptions").field("auth", &self.auth).finish_non_exhaustive()
    }
}

/// Tries the registry's endpoints in order; the last one's error counts.
async fn at_endpoints<T, F>(
    reference: &Reference,
    options: &PullOptions,
    ask: impl Fn(Arc<Remote>) -> F,
) -> Result<(Arc<Remote>, T), PullError>
where
    F: Future<Output = Result<T, PullError>>,
{
    let name = reference.to_string();
    let endpoints = options.registries.endpoints(reference.registry());
    let endpoints = endpoints.map_err(|source| PullError::Hosts { reference: name.clone(), source })?;
    let mut last = PullError::NotFound { reference: name };
    // By its digest, an image is the same wherever it is; what a tag stands for not every mirror may say.
    let may = |endpoint: &Endpoint| endpoint.can.pull && (endpoint.can.resolve || reference.digest().is_some());
    for endpoint in endpoints.into_iter().filter(may) {
        let is_mirror = endpoint.mirror_of.is_some();
        let remote = Arc::new(Remote::new(endpoint, &options.registries, reference, &options.auth)?);
        match ask(remote.clone()).await {
            Ok(found) => return Ok((remote, found)),
            Err(error @ (PullError::NotFound { .. } | PullError::Unreachable { .. })) => last = error,
            // A mirror that wants something else of us is as good as none.
            Err(error) if is_mirror => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

/// What the name stands for in the registry now, without its layers.
pub(crate) async fn inspect(inner: &Inner, reference: &Reference, options: &PullOptions) -> Result<Image, PullError> {
    let name = reference.to_string();
    let ask = |remote: Arc<Remote>| {
        let name = &name;
        async move { plan(&remote, name, reference.version(), &inner.limits, Want::Program).await }
    };
    Ok(at_endpoints(reference, options, ask).await?.1.image)
}

pub(crate) async fn pull(
    inner: Arc<Inner>,
    want: Want,
    reference: Reference,
    options: PullOptions,
) -> Result<Image, PullError> {
    let name = reference.to_string();
    // Found by another name, its blobs are reused, but held and recorded like those of a new image.
    let local = inner.local(want, &reference).filter(|local| local.reference == name);
    let ask = |remote: Arc<Remote>| {
        let (name, local, inner, version) = (&name, &local, &inner, reference.version());
        async move {
            if let Some(local) = local
                && let Some(digest) = remote.head_manifest(version).await?
                && digest.as_str() == local.digest
            {
                return Ok(None);
            }
            plan(&remote, name, version, &inner.limits, want).await.map(Some)
        }
    };
    let (remote, planned) = at_endpoints(&reference, &options, ask).await?;
    match (planned, local) {
        (None, Some(local)) => Ok(local),
        (Some(planned), _) => Puller { inner, remote, name, progress: options.progress }.fetch(planned).await,
        (None, None) => Err(PullError::NotFound { reference: name }),
    }
}

async fn record(inner: &Arc<Inner>, name: &str, image: &Image) -> Result<(), PullError> {
    let (store, image) = (inner.clone(), image.clone());
    blocking(move || store.names.put(&image)).await.map_err(|error| PullError::io(name, error))
}

struct Puller {
    inner: Arc<Inner>,
    remote: Arc<Remote>,
    name: String,
    progress: Option<Arc<dyn Progress>>,
}

impl Puller {
    async fn fetch(&self, planned: Plan) -> Result<Image, PullError> {
        let Plan { mut image, documents, fetch } = planned;
        if let Fetch::NotWasm { platforms } = fetch {
            return Err(PullError::NotWasm { reference: image.reference, digest: image.digest, platforms });
        }
        // Held until the name is recorded: removing other images meanwhile must not take these blobs.
        let mut in_use = self.keep(documents).await?;
        image.module = match fetch {
            Fetch::NotWasm { .. } => None,
            Fetch::Module(layer) => {
                in_use.extend(self.layers(vec![layer.clone()]).await?);
                Some(Module { digest: layer.digest.to_string(), size_bytes: layer.size, path: None })
            }
            Fetch::Archives(archives) => {
                let layers = archives.iter().map(|(layer, _)| layer.clone()).collect();
                in_use.extend(self.layers(layers).await?);
                let (module, held) = self.unpack(&image, archives).await?.unzip();
                in_use.extend(held);
                module
            }
            Fetch::Files(parts, wasm) => {
                let layers = parts.iter().map(|(layer, _)| layer.clone()).collect();
                in_use.extend(self.layers(layers).await?);
                let (module, held) = self.make_files(&image, parts, wasm).await?;
                in_use.extend(held);
                module
            }
        };
        record(&self.inner, &self.name, &image).await?;
        drop(in_use);
        Ok(self.inner.with_rootfs(image))
    }

    /// Keeps the small documents as blobs too.
    async fn keep(&self, documents: Vec<Vec<u8>>) -> Result<Vec<InUse>, PullError> {
        let digests = documents.iter().map(|bytes| Digest::of(bytes));
        let in_use = digests.map(|digest| self.inner.hold(&digest)).collect();
        let blobs = self.inner.blobs.clone();
        let put = move || documents.iter().try_for_each(|bytes| blobs.put(bytes).map(drop));
        blocking(put).await.map_err(|error| self.io(error))?;
        Ok(in_use)
    }

    async fn layers(&self, layers: Vec<Descriptor>) -> Result<Vec<InUse>, PullError> {
        let total_bytes = layers.iter().fold(0, |sum: u64, layer| sum.saturating_add(layer.size));
        let meter = Meter::start(self.progress.clone(), &self.name, total_bytes);
        let downloads = layers.into_iter().map(|layer| self.layer(layer, &meter));
        futures::stream::iter(downloads).buffer_unordered(PARALLEL_LAYERS).try_collect().await
    }

    /// Fetches a blob unless it is here, or becomes so while another pull fetches it.
    async fn layer(&self, layer: Descriptor, meter: &Meter) -> Result<InUse, PullError> {
        let in_use = self.inner.hold(&layer.digest);
        let turn = in_use.turn().await;
        if self.inner.blobs.size_bytes(&layer.digest) == Some(layer.size) {
            meter.advance(layer.size);
            drop(turn);
            return Ok(in_use);
        }
        if let Some(bytes) = layer.inline() {
            let blobs = self.inner.blobs.clone();
            blocking(move || blobs.put(&bytes)).await.map_err(|error| self.io(error))?;
            meter.advance(layer.size);
            drop(turn);
            return Ok(in_use);
        }
        let mut writer = self.inner.blobs.writer().map_err(|error| self.io(error))?;
        self.remote.download(&layer, &mut writer, meter).await?;
        writer.commit().await.map_err(|error| self.io(error))?;
        drop(turn);
        Ok(in_use)
    }

    async fn unpack(
        &self,
        image: &Image,
        parts: Vec<(Descriptor, Part)>,
    ) -> Result<Option<(Module, InUse)>, PullError> {
        let (inner, image) = (self.inner.clone(), image.clone());
        let work = move || Ok(compat::module(&inner, &image, &parts));
        blocking(work).await.map_err(|error| self.io(error))?
    }

    /// Makes the image's files. Of a compat image the module is noted, too, if it has one.
    async fn make_files(
        &self,
        image: &Image,
        parts: Vec<(Descriptor, Part)>,
        wasm: Option<Descriptor>,
    ) -> Result<(Option<Module>, Option<InUse>), PullError> {
        if image.format == Format::Compat {
            return Ok(self.unpack(image, parts).await?.unzip());
        }
        let (inner, name, digest) = (self.inner.clone(), self.name.clone(), image.manifest_digest.clone());
        let work = move || Ok(files::make(&inner, &name, &digest, &parts).map(drop));
        blocking(work).await.map_err(|error| self.io(error))??;
        let module = wasm.map(|layer| Module { digest: layer.digest.to_string(), size_bytes: layer.size, path: None });
        Ok((module, None))
    }

    fn io(&self, error: std::io::Error) -> PullError {
        PullError::io(&self.name, error)
    }
}

#[cfg(test)]
mod tests;
