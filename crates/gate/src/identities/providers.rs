//! Identity providers of others: whose tokens roles may trust.
//!
//! Deliberately absent: their keys and tokens ([`crate::sessions`]).

use craton_base::{BranchId, BucketId, Error, Kind as ErrorKind, ResourcePath, Result, Sequence, Timestamp};
use craton_store::{
    namespace::{Direction, Kind, Precondition, Span},
    store::Transaction,
};

use super::{
    Act, check_tags, commit_new,
    entities::{records, remove_tags, set_tags},
    invalid, is_being_changed, limit, missing, request_tags,
};
use crate::{
    ask::Ask,
    directory::{ACCOUNT, ProviderRecord, provider_key, stored_value},
    gate::Gate,
    permit::WritePermit,
    session::Session,
};

/// Most audiences of a provider.
const CLIENTS_MAX: usize = 100;
/// Most providers.
const PROVIDERS_MAX: usize = 100;

/// An identity provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    /// Its ARN.
    pub arn: String,
    /// Its address, without the scheme as AWS shows it.
    pub url: String,
    /// Audiences that are accepted.
    pub clients: Vec<String>,
    /// Thumbprints, as they were given.
    pub thumbprints: Vec<String>,
    /// Its tags.
    pub tags: Vec<(String, String)>,
    /// When it was registered.
    pub created: Timestamp,
}

/// What a provider's ARN begins with.
fn prefix() -> String {
    format!("arn:aws:iam::{ACCOUNT}:oidc-provider/")
}

/// The ARN of a provider at an address without scheme.
pub(crate) fn provider_arn(address: &str) -> String {
    format!("{}{address}", prefix())
}

/// An address without its scheme and last slash: the provider's name.
pub(crate) fn address_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.trim_end_matches('/')
}

fn of_arn(arn: &str) -> String {
    arn.strip_prefix(&prefix()).unwrap_or(arn).to_owned()
}

fn path_of(address: &str) -> ResourcePath {
    ResourcePath::System(format!("providers/{address}"))
}

fn no_provider(arn: &str) -> Error {
    missing(format!("OpenIDConnect Provider not found for arn {arn}"))
}

impl Provider {
    fn of(record: &ProviderRecord) -> Self {
        let address = address_of(&record.url);
        Self {
            arn: provider_arn(address),
            url: address.to_owned(),
            clients: record.clients.clone(),
            thumbprints: record.thumbprints.clone(),
            tags: record
                .tags
                .iter()
                .map(|t| (t.key.clone(), t.value.clone()))
                .collect(),
            created: Timestamp(record.created_micros),
        }
    }
}

impl Gate {
    /// Registers a provider.
    ///
    /// # Errors
    /// `Exists`, `EntityAlreadyExists`; `Invalid`; `TooLarge`, `LimitExceeded`; `Denied`.
    pub async fn create_provider(
        &self,
        session: &Session,
        url: &str,
        (clients, thumbprints): (Vec<String>, Vec<String>),
        tags: Vec<(String, String)>,
    ) -> Result<Provider> {
        check_url(url)?;
        check_clients(&clients)?;
        check_tags(&tags)?;
        let address = address_of(url);
        let act = Act::new("iam:CreateOpenIDConnectProvider");
        let mut ask = Ask::new(act.operation, act.action, path_of(address));
        ask.context = request_tags(&tags);
        let permit = self.write(session, ask).await?;
        if self.providers()?.len() >= PROVIDERS_MAX {
            return Err(limit(format!(
                "Cannot exceed quota for OpenIdConnectProvidersPerAccount: {PROVIDERS_MAX}"
            )));
        }
        let record = ProviderRecord {
            url: url.trim_end_matches('/').to_owned(),
            clients,
            thumbprints,
            created_micros: self.now_micros(),
            tags: records(tags),
            id: self.new_id("OIDC")?,
        };
        let entry = (provider_key(address), stored_value(&record));
        commit_new(&permit, entry, ("Provider", address)).await?;
        Ok(Provider::of(&record))
    }

    /// A provider.
    ///
    /// # Errors
    /// `NotFound`, `NoSuchEntity`; `Denied`.
    pub async fn provider(&self, session: &Session, arn: &str, act: Act) -> Result<Provider> {
        let address = of_arn(arn);
        let permit = self
            .read(session, Ask::new(act.operation, act.action, path_of(&address)))
            .await?;
        let found = self
            .provider_record(&address)?
            .map(|(_, record)| Provider::of(&record));
        found
            .ok_or_else(|| no_provider(arn))
            .inspect_err(|e| permit.failed(e.kind(), e.reason()))
    }

    /// All providers.
    ///
    /// # Errors
    /// `Denied`; the store's own.
    pub async fn list_providers(&self, session: &Session) -> Result<Vec<Provider>> {
        let act = Act::new("iam:ListOpenIDConnectProviders");
        let _permit = self
            .read(session, Ask::new(act.operation, act.action, path_of("")))
            .await?;
        Ok(self.providers()?.iter().map(Provider::of).collect())
    }

