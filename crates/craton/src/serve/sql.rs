//! The engine of SQL behind the door that knows it by its trait alone.

use std::sync::Arc;

use async_trait::async_trait;
use craton_base::Result;
use craton_doors::sql::{SqlAnswer, SqlEngine, SqlForm, SqlStart, SqlStatement};
use craton_gate::{Gate, Session};
use craton_sql::{Engine, Form, Statement, Written};
use futures::StreamExt as _;

use crate::config::Settings;

struct Behind(Engine);

/// Starts the engine.
pub(super) fn start(settings: &Settings, gate: Gate) -> SqlStart {
    let settings = craton_sql::Settings {
        spill: settings.sql_spill.clone(),
        spill_bytes: settings.sql_spill_size.bytes(),
    };
    Box::new(move |tables, memory| {
        let engine = Engine::start(gate, (tables, memory), &settings)?;
        Ok(Arc::new(Behind(engine)))
    })
}

#[async_trait]
impl SqlEngine for Behind {
    async fn run(&self, session: &Session, asked: &SqlStatement) -> Result<SqlAnswer> {
        let statement = Statement {
            text: asked.statement.clone(),
            bucket: asked.bucket.clone(),
            namespace: asked.namespace.clone(),
            time: asked.time(),
        };
        let rows = self.0.run(session, &statement).await?;
        let form = match asked.form {
            SqlForm::Arrow => Form::Arrow,
            SqlForm::JsonLines => Form::Json,
            SqlForm::Csv => Form::Csv,
        };
        Ok(Written::new(rows, form)?.boxed())
    }
}
