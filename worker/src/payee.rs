//! Where the money of a virtual account goes back to: opened for one call, and never kept open.

use naru_shared::domain::course::Claimed;
use naru_shared::domain::id::Reference;
use naru_shared::domain::operation::OperationKind;
use naru_shared::secret::TypedPayee;
use uuid::Uuid;

use crate::Worker;

/// The account that the money is in, the deposit that goes back (if one does), and where to; or, in a word, why that is not
/// known. Nothing was sent then, and it is tried again.
pub(crate) async fn of(
    worker: &Worker,
    claimed: &Claimed,
) -> Result<(Reference, Option<String>, TypedPayee), &'static str> {
    let state = &claimed.payment.state;
    let returned = match claimed.operation.kind {
        OperationKind::ReturnDeposit => state.returned_by(claimed.operation.id),
        OperationKind::Approve
        | OperationKind::Cancel
        | OperationKind::Capture
        | OperationKind::NetCancel
        | OperationKind::IssueAccount
        | OperationKind::CloseAccount => None,
    };
    let account = returned.map(|deposit| &deposit.reference).or(state.account.as_ref().map(|account| &account.reference));
    let account = account.ok_or("no_account")?.clone();
    let deposit = returned.map(|deposit| deposit.key.clone());
    // An account that was given for this operation; else the one for whatever goes back of the payment.
    for owner in [claimed.operation.id.0, claimed.payment.id.0] {
        if let Some(to) = open(worker, owner).await? {
            return Ok((account, deposit, to));
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
