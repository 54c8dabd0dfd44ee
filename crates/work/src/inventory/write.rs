//! Writing an inventory's objects: files of rows as they are made, then what tells of them.
//!
//! Invariant: of a file, what is made and not yet written is at most [`PIECES_WAITING_MAX`] pieces.

use bytes::Bytes;
use craton_base::{BucketName, Error, ObjectKey, Random, ResourcePath, Result, Timestamp, random};
use craton_gate::{Ask, Run, WritePermit};
use craton_objects::{
    body::Body,
    encryption::{self, Wanted, WantedKms},
    inventory::{FileForm, Inventory, Sealed},
    put::{self, About, Put},
};
use md5::{Digest as _, Md5};
use time::macros::format_description;
use tokio::sync::mpsc;

use super::{file::File, rows::Rows};

/// The most rows of one file, but for the rest of a page.
const FILE_ROWS_MAX: usize = 1_000_000;

/// How many pieces of a file wait to be written.
const PIECES_WAITING_MAX: usize = 2;

/// The version of the manifest's form.
const MANIFEST_VERSION: &str = "2016-11-30";

/// Writes one inventory.
pub(super) struct Writer<'a> {
    pub(super) run: &'a Run,
    pub(super) source: &'a BucketName,
    pub(super) inventory: &'a Inventory,
    pub(super) random: &'a dyn Random,
    /// When it began.
    pub(super) at: Timestamp,
}

/// A file of rows that was written.
struct Written {
    key: String,
    size: u64,
    md5: String,
}

/// A file on its way: its pieces, and what is known of it.
struct Filling {
    pieces: mpsc::Sender<Result<Bytes>>,
    md5: Md5,
    size: u64,
}

impl Filling {
    /// Hands a piece on. That nobody takes it is told by who should.
    async fn send(&mut self, piece: Bytes) {
        if !piece.is_empty() {
            self.md5.update(&piece);
            self.size = self.size.saturating_add(piece.len() as u64);
            drop(self.pieces.send(Ok(piece)).await);
        }
    }
}

