//! `POST /v1/virtual-accounts`: an account for the payer to pay into; its issue is queued at once.

use axum::extract::State;
use axum::response::Response;
use naru_shared::clock::{Clock as _, Ids as _};
use naru_shared::domain::bank::Bank;
use naru_shared::domain::id::{Mode, OperationId};
use naru_shared::domain::instrument::Instrument;
use naru_shared::domain::operation::{Connector, OperationKind};
use naru_shared::domain::payment::{PaymentSource, PaymentState, Work};
use naru_shared::domain::virtual_account::{AMOUNT_MIN, VALID_HOURS, VALID_HOURS_MAX, VirtualAccount};
use naru_shared::store::{Acceptance, MerchantTime, NewOperation, StoreError};
use naru_shared::system::System;
use serde::Deserialize;
use serde_json::{Map, Value};
use time::{Duration, OffsetDateTime, UtcOffset};
use utoipa::ToSchema;

use super::create::{Draft, OrderFields, refused};
use super::refund_account::{RefundAccountFields, keep};
use crate::answer::{Accepted, Keyed, outcome, paid};
use crate::app::App;
use crate::auth::Merchant;
use crate::body::{Check, TossBody};
use crate::context::RequestContext;
use crate::headers::{IdempotencyKey, Prefer};
use crate::openapi::ApproveRefusals;
use crate::problem::{Code, Problem, Reason};
use crate::unavailable::{refuse, refuse_order};
use crate::view::PaymentView;

/// A payment into an account that is opened for it.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct VirtualAccountFields {
    /// In won, from 200.
    #[schema(example = 15_000)]
    amount: i64,
    /// The merchant's name for the order: 6 to 64 of letters, digits, `-`, `_`, `=`.
    #[schema(example = "order-20261122-001")]
    order_id: String,
    /// What is bought, at most 100 characters.
    #[schema(example = "토스 티셔츠 외 2건")]
    order_name: String,
    /// Who is to pay, at most 100 characters: the name that the payer's bank shows.
    #[schema(example = "홍길동")]
    customer_name: String,
    /// The bank to open it at, by code or Korean name.
    #[schema(example = "신한")]
    bank: String,
    /// How many hours the payer has: 168 unless it is said, 2160 at most. Not together with `dueDate`.
    valid_hours: Option<i64>,
    /// Until when the payer can pay, at most 90 days from now; Korean time when it has no offset. Not together with `validHours`.
    due_date: Option<String>,
    /// `KRW`.
    currency: Option<String>,
    /// How much of the amount bears no tax.
    tax_free_amount: Option<i64>,
    /// Where the receipt goes.
    customer_email: Option<String>,
    /// At most 5 pairs of texts of the merchant's own.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Map<String, Value>>,
    /// Where deposits go back to that the payment can't take, and refunds that don't say where.
    refund_receive_account: Option<RefundAccountFields>,
}

