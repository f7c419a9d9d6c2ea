//! Where the money of a virtual account goes back to: opened for one call, and never kept open.

use naru_shared::domain::course::Claimed;
use naru_shared::domain::operation::OperationKind;
use naru_shared::domain::virtual_account::Deposit;
use naru_shared::secret::TypedPayee;
use uuid::Uuid;

use crate::Worker;

/// The deposit that the money comes from, and where to; or, in a word, why that is not known. Nothing was sent then, and it is
/// tried again.
pub(crate) async fn of<'a>(worker: &Worker, claimed: &'a Claimed) -> Result<(&'a Deposit, TypedPayee), &'static str> {
    let state = &claimed.payment.state;
    let deposit = match claimed.operation.kind {
        OperationKind::ReturnDeposit => state.returned_by(claimed.operation.id),
        OperationKind::Cancel => state.taken_deposit(),
        OperationKind::Approve
        | OperationKind::Capture
        | OperationKind::NetCancel
        | OperationKind::IssueAccount
        | OperationKind::CloseAccount => None,
    };
    let deposit = deposit.ok_or("no_deposit")?;
    // An account that was given for this operation; else the one for whatever goes back of the payment.
    for owner in [claimed.operation.id.0, claimed.payment.id.0] {
        if let Some(to) = open(worker, owner).await? {
            return Ok((deposit, to));
        }
    }
    tracing::error!("where the money goes back to is not known, though it was said");
    Err("no_payee")
}

async fn open(worker: &Worker, owner: Uuid) -> Result<Option<TypedPayee>, &'static str> {
    let sealed = worker.store.sealed_payee(owner).await.map_err(|error| {
        tracing::warn!(%error, "where the money goes back to can't be read yet");
        "payee_unavailable"
    })?;
    let Some(sealed) = sealed else { return Ok(None) };
    match TypedPayee::open(&sealed, &worker.payee_key, owner) {
        Some(payee) => Ok(Some(payee)),
        None => {
            tracing::error!(%owner, "where the money goes back to can't be opened: was the master secret changed?");
            Err("payee_sealed")
        }
    }
}
