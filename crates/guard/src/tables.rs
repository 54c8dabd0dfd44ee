//! Tables as guard policies see them: `Namespace`, `Table`, `Column`.
//!
//! Who reads or writes a table's data reads or writes all of its columns, so each column is asked about besides the table, of
//! the policies that say `Column`. Columns that policies name count also if the table has them no longer: files that were
//! written before still hold them.
//!
//! Deliberately absent: where it is known what a table has (the gate says).

use cedar_policy::{EntityUid, RestrictedExpression};
use craton_base::ResourcePath;

use crate::{
    actions,
    entities::{Subject, What, texts},
    index::Rules,
    judge::Question,
    language::{Language, uid},
};

/// What every action on tables begins with.
const SERVICE: &str = "s3tables:";

/// A column that a table has, or had in a schema that it still knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name, within others with dots: `customer.name`.
    pub name: String,
    /// Its type, as Iceberg writes it; `struct`, `list` and `map` alone.
    pub data_type: String,
}

/// The table that a question is about, or that its object lies in; or a namespace of tables.
#[derive(Clone, Copy)]
pub struct TableFacts<'a> {
    /// Its namespace, with dots between the levels.
    pub namespace: &'a str,
    /// Its name; empty: it is about the namespace.
    pub name: &'a str,
    /// What its files' keys begin with.
    pub folder: Option<&'a str>,
    /// Whether it is a view.
    pub view: bool,
    /// Its labels.
    pub labels: &'a [String],
    /// Its columns, read when they are asked for.
    pub columns: &'a dyn Fn() -> Vec<Column>,
    /// The columns that are read of it, by all names that they have or had; `None`: all there are. Who names them applies what
    /// policies leave of rows and columns ([`crate::Restrictions`]).
    pub reads: Option<&'a [String]>,
}

/// What an action on tables is about; `None` for other actions, and for a catalog as a whole.
pub(crate) fn subjects(rules: &Rules, language: &Language, question: &Question<'_>) -> Option<Vec<Subject>> {
    let facts = question.table.filter(|_| question.action.starts_with(SERVICE))?;
    let bucket = question.resource.bucket()?.as_str();
    let mut above = above(rules, language, bucket, &facts);
    // The last is what it is about itself.
    let own = above.pop()?;
    if facts.name.is_empty() {
        return Some(vec![Subject {
            uid: own,
            above,
            what: What::Namespace,
        }]);
    }
    let mut out = vec![Subject {
        uid: own.clone(),
        above: above.clone(),
        what: What::Table,
    }];
    if actions::is_of_columns(question.action) && rules.needs().says.columns {
        above.push(own);
        let of_table = format!("{bucket}/{}/{}/", facts.namespace, facts.name);
        for column in columns(rules, &facts, &of_table) {
            out.push(Subject {
                uid: uid(&language.types.column, &format!("{of_table}{}", column.name)),
                above: above.clone(),
                what: What::Column(column),
            });
        }
    }
    Some(out)
}

/// Those that are read; if that is not said, those that there are, and those that policies name besides.
fn columns(rules: &Rules, facts: &TableFacts<'_>, of_table: &str) -> Vec<Column> {
    let mut all = (facts.columns)();
    if let Some(reads) = facts.reads {
        let known = |name: &String| all.iter().find(|column| column.name == *name).cloned();
        let unknown = |name: &String| Column {
            name: name.clone(),
            data_type: String::new(),
        };
        return reads
            .iter()
            .map(|name| known(name).unwrap_or_else(|| unknown(name)))
            .collect();
    }
    let named = rules.columns_under(of_table);
    let named: Vec<&str> = named.filter_map(|id| id.strip_prefix(of_table)).collect();
    for name in named {
        if !all.iter().any(|column| column.name == name) {
            all.push(Column {
                name: name.to_owned(),
                data_type: String::new(),
            });
        }
    }
    all
}

/// What a file of the table lies in: bucket, prefixes, namespaces, and the table or namespace itself as the last.
pub(crate) fn above(
    rules: &Rules,
    language: &Language,
    bucket: &str,
    facts: &TableFacts<'_>,
) -> Vec<EntityUid> {
    let types = &language.types;
    let mut above = vec![uid(&types.bucket, bucket)];
    let folder = facts.folder.filter(|_| rules.names_prefixes());
    if let Some(folder) = folder {
        let id = format!("{bucket}/{folder}");
        above.extend(crate::entities::prefixes(rules, &id).map(|prefix| uid(&types.prefix, prefix)));
    }
    let levels = facts.namespace.match_indices('.').map(|(at, _)| at);
    let ends = levels.chain([facts.namespace.len()]);
    let namespaces = ends.filter_map(|end| facts.namespace.get(..end));
    above.extend(namespaces.map(|name| uid(&types.namespace, &format!("{bucket}/{name}"))));
    if !facts.name.is_empty() {
        let id = format!("{bucket}/{}/{}", facts.namespace, facts.name);
        above.push(uid(&types.table, &id));
    }
    above
}

/// The attributes of a namespace, a table or a column.
pub(crate) fn attributes(
    question: &Question<'_>,
    facts: &TableFacts<'_>,
    what: &What,
    column_names: bool,
) -> Vec<(String, RestrictedExpression)> {
    let bucket = question.resource.bucket().map_or("", |b| b.as_str());
    let set = |values: Vec<String>| {
        RestrictedExpression::new_set(values.into_iter().map(RestrictedExpression::new_string))
    };
    let mut out = match what {
        What::Namespace => return texts([("bucket", bucket), ("name", facts.namespace)]),
        What::Column(column) => texts([
            ("bucket", bucket),
            ("namespace", facts.namespace),
            ("table", facts.name),
            ("name", &column.name),
            ("dataType", &column.data_type),
        ]),
        _ => texts([
            ("bucket", bucket),
            ("namespace", facts.namespace),
            ("name", facts.name),
        ]),
    };
    if *what == What::Table {
        let names = || (facts.columns)().into_iter().map(|c| c.name).collect();
        let names = if column_names { names() } else { Vec::new() };
        out.push(("columns".to_owned(), set(names)));
        out.push(("view".to_owned(), RestrictedExpression::new_bool(facts.view)));
    }
    out.push(("labels".to_owned(), set(facts.labels.to_vec())));
    out
}

/// The labels of the table that an object lies in.
pub(crate) fn labels<'a>(question: &Question<'a>) -> &'a [String] {
    match (question.resource, question.table) {
        (ResourcePath::Object(..), Some(facts)) => facts.labels,
        _ => &[],
    }
}

#[cfg(test)]
mod tests;
