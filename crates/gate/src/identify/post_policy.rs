//! Uploads from a browser's form: a signed policy says which fields the form may have.
//!
//! The door parses the form, puts every field but the file in, in order and with the lower-case
//! name, and asks [`Verifier::identify_form`]. The file's own length is checked when it is known,
//! with [`Form::check_length`].
//!
//! Source: "POST Object" and "Creating a POST policy" in the Amazon S3 API reference.
//!
//! Invariants: a field that no condition covers is refused, a condition that no field meets is
//! refused, and the key is compared after `${filename}` is put in, as it will be stored.

use base64::Engine;
use craton_base::{Error, Result, Timestamp, clock::Clock};
use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    canonical::SignedHeaders,
    chain::parse_signature,
    claim::{ALGORITHM, Claim, How, TOKEN_BYTES_MAX, bad_token, credential_scope},
    refuse,
    scope::{AmzDate, Service},
    sigv4::{Credentials, Verifier},
};

/// The longest policy, in bytes of base64.
pub const POLICY_BYTES_MAX: usize = 20 * 1024;

/// The most conditions in a policy.
pub const CONDITIONS_MAX: usize = 256;

/// The most fields of a form.
pub const FIELDS_MAX: usize = 256;

/// Fields that need no condition: the signature cannot cover itself, and the file comes last.
const EXEMPT: [&str; 4] = ["x-amz-signature", "policy", "file", "submit"];

/// Fields of which any makes a form one that must be well signed.
const CREDENTIALS: [&str; 8] = [
    "policy",
    "x-amz-algorithm",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-security-token",
    "x-amz-signature",
    "awsaccesskeyid",
    "signature",
];

/// A form's fields, without the file.
#[derive(Clone, Debug, Default)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// Adds a field; its name is made lower case.
    ///
    /// # Errors
    /// `InvalidArgument` if it occurs twice, `TooLarge` if there are more than [`FIELDS_MAX`].
    pub fn push(&mut self, name: &str, value: String) -> Result<()> {
        let name = name.to_ascii_lowercase();
        if self.get(&name).is_some() {
            return Err(refuse::invalid(
                "InvalidArgument",
                format!("the form has the field {name:?} twice"),
            ));
        }
        if self.0.len() == FIELDS_MAX {
            let message = format!("a form has at most {FIELDS_MAX} fields");
            return Err(Error::new(
                craton_base::Kind::TooLarge,
                "MaxPostPreDataLengthExceededError",
                message,
            ));
        }
        self.0.push((name, value));
        Ok(())
    }

    /// A field's value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
    }

    /// Every field, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether the form says who it is from, well or not.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        CREDENTIALS.iter().any(|name| self.get(name).is_some())
    }

    /// The key that the form asks for, for a file that the browser calls `filename`. Not validated.
    ///
    /// # Errors
    /// `InvalidArgument` if there is none.
    pub fn key(&self, filename: &str) -> Result<String> {
        Ok(self.needed("key")?.replace("${filename}", base_name(filename)))
    }

    fn needed(&self, name: &str) -> Result<&str> {
        self.get(name)
            .ok_or_else(|| refuse::invalid("InvalidArgument", format!("the form needs the field {name:?}")))
    }
}

/// A form whose signature and policy are good.
#[derive(Debug)]
#[non_exhaustive]
pub struct Form<Owner> {
    /// The access key.
    pub access_key_id: String,
    /// Whom it belongs to.
    pub owner: Owner,
    /// When the policy was signed.
    pub signed_at: Timestamp,
    /// The key, with `${filename}` put in. Not validated yet.
    pub key: String,
    /// The bounds of the file's length in bytes, if the policy sets them.
    pub length: Option<(u64, u64)>,
}

impl<Owner> Form<Owner> {
    /// Checks the file's length.
    ///
    /// # Errors
    /// `EntityTooSmall` or `EntityTooLarge`.
    pub fn check_length(&self, bytes: u64) -> Result<()> {
        match self.length {
            Some((min, _)) if bytes < min => Err(refuse::invalid(
                "EntityTooSmall",
                "the file is smaller than the policy allows",
            )),
            _ => self.check_not_over(bytes),
        }
    }

