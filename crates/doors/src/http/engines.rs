//! What leads to the doors of tables, SQL and the query protocol: who asks, from where, and what is behind them.
//!
//! Deliberately absent: which request is for whom (the router).

use http::Request;

use super::{About, Answered, Body, Inner, Peer};

impl Inner {
    pub(super) async fn sql(&self, request: Request<Body>, peer: &Peer, about: &About) -> Answered {
        let origin = self.origin("sql", &request, peer, about);
        let behind = (&self.gate, &self.rooms, self.sql.as_ref());
        let done = Box::pin(crate::sql::handle(behind, request, origin)).await;
        Answered {
            response: done.response,
            door: "sql",
            operation: done.operation,
        }
    }

    pub(super) async fn flight(&self, request: Request<Body>, peer: &Peer, about: &About) -> Answered {
        let origin = self.origin("flight", &request, peer, about);
        let done = Box::pin(crate::flight::handle(
            &self.gate,
            self.flight.as_ref(),
            request,
            origin,
        ))
        .await;
        Answered {
            response: done.response,
            door: "flight",
            operation: done.operation,
        }
    }

    pub(super) async fn iceberg(&self, request: Request<Body>, peer: &Peer, about: &About) -> Answered {
        let origin = self.origin("iceberg", &request, peer, about);
        let behind = (&self.gate, &self.tables, &self.rooms);
        let public_url = self.public_url.as_deref();
        let done = Box::pin(crate::iceberg::handle(behind, public_url, request, origin)).await;
        Answered {
            response: done.response.map(Body::http_body),
            door: "iceberg",
            operation: done.operation,
        }
    }

    pub(super) async fn query(&self, request: Request<Body>, peer: &Peer, about: &About) -> Answered {
        let origin = self.origin("query", &request, peer, about);
        let done = Box::pin(crate::query::handle(&self.gate, &self.rooms, request, origin)).await;
        Answered {
            response: done.response.map(Body::http_body),
            door: "query",
            operation: done.operation,
        }
    }
}
