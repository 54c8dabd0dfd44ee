//! The calls of Flight, and what the commands of Flight SQL in them come to.
//!
//! Invariant: nothing runs until its rows are asked for (`DoGet`), or it is told to change something (`DoPut`).

use std::sync::Arc;

use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightEndpoint, FlightInfo,
    HandshakeRequest, HandshakeResponse, PollInfo, PutResult, Result as ActionResult, SchemaResult, Ticket,
    flight_service_server::FlightService,
    sql::{
        ActionClosePreparedStatementRequest, ActionCreatePreparedStatementRequest,
        ActionCreatePreparedStatementResult, Any, Command, DoPutPreparedStatementResult, DoPutUpdateResult,
        ProstMessageExt as _, TicketStatementQuery,
    },
};
use bytes::Bytes;
use craton_doors::{
    flight::{BUCKET, Caller, NAMESPACE},
    sql::{SqlEngine, SqlForm, SqlStatement},
};
use craton_gate::Session;
use futures::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use prost::Message as _;
use tonic::{
    Extensions, Request, Response, Status, Streaming,
    metadata::{MetadataMap, MetadataValue},
};

use crate::{
    messages::Messages,
    metadata,
    statement::{Prepared, bound},
    status::{none, status, wrong},
};

/// The actions there are: their names, and what they do.
const ACTIONS: [(&str, &str); 2] = [
    ("CreatePreparedStatement", "Prepares a statement"),
    ("ClosePreparedStatement", "Forgets a prepared statement"),
];

/// The bytes of an answer that is read here: of a statement that changes something.
const COUNT_BYTES_MAX: usize = 64 << 10;

type Outcome<T> = Result<Response<T>, Status>;
type Answers<T> = BoxStream<'static, Result<T, Status>>;

/// The door.
pub(crate) struct Door {
    engine: Arc<dyn SqlEngine>,
}

/// Who calls, and what names mean that are not whole.
pub(crate) struct Asker {
    pub(crate) session: Session,
    bucket: Option<String>,
    namespace: Option<String>,
}

impl Asker {
    fn of(extensions: &Extensions, headers: &MetadataMap) -> Result<Self, Status> {
        let Some(Caller::Known(session)) = extensions.get() else {
            return Err(Status::unauthenticated("nobody is known to call"));
        };
        let named = |name| headers.get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
        Ok(Self {
            session: session.clone(),
            bucket: named(BUCKET),
            namespace: named(NAMESPACE),
        })
    }

    pub(crate) fn statement(&self, prepared: Prepared) -> SqlStatement {
        SqlStatement {
            statement: prepared.text,
            bucket: self.bucket.clone(),
            namespace: self.namespace.clone(),
            seconds: None,
            form: SqlForm::Arrow,
            bound: prepared.bound,
        }
    }
}

/// The command in a descriptor or a ticket.
fn command(bytes: &[u8]) -> Result<Command, Status> {
    let any = Any::decode(bytes).map_err(wrong)?;
    Command::try_from(any).map_err(wrong)
}

/// What a command asks, if it is a statement.
fn asked(command: &Command) -> Result<Option<Prepared>, Status> {
    let text = |text: &[u8]| String::from_utf8(text.to_vec()).map_err(wrong);
    let plain = |text| Prepared {
        text,
        bound: Bytes::new(),
    };
    Ok(match command {
        Command::CommandStatementQuery(query) => Some(plain(query.query.clone())),
        Command::TicketStatementQuery(ticket) => Some(plain(text(&ticket.statement_handle)?)),
        Command::CommandPreparedStatementQuery(query) => {
            Some(Prepared::of(&query.prepared_statement_handle).map_err(|e| status(&e))?)
        }
        _ => None,
    })
}

impl Door {
    pub(crate) fn new(engine: Arc<dyn SqlEngine>) -> Self {
        Self { engine }
    }

    /// What a statement answers, as messages.
    async fn run(&self, asker: &Asker, prepared: Prepared) -> Result<Answers<FlightData>, Status> {
        let asked = asker.statement(prepared);
        let answer = self.engine.run(&asker.session, &asked).await;
        let mut messages = Messages::default();
        let cut = answer.map_err(|e| status(&e))?.flat_map(move |piece| {
            let cut = piece.and_then(|piece| messages.cut(&piece));
            stream::iter(match cut {
                Ok(cut) => cut.into_iter().map(Ok).collect(),
                Err(error) => vec![Err(status(&error))],
            })
        });
        Ok(cut.boxed())
    }