    /// Checks what has come of the file so far.
    ///
    /// # Errors
    /// `EntityTooLarge`.
    pub fn check_not_over(&self, bytes: u64) -> Result<()> {
        match self.length {
            Some((_, max)) if bytes > max => Err(refuse::invalid(
                "EntityTooLarge",
                "the file is larger than the policy allows",
            )),
            _ => Ok(()),
        }
    }
}

impl<C: Credentials> Verifier<C> {
    /// Verifies the fields of a form that uploads to `bucket` a file that the browser calls `filename`.
    ///
    /// # Errors
    /// `Denied` or `Invalid` with S3's code as the reason.
    pub fn identify_form(&self, fields: &Fields, bucket: &str, filename: &str) -> Result<Form<C::Owner>> {
        let policy = fields.needed("policy")?;
        let claim = claim(fields)?;
        self.check_scope(&claim, Service::S3)?;
        let (owner, _) = self.check_signature_over(&claim, |key| Ok(key.sign(&[policy.as_bytes()])))?;
        // Only now is the policy someone's: nothing of it is read before.
        let policy = Policy::parse(policy)?;
        let key = fields.key(filename)?;
        policy.check(fields, bucket, &key, self.clock())?;
        Ok(Form {
            access_key_id: claim.access_key_id,
            owner,
            signed_at: claim.date.at,
            key,
            length: policy.length,
        })
    }
}

fn claim(fields: &Fields) -> Result<Claim> {
    if fields.get("awsaccesskeyid").is_some() || fields.get("signature").is_some() {
        let message = "signature version 2 is not supported; set the client to AWS4-HMAC-SHA256 (s3v4)";
        return Err(refuse::invalid("InvalidRequest", message));
    }
    if fields.needed("x-amz-algorithm")? != ALGORITHM {
        return Err(bad_field("x-amz-algorithm must be AWS4-HMAC-SHA256"));
    }
    let (access_key_id, scope) = credential_scope(fields.needed("x-amz-credential")?, bad_field)?;
    let token = fields.get("x-amz-security-token").map(str::to_owned);
    if token
        .as_ref()
        .is_some_and(|t| t.is_empty() || t.len() > TOKEN_BYTES_MAX)
    {
        return Err(bad_token());
    }
    Ok(Claim {
        access_key_id,
        scope,
        signed: SignedHeaders(Vec::new()),
        signature: parse_signature(fields.needed("x-amz-signature")?)
            .ok_or_else(|| bad_field("x-amz-signature must be 64 lower-case hex digits"))?,
        date: AmzDate::parse(fields.needed("x-amz-date")?)
            .ok_or_else(|| bad_field("x-amz-date must be YYYYMMDDTHHMMSSZ"))?,
        token,
        how: How::Form,
    })
}

fn bad_field(message: &'static str) -> Error {
    refuse::invalid("InvalidArgument", message)
}

/// What a browser calls a file, without folders.
fn base_name(filename: &str) -> &str {
    filename.rsplit(['/', '\\']).next().unwrap_or_default()
}

#[derive(Debug, PartialEq, Eq)]
enum Condition {
    Equals { name: String, value: String },
    StartsWith { name: String, prefix: String },
}

#[derive(Debug)]
struct Policy {
    expiration: Timestamp,
    conditions: Vec<Condition>,
    length: Option<(u64, u64)>,
}

