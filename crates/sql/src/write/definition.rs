//! What a statement says of a new table, as the catalog takes it: columns, partitions, properties.
//!
//! Source: Apache Iceberg, table specification, "Schemas and Data Types", "Appendix C: JSON serialization".

use craton_base::Result;
use datafusion::{
    arrow::datatypes::{DataType as Arrow, Field, Schema, TimeUnit},
    sql::sqlparser::ast::{
        ArrayElemTypeDef, ColumnDef, ColumnOption, CreateTableOptions, DataType, ExactNumberInfo, Expr,
        FunctionArg, FunctionArgExpr, FunctionArguments, SqlOption, TimezoneInfo, Value,
    },
};
use serde_json::{Map, Value as Json, json};

use super::{
    names::{invalid, plain},
    partition::{Transform, check},
};
use crate::iceberg::types::{self, not_yet};

/// The digits of a decimal that says none, and those behind its point.
const DECIMAL: (u64, i64) = (38, 10);

/// Gives fields ids: the catalog gives them others, each once.
pub(super) struct Ids(pub(super) i64);

impl Ids {
    pub(super) fn next(&mut self) -> i64 {
        self.0 = self.0.saturating_add(1);
        self.0
    }

    /// A column.
    pub(super) fn column(&mut self, column: &ColumnDef) -> Result<Json> {
        let mut required = false;
        let mut doc = None;
        for option in &column.options {
            match &option.option {
                ColumnOption::Null => {}
                ColumnOption::NotNull => required = true,
                ColumnOption::Comment(text) => doc = Some(text.clone()),
                other => return Err(not_yet(format!("{other} of a column"))),
            }
        }
        let name = plain(&column.name);
        let id = self.next();
        let mut field =
            json!({ "id": id, "name": name, "required": required, "type": self.kind(&column.data_type)? });
        if let (Some(doc), Json::Object(map)) = (doc, &mut field) {
            map.insert("doc".into(), doc.into());
        }
        Ok(field)
    }

    /// A type.
    pub(super) fn kind(&mut self, kind: &DataType) -> Result<Json> {
        match kind {
            DataType::Array(
                ArrayElemTypeDef::AngleBracket(of)
                | ArrayElemTypeDef::SquareBracket(of, None)
                | ArrayElemTypeDef::Parenthesis(of),
            ) => {
                let id = self.next();
                Ok(
                    json!({ "type": "list", "element-id": id, "element-required": false, "element": self.kind(of)? }),
                )
            }
            DataType::Map(key, value) => {
                let (key_id, value_id) = (self.next(), self.next());
                Ok(json!({ "type": "map", "key-id": key_id, "key": self.kind(key)?,
                    "value-id": value_id, "value-required": false, "value": self.kind(value)? }))
            }
            DataType::Struct(fields, _) => {
                let fields = fields.iter().map(|field| {
                    let name = field.field_name.as_ref().map(plain);
                    let name = name.ok_or_else(|| invalid("a field of a struct has a name"))?;
                    let id = self.next();
                    Ok(json!({ "id": id, "name": name, "required": false, "type": self.kind(&field.field_type)? }))
                });
                Ok(json!({ "type": "struct", "fields": fields.collect::<Result<Vec<_>>>()? }))
            }
            primitive => primitive_name(primitive).map(Json::from),
        }
    }
}