/// Opens an account for the payer to pay into.
#[utoipa::path(
    post,
    path = "/v1/virtual-accounts",
    tag = "Payments",
    request_body = VirtualAccountFields,
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 300 printable ASCII characters, remembered for 15 days"),
        ("Prefer" = Option<String>, Header, description = "`wait=N` (0 to 60 seconds) or `respond-async`: `202` is understood"),
    ),
    responses(
        (status = 200, description = "Opened: it waits for its deposit", body = PaymentView),
        (status = 202, description = "Accepted, outcome open; only with `Prefer`", body = PaymentView),
        ApproveRefusals,
    ),
    security(("secretKey" = []))
)]
pub(super) async fn virtual_account(
    State(app): State<App>,
    merchant: Merchant,
    context: RequestContext,
    prefer: Prefer,
    key: Option<IdempotencyKey>,
    body: TossBody<VirtualAccountFields>,
) -> Result<Response, Problem> {
    let fingerprint = body.fingerprint(app.keys.fingerprints());
    // Nothing that was typed of an account outlives its being sealed.
    let fields = body.into_fields();
    let mut check = Check::new();
    let name = check.person_name("customerName", &fields.customer_name).map(str::to_owned);
    let order = OrderFields {
        amount: fields.amount,
        order_id: fields.order_id,
        order_name: fields.order_name,
        currency: fields.currency,
        tax_free_amount: fields.tax_free_amount,
        customer_name: name.clone(),
        customer_email: fields.customer_email,
        metadata: fields.metadata,
    };
    let order = order.check(&mut check);
    let hours = check.optional(fields.valid_hours, |check, hours| {
        check.require("validHours", hours, hours >= 1, "must be from 1 to 2160")
    });
    let due = check.optional(fields.due_date.as_deref(), due_date);
    let (order, name, hours, due) = check.finish(|| Some((order?, name?, hours?, due?)))?;
    let bank = Bank::named(&fields.bank).ok_or_else(|| Problem::of(Code::InvalidBank))?;
    if order.total.amount() < AMOUNT_MIN {
        return Err(Problem::of(Code::BelowMinimumAmount));
    }
    let payee = fields.refund_receive_account.map(RefundAccountFields::read).transpose()?;

    let tenant = merchant.tenant();
    let keyed = Keyed::of(&app, key, "POST /v1/virtual-accounts".into(), &fingerprint);
    if let Some(keyed) = &keyed
        && let Some(answer) = keyed.replay(&app, &context, tenant, |payment| paid(&app, payment, &context)).await?
    {
        return Ok(answer);
    }
    // After the answers that were given: what was in time then is not refused now.
    let time = match tenant.mode {
        // Only in the sandbox a merchant's time is not everybody's. By how much this host's clock is off is nothing beside a due
        // time of hours, and not worth a round trip.
        Mode::Live => MerchantTime { now: System.now(), ahead: Duration::ZERO },
        Mode::Test => app.store.merchant_time(tenant).await.map_err(refuse)?,
    };
    let due_at = until(hours, due, time.now)?;
    app.backlog.admit(Connector::VirtualAccount, tenant.mode)?;

    let operation = OperationId(System.ordered());
    let kind = OperationKind::IssueAccount;
    let account = VirtualAccount { bank, customer_name: name, due_at };
    let state = PaymentState::issuing(Instrument::VirtualAccount(account), Work::queued(operation, kind));
    let mut draft = Draft::new(order, PaymentSource::VirtualAccount, state);
    if let Some(payee) = payee {
        draft.state.payee = Some(keep(&app, &payee, draft.id).await?);
    }
    let watching = app.hub.watch(draft.id);
    let created = {
        let trace_id = context.trace.trace_hex();
        let trace_parent = context.trace.to_header();
        let owed = NewOperation {
            id: operation,
            kind,
            connector: Connector::VirtualAccount,
            amount: draft.order.total,
            // Nobody pays into an account that is opened after its time.
            before: Some(due_at - time.ahead),
            trace_parent: &trace_parent,
        };
        let key = keyed.as_ref().map(|keyed| &*keyed.key);
        app.accepts.ask(Acceptance::new(&draft.new_payment(tenant, &trace_id), Some(&owed), key)).await
    };
    match created {
        Ok(created) => {
            app.hint(operation, Connector::VirtualAccount, kind, created.at, context.trace);
            let (key, order_id) = (&draft.key, &draft.order.order_id);
            outcome(&app, &context, prefer, watching, Accepted { operation, key, order_id, seen: 1 }).await
        }
        Err(StoreError::Constraint { constraint }) => {
            let render = |payment: &_| paid(&app, payment, &context);
            refused(&app, &context, tenant, &draft.order.order_id, &constraint, keyed.as_ref(), render).await
        }
        Err(error) => Err(refuse_order(&app, &draft.order.order_id, error)),
    }
}

/// Until when the payer can pay, as Toss Payments bounds it.
fn until(hours: Option<i64>, due: Option<OffsetDateTime>, now: OffsetDateTime) -> Result<OffsetDateTime, Problem> {
    let due_at = match (hours, due) {
        (Some(_), Some(_)) => return Err(Problem::because(Reason::ValidHoursWithDueDate)),
        (Some(hours), None) if hours > VALID_HOURS_MAX => return Err(Problem::because(Reason::ExceedMaxValidHours)),
        (hours, None) => now + Duration::hours(hours.unwrap_or(VALID_HOURS)),
        (None, Some(due)) if due > now + Duration::hours(VALID_HOURS_MAX) => {
            return Err(Problem::because(Reason::ExceedMaxDueDate));
        }
        (None, Some(due)) if due <= now => {
            let mut check = Check::new();
            check.wrong("dueDate", "must be in the future");
            return check.finish(|| None);
        }
        (None, Some(due)) => due,
    };
    // To the second, as it is shown.
    Ok(due_at.replace_nanosecond(0).unwrap_or(due_at))
}

/// A time with an offset, or one without, which is Korean.
fn due_date(check: &mut Check, text: &str) -> Option<OffsetDateTime> {
    let bare = time::macros::format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
    let seoul = UtcOffset::from_hms(9, 0, 0).unwrap_or(UtcOffset::UTC);
    match time::PrimitiveDateTime::parse(text, bare) {
        Ok(bare) => bare.assume_offset(seoul).checked_to_offset(UtcOffset::UTC),
        Err(_) => check.moment("dueDate", text),
    }
}