impl Policy {
    fn parse(base64: &str) -> Result<Self> {
        let bad = |message: &'static str| {
            refuse::invalid(
                "InvalidPolicyDocument",
                format!("the policy is not valid: {message}"),
            )
        };
        if base64.len() > POLICY_BYTES_MAX {
            return Err(bad("it is longer than 20 KiB"));
        }
        let json = base64::engine::general_purpose::STANDARD
            .decode(base64)
            .map_err(|_| bad("it is not base64"))?;
        let json: Value = serde_json::from_slice(&json).map_err(|_| bad("it is not JSON"))?;
        let expiration = json
            .get("expiration")
            .and_then(Value::as_str)
            .ok_or_else(|| bad("it needs an expiration"))?;
        let expiration = OffsetDateTime::parse(expiration, &Rfc3339)
            .ok()
            .and_then(|t| u64::try_from(t.unix_timestamp()).ok())
            .ok_or_else(|| bad("its expiration must be like 2026-11-22T00:00:00Z"))?;
        let list = json
            .get("conditions")
            .and_then(Value::as_array)
            .ok_or_else(|| bad("it needs conditions"))?;
        if list.len() > CONDITIONS_MAX {
            return Err(bad("it has more than 256 conditions"));
        }
        let mut policy = Self {
            expiration: Timestamp::from_seconds(expiration),
            conditions: Vec::new(),
            length: None,
        };
        for condition in list {
            policy
                .add(condition)
                .ok_or_else(|| bad("a condition is not one of eq, starts-with, content-length-range"))?;
        }
        Ok(policy)
    }

    /// `{"name": "value", …}`, `["eq", "$name", "value"]`, `["starts-with", "$name", "prefix"]` or
    /// `["content-length-range", min, max]`.
    fn add(&mut self, condition: &Value) -> Option<()> {
        if let Value::Object(pairs) = condition {
            for (name, value) in pairs {
                let value = value.as_str()?.to_owned();
                self.conditions.push(Condition::Equals {
                    name: name.to_ascii_lowercase(),
                    value,
                });
            }
            return (!pairs.is_empty() && self.conditions.len() <= CONDITIONS_MAX).then_some(());
        }
        let [operator, first, second] = condition.as_array()?.as_slice() else {
            return None;
        };
        match operator.as_str()?.to_ascii_lowercase().as_str() {
            "content-length-range" => {
                let (min, max) = (number(first)?, number(second)?);
                // Several ranges must all hold.
                let (low, high) = self.length.unwrap_or((0, u64::MAX));
                self.length = Some((low.max(min), high.min(max)));
            }
            "eq" => self.conditions.push(Condition::Equals {
                name: field(first)?,
                value: second.as_str()?.to_owned(),
            }),
            "starts-with" => {
                let (name, prefix) = (field(first)?, second.as_str()?.to_owned());
                self.conditions.push(Condition::StartsWith { name, prefix });
            }
            _ => return None,
        }
        Some(())
    }

    fn check(&self, fields: &Fields, bucket: &str, key: &str, clock: &dyn Clock) -> Result<()> {
        if clock.now() >= self.expiration {
            return Err(refuse::denied(
                "AccessDenied",
                "invalid according to policy: the policy has expired",
            ));
        }
        let value_of = |name: &str| match name {
            "bucket" => Some(bucket),
            "key" => Some(key),
            _ => fields.get(name),
        };
        for condition in &self.conditions {
            if !condition.holds(value_of) {
                let message = format!(
                    "invalid according to policy: the condition on {:?} does not hold",
                    condition.name()
                );
                return Err(refuse::denied("AccessDenied", message));
            }
        }
        let covered = |name: &str| self.conditions.iter().any(|c| c.name() == name);
        let free = |name: &str| EXEMPT.contains(&name) || name.starts_with("x-ignore-") || covered(name);
        let names = fields
            .0
            .iter()
            .map(|(name, _)| name.as_str())
            .chain(["bucket", "key"]);
        match names.into_iter().find(|name| !free(name)) {
            None => Ok(()),
            Some(name) => {
                let message =
                    format!("invalid according to policy: there is no condition for the field {name:?}");
                Err(refuse::denied("AccessDenied", message))
            }
        }
    }
}

impl Condition {
    fn name(&self) -> &str {
        match self {
            Self::Equals { name, .. } | Self::StartsWith { name, .. } => name,
        }
    }

    fn holds<'a>(&self, value_of: impl Fn(&str) -> Option<&'a str>) -> bool {
        match self {
            Self::Equals { name, value } => value_of(name) == Some(value),
            // A list of content types must all begin so, as with AWS.
            Self::StartsWith { name, prefix } if name == "content-type" => value_of(name).is_some_and(|v| {
                v.split(',')
                    .all(|part| part.trim_start().starts_with(prefix.as_str()))
            }),
            Self::StartsWith { name, prefix } => {
                value_of(name).is_some_and(|v| v.starts_with(prefix.as_str()))
            }
        }
    }
}

/// `$Name` as a lower-case field name.
fn field(value: &Value) -> Option<String> {
    let name = value.as_str()?.strip_prefix('$')?;
    (!name.is_empty()).then(|| name.to_ascii_lowercase())
}

/// A number, also as text.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

#[cfg(test)]
mod tests;
