//! How a call is told of: its path, who may make it, what it takes and what it gives.

use super::refused::Refused;
use std::collections::BTreeMap;
use utoipa::ToSchema;
use utoipa::openapi::path::{Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Schema, Type};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{ContentBuilder, HttpMethod, Ref, RefOr, Required, ResponseBuilder};

/// Shapes by name, as far as calls have named them.
pub(crate) type Shapes = BTreeMap<String, RefOr<Schema>>;

/// Puts a shape and all that it is made of into the document, and gives a reference to it.
pub(crate) type Shape = fn(&mut Shapes) -> RefOr<Schema>;

/// The shape of a type.
pub(crate) fn of<T: ToSchema>(shapes: &mut Shapes) -> RefOr<Schema> {
    let mut parts = Vec::new();
    T::schemas(&mut parts);
    shapes.extend(parts);
    shapes.insert(T::name().into_owned(), T::schema());
    Ref::from_schema_name(T::name()).into()
}

/// Whose credentials a call needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// None.
    Anybody,
    /// A merchant's key or its user's token.
    Merchant,
    /// A merchant's key in the header of the payment links' document.
    LinkMerchant,
    /// The operator's key.
    Operator,
}

/// What stands in the answer's body when the call is done.
#[derive(Clone, Copy)]
pub(crate) enum Gives {
    /// The gateway's envelope around nothing.
    Nothing,
    /// The gateway's envelope around one thing.
    One(Shape),
    /// The gateway's envelope around a list.
    ListOf(Shape),
    /// The gateway's envelope around one thing, or around nothing.
    Perhaps(Shape),
    /// A body of its own.
    Bare(Shape),
    /// A page for people, who are told by a page what is wrong as well.
    Page,
    /// Something else than JSON: its media type.
    Media(&'static str),
}

/// What a call does with what its path names.
#[derive(Debug, Clone, Copy)]
enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    /// By its word. The calls are constants, so another word does not compile.
    const fn of(word: &str) -> Method {
        match word.as_bytes() {
            b"GET" => Method::Get,
            b"POST" => Method::Post,
            b"PUT" => Method::Put,
            b"PATCH" => Method::Patch,
            b"DELETE" => Method::Delete,
            _ => panic!("a call's method is GET, POST, PUT, PATCH or DELETE"),
        }
    }
}

/// One call of the interface.
#[derive(Clone, Copy)]
pub(crate) struct Call {
    method: Method,
    path: &'static str,
    does: &'static str,
    who: Who,
    takes: &'static [(&'static str, Shape)],
    query: &'static [(&'static str, &'static str)],
    gives: Gives,
    refused: Shape,
}

impl Call {
    /// A merchant's call without a body.
    pub(crate) const fn new(method: &'static str, path: &'static str, does: &'static str, gives: Gives) -> Call {
        let method = Method::of(method);
        Call { method, path, does, who: Who::Merchant, takes: &[], query: &[], gives, refused: of::<Refused> }
    }

