//! Where the money of a virtual account goes back to: typed here, sealed here, opened by a worker when it is paid. Also
//! `POST /v1/virtual-accounts/{paymentKey}/refund-account`: says so for deposits that a payment could not take.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::Response;
use naru_shared::clock::{Clock as _, Ids as _, Random as _};
use naru_shared::domain::bank::Bank;
use naru_shared::domain::event::PaymentEvent;
use naru_shared::domain::id::{PayeeId, PaymentId};
use naru_shared::domain::operation::OperationStatus;
use naru_shared::domain::payment::{Payment, PaymentState, Work};
use naru_shared::domain::virtual_account::{AccountEvent, Payee};
use naru_shared::secret::{Secret, TypedPayee};
use naru_shared::store::{PayeeGiven, Place};
use naru_shared::system::System;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::answer::{Keyed, paid};
use crate::app::App;
use crate::auth::Merchant;
use crate::body::{Check, OwnBody};
use crate::context::RequestContext;
use crate::headers::IdempotencyKey;
use crate::openapi::CancelRefusals;
use crate::problem::{Code, Problem, Reason};
use crate::unavailable::refuse;
use crate::view::PaymentView;

/// How long a lost race is decided again.
const RACE_FOR: Duration = Duration::from_secs(5);

/// A bank account to pay money back to.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RefundAccountFields {
    /// Its bank, by code or Korean name.
    #[schema(example = "신한")]
    bank: Option<String>,
    /// The same, by code.
    bank_code: Option<String>,
    /// 8 to 16 digits; hyphens and spaces are tolerated.
    #[schema(value_type = String, example = "110123456789")]
    account_number: Secret<String>,
    /// Whose account it is.
    holder_name: String,
}

impl RefundAccountFields {
    /// The account, if it can be one.
    pub(super) fn read(self) -> Result<TypedPayee, Problem> {
        let named = [self.bank, self.bank_code].into_iter().flatten().map(|name| Bank::named(&name));
        // Two names of two banks are none.
        let bank = match named.collect::<Option<Vec<Bank>>>().as_deref() {
            Some([bank]) => *bank,
            Some([bank, other]) if bank == other => *bank,
            Some(_) | None => return Err(Problem::of(Code::InvalidBank)),
        };
        let mut check = Check::new();
        let holder = check.person_name("refundReceiveAccount.holderName", &self.holder_name);
        let holder = check.finish(|| holder)?;
        TypedPayee::parse(bank, self.account_number.expose(), holder)
            .ok_or_else(|| Problem::of(Code::InvalidRefundAccountNumber))
    }
}

/// Keeps an account, sealed under an id of its own, for what is about to be accepted. Returns what may be shown of it.
pub(super) async fn keep(app: &App, payee: &TypedPayee, payment: PaymentId) -> Result<Payee, Problem> {
    let id = PayeeId(System.ordered());
    let sealed = seal(app, payee, id)?;
    // Nothing was asked of the bank yet, whatever became of this write.
    let kept = app.store.keep_sealed_payee(id, payment, &sealed).await;
    kept.map_err(|error| {
        tracing::warn!(%error, "where money goes back to can't be kept");
        Problem::because(Reason::DatabaseUnavailable).retry_after(Duration::from_secs(1))
    })?;
    Ok(payee.shown(id))
}

fn seal(app: &App, payee: &TypedPayee, id: PayeeId) -> Result<Vec<u8>, Problem> {
    let sealed = payee.seal(app.keys.payees(), id, System.bytes());
    sealed.ok_or_else(|| Problem::because(Reason::InternalError))
}