/// A primitive type as Iceberg calls it.
pub(super) fn primitive_name(kind: &DataType) -> Result<String> {
    use DataType as D;
    let zoned = |zone: &TimezoneInfo| matches!(zone, TimezoneInfo::WithTimeZone | TimezoneInfo::Tz);
    let name = match kind {
        D::Bool | D::Boolean => "boolean",
        D::TinyInt(_)
        | D::SmallInt(_)
        | D::Int2(_)
        | D::MediumInt(_)
        | D::Int(_)
        | D::Integer(_)
        | D::Int4(_)
        | D::Int16
        | D::Int32 => "int",
        D::BigInt(_) | D::Int8(_) | D::Int64 => "long",
        D::Real | D::Float4 | D::Float32 => "float",
        D::Float(ExactNumberInfo::Precision(bits)) if *bits <= 24 => "float",
        D::Float(_) | D::Double(_) | D::DoublePrecision | D::Float8 | D::Float64 => "double",
        D::Date | D::Date32 => "date",
        D::Time(None | Some(6), zone) if !zoned(zone) => "time",
        D::Timestamp(Some(9), zone) if zoned(zone) => "timestamptz_ns",
        D::Timestamp(Some(9), _) => "timestamp_ns",
        D::Timestamp(None | Some(6), zone) if zoned(zone) => "timestamptz",
        D::Timestamp(None | Some(6), _) | D::TimestampNtz(None | Some(6)) | D::Datetime(None | Some(6)) => {
            "timestamp"
        }
        D::Text
        | D::String(None)
        | D::Varchar(_)
        | D::CharacterVarying(_)
        | D::CharVarying(_)
        | D::Nvarchar(_) => "string",
        D::Uuid => "uuid",
        D::Bytea | D::Blob(None) | D::Binary(None) | D::Varbinary(None) | D::Bytes(None) => "binary",
        D::Binary(Some(size)) => return Ok(format!("fixed[{size}]")),
        D::Decimal(info) | D::Numeric(info) | D::Dec(info) => {
            let (precision, scale) = match info {
                ExactNumberInfo::None => DECIMAL,
                ExactNumberInfo::Precision(precision) => (*precision, 0),
                ExactNumberInfo::PrecisionAndScale(precision, scale) => (*precision, *scale),
            };
            let is_one = (1..=38).contains(&precision) && (0..=precision.cast_signed()).contains(&scale);
            return match is_one {
                true => Ok(format!("decimal({precision}, {scale})")),
                false => Err(invalid(format!(
                    "there is no {kind}: a decimal has 1 to 38 digits"
                ))),
            };
        }
        D::Custom(name, more) => return custom(&name.to_string().to_lowercase(), more),
        other => return Err(not_yet(format!("columns of type {other}"))),
    };
    Ok(name.to_owned())
}

/// A type by the name that Iceberg itself gives it.
fn custom(name: &str, more: &[String]) -> Result<String> {
    let known = [
        "long",
        "timestamptz",
        "timestamp_ns",
        "timestamptz_ns",
        "timestamp_ntz",
        "string",
        "binary",
    ];
    match (name, more) {
        ("timestamp_ntz", []) => Ok("timestamp".to_owned()),
        (name, []) if known.contains(&name) => Ok(name.to_owned()),
        ("fixed", [size]) if size.parse::<u32>().is_ok() => Ok(format!("fixed[{size}]")),
        _ => Err(not_yet(format!("columns of type {name}"))),
    }
}

/// The columns of a query, as a table of a format version has them.
pub(super) fn of_query(schema: &Schema, version: i64) -> Result<Json> {
    let mut ids = Ids(0);
    let fields = schema.fields().iter().map(|field| {
        let id = ids.next();
        Ok(json!({ "id": id, "name": field.name(), "required": false, "type": of_arrow(field, version, &mut ids)? }))
    });
    Ok(json!({ "type": "struct", "schema-id": 0, "fields": fields.collect::<Result<Vec<_>>>()? }))
}

fn of_arrow(field: &Field, version: i64, ids: &mut Ids) -> Result<Json> {
    use Arrow as A;
    let name = match field.data_type() {
        A::Boolean => "boolean".to_owned(),
        A::Int8 | A::Int16 | A::Int32 | A::UInt8 | A::UInt16 => "int".to_owned(),
        A::Int64 | A::UInt32 => "long".to_owned(),
        A::UInt64 => "decimal(20, 0)".to_owned(),
        A::Float16 | A::Float32 => "float".to_owned(),
        A::Float64 => "double".to_owned(),
        A::Date32 | A::Date64 => "date".to_owned(),
        A::Time32(_) | A::Time64(_) => "time".to_owned(),
        A::Timestamp(unit, zone) => {
            let tz = if zone.is_some() { "tz" } else { "" };
            // Before version 3 there are no nanoseconds.
            let ns = if *unit == TimeUnit::Nanosecond && version >= 3 {
                "_ns"
            } else {
                ""
            };
            format!("timestamp{tz}{ns}")
        }
        A::Utf8 | A::LargeUtf8 | A::Utf8View => "string".to_owned(),
        A::Binary | A::LargeBinary | A::BinaryView => "binary".to_owned(),
        A::FixedSizeBinary(size) => format!("fixed[{size}]"),
        A::Decimal128(precision, scale) if *scale >= 0 => format!("decimal({precision}, {scale})"),
        A::Dictionary(_, of) => {
            let plain = Field::new(field.name(), of.as_ref().clone(), true);
            return of_arrow(&plain, version, ids);
        }
        A::List(of) | A::LargeList(of) | A::FixedSizeList(of, _) => {
            let id = ids.next();
            return Ok(
                json!({ "type": "list", "element-id": id, "element-required": false,
                "element": of_arrow(of, version, ids)? }),
            );
        }
        A::Struct(fields) => {
            let fields = fields.iter().map(|field| {
                let id = ids.next();
                Ok(json!({ "id": id, "name": field.name(), "required": false, "type": of_arrow(field, version, ids)? }))
            });
            return Ok(json!({ "type": "struct", "fields": fields.collect::<Result<Vec<_>>>()? }));
        }
        A::Null => {
            return Err(invalid(format!(
                "the column {:?} is nothing but NULL: cast it",
                field.name()
            )));
        }
        other => {
            return Err(not_yet(format!(
                "a table's column {:?} of type {other}",
                field.name()
            )));
        }
    };
    Ok(name.into())
}

