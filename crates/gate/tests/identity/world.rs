//! A folder with a bucket, and whoever a test needs.

use bytes::Bytes;
use craton_base::{BucketName, Clock as _, ObjectKey, ResourcePath, Secret, clock::SystemClock};
use craton_gate::{
    Ask, AssumeRole, BucketSettings, Gate, Holder, HolderKind, Issued, NewAccessKey, NewEntity, Session,
    identify::{
        Service,
        sign::{Body, Signer},
    },
};

use crate::folder::{Folder, origin};

pub(crate) fn root(gate: &Gate) -> Session {
    gate.ensure_root(|_| Ok(())).unwrap();
    gate.operator(origin()).unwrap()
}

/// The head of a request that is signed so.
pub(crate) fn request(id: &str, secret: &Secret, token: Option<&Secret>) -> http::request::Parts {
    let signer = Signer {
        access_key_id: id.to_owned(),
        secret: secret.clone(),
        session_token: token.cloned(),
        region: "us-east-1".into(),
        service: Service::S3,
    };
    let (mut parts, ()) = http::Request::get("http://localhost/data")
        .body(())
        .unwrap()
        .into_parts();
    parts.headers.insert("host", "localhost".parse().unwrap());
    signer
        .sign(&mut parts, &Body::of(b""), SystemClock::new().now())
        .unwrap();
    parts
}

/// Who signed a request so, or why it is refused.
pub(crate) fn signed(
    gate: &Gate,
    id: &str,
    secret: &Secret,
    token: Option<&Secret>,
) -> Result<Session, String> {
    let admitted = gate.identify(&request(id, secret, token), origin());
    admitted.map(|a| a.session).map_err(|e| e.reason().to_owned())
}

pub(crate) fn with_key(gate: &Gate, key: &NewAccessKey) -> Result<Session, String> {
    signed(gate, &key.id, &key.secret, None)
}

pub(crate) fn within(gate: &Gate, issued: &Issued) -> Result<Session, String> {
    signed(gate, &issued.access_key_id, &issued.secret, Some(&issued.token))
}

pub(crate) async fn may(gate: &Gate, session: &Session, action: &'static str, key: &str) -> bool {
    let path = ResourcePath::Object(BucketName::new("data").unwrap(), ObjectKey::new(key).unwrap());
    gate.read(session, Ask::new("GetObject", action, path))
        .await
        .is_ok()
}

pub(crate) fn document(statements: &str) -> Bytes {
    format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#).into()
}

pub(crate) fn allow(action: &str, resource: &str) -> String {
    format!(r#"{{"Effect":"Allow","Action":"{action}","Resource":"{resource}"}}"#)
}

pub(crate) const DATA: &str = "arn:aws:s3:::data/*";

pub(crate) struct World {
    pub(crate) _folder: Folder,
    pub(crate) gate: Gate,
    pub(crate) root: Session,
}

impl World {
    pub(crate) async fn new(name: &str) -> Self {
        let folder = Folder::new(name);
        let gate = folder.open();
        let root = root(&gate);
        let path = ResourcePath::Bucket(BucketName::new("data").unwrap());
        let permit = gate
            .write(&root, Ask::new("CreateBucket", "s3:CreateBucket", path))
            .await
            .unwrap();
        permit
            .create_bucket(BucketSettings::default(), &[])
            .await
            .unwrap();
        Self {
            _folder: folder,
            gate,
            root,
        }
    }

    pub(crate) async fn user(&self, name: &str, statements: &str) -> NewAccessKey {
        let user = Holder::new(HolderKind::User, name);
        self.gate
            .create_entity(&self.root, &user, NewEntity::default())
            .await
            .unwrap();
        if !statements.is_empty() {
            self.gate
                .put_policy(&self.root, &user, "own", document(statements))
                .await
                .unwrap();
        }
        self.gate.create_access_key(&self.root, name).await.unwrap()
    }

    pub(crate) async fn role(&self, name: &str, trusted: &str, statements: &str) -> String {
        let role = Holder::new(HolderKind::Role, name);
        let trust = format!(
            r#"{{"Effect":"Allow","Principal":{{"AWS":"{trusted}"}},"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]}}"#
        );
        let new = NewEntity {
            trust: document(&trust),
            ..NewEntity::default()
        };
        let made = self.gate.create_entity(&self.root, &role, new).await.unwrap();
        self.gate
            .put_policy(&self.root, &role, "role", document(statements))
            .await
            .unwrap();
        made.arn
    }

    pub(crate) async fn assume(
        &self,
        session: &Session,
        arn: &str,
        change: impl FnOnce(&mut AssumeRole),
    ) -> Result<Issued, String> {
        let mut wanted = AssumeRole {
            role_arn: arn.to_owned(),
            session_name: "work".to_owned(),
            ..AssumeRole::default()
        };
        change(&mut wanted);
        self.gate
            .assume_role(session, wanted)
            .await
            .map_err(|e| e.reason().to_owned())
    }
}

pub(crate) const ANA: &str = "arn:aws:iam::000000000000:user/ana";
