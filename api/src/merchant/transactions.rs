//! `GET /v1/transactions`: what a merchant was paid and what went back, the oldest first. In seconds and with `amount` below zero
//! for what went back.

use axum::Json;
use axum::extract::State;
use naru_shared::domain::id::OperationId;
use naru_shared::domain::instrument::Method;
use naru_shared::store::{TransactionFilter, TransactionRow};
use serde::{Deserialize, Serialize};
use time::format_description::BorrowedFormatItem;
use time::macros::{format_description, offset};
use time::{Duration, OffsetDateTime, PrimitiveDateTime, Time};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::app::App;
use crate::auth::Merchant;
use crate::body::{Check, TossParams};
use crate::openapi::ListRefusals;
use crate::problem::Problem;
use crate::unavailable::refuse;
use crate::view::{seoul, transaction_key};

/// Transactions in an answer when nothing is said, and at most (Toss Payments).
const LIMIT: i64 = 100;
const LIMIT_MAX: i64 = 5_000;

/// Times without an offset are Korean.
const WITHOUT_OFFSET: [(&[BorrowedFormatItem<'_>], Duration); 2] = [
    (format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]"), Duration::SECOND),
    (format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond]"), Duration::MILLISECOND),
];

/// Which transactions.
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(super) struct TransactionParams {
    /// Recorded at or after this: `2026-11-22`, `2026-11-22T00:00:00` (Korean time), or with an offset.
    start_date: String,
    /// Recorded until this, its second (or day) included.
    end_date: String,
    /// `transactionKey` of the last one that was seen.
    starting_after: Option<String>,
    /// At most so many, 1 to 5000; 100 when nothing is said.
    limit: Option<i64>,
}

/// A transaction 거래.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct TransactionView {
    /// The merchant's id.
    m_id: String,
    /// What it is called.
    transaction_key: String,
    /// Of which payment.
    payment_key: String,
    /// The merchant's name for the order.
    order_id: String,
    /// `PAYMENT`, `CANCEL` before the capture, `REFUND` after it, or `DEPOSIT_ERROR`: the payer's bank took a deposit back.
    r#type: &'static str,
    /// What was paid with.
    method: &'static str,
    /// The merchant's name for whose billing key was charged; null when none was.
    customer_key: Option<String>,
    /// Never.
    use_escrow: bool,
    /// Where the payer sees the payment.
    receipt_url: String,
    /// How the payment stood after it: `DONE`, `PARTIAL_CANCELED`, `CANCELED`.
    status: &'static str,
    /// When it was recorded, at +09:00.
    transaction_at: String,
    /// ISO 4217.
    currency: &'static str,
    /// In minor units; below zero when it went back.
    amount: i64,
}

/// What a merchant was paid and what went back, the oldest first.
#[utoipa::path(
    get,
    path = "/v1/transactions",
    tag = "Transactions",
    params(TransactionParams),
    responses(
        (status = 200, description = "In the order in which they were recorded", body = Vec<TransactionView>),
        ListRefusals,
    ),
    security(("secretKey" = []))
)]
pub(super) async fn list_transactions(
    State(app): State<App>,
    merchant: Merchant,
    TossParams(params): TossParams<TransactionParams>,
) -> Result<Json<Vec<TransactionView>>, Problem> {
    let mut check = Check::new();
    let span = |check: &mut Check, field: &str, text: &str| {
        let span = read(text);
        if span.is_none() {
            check.wrong(field, "must be a day or a time such as 2026-11-22T15:04:05");
        }
        span
    };
    let from = span(&mut check, "startDate", &params.start_date).map(|(from, _)| from);
    let to = span(&mut check, "endDate", &params.end_date).map(|(_, to)| to);
    if let (Some(from), Some(to)) = (from, to) {
        check.require("endDate", (), from < to, "must not be before startDate");
    }
    let limit = params.limit.unwrap_or(LIMIT);
    let limit = check.require("limit", limit, (1..=LIMIT_MAX).contains(&limit), "must be from 1 to 5000");
    let after = check.optional(params.starting_after.as_deref(), |check, text| {
        let operation = operation_of(text);
        if operation.is_none() {
            check.wrong("startingAfter", NO_PLACE);
        }
        operation
    });
    let (from, to, limit, after) = check.finish(|| Some((from?, to?, limit?, after?)))?;

    let tenant = merchant.tenant();
    let after = match after {
        None => None,
        Some(operation) => {
            let place = app.store.place_of_transaction(tenant, operation).await.map_err(refuse)?;
            let mut check = Check::new();
            check.require("startingAfter", (), place.is_some(), NO_PLACE);
            Some(check.finish(|| place)?)
        }
    };
    let filter = TransactionFilter { from, to, after, limit };
    let rows = app.store.list_transactions(tenant, &filter).await.map_err(refuse)?;
    Ok(Json(rows.into_iter().map(|row| view(&app, &merchant.0.mid, row)).collect()))
}

