//! The schema of guard policies, as text in Cedar's own schema language: generated from the table of actions.

use std::fmt::Write as _;

use crate::actions::{self, About, Action, Level};

/// Types of entities and what each has. `tags` are an object's S3 tags and a principal's IAM tags.
const ENTITIES: &str = r#"// Who asks.
entity Group;
entity User in [Group] = { name: String, kind: String } tags String;
entity Role in [Group] = { name: String, kind: String } tags String;
// The same who asks, once more: while it acts for somebody, by its name (Agent::"bot", Agent::"role/bot"), and by its session's id.
entity Agent in [Group] = { name: String, kind: String, actsFor: Set<String>, purpose?: String, run?: String } tags String;
entity Session in [Group] = {
  name: String, kind: String, principal: String, purpose?: String, run?: String,
  labels: Set<String>, issued: datetime, expires: datetime,
} tags String;
// What it is about. Ids: Bucket::"b", Prefix::"b/path/", Object::"b/key", Graph::"b/g", GraphPrefix::"b/g/(edge chr1 ",
// Namespace::"b/sales.eu", Table::"b/sales.eu/orders", Column::"b/sales.eu/orders/customer.name", System::"users/ana", Service::"craton".
entity Service;
entity Bucket = { name: String, owner: String };
entity Prefix in [Bucket, Prefix];
entity Object in [Bucket, Prefix, Namespace, Table] = { bucket: String, key: String, labels: Set<String> } tags String;
entity Namespace in [Bucket, Namespace] = { bucket: String, name: String };
entity Table in [Bucket, Prefix, Namespace] = {
  bucket: String, namespace: String, name: String, view: Bool, columns: Set<String>, labels: Set<String>,
};
entity Column in [Bucket, Prefix, Namespace, Table] = {
  bucket: String, namespace: String, table: String, name: String, dataType: String, labels: Set<String>,
};
entity Graph in [Bucket] = { bucket: String, name: String, labels: Set<String> };
entity GraphPrefix in [Bucket, Graph, GraphPrefix] = {
  bucket: String, graph: String, prefix: String, labels: Set<String>,
};
entity System = { path: String };
// The circumstances.
type Circumstances = {
  door: String,
  secure: Bool,
  source: ipaddr,
  time: datetime,
  chain: Set<String>,
  labels: Set<String>,
  bytes: Long,
  purpose?: String,
  run?: String,
  session?: String,
  accessKey?: String,
  userAgent?: String,
  prefix?: String,
};
"#;

/// The services that actions are grouped by, besides their levels.
pub(crate) const SERVICES: [&str; 6] = ["craton", "iam", "kms", "s3", "s3tables", "sts"];

/// The schema's text.
pub(crate) fn text(actions: impl Iterator<Item = Action>) -> String {
    let mut out = ENTITIES.to_owned();
    out.push_str("// Groups of actions: levels of access, services.\n");
    let levels = Level::ALL.into_iter().map(Level::as_str);
    for group in levels.chain(SERVICES) {
        line(&mut out, format_args!("action {group:?};"));
    }
    for action in actions {
        let (level, service) = (action.level.as_str(), action.service());
        let types = types(&action);
        line(
            &mut out,
            format_args!(
                "action {:?} in [{level:?}, {service:?}] appliesTo {{ principal: [User, Role, Agent, Session], resource: [{types}], context: Circumstances }};",
                action.name
            ),
        );
    }
    out
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String does not fail.
    let _ = writeln!(out, "{text}");
}

/// The types of what an action is about. A list of graphs is about their bucket; what is done to a catalog, about its bucket
/// or the namespace; a table's data is about its columns, too.
fn types(action: &Action) -> &'static str {
    match action.about {
        About::Service => "Service",
        About::Bucket => "Bucket",
        About::Object => "Object",
        About::Graph => "Bucket, Graph, GraphPrefix",
        About::Table if actions::is_of_columns(action.name) => "Bucket, Namespace, Table, Column",
        About::Table => "Bucket, Namespace, Table",
        About::System => "System",
    }
}
