//! Views: a query under a name, in the words of each engine, with its versions.
//!
//! A view is kept as a table is: a folder, a row, a name, and metadata files that the catalog alone writes. It has no other files.
//!
//! Source: Iceberg view spec, version 1; REST catalog, `ViewUpdate` and `ViewRequirement`; Iceberg's `ViewMetadata.Builder` for what each
//! update means.

use std::collections::HashSet;

use craton_base::Result;
use craton_gate::{Changes, WritePermit};
use serde_json::{Map, Value, json};

use crate::{
    error::{bad, commit_failed},
    location::Folder,
    metadata::{Metadata, number},
    name::{TableName, What},
    table::{
        Loaded, METADATA_BYTES_MAX, PARSED, Tables, commit_rows, live, milliseconds, permitted, retried, size,
    },
    update::{self, UPDATES_MAX, integer, numbered, part, text},
};

/// How many versions are kept, unless a property says otherwise.
const VERSIONS: usize = 10;

/// The most versions that are kept, whatever a property says.
const VERSIONS_MAX: usize = 100;

/// What a client asks of a new view.
#[derive(Clone, Debug)]
pub struct CreateView {
    /// Its name.
    pub name: TableName,
    /// Its location, which can only be its own folder; `None`: that.
    pub location: Option<String>,
    /// The schema of its rows.
    pub schema: Value,
    /// Its first version.
    pub version: Value,
    /// Its properties.
    pub properties: Map<String, Value>,
}

/// Metadata of a view while updates are applied to it.
struct Change {
    metadata: Metadata,
    now_ms: i64,
    /// What the last that were added are called: `-1` in later updates.
    schema: Option<i64>,
    version: Option<i64>,
    /// Versions that were added.
    added: Vec<i64>,
}

impl Tables {
    /// Makes a view, by a permit for the catalog.
    ///
    /// # Errors
    /// `AlreadyExistsException`, `NoSuchNamespaceException`, `BadRequestException`.
    pub async fn create_view(&self, permit: &WritePermit, request: &CreateView) -> Result<Loaded> {
        let id = self.uuid()?;
        let folder = Folder::new(&permit.bucket()?.name, &id);
        if let Some(location) = &request.location {
            folder.check("location", location)?;
        }
        let updates = [
            json!({ "action": "add-schema", "schema": request.schema }),
            json!({ "action": "add-view-version", "view-version": numbered(request.version.clone(), "schema-id", -1) }),
            json!({ "action": "set-current-view-version", "view-version-id": -1 }),
            json!({ "action": "set-properties", "updates": request.properties }),
        ];
        let empty = empty(&id, &folder.location());
        let metadata = changed(empty, &updates, &folder, milliseconds(permit))?;
        self.make(permit, (&request.name, What::View), &folder, &metadata)
            .await
    }

    /// Changes a view: all updates, if all requirements hold.
    ///
    /// # Errors
    /// `CommitFailedException`, `NoSuchViewException`, `BadRequestException`; `TooLarge`.
    pub async fn replace_view(
        &self,
        permit: &WritePermit,
        name: &TableName,
        requirements: &[Value],
        updates: &[Value],
    ) -> Result<Loaded> {
        if requirements.len().max(updates.len()) > UPDATES_MAX {
            return Err(bad(format!("a commit has at most {UPDATES_MAX} updates")));
        }
        retried(name, || self.replace_once(permit, name, requirements, updates)).await
    }

    async fn replace_once(
        &self,
        permit: &WritePermit,
        name: &TableName,
        requirements: &[Value],
        updates: &[Value],
    ) -> Result<Loaded> {
        let found = live(permit, &permitted(permit)?, (name, What::View))?;
        let folder = Folder::new(&permit.bucket()?.name, &found.id);
        let stored = found.file(permit)?;
        let _room = self.room(size(&stored).saturating_mul(PARSED)).await?;
        let before = Metadata::parse(&permit.whole(&stored, METADATA_BYTES_MAX).await?)?;
        requirements
            .iter()
            .try_for_each(|requirement| check(&before, requirement))?;
        let metadata = changed(before, updates, &folder, milliseconds(permit))?;
        let written = self
            .write(permit, &folder, &metadata, found.next_number())
            .await?;
        let changes = found.renewed(Changes::new(), &written);
        commit_rows(permit, &changes, &[&written]).await?;
        Ok(written.loaded)
    }
}

fn empty(id: &str, location: &str) -> Metadata {
    Metadata::of(json!({
        "view-uuid": id, "format-version": 1, "location": location, "schemas": [], "current-version-id": -1,
        "versions": [], "version-log": [], "properties": {},
    }))
}

fn changed(metadata: Metadata, updates: &[Value], folder: &Folder, now_ms: i64) -> Result<Metadata> {
    let mut change = Change {
        metadata,
        now_ms,
        schema: None,
        version: None,
        added: Vec::new(),
    };
    updates.iter().try_for_each(|update| change.apply(update))?;
    let metadata = change.finish()?;
    folder.check_all(&metadata)?;
    Ok(metadata)
}

/// Fails unless a requirement holds of a view as it is.
fn check(metadata: &Metadata, requirement: &Value) -> Result<()> {
    match text(requirement, "type")? {
        "assert-view-uuid" => {
            let wanted = text(requirement, "uuid")?;
            let is = metadata.text("view-uuid").unwrap_or_default();
            match is.eq_ignore_ascii_case(wanted) {
                true => Ok(()),
                false => Err(commit_failed("Requirement failed: view UUID does not match")),
            }
        }
        other => Err(bad(format!("unknown requirement {other:?} of a view"))),
    }
}

