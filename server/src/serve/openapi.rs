//! The OpenAPI document, which is made of the routes: a route is added together with the description of its handler, and the
//! path and the method that it answers are those of the description.

use std::collections::BTreeMap;

use axum::Router;
use axum::body::Bytes;
use axum::handler::Handler;
use axum::routing::{MethodFilter, MethodRouter, on};
use emofed::protocol::{EventMessage, PROBLEM_JSON, Problem};
use utoipa::openapi::path::PathItem;
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::schema::{KnownFormat, Object, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{ContentBuilder, HeaderBuilder, Info, OpenApi, Ref, RefOr};
use utoipa::{IntoResponses, OpenApi as _, PartialSchema, ToResponse, ToSchema};

const DESCRIPTION: &str = "docs/PROTOCOL.md says what the calls mean. The addresses are those of the first federation, of the \
    operator and of machines; each further federation has the paths of participants and instructors, and /blobs/…, below /f/{id}. \
    A path or method that is not here is answered by a problem document, 404 or 405.";

/// Routes and their description.
pub(super) struct Routes<S> {
    pub(super) router: Router<S>,
    pub(super) document: OpenApi,
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    pub(super) fn new() -> Self {
        Self { router: Router::new(), document: OpenApi::default() }
    }

    pub(super) fn with(mut self, Route { path, method, document }: Route<S>) -> Self {
        self.document.merge(document);
        Self { router: self.router.route(&path, method), ..self }
    }

    /// Changes the router: a layer is on the routes that are there already.
    pub(super) fn map(self, change: impl FnOnce(Router<S>) -> Router<S>) -> Self {
        Self { router: change(self.router), ..self }
    }
}

/// A handler at its path.
pub(super) struct Route<S> {
    path: String,
    method: MethodRouter<S>,
    document: OpenApi,
}

impl<S: Clone + Send + Sync + 'static> Route<S> {
    /// `handler` where `document`, which describes it alone, says. Called by [`route`](super::router).
    pub(super) fn new<T: 'static>(document: OpenApi, handler: impl Handler<T, S>) -> Self {
        let (path, item) = document.paths.paths.first_key_value().expect("the document describes one handler");
        let method = on(filter(item), handler);
        Self { path: path.clone(), method, document }
    }

    /// Changes how this route is answered, by a layer.
    pub(super) fn map(self, change: impl FnOnce(MethodRouter<S>) -> MethodRouter<S>) -> Self {
        Self { method: change(self.method), ..self }
    }
}

/// The handler of a path with its description, by the name of its module and its own.
macro_rules! route {
    ($module:ident::$handler:ident) => {{
        #[derive(utoipa::OpenApi)]
        #[openapi(paths($module::$handler))]
        struct Description;
        super::openapi::Route::new(<Description as utoipa::OpenApi>::openapi(), $module::$handler)
    }};
}
pub(super) use route;

/// The methods that are described.
fn filter(item: &PathItem) -> MethodFilter {
    let described = [
        (&item.get, MethodFilter::GET),
        (&item.put, MethodFilter::PUT),
        (&item.post, MethodFilter::POST),
        (&item.delete, MethodFilter::DELETE),
        (&item.patch, MethodFilter::PATCH),
    ];
    let described = described.into_iter().filter_map(|(operation, method)| operation.as_ref().map(|_| method));
    described.reduce(MethodFilter::or).expect("a method of those that the protocol uses")
}

/// What all routes have in common.
#[derive(utoipa::OpenApi)]
#[openapi(
    components(schemas(EventMessage, Problem), responses(Refused, Later)),
    tags(
        (name = "participant", description = "What a tab calls, below the prefix of its federation"),
        (name = "instructor", description = "What instructors call, below the prefix of their federation"),
        (name = "operator", description = "What the operator calls, who makes and ends federations"),
        (name = "machines", description = "Health, metrics and this document"),
    ),
)]
struct Common;

/// The document as it is served.
#[derive(Clone)]
pub(super) struct Document(pub(super) Bytes);

