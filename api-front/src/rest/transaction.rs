//! The transaction calls: extract, command, await, view.

use super::answer::{ok, prefers_representation, resulted};
use super::auth::{Right, permit};
use super::body;
use super::peer::client_address;
use super::problem::Problem;
use super::request::{Create, Means, SentKey, Step, check_money, check_verb};
use super::view::{Shown, list};
use super::{Caller, Front};
use crate::intake::{self, Asker, Built, Instrument, Key, Payment};
use crate::switch::handle::{Answered, TurnedAway, Work};
use crate::vault::VaultError;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use persistence::error::PersistenceError;
use protocol::aba;
use protocol::command::flag;
use protocol::id::Xid;
use protocol::refusal::Refusal;
use protocol::tail::{Tail, tag};
use protocol::words::{Source, Verb};
use std::net::IpAddr;

/// The id in a path; one that can't be read is not there.
type PathId = Result<Path<String>, PathRejection>;

const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// `POST /api/transaction`
pub(super) async fn create(State(front): State<Front>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let caller = front.caller(&parts.headers, Right::Pay).await?;
    let body = front.shed(&caller, Work::Begin, body).await?;
    let mut create = body::read(&parts.headers, body, Create::parse).await?;
    if create.verb == Verb::Credit {
        // A browser's key takes money in; it never pays out.
        permit(caller.key.kind, Right::Manage)?;
    }
    if create.flags & flag::BYPASS_RULES != 0 {
        // No key has that right before rights of keys exist.
        return Err(Problem::Forbidden("bypass_rule_engine: this key may not pass the rules by"));
    }
    let processor = front.processor_index(create.processor)?;
    let key = key(&parts.headers, std::mem::take(&mut create.key))?;
    let asker = front.asker(&caller, key.as_ref(), client_address(&parts, &front.trusted_proxies));
    let Create { verb, amount, currency, flags, tail, means, .. } = create;
    let payment = Payment { verb, amount, currency, flags, processor, travelling: &tail };
    let instrument = front.instrument(&caller, &payment, means, key.as_ref()).await?;
    let built = intake::of_payment(&payment, instrument, &asker, front.switch.sealer()).map_err(not_sealed)?;
    let is_wish = front.vault.note_wish(asker.id, caller.merchant.id, &tail).await;
    let (answer, is_over) = front.carry(&caller, &parts.headers, built).await;
    if is_wish && is_over {
        Box::pin(front.vault.forget_wish(&asker.id)).await;
    }
    answer
}

/// `GET /api/transaction/{id}`
pub(super) async fn read(State(front): State<Front>, id: PathId, headers: HeaderMap) -> Result<Response, Problem> {
    let caller = front.caller(&headers, Right::Manage).await?;
    let found = front.switch.transaction(caller.merchant.id, transaction_id(id)?).await;
    let version = found.map_err(Problem::Unavailable)?.ok_or(Problem::NotFound)?;
    let processors = front.switch.processors();
    let shown = Shown::present(version.transaction(), version.tail(), caller.merchant.compat, processors);
    Ok(ok(list(std::iter::once(shown), 1)))
}

/// `POST /api/transaction/{id}/capture`
pub(super) async fn capture(state: State<Front>, id: PathId, request: Request) -> Result<Response, Problem> {
    step(state, id, request, Step::parse_capture).await
}

/// `POST /api/transaction/{id}/void`
pub(super) async fn void(state: State<Front>, id: PathId, request: Request) -> Result<Response, Problem> {
    step(state, id, request, Step::parse_void).await
}

/// `POST /api/transaction/{id}/refund`
pub(super) async fn refund(state: State<Front>, id: PathId, request: Request) -> Result<Response, Problem> {
    step(state, id, request, Step::parse_refund).await
}

async fn step(
    State(front): State<Front>,
    id: PathId,
    request: Request,
    parse: fn(&[u8]) -> Result<Step, Problem>,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let caller = front.caller(&parts.headers, Right::Manage).await?;
    let target = transaction_id(id)?;
    let body = front.shed(&caller, Work::Finish, body).await?;
    let mut step = body::read(&parts.headers, body, parse).await?;
    let key = key(&parts.headers, std::mem::take(&mut step.key))?;
    let asker = front.asker(&caller, key.as_ref(), None);
    let asked = intake::Step { verb: step.verb, target, amount: step.amount, travelling: &step.tail };
    let built = intake::of_step(&asked, &asker, front.switch.sealer());
    front.carry(&caller, &parts.headers, built).await.0
}

