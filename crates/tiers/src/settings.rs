//! The administrator's file of tiers: which storage class is where. It holds secrets.
//!
//! ```toml
//! [[tier]]
//! class = "GLACIER"
//! [tier.s3]
//! endpoint = "https://s3.example.com"
//! bucket = "cold"
//! access-key = "…"
//! secret-key = "…"
//! ```
//!
//! Deliberately absent: reading the file.

use std::{path::PathBuf, sync::Arc};

use craton_base::{Error, Result, Secret};
use craton_store::tier::{NAME_BYTES_MAX, Tier, Tiers};
use object_store::{
    ClientOptions, ObjectStore, RetryConfig, aws::AmazonS3Builder, azure::MicrosoftAzureBuilder,
    gcp::GoogleCloudStorageBuilder,
};
use serde::{Deserialize, Deserializer};

use crate::{cloud::Cloud, folder::Folder, guard::Guarded};

/// The most tiers.
pub const TIERS_MAX: usize = 32;

/// The classes whose content is to be restored before it is read, unless the file says otherwise.
const ARCHIVES: [&str; 2] = ["GLACIER", "DEEP_ARCHIVE"];

/// The classes that can not be moved away: what is written comes to them first.
const FIRST: [&str; 2] = ["STANDARD", "REDUCED_REDUNDANCY"];

/// How long a request to a tier may take, and a connection.
const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(60);
const CONNECT_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(5);

/// How often a request is tried again, and how long in all: work goes on to something else then.
const RETRIES_MAX: usize = 3;
const RETRY_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(60);

/// The file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The tiers.
    #[serde(rename = "tier")]
    pub tiers: Vec<OneTier>,
}

/// A tier. One of the four places is set.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OneTier {
    /// The storage class whose content is there.
    pub class: String,
    /// Whether content is to be restored before it is read; by default of GLACIER and DEEP_ARCHIVE.
    pub archive: Option<bool>,
    /// In a bucket of S3.
    pub s3: Option<S3>,
    /// In a container of Azure Blob Storage.
    pub azure: Option<Azure>,
    /// In a bucket of Google Cloud Storage.
    pub gcs: Option<Gcs>,
    /// In a folder of this machine.
    pub folder: Option<PathBuf>,
}

/// A bucket of S3, or of what speaks it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct S3 {
    /// `http` or `https`; without it, AWS.
    pub endpoint: Option<String>,
    /// The bucket.
    pub bucket: String,
    /// What the names there begin with.
    #[serde(default)]
    pub prefix: String,
    /// The region that requests are signed for.
    #[serde(default = "first_region")]
    pub region: String,
    /// Who asks.
    #[serde(deserialize_with = "secret")]
    pub access_key: Secret,
    /// With what.
    #[serde(deserialize_with = "secret")]
    pub secret_key: Secret,
    /// Whether the bucket is in the host's name.
    #[serde(default)]
    pub virtual_host: bool,
}

/// A container of Azure Blob Storage.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Azure {
    /// The account.
    pub account: String,
    /// The account's key.
    #[serde(deserialize_with = "secret")]
    pub key: Secret,
    /// The container.
    pub container: String,
    /// What the names there begin with.
    #[serde(default)]
    pub prefix: String,
    /// Another address than Azure's own.
    pub endpoint: Option<String>,
}

/// A bucket of Google Cloud Storage.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Gcs {
    /// The bucket.
    pub bucket: String,
    /// The service account's key, as the JSON that Google gives.
    #[serde(deserialize_with = "secret")]
    pub service_account: Secret,
    /// What the names there begin with.
    #[serde(default)]
    pub prefix: String,
}

fn first_region() -> String {
    "us-east-1".to_owned()
}

fn secret<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<Secret, D::Error> {
    String::deserialize(from).map(Secret::from)
}

impl OneTier {
    /// Whether content is to be restored before it is read.
    #[must_use]
    pub fn is_archive(&self) -> bool {
        self.archive
            .unwrap_or_else(|| ARCHIVES.contains(&self.class.as_str()))
    }

    fn check(&self) -> Result<()> {
        let class = &self.class;
        let known = (1..=NAME_BYTES_MAX).contains(&class.len())
            && class
                .bytes()
                .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
        if !known || FIRST.contains(&class.as_str()) {
            let message =
                format!("{class:?} is no class that content can be moved to: A-Z, 0-9 and '_', not STANDARD");
            return Err(Error::invalid(message));
        }
        let places = [
            self.s3.is_some(),
            self.azure.is_some(),
            self.gcs.is_some(),
            self.folder.is_some(),
        ];
        match places.iter().filter(|set| **set).count() {
            1 => Ok(()),
            _ => Err(Error::invalid("one of s3, azure, gcs and folder must be set")),
        }
    }