impl Document {
    /// Of all routes.
    pub(super) fn of(routes: OpenApi) -> Self {
        let mut document = Common::openapi();
        document.info = Info::builder()
            .title("emofed aggregator")
            .version(emofed::protocol::PROTOCOL.to_string())
            .description(Some(DESCRIPTION))
            .build();
        document.merge(routes);
        let components = document.components.get_or_insert_default();
        for (name, description) in [
            ("participant", "A participant's, who has joined"),
            ("instructor", "An instructor's: the owner's, or an assistant's"),
            ("owner", "The owner's: an assistant's is refused with 403"),
            ("operator", "The operator's, where there is one"),
        ] {
            let scheme = Http::builder().scheme(HttpAuthScheme::Bearer).description(Some(description));
            components.add_security_scheme(name, SecurityScheme::Http(scheme.build()));
        }
        let json = document.to_json().expect("a document is plain data");
        // Descriptions are doc comments: their links lead nowhere here. And utoipa takes unsigned integers for signed ones.
        let words = [("[`", "`"), ("`]", "`"), (r#""format":"int"#, r#""format":"uint"#)];
        Self(words.into_iter().fold(json, |json, (from, to)| json.replace(from, to)).into())
    }
}

/// Bytes that are not text.
pub(super) struct Binary;

impl PartialSchema for Binary {
    fn schema() -> RefOr<Schema> {
        let format = SchemaFormat::KnownFormat(KnownFormat::Binary);
        ObjectBuilder::new().schema_type(Type::String).format(Some(format)).into()
    }
}

impl ToSchema for Binary {}

/// A server-sent event.
pub(super) struct StreamedEvent;

impl PartialSchema for StreamedEvent {
    fn schema() -> RefOr<Schema> {
        let string = || ObjectBuilder::new().schema_type(Type::String);
        ObjectBuilder::new()
            .schema_type(Type::Object)
            .property("data", string().description(Some("An `EventMessage`")).content_media_type("application/json"))
            .required("data")
            .property("id", string().description(Some("For `Last-Event-ID`")))
            .property("retry", ObjectBuilder::new().schema_type(Type::Integer).description(Some("Milliseconds")))
            .into()
    }
}

impl ToSchema for StreamedEvent {}

/// A refusal, with a problem document.
pub(super) struct Refused;

/// A refusal that says when to try again.
pub(super) struct Later;

fn problem(description: &str) -> ResponseBuilder {
    let schema = Ref::from_schema_name(Problem::name());
    let content = ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new().description(description).content(PROBLEM_JSON, content)
}

impl ToResponse<'static> for Refused {
    fn response() -> (&'static str, RefOr<Response>) {
        ("Refused", problem("An RFC 9457 problem document").build().into())
    }
}

impl ToResponse<'static> for Later {
    fn response() -> (&'static str, RefOr<Response>) {
        let schema = Object::with_type(Type::Integer);
        let header = HeaderBuilder::new().schema(Some(schema)).description(Some("Seconds, as `retry_after_s`")).build();
        (
            "Later",
            problem("A problem document that says when to try again").header("Retry-After", header).build().into(),
        )
    }
}

/// How any call can fail: it is malformed or from another site, takes too long, or the aggregator fails.
pub(super) struct Failures;

impl IntoResponses for Failures {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let refused = || RefOr::Ref(Ref::from_response_name("Refused"));
        let timeout = Response::new("The request took too long; without a document");
        BTreeMap::from([
            ("400".to_owned(), refused()),
            ("408".to_owned(), timeout.into()),
            ("500".to_owned(), refused()),
            ("503".to_owned(), RefOr::Ref(Ref::from_response_name("Later"))),
        ])
    }
}

/// How a call with a bearer token can be refused.
pub(super) struct Unauthorized;

impl IntoResponses for Unauthorized {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        BTreeMap::from([("401".to_owned(), RefOr::Ref(Ref::from_response_name("Refused")))])
    }
}

/// How a call with the owner's token can be refused.
pub(super) struct OwnerOnly;

impl IntoResponses for OwnerOnly {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        ["401", "403"].map(|status| (status.to_owned(), RefOr::Ref(Ref::from_response_name("Refused")))).into()
    }
}