impl Writer<'_> {
    /// Writes it; whether all of it, or the run was told to end.
    pub(super) async fn write(&self, mut rows: Rows<'_>) -> Result<bool> {
        let mut files = Vec::new();
        while !rows.is_over() && !self.run.is_cancelled() {
            files.push(self.file(&mut rows).await?);
        }
        if !rows.is_over() {
            return Ok(false);
        }
        self.run.count("files", files.len() as u64);
        self.tell(&files).await?;
        Ok(true)
    }

    fn base(&self) -> String {
        let prefix = match self.inventory.to.as_str() {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        };
        format!("{prefix}{}/{}", self.source, self.inventory.id)
    }

    async fn file(&self, rows: &mut Rows<'_>) -> Result<Written> {
        let name = uuid(self.random)?;
        let ending = File::ending(self.inventory.form);
        let key = format!("{}/data/{name}.{ending}", self.base());
        let (pieces, taken) = mpsc::channel(PIECES_WAITING_MAX);
        let stream = futures::stream::unfold(taken, |mut taken| async move {
            let piece = taken.recv().await?;
            Some((piece, taken))
        });
        let body = Body {
            pieces: Box::pin(stream),
            len: None,
            trailers: None,
        };
        let filling = Filling {
            pieces,
            md5: Md5::new(),
            size: 0,
        };
        let (put, filled) = tokio::join!(self.put(&key, body), self.fill(rows, filling));
        let (size, md5) = filled?;
        put?;
        self.run.count("bytes", size);
        Ok(Written { key, size, md5 })
    }

    async fn fill(&self, rows: &mut Rows<'_>, mut filling: Filling) -> Result<(u64, String)> {
        let done = self.fill_all(rows, &mut filling).await;
        if let Err(error) = done {
            // So that what was written of it is not kept.
            let told = Error::new(error.kind(), error.reason(), error.message().to_owned());
            drop(filling.pieces.send(Err(told)).await);
            return Err(error);
        }
        let Filling { md5, size, .. } = filling;
        let digest: [u8; 16] = md5.finalize().into();
        Ok((size, hex(&digest)))
    }

    async fn fill_all(&self, rows: &mut Rows<'_>, filling: &mut Filling) -> Result<()> {
        let mut file = File::new(self.inventory)?;
        let mut count = 0;
        // Nobody takes them if the file can not be written.
        while count < FILE_ROWS_MAX && !filling.pieces.is_closed() {
            let Some(page) = rows.next().await? else { break };
            count = page.len().saturating_add(count);
            filling.send(file.add(page)?).await;
        }
        filling.send(file.finish()?).await;
        Ok(())
    }

    async fn put(&self, key: &str, body: Body) -> Result<()> {
        let key = ObjectKey::new(key)?;
        let path = ResourcePath::Object(self.inventory.bucket.clone(), key.clone());
        let permit = self
            .run
            .write(Ask::new("PutInventory", "s3:PutObject", path))
            .await?;
        let done = self.put_sealed(&permit, &key, body).await;
        done.map_err(|error| {
            permit.failed(error.kind(), error.code());
            error.to_base()
        })
    }

    async fn put_sealed(
        &self,
        permit: &WritePermit,
        key: &ObjectKey,
        body: Body,
    ) -> craton_objects::Result<()> {
        let wanted = match &self.inventory.sealed {
            Sealed::ByDefault => encryption::by_default(&permit.bucket_access()?.encryption()),
            Sealed::Managed => Wanted::Managed,
            Sealed::Kms(key) => Wanted::Kms(WantedKms {
                key: Some(key.clone()),
                ..WantedKms::default()
            }),
        };
        let put = Put {
            about: About {
                encryption: encryption::seal(permit, key, &wanted).await?,
                ..About::default()
            },
            ..Put::default()
        };
        put::put(permit, key, put, body).await.map(drop)
    }

    /// Tells of the files that are there: the manifest last.
    async fn tell(&self, files: &[Written]) -> Result<()> {
        let (base, to) = (self.base(), &self.inventory.bucket);
        let time = self.at.to_utc();
        let day = time.format(format_description!("[year]-[month]-[day]-[hour]-[minute]"));
        let stamp = time.format(format_description!("[year]-[month]-[day]T[hour]-[minute]Z"));
        let (day, stamp) = (day.unwrap_or_default(), stamp.unwrap_or_default());
        let links: Vec<String> = files
            .iter()
            .map(|file| format!("s3://{to}/{}", file.key))
            .collect();
        let links = Body::of(links.join("\n").into());
        self.put(&format!("{base}/hive/dt={day}/symlink.txt"), links)
            .await?;
        let manifest = self.manifest(files);
        let digest: [u8; 16] = Md5::digest(manifest.as_bytes()).into();
        let checksum = hex(&digest);
        self.put(
            &format!("{base}/{stamp}/manifest.json"),
            Body::of(manifest.into()),
        )
        .await?;
        self.put(
            &format!("{base}/{stamp}/manifest.checksum"),
            Body::of(checksum.into()),
        )
        .await
    }

    fn manifest(&self, files: &[Written]) -> String {
        let (form, schema) = match self.inventory.form {
            FileForm::Csv => ("CSV", self.inventory.csv_schema()),
            FileForm::Parquet => ("Parquet", self.inventory.parquet_schema()),
        };
        let file = |file: &Written| serde_json::json!({ "key": file.key, "size": file.size, "MD5checksum": file.md5 });
        let manifest = serde_json::json!({
            "sourceBucket": self.source.as_str(),
            "destinationBucket": format!("arn:aws:s3:::{}", self.inventory.bucket),
            "version": MANIFEST_VERSION,
            "creationTimestamp": (self.at.micros() / 1000).to_string(),
            "fileFormat": form,
            "fileSchema": schema,
            "files": files.iter().map(file).collect::<Vec<_>>(),
        });
        manifest.to_string()
    }
}

/// A name that no other file has.
fn uuid(random: &dyn Random) -> Result<String> {
    let bytes = random::bytes::<16>(random)?;
    let words: Vec<String> = bytes.chunks(4).map(hex).collect();
    Ok(words.join("-"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