    /// The same with bodies that it takes: their media types and shapes.
    pub(crate) const fn takes(self, takes: &'static [(&'static str, Shape)]) -> Call {
        Call { takes, ..self }
    }

    /// The same with parameters in the query: their names and what they say.
    pub(crate) const fn query(self, query: &'static [(&'static str, &'static str)]) -> Call {
        Call { query, ..self }
    }

    /// The same for others than merchants.
    pub(crate) const fn by(self, who: Who) -> Call {
        Call { who, ..self }
    }

    /// The same where another envelope than the gateway's says what is wrong.
    pub(crate) const fn refused_with(self, refused: Shape) -> Call {
        Call { refused, ..self }
    }

    pub(super) fn path(&self) -> &'static str {
        self.path
    }

    pub(super) fn method(&self) -> HttpMethod {
        match self.method {
            Method::Get => HttpMethod::Get,
            Method::Post => HttpMethod::Post,
            Method::Put => HttpMethod::Put,
            Method::Patch => HttpMethod::Patch,
            Method::Delete => HttpMethod::Delete,
        }
    }

    pub(super) fn operation(&self, room: &str, shapes: &mut Shapes) -> Operation {
        let done = ResponseBuilder::new().description("Done.");
        let done = match self.gives.body(shapes) {
            (media, Some(body)) => done.content(media, ContentBuilder::new().schema(Some(body)).build()),
            (media, None) => done.content(media, ContentBuilder::new().build()),
        };
        let refused = ContentBuilder::new().schema(Some((self.refused)(shapes))).build();
        let mut wrong = ResponseBuilder::new().description("Not done: the answer says why, the field first.");
        if let Gives::Page = self.gives {
            wrong = wrong.content(HTML, ContentBuilder::new().build());
        }
        let later = ResponseBuilder::new().description("Not now: to be asked again after what Retry-After says.");
        let mut operation = OperationBuilder::new()
            .tag(room)
            .summary(Some(self.does))
            .response("200", done.build())
            .response("4XX", wrong.content(JSON, refused.clone()).build())
            .response("503", later.content(JSON, refused).build());
        for parameter in self.parameters() {
            operation = operation.parameter(parameter);
        }
        if !self.takes.is_empty() {
            let mut body = RequestBodyBuilder::new();
            for (media, shape) in self.takes {
                body = body.content(*media, ContentBuilder::new().schema(Some(shape(shapes))).build());
            }
            operation = operation.request_body(Some(body.build()));
        }
        operation.securities(Some(self.who.requirements())).build()
    }

    fn parameters(&self) -> Vec<Parameter> {
        let text = || ObjectBuilder::new().schema_type(Type::String);
        let names = self.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        let in_path = names.map(|name| {
            let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Path).required(Required::True);
            parameter.schema(Some(text())).build()
        });
        let in_query = self.query.iter().map(|(name, says)| {
            let parameter = ParameterBuilder::new().name(*name).parameter_in(ParameterIn::Query).required(Required::False);
            parameter.description(Some(*says)).schema(Some(text())).build()
        });
        in_path.chain(in_query).collect()
    }
}

/// The media type of nearly everything.
pub(crate) const JSON: &str = "application/json";
/// What people read.
pub(crate) const HTML: &str = "text/html";
/// What HTML forms send.
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";
/// A form as browsers send it with files.
pub(crate) const FORM_IN_PARTS: &str = "multipart/form-data";

impl Who {
    fn requirements(self) -> Vec<SecurityRequirement> {
        let needs = |scheme: &str| SecurityRequirement::new(scheme, [] as [&str; 0]);
        match self {
            Who::Anybody => Vec::new(),
            Who::Merchant => vec![needs("api_key"), needs("token")],
            Who::LinkMerchant => vec![needs("link_token")],
            Who::Operator => vec![needs("operator_key")],
        }
    }
}

impl Gives {
    fn body(self, shapes: &mut Shapes) -> (&'static str, Option<RefOr<Schema>>) {
        let nothing = || RefOr::T(Schema::Object(ObjectBuilder::new().schema_type(Type::Null).build()));
        let body = match self {
            Gives::Nothing => envelope(nothing(), false),
            Gives::One(shape) => envelope(shape(shapes), false),
            Gives::ListOf(shape) => envelope(ArrayBuilder::new().items(shape(shapes)).build().into(), true),
            Gives::Perhaps(shape) => {
                let either = utoipa::openapi::schema::OneOfBuilder::new().item(nothing()).item(shape(shapes));
                envelope(Schema::OneOf(either.build()).into(), false)
            }
            Gives::Bare(shape) => shape(shapes),
            Gives::Page => return (HTML, None),
            Gives::Media(media) => return (media, None),
        };
        (JSON, Some(body))
    }
}

/// What the gateway puts around everything.
fn envelope(data: RefOr<Schema>, is_list: bool) -> RefOr<Schema> {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    let count = || ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0));
    let mut object = ObjectBuilder::new().property("status", text().enum_values(Some(["success"])));
    object = object.property("msg", text()).property("data", data);
    for required in ["status", "msg", "data"] {
        object = object.required(required);
    }
    if is_list {
        object = object.property("total_count", count()).required("total_count");
        object = object.property("count", count()).required("count");
    }
    object.build().into()
}