/// What is wrong with a place that there is not.
const NO_PLACE: &str = "must be the transactionKey of one of yours";

fn view(app: &App, mid: &str, row: TransactionRow) -> TransactionView {
    TransactionView {
        m_id: mid.to_owned(),
        transaction_key: transaction_key(row.operation),
        payment_key: row.payment_key.0,
        order_id: row.order_id,
        r#type: row.kind.as_str(),
        method: Method::of(row.connector).map_or(row.connector.as_str(), Method::as_str),
        customer_key: row.customer_key,
        use_escrow: false,
        receipt_url: app.checkout_url(&row.checkout_id),
        status: row.status.as_str(),
        transaction_at: seoul(row.at),
        currency: row.currency.code(),
        amount: row.amount,
    }
}

/// The operation that a transaction is named by.
fn operation_of(text: &str) -> Option<OperationId> {
    let is_ours =
        text.len() == 32 && text.bytes().all(|digit| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit));
    Uuid::try_parse(text).ok().filter(|_| is_ours).map(OperationId)
}

/// The time that a text names: where it begins, and where what comes after it does.
fn read(text: &str) -> Option<(OffsetDateTime, OffsetDateTime)> {
    let seoul = offset!(+9);
    let day = format_description!("[year]-[month]-[day]");
    let (from, lasts) = if let Ok(day) = time::Date::parse(text, day) {
        (PrimitiveDateTime::new(day, Time::MIDNIGHT).assume_offset(seoul), Duration::DAY)
    } else if let Some(local) = WITHOUT_OFFSET
        .iter()
        .find_map(|(format, lasts)| Some((PrimitiveDateTime::parse(text, format).ok()?.assume_offset(seoul), *lasts)))
    {
        local
    } else {
        // A plus that nobody encoded arrives as a space.
        let text = text.replace(' ', "+");
        let at = OffsetDateTime::parse(&text, &time::format_description::well_known::Rfc3339).ok()?;
        (at, if text.contains('.') { Duration::MILLISECOND } else { Duration::SECOND })
    };
    // Nothing of ours is older, and Postgres knows no year far beyond.
    let from = from.checked_to_offset(offset!(UTC)).filter(|from| (2000..9999).contains(&from.year()))?;
    Some((from, from.checked_add(lasts)?))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn times_are_read_as_they_are_written() {
        let at = |from, to| Some((from, to));
        let midnight = datetime!(2026-11-21 15:00 UTC);
        for (text, expected) in [
            ("2026-11-22", at(midnight, midnight + Duration::DAY)),
            ("2026-11-22T00:00:00", at(midnight, midnight + Duration::SECOND)),
            ("2026-11-22T00:00:00.000", at(midnight, midnight + Duration::MILLISECOND)),
            ("2026-11-22T00:00:00+09:00", at(midnight, midnight + Duration::SECOND)),
            ("2026-11-22T00:00:00 09:00", at(midnight, midnight + Duration::SECOND)),
            ("2026-11-21T15:00:00.000Z", at(midnight, midnight + Duration::MILLISECOND)),
            ("2026-02-30", None),
            ("1999-12-31", None),
            ("9999-12-31T23:59:59-23:59", None),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }
}