/// A partition spec of the columns of a schema: `region`, `day(at)`, `bucket(16, id)`.
pub(super) fn partitions(by: &Expr, schema: &Json) -> Result<Json> {
    let terms: Vec<&Expr> = match by {
        Expr::Tuple(terms) => terms.iter().collect(),
        Expr::Nested(term) => vec![term],
        term => vec![term],
    };
    let columns = types::schema(schema)?;
    let mut fields: Vec<Json> = Vec::new();
    for term in terms {
        let (transform, column) = term_of(term)?;
        let no_such = || invalid(format!("there is no column {column:?} to partition by"));
        let field = columns.field_with_name(&column).map_err(|_| no_such())?;
        check(&column, transform, field.data_type())?;
        let name = match transform {
            Transform::Identity => column.clone(),
            Transform::Bucket(_) => format!("{column}_bucket"),
            Transform::Truncate(_) => format!("{column}_trunc"),
            other => format!("{column}_{}", other.name()),
        };
        let id = fields.len().saturating_add(1000);
        fields.push(
            json!({ "name": name, "transform": transform.name(), "field-id": id,
            "source-id": types::id_of(field) }),
        );
    }
    Ok(json!({ "spec-id": 0, "fields": fields }))
}

/// A transform, and the column that it is made of.
fn term_of(term: &Expr) -> Result<(Transform, String)> {
    let wrong = || {
        invalid(format!(
            "{term} is no partition: it is a column, or year, month, day, hour, bucket(n, …) or truncate(n, …) of one"
        ))
    };
    if let Expr::Identifier(column) = term {
        return Ok((Transform::Identity, plain(column)));
    }
    let Expr::Function(function) = term else {
        return Err(wrong());
    };
    let FunctionArguments::List(list) = &function.args else {
        return Err(wrong());
    };
    let mut size = None;
    let mut column = None;
    for argument in &list.args {
        match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Identifier(name))) => column = Some(plain(name)),
            FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(value))) => match &value.value {
                Value::Number(number, _) => size = number.to_string().parse::<i32>().ok(),
                _ => return Err(wrong()),
            },
            _ => return Err(wrong()),
        }
    }
    let name = function.name.to_string().to_lowercase();
    let singular = match name.as_str() {
        "years" | "months" | "days" | "hours" => name.trim_end_matches('s'),
        "date" => "day",
        name => name,
    };
    let transform = match (singular, size) {
        (name @ ("bucket" | "truncate"), Some(size)) => Transform::parse(&format!("{name}[{size}]")),
        (name @ ("year" | "month" | "day" | "hour" | "identity"), None) => Transform::parse(name),
        _ => None,
    };
    transform.zip(column).ok_or_else(wrong)
}

/// The properties of a table.
pub(super) fn properties(options: &CreateTableOptions) -> Result<Map<String, Json>> {
    match options {
        CreateTableOptions::None => Ok(Map::new()),
        CreateTableOptions::With(options)
        | CreateTableOptions::Options(options)
        | CreateTableOptions::TableProperties(options) => options.iter().map(property).collect(),
        CreateTableOptions::Plain(_) => Err(not_yet(
            "such options of a table; write them in WITH (…) or TBLPROPERTIES (…)",
        )),
    }
}

/// A property and its value.
pub(super) fn property(option: &SqlOption) -> Result<(String, Json)> {
    let SqlOption::KeyValue { key, value } = option else {
        return Err(invalid(format!("{option} is no property: it is name = 'value'")));
    };
    let text = match value {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) | Value::DoubleQuotedString(text) => text.clone(),
            Value::Number(number, _) => number.to_string(),
            Value::Boolean(is) => is.to_string(),
            _ => return Err(invalid(format!("the value of {key} is a text"))),
        },
        Expr::Identifier(word) => word.value.clone(),
        _ => return Err(invalid(format!("the value of {key} is a text"))),
    };
    let name = match key.value.to_lowercase().as_str() {
        "format_version" => "format-version".to_owned(),
        _ => key.value.clone(),
    };
    Ok((name, text.into()))
}
