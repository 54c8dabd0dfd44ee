//! What a rule of lifecycle or replication is about: a filter by key, tags and size, and S3's XML of it.
//!
//! Deliberately absent: what else a rule looks at.

use serde::Deserialize;

/// What a rule is about: all that is said here must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// The beginning of the key.
    pub prefix: String,
    /// Tags that the object has.
    pub tags: Vec<(String, String)>,
    /// The object has more bytes.
    pub larger_than: Option<u64>,
    /// The object has fewer bytes.
    pub smaller_than: Option<u64>,
}

/// The element `Filter`.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct FilterXml {
    prefix: Option<String>,
    #[serde(rename = "Tag")]
    tags: Vec<TagXml>,
    object_size_greater_than: Option<u64>,
    object_size_less_than: Option<u64>,
    and: Option<Box<FilterXml>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TagXml {
    key: String,
    #[serde(default)]
    value: String,
}

impl Filter {
    /// Of a rule: its `Filter`, or its `Prefix` where it has the first form of the schema.
    pub(crate) fn of_rule(prefix: Option<String>, filter: Option<FilterXml>) -> Self {
        let mut out = Self {
            prefix: prefix.unwrap_or_default(),
            ..Self::default()
        };
        if let Some(read) = filter {
            read.add_to(&mut out);
        }
        out
    }
}

impl FilterXml {
    fn add_to(self, filter: &mut Filter) {
        if let Some(prefix) = self.prefix {
            filter.prefix = prefix;
        }
        filter
            .tags
            .extend(self.tags.into_iter().map(|tag| (tag.key, tag.value)));
        filter.larger_than = self.object_size_greater_than.or(filter.larger_than);
        filter.smaller_than = self.object_size_less_than.or(filter.smaller_than);
        if let Some(and) = self.and {
            and.add_to(filter);
        }
    }
}
