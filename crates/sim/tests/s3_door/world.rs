//! A gate on a folder of its own, the doors to it, and clients that sign.

use std::{net::IpAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use craton_base::{ByteSize, Clock, Result, Timestamp, clock::SystemClock};
use craton_crypto::SystemRandom;
use craton_doors::{
    http::{Below, Body, Doors, Parts, Peer, Settings},
    metrics::{Gauge, Gauges},
};
use craton_gate::{
    Gate, Holder, HolderKind, NewAccessKey, NewEntity, Origin, Session,
    identify::{
        Service,
        sign::{self, Signer},
    },
    ledger::{Filter, RecordKind},
};
use craton_store::{Options, Store, disk::real::RealDisk};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

struct Nothing;

impl Gauges for Nothing {
    fn gauges(&self) -> Vec<Gauge> {
        Vec::new()
    }
}

impl Below for Nothing {
    fn ready(&self) -> Result<()> {
        Ok(())
    }
}

pub(crate) struct World {
    folder: std::path::PathBuf,
    pub(crate) gate: Gate,
    doors: Doors,
    pub(crate) root: Client,
}

/// Who signs; nobody, if `None`.
pub(crate) type Client = Option<Signer>;

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The text of an element.
    pub(crate) fn element(&self, name: &str) -> String {
        let text = self.text();
        let (_, rest) = text.split_once(&format!("<{name}>")).unwrap_or_default();
        rest.split_once('<').unwrap_or_default().0.to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }

    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        self
    }

    #[track_caller]
    pub(crate) fn refused(self, status: u16, code: &str) {
        assert_eq!(
            (self.status.as_u16(), &*self.element("Code")),
            (status, code),
            "{}",
            self.text()
        );
    }
}

pub(crate) fn now() -> Timestamp {
    SystemClock::new().now()
}

pub(crate) fn signer(key: &NewAccessKey) -> Client {
    Some(Signer {
        access_key_id: key.id.clone(),
        secret: key.secret.clone(),
        session_token: None,
        region: "us-east-1".into(),
        service: Service::S3,
    })
}

impl World {
    /// With the bucket `data`.
    pub(crate) async fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("craton-s3-door-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let store = Store::open(Options {
            disk: Arc::new(RealDisk::open(&folder).unwrap()),
            memory: ByteSize::mib(128),
            clock: Arc::new(SystemClock::new()),
            random: Arc::new(SystemRandom),
            inline_commits: false,
        });
        let gate = Gate::open(store.unwrap(), craton_gate::Settings::default(), "boot-1").unwrap();
        let root = signer(&gate.ensure_root(|_| Ok(())).unwrap().unwrap());
        gate.start().unwrap();
        let doors = Doors::new(Parts {
            gate: gate.clone(),
            settings: Settings::default(),
            clock: Arc::new(SystemClock::new()),
            random: Arc::new(SystemRandom),
            below: Arc::new(Nothing),
            sql: None,
            flight: None,
        });
        let world = Self {
            folder,
            gate,
            doors: doors.unwrap(),
            root,
        };
        world.send(&world.root, "PUT", "/data", &[], b"").await.is(200);
        world
    }

    /// Sends a request that `client` signs.
    pub(crate) async fn send(
        &self,
        client: &Client,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(target)
            .header("host", "localhost:9000");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.header("content-length", body.len());
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        if let Some(signer) = client {
            signer.sign(&mut parts, &sign::Body::of(body), now()).unwrap();
        }
        self.answer(Request::from_parts(parts, pieces(body))).await
    }

    pub(crate) async fn get(&self, target: &str) -> Answer {
        self.send(&self.root, "GET", target, &[], b"").await
    }

    async fn answer(&self, request: Request<Body>) -> Answer {
        let peer = Peer {
            ip: IpAddr::from([127, 0, 0, 1]),
            tls: None,
        };
        let (parts, body) = self.doors.handle(request, &peer).await.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    /// A user with a policy.
    pub(crate) async fn user(&self, name: &str, statements: Value) -> Client {
        let root = self.session();
        let user = Holder::new(HolderKind::User, name);
        self.gate
            .create_entity(&root, &user, NewEntity::default())
            .await
            .unwrap();
        let key = self.gate.create_access_key(&root, name).await.unwrap();
        let document = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
        self.gate
            .put_policy(&root, &user, "policy", document.into())
            .await
            .unwrap();
        signer(&key)
    }

    fn session(&self) -> Session {
        let origin = Origin {
            door: "s3",
            source_ip: IpAddr::from([127, 0, 0, 1]),
            tls: None,
            request_id: "R".into(),
            lease: None,
            run: None,
            trace: None,
            purse: Default::default(),
            user_agent: None,
            referer: None,
            time: now(),
        };
        self.gate.operator(origin).unwrap()
    }

    /// How many requests were refused so far, and the newest refusal's access key, operation and reason.
    pub(crate) async fn denials(&self) -> (usize, [String; 3]) {
        let filter = Filter {
            kind: Some(RecordKind::Denial),
            ..Filter::default()
        };
        let found = self
            .gate
            .audit_list(&self.session(), filter)
            .await
            .unwrap()
            .entries;
        let newest = found.first().and_then(|e| e.record.clone()).unwrap_or_default();
        (
            found.len(),
            [newest.access_key_id, newest.operation, newest.reason],
        )
    }

    /// Posts a form to `data`; of its fields, the last is the file's content.
    pub(crate) async fn post(
        &self,
        target: &str,
        fields: &[(&str, String)],
        file: Option<(&str, &[u8])>,
    ) -> Answer {
        let mut body = Vec::new();
        for (name, value) in fields {
            let part = format!("--xYz\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
            body.extend_from_slice(part.as_bytes());
        }
        if let Some((filename, content)) = file {
            let head = format!(
                "--xYz\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{filename}\"\r\n\r\n"
            );
            body.extend_from_slice(head.as_bytes());
            body.extend_from_slice(content);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"--xYz--\r\n");
        let form = [("content-type", "multipart/form-data; boundary=xYz")];
        self.send(&None, "POST", target, &form, &body).await
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A body in pieces, as from a connection.
fn pieces(body: &[u8]) -> Body {
    let pieces: Vec<_> = body
        .chunks(16_000)
        .map(|p| Ok::<_, std::io::Error>(http_body::Frame::data(Bytes::copy_from_slice(p))))
        .collect();
    if pieces.is_empty() {
        return Body::empty();
    }
    Body::http_body_unsync(http_body_util::StreamBody::new(futures::stream::iter(pieces)))
}

/// The fields of a form that `client` signs: `own` with a condition for each, and more conditions.
pub(crate) fn signed(
    client: &Client,
    own: &[(&'static str, &str)],
    more: &[Value],
) -> Vec<(&'static str, String)> {
    let mut conditions = vec![json!({ "bucket": "data" })];
    for (name, value) in own {
        conditions.push(match *name {
            "key" => json!(["starts-with", "$key", value.split('$').next().unwrap_or_default()]),
            _ => json!(["eq", format!("${name}"), value]),
        });
    }
    conditions.extend_from_slice(more);
    let expires = now().plus(Duration::from_secs(60));
    let mut fields: Vec<_> = own.iter().map(|(n, v)| (*n, (*v).to_owned())).collect();
    fields.extend(
        client
            .as_ref()
            .unwrap()
            .sign_form(&conditions, expires, now())
            .unwrap(),
    );
    fields
}
