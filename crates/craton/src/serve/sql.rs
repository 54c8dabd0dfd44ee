//! The engine of SQL behind the door that knows it by its trait alone.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use async_trait::async_trait;
use craton_base::{Result, clock::SystemClock};
use craton_doors::sql::{
    SqlAnswer, SqlBound, SqlColumn, SqlEngine, SqlForm, SqlParameter, SqlPlan, SqlRows, SqlShape, SqlStart,
    SqlStatement,
};
use craton_gate::{Gate, Session, Workers};
use craton_sql::{
    Engine, Form, Statement, Written,
    maintain::{Maintenance, Parts},
    parameters::{self, Given},
    postgres::{self, Column, Formats, Parameter},
};
use futures::{StreamExt as _, stream};

use crate::config::Settings;

struct Behind(Engine);

/// Starts the engine, and keeps it in a place for who else works with it.
pub(super) fn start(settings: &Settings, gate: Gate, place: Arc<OnceLock<Engine>>) -> SqlStart {
    let settings = craton_sql::Settings {
        spill: settings.sql_spill.clone(),
        spill_bytes: settings.sql_spill_size.bytes(),
    };
    Box::new(move |tables, memory| {
        let engine = Engine::start(gate, (tables, memory), &settings)?;
        // It is started once.
        drop(place.set(engine.clone()));
        Ok(Arc::new(Behind(engine)))
    })
}

/// What keeps tables in order, with the engine that was started.
///
/// # Errors
/// `Internal` if there is none.
pub(super) fn maintenance(
    place: &OnceLock<Engine>,
    workers: Arc<Workers>,
    day: Duration,
) -> Result<Maintenance> {
    let engine = place.get().cloned();
    let engine = engine.ok_or_else(|| craton_base::Error::internal("SQL was not started"))?;
    Ok(Maintenance::new(Parts {
        workers,
        engine,
        day,
        clock: Arc::new(SystemClock::new()),
    }))
}

#[async_trait]
impl SqlEngine for Behind {
    async fn run(&self, session: &Session, asked: &SqlStatement) -> Result<SqlAnswer> {
        let rows = self.0.run(session, &statement(asked)).await?;
        let form = match asked.form {
            SqlForm::Arrow => Form::Arrow,
            SqlForm::JsonLines => Form::Json,
            SqlForm::Csv => Form::Csv,
        };
        Ok(Written::new(rows, form)?.boxed())
    }

    async fn rows(&self, session: &Session, asked: &SqlStatement, bound: &SqlBound) -> Result<SqlRows> {
        let parameters = bound.parameters.iter().map(|given: &SqlParameter| Parameter {
            type_id: given.type_id,
            binary: given.binary,
            value: given.value.clone(),
        });
        let asked = Statement {
            parameters: Given::Postgres(parameters.collect()),
            ..statement(asked)
        };
        let mut rows = self.0.run(session, &asked).await?;
        let formats = Formats(bound.binary.clone());
        let columns = columns(&postgres::columns(&rows.schema));
        let rows = stream::poll_fn(move |cx| {
            rows.poll_next(cx)
                .map(|batch| batch.map(|batch| postgres::data_rows(&batch?, &formats)))
        });
        Ok(SqlRows {
            columns,
            rows: rows.boxed(),
        })
    }

    async fn describe(&self, session: &Session, asked: &SqlStatement) -> Result<SqlShape> {
        let shape = self.0.describe(session, &statement(asked)).await?;
        Ok(SqlShape {
            columns: shape
                .schema
                .map_or_else(Vec::new, |schema| columns(&postgres::columns(&schema))),
            parameters: postgres::types(&shape.parameters),
        })
    }

    async fn plan(&self, session: &Session, asked: &SqlStatement) -> Result<SqlPlan> {
        let shape = self.0.describe(session, &statement(asked)).await?;
        Ok(SqlPlan {
            columns: shape
                .schema
                .map(|schema| parameters::message(&schema))
                .transpose()?,
            parameters: parameters::message(&parameters::schema(&shape.parameters))?,
        })
    }
}

fn statement(asked: &SqlStatement) -> Statement {
    Statement {
        text: asked.statement.clone(),
        bucket: asked.bucket.clone(),
        namespace: asked.namespace.clone(),
        time: asked.time(),
        parameters: Given::Arrow(asked.bound.clone()),
    }
}

fn columns(columns: &[Column]) -> Vec<SqlColumn> {
    let column = |column: &Column| SqlColumn {
        name: column.name.clone(),
        type_id: column.type_id,
        size: column.size,
        modifier: column.modifier,
    };
    columns.iter().map(column).collect()
}
