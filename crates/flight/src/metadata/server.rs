//! What the server is, what it can do, and what types and keys it has.

use std::sync::Arc;

use arrow_flight::{
    error::FlightError,
    sql::{
        Nullable, Searchable, SqlInfo, SqlSupportedTransaction, XdbcDataType,
        metadata::{
            SqlInfoData, SqlInfoDataBuilder, XdbcTypeInfo, XdbcTypeInfoData, XdbcTypeInfoDataBuilder,
        },
    },
};
use arrow_schema::{DataType, Field, Schema, SchemaRef};

/// The version of Arrow's format that is spoken.
const ARROW: &str = "1.5.0";

/// What the server is and can do.
pub(super) fn abilities() -> Result<SqlInfoData, FlightError> {
    let mut out = SqlInfoDataBuilder::new();
    out.append(SqlInfo::FlightSqlServerName, "Craton");
    out.append(SqlInfo::FlightSqlServerVersion, env!("CARGO_PKG_VERSION"));
    out.append(SqlInfo::FlightSqlServerArrowVersion, ARROW);
    out.append(SqlInfo::FlightSqlServerReadOnly, false);
    out.append(SqlInfo::FlightSqlServerSql, true);
    out.append(SqlInfo::FlightSqlServerSubstrait, false);
    let none = SqlSupportedTransaction::None as i32;
    out.append(SqlInfo::FlightSqlServerTransaction, none);
    out.append(SqlInfo::FlightSqlServerCancel, false);
    out.append(SqlInfo::SqlIdentifierQuoteChar, "\"");
    out.append(SqlInfo::SqlDdlCatalog, false);
    out.append(SqlInfo::SqlDdlSchema, true);
    out.append(SqlInfo::SqlDdlTable, true);
    out.build()
}

/// A type: its name, its number, its size in digits or characters, whether it has a sign that can be told, whether its values are quoted.
const TYPES: [(&str, XdbcDataType, Option<i32>, bool, bool); 9] = [
    ("BOOLEAN", XdbcDataType::XdbcBit, Some(1), false, false),
    ("INTEGER", XdbcDataType::XdbcInteger, Some(10), true, false),
    ("BIGINT", XdbcDataType::XdbcBigint, Some(19), true, false),
    ("REAL", XdbcDataType::XdbcReal, Some(7), true, false),
    ("DOUBLE", XdbcDataType::XdbcDouble, Some(15), true, false),
    ("DECIMAL", XdbcDataType::XdbcDecimal, Some(38), true, false),
    ("DATE", XdbcDataType::XdbcDate, Some(10), false, true),
    ("TIMESTAMP", XdbcDataType::XdbcTimestamp, Some(26), false, true),
    ("VARCHAR", XdbcDataType::XdbcVarchar, None, false, true),
];

/// The types of columns.
pub(super) fn types() -> Result<XdbcTypeInfoData, FlightError> {
    let mut out = XdbcTypeInfoDataBuilder::new();
    for (name, data_type, column_size, signed, quoted) in TYPES {
        let quote = quoted.then(|| "'".to_owned());
        out.append(XdbcTypeInfo {
            type_name: name.to_owned(),
            data_type,
            column_size,
            literal_prefix: quote.clone(),
            literal_suffix: quote,
            nullable: Nullable::NullabilityNullable,
            case_sensitive: quoted,
            searchable: Searchable::Full,
            unsigned_attribute: signed.then_some(false),
            sql_data_type: data_type,
            num_prec_radix: signed.then_some(10),
            ..XdbcTypeInfo::default()
        });
    }
    out.build()
}

fn text(name: &str, nullable: bool) -> Field {
    Field::new(name, DataType::Utf8, nullable)
}

/// The columns of what tells primary keys, of which there are none.
pub(super) fn primary_keys() -> SchemaRef {
    Arc::new(Schema::new(vec![
        text("catalog_name", true),
        text("db_schema_name", true),
        text("table_name", false),
        text("column_name", false),
        Field::new("key_sequence", DataType::Int32, false),
        text("key_name", true),
    ]))
}

/// The columns of what tells foreign keys, of which there are none.
pub(super) fn references() -> SchemaRef {
    let mut fields = Vec::new();
    for side in ["pk", "fk"] {
        fields.push(text(&format!("{side}_catalog_name"), true));
        fields.push(text(&format!("{side}_db_schema_name"), true));
        fields.push(text(&format!("{side}_table_name"), false));
        fields.push(text(&format!("{side}_column_name"), false));
    }
    fields.push(Field::new("key_sequence", DataType::Int32, false));
    fields.push(text("fk_key_name", true));
    fields.push(text("pk_key_name", true));
    fields.push(Field::new("update_rule", DataType::UInt8, false));
    fields.push(Field::new("delete_rule", DataType::UInt8, false));
    Arc::new(Schema::new(fields))
}
