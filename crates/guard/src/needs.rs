//! What a policy looks at, so that nothing else has to be found out for it.

use std::collections::BTreeSet;

use serde_json::Value;

/// What evaluating a policy may look at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Attributes of the context.
    pub circumstances: BTreeSet<String>,
    /// The context as a whole.
    pub whole_context: bool,
    /// Tags of the principal or the resource, or labels of the resource, which may be in a tag.
    pub tags: bool,
    /// The columns of a table, as an attribute of it.
    pub column_names: bool,
    /// Columns, agents, sessions: what is asked about besides what was asked, for the policies alone that say these types.
    pub says: Says,
}

/// The types of [`Needs::says`] that a policy says anywhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Says {
    /// `Column`.
    pub columns: bool,
    /// `Agent`.
    pub agents: bool,
    /// `Session`.
    pub sessions: bool,
}

impl Says {
    fn note(&mut self, type_name: &str) {
        match type_name {
            "Column" => self.columns = true,
            "Agent" => self.agents = true,
            "Session" => self.sessions = true,
            _ => {}
        }
    }
}

impl Needs {
    /// Reads them off a policy in Cedar's JSON form.
    pub(crate) fn of(policy: &Value) -> Self {
        let mut needs = Self::default();
        for scope in ["principal", "resource"] {
            needs.walk(policy.get(scope).unwrap_or(&Value::Null));
        }
        if let Some(conditions) = policy.get("conditions") {
            needs.walk(conditions);
        }
        needs
    }

    /// Whether it looks at an attribute of the context.
    #[must_use]
    pub fn circumstance(&self, name: &str) -> bool {
        self.whole_context || self.circumstances.contains(name)
    }

    /// Adds those of another policy.
    pub fn join(&mut self, other: &Self) {
        self.circumstances.extend(other.circumstances.iter().cloned());
        self.whole_context |= other.whole_context;
        self.tags |= other.tags;
        self.column_names |= other.column_names;
        self.says.columns |= other.says.columns;
        self.says.agents |= other.says.agents;
        self.says.sessions |= other.says.sessions;
    }

    /// Expressions nest as deep as Cedar's parser let them, which guards its own stack; so does serde_json's value.
    fn walk(&mut self, value: &Value) {
        match value {
            Value::Array(list) => list.iter().for_each(|v| self.walk(v)),
            Value::Object(map) => {
                for (key, inner) in map {
                    self.node(key, inner);
                }
            }
            _ => {}
        }
    }

    fn node(&mut self, key: &str, inner: &Value) {
        match key {
            "Var" if inner == "context" => self.whole_context = true,
            "getTag" | "hasTag" => {
                self.tags = true;
                self.walk(inner);
            }
            "." | "has" if is_context(inner.get("left")) => {
                self.circumstances.extend(names(inner.get("attr")));
            }
            "." | "has" => {
                let named = names(inner.get("attr"));
                self.tags |= named.as_deref() == Some("labels");
                self.column_names |= named.as_deref() == Some("columns");
                self.walk(inner);
            }
            "type" | "entity_type" if inner.is_string() => self.says.note(inner.as_str().unwrap_or_default()),
            _ => self.walk(inner),
        }
    }
}

fn is_context(value: Option<&Value>) -> bool {
    value.and_then(|v| v.get("Var")).is_some_and(|v| v == "context")
}

/// One attribute, or the first of a path of them.
fn names(attribute: Option<&Value>) -> Option<String> {
    match attribute? {
        Value::String(name) => Some(name.clone()),
        Value::Array(path) => path.first().and_then(Value::as_str).map(str::to_owned),
        _ => None,
    }
}
