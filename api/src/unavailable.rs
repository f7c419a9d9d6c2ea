//! What a caller is told when Postgres fails: neither success nor failure is ever guessed.

use std::time::Duration;

use naru_shared::domain::id::CheckoutId;
use naru_shared::store::{StoreError, Written};

use crate::app::App;
use crate::problem::{MoneyState, Problem, Reason};

/// How long a client should wait before it asks again.
const COME_BACK: Duration = Duration::from_secs(1);

/// The problem of a failed statement that would have accepted something for an order: when it may have been written, it names
/// where to ask for the order.
#[must_use]
pub fn refuse_order(app: &App, order_id: &str, error: StoreError) -> Problem {
    let perhaps = is_perhaps_written(&error);
    let problem = refuse(error);
    if perhaps { problem.location(&app.order_url(order_id)) } else { problem }
}

/// The problem of a failed statement of the payer's: when it may have been written, it names where to look.
#[must_use]
pub fn refuse_payer(app: &App, checkout_id: &CheckoutId, error: StoreError) -> Problem {
    let perhaps = is_perhaps_written(&error);
    let problem = refuse(error);
    if !perhaps {
        return problem;
    }
    problem.location(&app.checkout_url(checkout_id)).detail(
        "요청이 처리되었는지 아직 알 수 없습니다. 결제를 다시 조회해 주세요.",
        "Whether this was done is not known yet: look at the payment again.",
    )
}

/// The problem of a failed statement that moves no money: the same again does no harm, should it have been written.
#[must_use]
pub fn refuse_free(error: StoreError) -> Problem {
    if !is_perhaps_written(&error) {
        return refuse(error).money(MoneyState::NotMoved);
    }
    tracing::warn!(error = format!("{error:?}"), "not known: the answer to a commit was lost");
    Problem::because(Reason::CommitUnknown).money(MoneyState::NotMoved).retryable(true).retry_after(COME_BACK).detail(
        "요청이 처리되었는지 아직 알 수 없습니다. 같은 요청을 다시 보내도 됩니다.",
        "Whether this was done is not known yet. The same request may be sent again.",
    )
}

const fn is_perhaps_written(error: &StoreError) -> bool {
    matches!(error, StoreError::Unavailable { written: Written::Perhaps, .. })
}

/// The problem of a failed statement. Only when nothing can have been written is it `NOT_MOVED` and worth a retry; a
/// commit whose answer was lost is `UNKNOWN`, with the order to query.
#[must_use]
pub fn refuse(error: StoreError) -> Problem {
    match &error {
        StoreError::Unavailable { written: Written::No, .. } => {
            tracing::warn!(error = format!("{error:?}"), "refused: Postgres is unavailable");
            Problem::because(Reason::DatabaseUnavailable).retry_after(COME_BACK)
        }
        StoreError::Unavailable { written: Written::Perhaps, .. } => {
            tracing::warn!(error = format!("{error:?}"), "not known: the answer to a commit was lost");
            Problem::because(Reason::CommitUnknown)
                .detail(
                    "요청이 접수되었는지 아직 알 수 없습니다. 다시 결제하지 말고 주문번호로 결제를 조회해 주세요.",
                    "Whether the request was accepted is not known yet. Do not pay again: query the payment by its order id.",
                )
                .retry_after(COME_BACK)
        }
        StoreError::Constraint { .. }
        | StoreError::BatchDisagrees
        | StoreError::Inconsistent { .. }
        | StoreError::Refused(_) => {
            tracing::error!(error = format!("{error:?}"), "a statement failed");
            Problem::because(Reason::InternalError)
        }
    }
}
