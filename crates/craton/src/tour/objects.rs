//! Loads the data sets, reads them back, compares, lists.

use craton_base::{ByteSize, Result};
use futures::TryStreamExt as _;
use http::Method;
use object_store::{ObjectStore, ObjectStoreExt as _, path::Path as Key};

use super::{BUCKET, Tour, broken, point, seconds};
use crate::{client::object_error, files};

/// The human gene annotations of the Gene Ontology; where from and under which licence: `datasets/README.md`.
const DATASETS: [(&str, &[u8]); 4] = [
    (
        "gene-ontology/annotations.tsv.gz",
        include_bytes!("../../../../datasets/gene-ontology/annotations.tsv.gz"),
    ),
    (
        "gene-ontology/genes.tsv.gz",
        include_bytes!("../../../../datasets/gene-ontology/genes.tsv.gz"),
    ),
    (
        "gene-ontology/parents.tsv.gz",
        include_bytes!("../../../../datasets/gene-ontology/parents.tsv.gz"),
    ),
    (
        "gene-ontology/terms.tsv.gz",
        include_bytes!("../../../../datasets/gene-ontology/terms.tsv.gz"),
    ),
];

/// The largest file of a data set, in bytes.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// What the agent is allowed to read.
pub(super) const OPEN_KEY: &str = "gene-ontology/terms.tsv.gz";

/// What it is not.
pub(super) const PRIVATE_KEY: &str = "patients/notes.txt";

pub(super) async fn run(tour: &mut Tour) -> Result<()> {
    tour.root.s3(Method::PUT, &format!("/{BUCKET}")).await?;
    let store = tour.root.bucket(BUCKET)?;
    let loaded = datasets(tour)?;
    let total: u64 = loaded.iter().map(|(_, data)| data.len() as u64).sum();
    let ((), took) = tour.timed(load(&*store, &loaded)).await?;
    point(
        "loaded",
        &format!(
            "{} files of the Gene Ontology, {} in {}",
            loaded.len(),
            ByteSize(total),
            seconds(took)
        ),
    );
    let private = b"not for agents".to_vec();
    store
        .put(&Key::from(PRIVATE_KEY), private.into())
        .await
        .map_err(object_error)?;
    let ((), took) = tour.timed(compare(&*store, &loaded)).await?;
    point("read back", &format!("every byte is the same, {}", seconds(took)));
    let listed: Vec<_> = store.list(None).try_collect().await.map_err(object_error)?;
    if listed.len() != loaded.len().saturating_add(1) {
        return Err(broken(format!("{} objects in the list", listed.len())));
    }
    point(
        "listed",
        &format!(
            "{} objects, each sealed under a key of its own on the disk",
            listed.len()
        ),
    );
    Ok(())
}

/// The data sets: name and content.
pub(super) fn datasets(tour: &Tour) -> Result<Vec<(&'static str, Vec<u8>)>> {
    let one = |(name, embedded): (&'static str, &[u8])| match &tour.options.datasets {
        None => Ok((name, embedded.to_vec())),
        Some(folder) => Ok((name, files::read(&folder.join(name), FILE_BYTES_MAX)?)),
    };
    DATASETS.into_iter().map(one).collect()
}

async fn load(store: &dyn ObjectStore, data: &[(&str, Vec<u8>)]) -> Result<()> {
    for (name, bytes) in data {
        store
            .put(&Key::from(*name), bytes.clone().into())
            .await
            .map_err(object_error)?;
    }
    Ok(())
}

async fn compare(store: &dyn ObjectStore, data: &[(&str, Vec<u8>)]) -> Result<()> {
    for (name, bytes) in data {
        let found = store.get(&Key::from(*name)).await.map_err(object_error)?;
        if found.bytes().await.map_err(object_error)? != *bytes {
            return Err(broken(format!("{name} came back different")));
        }
    }
    Ok(())
}