/// Says where the deposits of a payment go back to that it could not take.
#[utoipa::path(
    post,
    path = "/v1/virtual-accounts/{paymentKey}/refund-account",
    tag = "Payments",
    request_body = RefundAccountFields,
    params(
        ("paymentKey" = String, Path, description = "Which payment"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 300 printable ASCII characters, remembered for 15 days"),
    ),
    responses(
        (status = 200, description = "What is owed goes back to it", body = PaymentView),
        CancelRefusals,
    ),
    security(("secretKey" = []))
)]
pub(super) async fn refund_account(
    State(app): State<App>,
    merchant: Merchant,
    context: RequestContext,
    key: Option<IdempotencyKey>,
    Path(payment_key): Path<String>,
    body: OwnBody<RefundAccountFields>,
) -> Result<Response, Problem> {
    let fingerprint = body.fingerprint(app.keys.fingerprints());
    let keyed = Keyed::of(&app, key, format!("POST /v1/virtual-accounts/{payment_key}/refund-account"), &fingerprint);
    let payee = body.into_fields().read()?;
    let mut check = Check::new();
    let found = check.payment_key("paymentKey", &payment_key);
    let payment_key = check.finish(|| found)?;
    let tenant = merchant.tenant();
    let payment = app.store.find_payment(tenant, Place::Key(payment_key)).await.map_err(refuse)?;
    if let Some(keyed) = &keyed
        && let Some(answer) = keyed.replay(&app, &context, tenant, |payment| paid(&app, payment, &context)).await?
    {
        return Ok(answer);
    }
    let payment = payment.ok_or_else(|| Problem::of(Code::NotFoundPayment))?;
    match give(&app, &context, payment, &payee, keyed.as_ref(), |_| true).await? {
        Some(payment) => Ok(paid(&app, &payment, &context)),
        None => {
            // The same request was faster: its key tells.
            let keyed = keyed.ok_or_else(|| Problem::because(Reason::InternalError))?;
            let answer = keyed.replay(&app, &context, tenant, |payment| paid(&app, payment, &context)).await?;
            answer.ok_or_else(|| Problem::because(Reason::InternalError))
        }
    }
}

/// Keeps an account for the deposits of a payment, and sends the returns back to work that waited for it. Nothing when the
/// request's key was used meanwhile, or it does not stand any more as it has to for that.
pub(super) async fn give(
    app: &App,
    context: &RequestContext,
    mut payment: Payment,
    payee: &TypedPayee,
    keyed: Option<&Keyed>,
    stands: impl Fn(&PaymentState) -> bool,
) -> Result<Option<Payment>, Problem> {
    let began = System.monotonic();
    let id = PayeeId(System.ordered());
    let sealed = seal(app, payee, id)?;
    let event = PaymentEvent::Account(AccountEvent::PayeeGiven { payee: payee.shown(id) });
    let trace_id = context.trace.trace_hex();
    while System.monotonic().duration_since(began) < RACE_FOR {
        if !stands(&payment.state) {
            return Ok(None);
        }
        let Ok(next) = payment.state.on(&event) else {
            return Err(Problem::because(Reason::NotAVirtualAccount)
                .location(&app.payment_url(&payment.key))
                .with("paymentStatus", payment.state.status().as_str()));
        };
        let is_dead = |work: &&Work| work.status == OperationStatus::Dead;
        // Of what the payer's bank took back meanwhile, too: that ends then.
        let deposits = payment.state.deposits.iter();
        let waiting = deposits.filter_map(|deposit| deposit.work.as_ref()).filter(is_dead);
        let returns: Vec<_> = waiting.map(|work| work.id).collect();
        let given = PayeeGiven {
            payment: &payment,
            next: &next,
            event: &event,
            id,
            sealed: &sealed,
            returns: &returns,
            key: keyed.map(|keyed| &*keyed.key),
            trace_id: &trace_id,
        };
        match app.store.give_payee(&given).await {
            Ok(Some(advanced)) => {
                app.wake(payment.id, advanced.version, &next);
                return Ok(Some(payment.at(advanced.version, next)));
            }
            Ok(None) => {}
            Err(error) if error.is_constraint("idempotency_keys_unique") => return Ok(None),
            Err(error) => return Err(refuse(error).location(&app.payment_url(&payment.key))),
        }
        let read = app.store.payments(&[payment.id]).await.map_err(refuse)?.pop();
        payment = read.ok_or_else(|| Problem::of(Code::NotFoundPayment))?;
    }
    Err(Problem::because(Reason::Overloaded).retry_after(Duration::from_secs(1)))
}