    /// Removes a provider. Its sessions end before this returns.
    ///
    /// # Errors
    /// `NotFound`, `NoSuchEntity`; `Denied`.
    pub async fn delete_provider(&self, session: &Session, arn: &str) -> Result<()> {
        let address = of_arn(arn);
        let act = Act::new("iam:DeleteOpenIDConnectProvider");
        let permit = self
            .write(session, Ask::new(act.operation, act.action, path_of(&address)))
            .await?;
        let found = self.provider_record(&address)?.ok_or_else(|| no_provider(arn));
        let (sequence, _) = found.inspect_err(|e| permit.failed(e.kind(), e.reason()))?;
        let key = provider_key(&address);
        let mut transaction = Transaction::default();
        transaction
            .preconditions
            .push(Precondition::At(key.clone(), sequence));
        transaction.deletes.push(key);
        permit.commit_transaction(transaction).await.map(drop)
    }

    /// Changes a provider's audiences, thumbprints or tags.
    ///
    /// # Errors
    /// `NotFound`, `NoSuchEntity`; `Invalid`; `Denied`.
    pub async fn update_provider(
        &self,
        session: &Session,
        arn: &str,
        act: Act,
        change: ProviderChange,
    ) -> Result<()> {
        let address = of_arn(arn);
        let mut ask = Ask::new(act.operation, act.action, path_of(&address));
        if let ProviderChange::Tag(tags) = &change {
            ask.context = request_tags(tags);
        }
        let permit = self.write(session, ask).await?;
        let done = self.try_update_provider(&permit, arn, &address, &change).await;
        done.inspect_err(|e| permit.failed(e.kind(), e.reason()))
    }

    async fn try_update_provider(
        &self,
        permit: &WritePermit,
        arn: &str,
        address: &str,
        change: &ProviderChange,
    ) -> Result<()> {
        for _ in 0..super::TRIES {
            let (sequence, mut record) = self.provider_record(address)?.ok_or_else(|| no_provider(arn))?;
            change.apply(&mut record)?;
            let key = provider_key(address);
            let mut transaction = Transaction::default();
            transaction
                .preconditions
                .push(Precondition::At(key.clone(), sequence));
            transaction.puts.push((key, stored_value(&record)));
            match permit.commit_transaction(transaction).await {
                Err(e) if e.kind() == ErrorKind::Precondition => {}
                done => return done.map(drop),
            }
        }
        Err(is_being_changed(address))
    }

    /// The entry of a provider at an address without scheme.
    pub(crate) fn provider_record(&self, address: &str) -> Result<Option<(Sequence, ProviderRecord)>> {
        if address.is_empty() || address.len() > 255 {
            return Ok(None);
        }
        let found = self.inner.store.get(&provider_key(address), Sequence::MAX)?;
        found
            .map(|stored| Ok((stored.sequence, ProviderRecord::from_stored(&stored)?)))
            .transpose()
    }

    pub(super) fn count_providers(&self) -> Result<usize> {
        self.providers().map(|all| all.len())
    }

    fn providers(&self) -> Result<Vec<ProviderRecord>> {
        let span = Span {
            bucket: BucketId::SYSTEM,
            branch: BranchId::MAIN,
            kind: Kind::OidcProvider,
            start: bytes::Bytes::new(),
            end: None,
        };
        let page = self
            .inner
            .store
            .scan(&span, Sequence::MAX, Direction::Forward, PROVIDERS_MAX)?;
        page.entries.iter().map(ProviderRecord::from_stored).collect()
    }
}

/// What is to change of a provider.
#[derive(Clone, Debug)]
pub enum ProviderChange {
    /// One more audience.
    AddClient(String),
    /// One audience less.
    RemoveClient(String),
    /// Other thumbprints.
    Thumbprints(Vec<String>),
    /// More tags.
    Tag(Vec<(String, String)>),
    /// Fewer.
    Untag(Vec<String>),
}

impl ProviderChange {
    fn apply(&self, record: &mut ProviderRecord) -> Result<()> {
        match self {
            Self::AddClient(client) => {
                record.clients.retain(|c| c != client);
                record.clients.push(client.clone());
                check_clients(&record.clients)
            }
            Self::RemoveClient(client) => {
                record.clients.retain(|c| c != client);
                Ok(())
            }
            Self::Thumbprints(list) => {
                record.thumbprints.clone_from(list);
                Ok(())
            }
            Self::Tag(tags) => {
                check_tags(tags)?;
                set_tags(&mut record.tags, tags)
            }
            Self::Untag(keys) => {
                remove_tags(&mut record.tags, keys);
                Ok(())
            }
        }
    }
}

/// `https` (or `http`, for who lets that be fetched), a host, a path; no query, no credentials.
fn check_url(url: &str) -> Result<()> {
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"));
    let good = rest.is_some_and(|rest| {
        !rest.is_empty()
            && rest
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-._~:/[]".contains(&b))
    });
    if good && url.len() <= 255 {
        return Ok(());
    }
    Err(invalid(
        "the provider's address must be https://, a host and a path".to_owned(),
    ))
}

fn check_clients(clients: &[String]) -> Result<()> {
    if clients.len() > CLIENTS_MAX {
        return Err(limit(format!(
            "Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: {CLIENTS_MAX}"
        )));
    }
    if clients.iter().any(|c| c.is_empty() || c.len() > 255) {
        return Err(invalid("a client id has 1 to 255 bytes".to_owned()));
    }
    Ok(())
}
