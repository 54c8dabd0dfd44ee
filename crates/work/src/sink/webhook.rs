//! Events by HTTP: one POST for each, in order. Any 2xx takes it.
//!
//! Invariant: redirects are not followed and proxies of the environment are not used: the address is the one
//! that the administrator wrote.

use std::time::Duration;

use craton_base::{Error, Result};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};

use super::{Message, unavailable};
use crate::target::Webhook;

/// How long one message may take.
const TIMEOUT: Duration = Duration::from_secs(10);

pub(super) struct Link {
    client: reqwest::Client,
    url: String,
    authorization: Option<HeaderValue>,
}

impl Link {
    pub(super) fn new(settings: &Webhook) -> Result<Self> {
        let client = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .user_agent("craton")
            .tls_built_in_root_certs(settings.url.starts_with("https:"))
            .build()
            .map_err(|e| Error::internal("no HTTP client for a target").with_source(e))?;
        let authorization = settings.token.as_ref().map(|token| authorization(token.expose()));
        Ok(Self {
            client,
            url: settings.url.clone(),
            authorization: authorization.transpose()?,
        })
    }

    pub(super) async fn send(&mut self, messages: &[Message], taken: &mut usize) -> Result<()> {
        for message in messages {
            let mut request = self
                .client
                .post(&self.url)
                .header(CONTENT_TYPE, "application/json")
                .body(message.body.clone());
            if let Some(authorization) = &self.authorization {
                request = request.header(AUTHORIZATION, authorization.clone());
            }
            // The error's text would name the URL, which may hold a secret.
            let answer = request
                .send()
                .await
                .map_err(|e| unavailable(format!("no answer: {}", e.without_url())))?;
            if !answer.status().is_success() {
                return Err(unavailable(format!("the answer was {}", answer.status())));
            }
            *taken = taken.saturating_add(1);
        }
        Ok(())
    }
}

/// One word is a bearer token; more are a scheme and what it needs.
fn authorization(token: &[u8]) -> Result<HeaderValue> {
    let value = if token.contains(&b' ') {
        token.to_vec()
    } else {
        [b"Bearer ", token].concat()
    };
    let mut value =
        HeaderValue::from_bytes(&value).map_err(|_| Error::invalid("a webhook's token fits no header"))?;
    value.set_sensitive(true);
    Ok(value)
}