impl Front {
    fn asker<'a>(&self, caller: &'a Caller, key: Option<&'a Key>, peer: Option<IpAddr>) -> Asker<'a> {
        Asker {
            merchant: &caller.merchant,
            user_id: &caller.key.id,
            user_name: &caller.key.name,
            source: Source::Api,
            peer,
            id: self.switch.draw_id(),
            today: self.switch.now().civil(),
            key,
        }
    }

    /// What the payment is made with.
    async fn instrument(
        &self,
        caller: &Caller,
        payment: &Payment<'_>,
        means: Means,
        key: Option<&Key>,
    ) -> Result<Instrument, Problem> {
        let merchant = &caller.merchant.id;
        let instrument = match means {
            Means::Sent(instrument) => instrument,
            Means::Customer(means) => {
                // Whoever looks into a browser must not charge the merchant's customers.
                permit(caller.key.kind, Right::Manage)?;
                Box::pin(self.vault.resolve_customer(merchant, &means)).await.map_err(|error| match error {
                    VaultError::NotIts { field } => {
                        Problem::invalid(format!("payment_method.customer.{field}"), "is not there, or not the customer's")
                    }
                    error => error.into(),
                })?
            }
            Means::Token(token) => {
                let key = key.map(|key| key.text.as_str());
                Box::pin(self.vault.resolve_token(merchant, &token, key, self.switch.now())).await?
            }
        };
        check_verb(instrument.method(), payment.verb)?;
        check_money(instrument.method(), payment.amount, payment.currency)?;
        self.check_terminal(merchant, &instrument, payment.travelling)?;
        check_routing(&instrument, caller.merchant.sandbox)?;
        Ok(instrument)
    }

    fn check_terminal(&self, merchant: &Xid, instrument: &Instrument, tail: &[u8]) -> Result<(), Problem> {
        let Instrument::Terminal(_) = instrument else { return Ok(()) };
        let id = Tail::trusted(tail).text(tag::TERMINAL_ID).parse();
        if id.is_ok_and(|id| self.switch.has_terminal(merchant, &id)) {
            return Ok(());
        }
        Err(Problem::invalid("payment_method.terminal.id", "no such terminal, or it is not active"))
    }

    /// Gives the body back when the command would be taken; else it is passed over unread.
    async fn shed(&self, caller: &Caller, work: Work, body: Body) -> Result<Body, Problem> {
        match self.switch.would_take(&caller.merchant.id, work) {
            Ok(()) => Ok(body),
            Err(turned_away) => {
                Box::pin(body::pass_over(body)).await;
                Err(match turned_away {
                    TurnedAway::Busy => Problem::Refused(Refusal::Busy),
                    TurnedAway::Unavailable(why) => Problem::Unavailable(why),
                })
            }
        }
    }

    /// The index of the processor that a request names; 0 when it names none.
    fn processor_index(&self, id: Option<Xid>) -> Result<u16, Problem> {
        let Some(id) = id else { return Ok(0) };
        self.switch.processors().by_id(&id).map(|found| found.index).ok_or_else(Problem::unknown_processor)
    }

    /// Hands the command over, waits, and renders the version that answers. False when something of it is left to be done.
    async fn carry(&self, caller: &Caller, headers: &HeaderMap, built: Built) -> (Result<Response, Problem>, bool) {
        match self.switch.command(&built.command, &built.tail, built.sensitive).await {
            Answered::Version { version, verb, replayed } => {
                let (transaction, processors) = (version.transaction(), self.switch.processors());
                let is_over = self.vault.record(transaction, version.tail()).await;
                let shown = Shown::answer(transaction, version.tail(), verb, caller.merchant.compat, processors);
                (Ok(resulted(shown.body(prefers_representation(headers)), &transaction.id, replayed)), is_over)
            }
            Answered::Refused(refusal) => (Err(Problem::Refused(refusal)), true),
            Answered::Unavailable(reason) => (Err(Problem::Unavailable(reason)), false),
        }
    }
}

fn check_routing(instrument: &Instrument, in_sandbox: bool) -> Result<(), Problem> {
    let Instrument::Account(account) = instrument else { return Ok(()) };
    if aba::is_acceptable(&account.routing, in_sandbox) {
        return Ok(());
    }
    Err(Problem::invalid("payment_method.ach.routing_number", "its check digit is wrong (ABA)"))
}

fn not_sealed(error: PersistenceError) -> Problem {
    tracing::error!(%error, "a payment's card or account could not be sealed");
    Problem::Internal
}

fn transaction_id(id: PathId) -> Result<Xid, Problem> {
    let Path(text) = id.map_err(|_| Problem::NotFound)?;
    text.parse().map_err(|_| Problem::NotFound)
}

fn key(headers: &HeaderMap, sent: SentKey) -> Result<Option<Key>, Problem> {
    sent.with_header(headers.get(IDEMPOTENCY_KEY).map(|value| value.as_bytes()))
}
