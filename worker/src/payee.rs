//! What a change of a virtual account is asked with. Where money goes back to is opened for one call, and never kept open.

use naru_shared::domain::attempt::Call;
use naru_shared::domain::course::Claimed;
use naru_shared::domain::id::{PayeeId, Reference};
use naru_shared::domain::operation::OperationKind;
use naru_shared::domain::virtual_account::Payee;
use naru_shared::secret::TypedPayee;
use naru_shared::store::StoreError;

use crate::Worker;

/// What a change is asked with. All of it is known before the change is written down: from then on there is nothing left to
/// wait for.
pub(crate) enum Terms {
    /// Of an approval: its reference tells.
    Approval,
    /// The end of this account.
    Account(Reference),
    /// Money out of an account.
    PayOut(Box<PayOut>),
    /// That is not known, and asking again does not help.
    Lost,
}

/// Money out of an account.
pub(crate) struct PayOut {
    /// The account.
    pub(crate) account: Reference,
    /// The bank's name for the deposit that it comes from.
    pub(crate) deposit: String,
    /// Where to.
    pub(crate) to: TypedPayee,
    /// Under which that rests.
    pub(crate) payee: PayeeId,
}

/// What `call` is asked with; of a pay-out that was written down before, `again`, where to it was then.
pub(crate) async fn terms(
    worker: &Worker,
    claimed: &Claimed,
    call: Call,
    again: Option<&Reference>,
) -> Result<Terms, StoreError> {
    let state = &claimed.payment.state;
    let deposit = match (call, claimed.operation.kind) {
        (Call::Close, _) => {
            let own = state.account.as_ref().map(|account| &account.reference);
            let account = claimed.operation.target.as_ref().or(own);
            return Ok(account.map_or(Terms::Lost, |account| Terms::Account(account.clone())));
        }
        (Call::Return, _) => state.returned_by(claimed.operation.id),
        (Call::Refund, OperationKind::Cancel) => state.taken_deposit(),
        (_, _) => return Ok(Terms::Approval),
    };
    let sent_to = match again {
        Some(reference) => worker.store.payee_of(reference).await?,
        None => None,
    };
    let cancel = state.cancel(claimed.operation.id).and_then(|cancel| cancel.payee.as_ref());
    let said = cancel.or(state.payee.as_ref()).map(|payee: &Payee| payee.id);
    let (Some(deposit), Some(payee)) = (deposit, sent_to.or(said)) else { return Ok(Terms::Lost) };
    let Some(sealed) = worker.store.sealed_payee(payee).await? else {
        tracing::warn!(%payee, "where the money goes back to is not kept any more");
        return Ok(Terms::Lost);
    };
    let Some(to) = TypedPayee::open(&sealed, &worker.payee_key, payee) else {
        tracing::warn!(%payee, "where the money goes back to can't be opened: was the master secret changed?");
        return Ok(Terms::Lost);
    };
    let (account, deposit) = (deposit.reference.clone(), deposit.key.clone());
    Ok(Terms::PayOut(Box::new(PayOut { account, deposit, to, payee })))
}