impl Change {
    fn apply(&mut self, update: &Value) -> Result<()> {
        match text(update, "action")? {
            "assign-uuid" => match self.metadata.text("view-uuid") {
                Some(is) if is.eq_ignore_ascii_case(text(update, "uuid")?) => Ok(()),
                _ => Err(bad("a view's UUID does not change")),
            },
            "upgrade-format-version" => match integer(update, "format-version")? {
                1 => Ok(()),
                other => Err(bad(format!("format version {other} of views is not known"))),
            },
            "add-schema" => {
                let (id, _) = update::add_schema(&mut self.metadata, part(update, "schema")?)?;
                self.schema = Some(id);
                Ok(())
            }
            "set-location" => {
                self.metadata.set("location", text(update, "location")?);
                Ok(())
            }
            "set-properties" => update::set_properties(&mut self.metadata, update),
            "remove-properties" => update::remove_properties(&mut self.metadata, update),
            "add-view-version" => self.add_version(part(update, "view-version")?),
            "set-current-view-version" => self.set_current(update),
            other => Err(bad(format!("unknown update {other:?} of a view"))),
        }
    }

    fn add_version(&mut self, version: &Value) -> Result<()> {
        let schema = match integer(version, "schema-id")? {
            -1 => self
                .schema
                .ok_or_else(|| bad("schema-id is -1 and none was added"))?,
            id => id,
        };
        if self.metadata.item("schemas", "schema-id", schema).is_none() {
            return Err(bad(format!("there is no schema-id {schema}")));
        }
        check_representations(version)?;
        let version = numbered(version.clone(), "schema-id", schema);
        let mut id = number(&version, "version-id").unwrap_or(1).max(1);
        for known in self.metadata.list("versions") {
            let its = number(known, "version-id").unwrap_or(0);
            if is_same(known, &version) {
                self.version = Some(its);
                return Ok(());
            }
            id = id.max(its.saturating_add(1));
        }
        self.metadata
            .push("versions", numbered(version, "version-id", id));
        self.version = Some(id);
        self.added.push(id);
        Ok(())
    }

    fn set_current(&mut self, update: &Value) -> Result<()> {
        let id = match integer(update, "view-version-id")? {
            -1 => self
                .version
                .ok_or_else(|| bad("view-version-id is -1 and none was added"))?,
            id => id,
        };
        let version = self.metadata.item("versions", "version-id", id);
        let version = version.ok_or_else(|| bad(format!("there is no version-id {id}")))?;
        let made_ms = number(version, "timestamp-ms").filter(|_| self.added.contains(&id));
        if self.metadata.number("current-version-id") != Some(id) {
            self.metadata.set("current-version-id", id);
            let at = made_ms.unwrap_or(self.now_ms);
            self.metadata
                .push("version-log", json!({ "timestamp-ms": at, "version-id": id }));
        }
        Ok(())
    }

    /// Leaves out old versions: the newest stay, the current one and those that were added.
    fn finish(mut self) -> Result<Metadata> {
        let current = self.metadata.number("current-version-id");
        let current = current.filter(|id| self.metadata.item("versions", "version-id", *id).is_some());
        let current = current.ok_or_else(|| bad("the view has no current version"))?;
        let most = self.metadata.property("version.history.num-entries");
        let most = most
            .and_then(|text| text.parse().ok())
            .unwrap_or(VERSIONS)
            .clamp(1, VERSIONS_MAX)
            .max(self.added.len());
        let id = |item: &Value| number(item, "version-id").unwrap_or(0);
        let mut ids: Vec<i64> = self.metadata.list("versions").iter().map(id).collect();
        ids.sort_unstable_by_key(|id| std::cmp::Reverse((*id == current, self.added.contains(id), *id)));
        let kept: HashSet<i64> = ids.into_iter().take(most).collect();
        self.metadata
            .change_list("versions", |list| list.retain(|item| kept.contains(&id(item))));
        self.metadata.change_list("version-log", |log| {
            // What is before a gap is no history.
            let gap = log.iter().rposition(|entry| !kept.contains(&id(entry)));
            log.drain(..gap.map_or(0, |at| at.saturating_add(1)));
        });
        Ok(self.metadata)
    }
}

/// Each dialect has one query.
fn check_representations(version: &Value) -> Result<()> {
    let list = version.get("representations").and_then(Value::as_array);
    let list = list.filter(|list| !list.is_empty());
    let mut dialects = HashSet::new();
    for one in list.ok_or_else(|| bad("a view's version has representations"))? {
        if text(one, "type")? != "sql" {
            continue;
        }
        text(one, "sql")?;
        let dialect = text(one, "dialect")?;
        if !dialects.insert(dialect.to_lowercase()) {
            return Err(bad(format!(
                "a view's version has one query in the dialect {dialect}"
            )));
        }
    }
    Ok(())
}

/// Whether two versions say the same, whenever they were made.
fn is_same(one: &Value, other: &Value) -> bool {
    let rest = |value: &Value| {
        let mut map = value.as_object().cloned().unwrap_or_default();
        map.retain(|name, value| !matches!(name.as_str(), "version-id" | "timestamp-ms") && !value.is_null());
        map
    };
    rest(one) == rest(other)
}

#[cfg(test)]
mod tests;