    fn open(&self) -> Result<Arc<dyn Tier>> {
        if let Some(s3) = &self.s3 {
            return Ok(Arc::new(Cloud::new(s3.open()?, &s3.prefix)));
        }
        if let Some(azure) = &self.azure {
            return Ok(Arc::new(Cloud::new(azure.open()?, &azure.prefix)));
        }
        if let Some(gcs) = &self.gcs {
            return Ok(Arc::new(Cloud::new(gcs.open()?, &gcs.prefix)));
        }
        let folder = self.folder.as_deref().unwrap_or_else(|| std::path::Path::new(""));
        Ok(Arc::new(Folder::open(folder)?))
    }
}

impl Settings {
    /// Parses the file's text and checks it.
    ///
    /// # Errors
    /// `Invalid`, naming the line or the tier, and never a secret.
    pub fn parse(text: &str) -> Result<Self> {
        // Not the parser's own words: they show the line, which may hold a secret.
        let wrong = |e: toml::de::Error| {
            let before = e.span().and_then(|span| text.get(..span.start));
            let line = before.map_or(1, |before| before.lines().count().max(1));
            Error::invalid(format!("at line {line}: {}", e.message()))
        };
        let settings: Self = toml::from_str(text).map_err(wrong)?;
        settings.check()?;
        Ok(settings)
    }

    fn check(&self) -> Result<()> {
        if self.tiers.len() > TIERS_MAX {
            return Err(Error::invalid(format!("there are at most {TIERS_MAX} tiers")));
        }
        let mut seen = std::collections::BTreeSet::new();
        for tier in &self.tiers {
            let named = |e: Error| Error::invalid(format!("the tier {:?}: {e}", tier.class));
            tier.check().map_err(named)?;
            if !seen.insert(&tier.class) {
                return Err(named(Error::invalid("there are two of this class")));
            }
        }
        Ok(())
    }

    /// The tiers, ready to be used. Nothing is asked of them yet; a folder is made if it is not there.
    ///
    /// # Errors
    /// `Invalid` for an address that is none; the operating system's own for a folder.
    pub fn open(&self) -> Result<Tiers> {
        let opened = self
            .tiers
            .iter()
            .map(|tier| Ok((tier.class.clone(), tier.open()?)));
        Tiers::new(opened.collect::<Result<Vec<_>>>()?)
    }
}

fn text(secret: &Secret) -> Result<String> {
    std::str::from_utf8(secret.expose())
        .map(ToOwned::to_owned)
        .map_err(|e| Error::invalid("a secret is not text").with_source(e))
}

fn options(endpoint: Option<&str>) -> ClientOptions {
    ClientOptions::new()
        .with_allow_http(endpoint.is_some_and(|e| e.starts_with("http://")))
        .with_timeout(TIMEOUT)
        .with_connect_timeout(CONNECT_TIMEOUT)
}

fn retries() -> RetryConfig {
    RetryConfig {
        max_retries: RETRIES_MAX,
        retry_timeout: RETRY_TIMEOUT,
        ..RetryConfig::default()
    }
}

fn not_usable(e: object_store::Error) -> Error {
    Error::invalid("the settings of a tier do not work").with_source(e)
}

impl S3 {
    fn open(&self) -> Result<Arc<dyn ObjectStore>> {
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&self.bucket)
            .with_region(&self.region)
            .with_access_key_id(text(&self.access_key)?)
            .with_secret_access_key(text(&self.secret_key)?)
            .with_virtual_hosted_style_request(self.virtual_host)
            .with_http_connector(Guarded)
            .with_client_options(options(self.endpoint.as_deref()))
            .with_retry(retries());
        if let Some(endpoint) = &self.endpoint {
            builder = builder
                .with_endpoint(endpoint.trim_end_matches('/'))
                .with_allow_http(endpoint.starts_with("http://"));
        }
        Ok(Arc::new(builder.build().map_err(not_usable)?))
    }
}

impl Azure {
    fn open(&self) -> Result<Arc<dyn ObjectStore>> {
        let mut builder = MicrosoftAzureBuilder::new()
            .with_account(&self.account)
            .with_access_key(text(&self.key)?)
            .with_container_name(&self.container)
            .with_http_connector(Guarded)
            .with_client_options(options(self.endpoint.as_deref()))
            .with_retry(retries());
        if let Some(endpoint) = &self.endpoint {
            builder = builder
                .with_endpoint(endpoint.trim_end_matches('/').to_owned())
                .with_allow_http(endpoint.starts_with("http://"));
        }
        Ok(Arc::new(builder.build().map_err(not_usable)?))
    }
}

impl Gcs {
    fn open(&self) -> Result<Arc<dyn ObjectStore>> {
        let builder = GoogleCloudStorageBuilder::new()
            .with_bucket_name(&self.bucket)
            .with_service_account_key(text(&self.service_account)?)
            .with_http_connector(Guarded)
            .with_client_options(options(None))
            .with_retry(retries());
        Ok(Arc::new(builder.build().map_err(not_usable)?))
    }
}

#[cfg(test)]
mod tests;
