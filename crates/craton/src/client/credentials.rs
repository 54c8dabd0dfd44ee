//! Access keys from where S3 clients keep them.

use std::path::Path;

use craton_base::{Error, Kind, Result, Secret};

use crate::{cli::Target, files, serve::ROOT_CREDENTIALS};

/// The largest credentials file, in bytes.
const FILE_BYTES_MAX: u64 = 64 << 10;

/// An access key.
#[derive(Clone, Debug)]
pub(crate) struct Credentials {
    /// Its id.
    pub(crate) id: String,
    /// Its secret.
    pub(crate) secret: Secret,
    /// The token of a session's key.
    pub(crate) token: Option<Secret>,
}

impl Credentials {
    /// From `--credentials`, the environment, or the data folder of `--data`, in this order.
    ///
    /// # Errors
    /// `NotFound`, `NoCredentials`; what is wrong with the file.
    pub(super) fn find(target: &Target) -> Result<Self> {
        if let Some(path) = &target.credentials {
            return Self::read(path);
        }
        let variable = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
        if let (Some(id), Some(secret)) = (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY")) {
            return Ok(Self {
                id,
                secret: secret.into(),
                token: variable("AWS_SESSION_TOKEN").map(Secret::from),
            });
        }
        match &target.data {
            Some(data) => Self::read(&data.join(ROOT_CREDENTIALS)),
            None => Err(Error::new(
                Kind::NotFound,
                "NoCredentials",
                "no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give --credentials FILE, or --data FOLDER",
            )),
        }
    }

    /// From a file in the form of AWS's.
    ///
    /// # Errors
    /// `Invalid`, naming the file; the operating system's own.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = files::read_text(path, FILE_BYTES_MAX)?;
        Self::parse(&text).ok_or_else(|| {
            Error::invalid(format!(
                "the file {} is not an AWS credentials file",
                path.display()
            ))
        })
    }

    /// The section `[default]`, or what stands before any section.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (mut id, mut secret, mut token) = (None, None, None);
        let mut here = true;
        for line in text.lines().map(str::trim).filter(|l| !l.starts_with(['#', ';'])) {
            if let Some(section) = line.strip_prefix('[') {
                here = section.trim_end_matches(']').trim() == "default";
                continue;
            }
            let Some((name, value)) = line.split_once('=').filter(|_| here) else {
                continue;
            };
            let value = value.trim();
            match name.trim().to_ascii_lowercase().as_str() {
                "aws_access_key_id" => id = Some(value.to_owned()),
                "aws_secret_access_key" => secret = Some(Secret::from(value)),
                "aws_session_token" => token = Some(Secret::from(value)),
                _ => {}
            }
        }
        Some(Self {
            id: id?,
            secret: secret?,
            token,
        })
    }

    /// The secret as text.
    ///
    /// # Errors
    /// `Invalid` if it is none.
    pub(super) fn secret_text(&self) -> Result<&str> {
        std::str::from_utf8(self.secret.expose())
            .map_err(|e| Error::invalid("the secret is not text").with_source(e))
    }
}