    /// How many rows a statement changed.
    async fn change(&self, asker: &Asker, prepared: Prepared) -> Result<i64, Status> {
        let asked = asker.statement(prepared);
        let answer = self.engine.run(&asker.session, &asked).await;
        let mut answer = answer.map_err(|e| status(&e))?;
        let mut told = Vec::new();
        while let Some(piece) = answer.next().await {
            told.extend_from_slice(&piece.map_err(|e| status(&e))?);
            if told.len() > COUNT_BYTES_MAX {
                return Err(wrong("a statement that answers rows is no update"));
            }
        }
        metadata::count(&told).map_err(|e| status(&e))
    }

    async fn prepare(
        &self,
        asker: &Asker,
        query: String,
    ) -> Result<ActionCreatePreparedStatementResult, Status> {
        let prepared = Prepared {
            text: query,
            bound: Bytes::new(),
        };
        let planned = self
            .engine
            .plan(&asker.session, &asker.statement(prepared.clone()))
            .await
            .map_err(|e| status(&e))?;
        Ok(ActionCreatePreparedStatementResult {
            prepared_statement_handle: prepared.handle(),
            dataset_schema: planned.columns.unwrap_or_default(),
            parameter_schema: planned.parameters,
        })
    }
}

fn put_result(answer: &impl prost::Message) -> Outcome<Answers<PutResult>> {
    let result = PutResult {
        app_metadata: answer.encode_to_vec().into(),
    };
    Ok(Response::new(stream::iter([Ok(result)]).boxed()))
}

#[tonic::async_trait]
impl FlightService for Door {
    type HandshakeStream = Answers<HandshakeResponse>;
    type ListFlightsStream = Answers<FlightInfo>;
    type DoGetStream = Answers<FlightData>;
    type DoPutStream = Answers<PutResult>;
    type DoActionStream = Answers<ActionResult>;
    type ListActionsStream = Answers<ActionType>;
    type DoExchangeStream = Answers<FlightData>;

    async fn handshake(
        &self,
        request: Request<Streaming<HandshakeRequest>>,
    ) -> Outcome<Self::HandshakeStream> {
        let Some(Caller::New(token)) = request.extensions().get() else {
            return Err(Status::unauthenticated("nobody is known to call"));
        };
        let token = Bytes::copy_from_slice(token.expose());
        let header = [b"Bearer ", &*token].concat();
        let header =
            MetadataValue::try_from(header).map_err(|_| Status::internal("a new token is no text"))?;
        let welcome = HandshakeResponse {
            protocol_version: 0,
            payload: token,
        };
        let mut response = Response::new(stream::iter([Ok(welcome)]).boxed());
        response.metadata_mut().insert("authorization", header);
        Ok(response)
    }

    async fn list_flights(&self, _: Request<Criteria>) -> Outcome<Self::ListFlightsStream> {
        Err(none("lists of flights (Flight SQL has GetTables)"))
    }

    async fn get_flight_info(&self, request: Request<FlightDescriptor>) -> Outcome<FlightInfo> {
        let (headers, extensions, descriptor) = request.into_parts();
        Asker::of(&extensions, &headers)?;
        let command = command(&descriptor.cmd)?;
        let (ticket, schema) = match &command {
            Command::CommandStatementQuery(query) => {
                let handle = query.query.clone().into();
                let ticket = TicketStatementQuery {
                    statement_handle: handle,
                };
                (ticket.as_any().encode_to_vec().into(), None)
            }
            Command::CommandPreparedStatementQuery(_) => (descriptor.cmd.clone(), None),
            other => (descriptor.cmd.clone(), Some(metadata::schema(other)?)),
        };
        let endpoint = FlightEndpoint::new().with_ticket(Ticket { ticket });
        let mut info = FlightInfo::new()
            .with_endpoint(endpoint)
            .with_descriptor(descriptor)
            .with_ordered(true);
        if let Some(schema) = schema {
            info = info
                .try_with_schema(&schema)
                .map_err(|e| Status::internal(e.to_string()))?;
        }
        Ok(Response::new(info))
    }

    async fn poll_flight_info(&self, _: Request<FlightDescriptor>) -> Outcome<PollInfo> {
        Err(none("polled statements"))
    }

