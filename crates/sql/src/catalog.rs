//! The catalog of a statement: nothing is listed, a name is asked for when it is used.
//!
//! Invariant: that there is a bucket, a namespace or a table of a name is told by the gate and the catalog of tables, to whom may know.

use std::{any::Any, sync::Arc};

use async_trait::async_trait;
use craton_base::{BucketName, Error, Kind, Result};
use craton_tables::{Namespace, TableName};
use datafusion::{
    catalog::{CatalogProvider, CatalogProviderList, SchemaProvider, TableProvider},
    common::{DataFusionError, Result as DfResult},
};

use crate::{
    context::Context,
    error::external,
    iceberg::{
        Table,
        positions::{self, Positions},
    },
    names::moment_of,
    raw, system,
};

/// The catalog of names that have no bucket: the statement's, or the system's own tables. No bucket is called so.
pub(crate) const NO_BUCKET: &str = "?";

/// The namespace of names that have none.
pub(crate) const NO_NAMESPACE: &str = "?";

/// All buckets.
#[derive(Debug)]
pub(crate) struct Buckets(pub(crate) Arc<Context>);

#[derive(Debug)]
struct Bucket {
    context: Arc<Context>,
    name: String,
}

#[derive(Debug)]
struct Space {
    context: Arc<Context>,
    bucket: String,
    name: String,
}

impl CatalogProviderList for Buckets {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn register_catalog(&self, _: String, _: Arc<dyn CatalogProvider>) -> Option<Arc<dyn CatalogProvider>> {
        None
    }

    fn catalog_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn catalog(&self, name: &str) -> Option<Arc<dyn CatalogProvider>> {
        Some(Arc::new(Bucket {
            context: self.0.clone(),
            name: name.to_owned(),
        }))
    }
}

impl CatalogProvider for Bucket {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn schema_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        Some(Arc::new(Space {
            context: self.context.clone(),
            bucket: self.name.clone(),
            name: name.to_owned(),
        }))
    }
}

impl Space {
    async fn open(&self, name: &str) -> Result<Arc<dyn TableProvider>> {
        if name.starts_with(raw::SCHEME) && self.bucket == NO_BUCKET {
            return raw::table(&self.context, name).await;
        }
        let bucket = match self.bucket.as_str() {
            NO_BUCKET if self.name == system::NAME => return system::table(self.context.clone(), name),
            NO_BUCKET => self.context.bucket.as_deref(),
            bucket => Some(bucket),
        };
        let (Some(bucket), false) = (bucket, self.name == NO_NAMESPACE) else {
            let text = format!("{name:?} is no whole name: a table is bucket.namespace.table");
            return Err(Error::new(Kind::Invalid, "IncompleteName", text));
        };
        let (name, is_target) = positions::target_of(name);
        let (name, moment) = moment_of(name)?;
        let namespace = Namespace::new(self.name.split('.').map(str::to_owned).collect())?;
        let table = TableName::new(namespace, name)?;
        let bucket = BucketName::new(bucket)?;
        let table = Table::open(self.context.clone(), bucket, (table, moment)).await?;
        Ok(match is_target {
            true => Arc::new(Positions::new(table)),
            false => Arc::new(table),
        })
    }
}

#[async_trait]
impl SchemaProvider for Space {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn table_names(&self) -> Vec<String> {
        Vec::new()
    }

    async fn table(&self, name: &str) -> DfResult<Option<Arc<dyn TableProvider>>, DataFusionError> {
        self.open(name).await.map(Some).map_err(external)
    }

    fn table_exist(&self, _: &str) -> bool {
        true
    }
}