    async fn get_schema(&self, request: Request<FlightDescriptor>) -> Outcome<SchemaResult> {
        let (headers, extensions, descriptor) = request.into_parts();
        let asker = Asker::of(&extensions, &headers)?;
        let command = command(&descriptor.cmd)?;
        let Some(prepared) = asked(&command)? else {
            let schema = metadata::schema(&command)?;
            return Ok(Response::new(metadata::told(&schema)?));
        };
        let planned = self
            .engine
            .plan(&asker.session, &asker.statement(prepared))
            .await
            .map_err(|e| status(&e))?;
        let none = || wrong("a statement that changes something answers no rows");
        Ok(Response::new(SchemaResult {
            schema: planned.columns.ok_or_else(none)?,
        }))
    }

    async fn do_get(&self, request: Request<Ticket>) -> Outcome<Self::DoGetStream> {
        let (headers, extensions, ticket) = request.into_parts();
        let asker = Asker::of(&extensions, &headers)?;
        let command = command(&ticket.ticket)?;
        let answer = match asked(&command)? {
            Some(prepared) => self.run(&asker, prepared).await?,
            None => metadata::answer(&*self.engine, &asker, command).await?,
        };
        Ok(Response::new(answer))
    }

    async fn do_put(&self, request: Request<Streaming<FlightData>>) -> Outcome<Self::DoPutStream> {
        let (headers, extensions, mut sent) = request.into_parts();
        let asker = Asker::of(&extensions, &headers)?;
        let first = sent.message().await?;
        let first = first.ok_or_else(|| wrong("there is no command"))?;
        let descriptor = first.flight_descriptor.clone();
        let descriptor = descriptor.ok_or_else(|| wrong("the first message has no descriptor"))?;
        let sent = stream::iter([Ok(first)]).chain(sent);
        match command(&descriptor.cmd)? {
            Command::CommandStatementUpdate(update) => {
                let prepared = Prepared {
                    text: update.query,
                    bound: Bytes::new(),
                };
                let record_count = self.change(&asker, prepared).await?;
                put_result(&DoPutUpdateResult { record_count })
            }
            Command::CommandPreparedStatementUpdate(update) => {
                let mut prepared = Prepared::of(&update.prepared_statement_handle).map_err(|e| status(&e))?;
                prepared.bound = bound(sent).await?;
                let record_count = self.change(&asker, prepared).await?;
                put_result(&DoPutUpdateResult { record_count })
            }
            Command::CommandPreparedStatementQuery(query) => {
                let mut prepared = Prepared::of(&query.prepared_statement_handle).map_err(|e| status(&e))?;
                prepared.bound = bound(sent).await?;
                put_result(&DoPutPreparedStatementResult {
                    prepared_statement_handle: Some(prepared.handle()),
                })
            }
            Command::CommandStatementIngest(_) => Err(none("bulk ingestions")),
            other => Err(none(&format!("commands of the type {:?}", other.type_url()))),
        }
    }

    async fn do_action(&self, request: Request<Action>) -> Outcome<Self::DoActionStream> {
        let (headers, extensions, action) = request.into_parts();
        let asker = Asker::of(&extensions, &headers)?;
        let body = Any::decode(&*action.body).map_err(wrong);
        match action.r#type.as_str() {
            "CreatePreparedStatement" => {
                let asked: Option<ActionCreatePreparedStatementRequest> = body?.unpack().map_err(wrong)?;
                let asked = asked.ok_or_else(|| wrong("this is no request to prepare a statement"))?;
                if asked.transaction_id.is_some() {
                    return Err(none("transactions of several statements"));
                }
                let prepared = self.prepare(&asker, asked.query).await?;
                let body = prepared.as_any().encode_to_vec().into();
                Ok(Response::new(stream::iter([Ok(ActionResult { body })]).boxed()))
            }
            "ClosePreparedStatement" => {
                let asked: Option<ActionClosePreparedStatementRequest> = body?.unpack().map_err(wrong)?;
                asked.ok_or_else(|| wrong("this is no request to close a prepared statement"))?;
                Ok(Response::new(stream::empty().boxed()))
            }
            other => Err(none(&format!("actions of the type {other:?}"))),
        }
    }

    async fn list_actions(&self, request: Request<Empty>) -> Outcome<Self::ListActionsStream> {
        Asker::of(request.extensions(), request.metadata())?;
        let actions = ACTIONS.map(|(name, what)| {
            Ok(ActionType {
                r#type: name.to_owned(),
                description: what.to_owned(),
            })
        });
        Ok(Response::new(stream::iter(actions).boxed()))
    }

    async fn do_exchange(&self, _: Request<Streaming<FlightData>>) -> Outcome<Self::DoExchangeStream> {
        Err(none("exchanges"))
    }
}
