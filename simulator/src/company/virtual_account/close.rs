//! Closing virtual accounts: done only when they are closed and empty.

use serde::Deserialize;

use super::{AccountState, VirtualAccount};
use crate::company::{Act, Around, Call, Code, Company, Done, Entry, Id, Method, Misuse, Mode, Outcome, Pending};
use crate::company::{Reason, Standing};

/// The end of a virtual account, asked for.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Close {
    /// The gateway's name for this attempt.
    pub reference: Id,
    /// The reference the account was issued under. In mode N there may be several: all are closed, or none.
    pub original_reference: Id,
    /// The merchant.
    pub merchant_id: Id,
}

impl Company {
    pub(in crate::company) fn close(&mut self, ask: &Close, act: Act, around: Around) -> Result<Done, Misuse> {
        let is_same = |known: &crate::company::Transaction| {
            known.call == Call::Close
                && known.original.as_ref() == Some(&ask.original_reference)
                && known.merchant_id.as_ref() == Some(&ask.merchant_id)
        };
        if self.transactions.get(&ask.reference).is_some_and(|known| !is_same(known)) {
            return Err(Misuse::ReferenceReused);
        }
        let mode = around.mode;
        let original = self.transactions.get(&ask.original_reference);
        let mut entry = self.draft(Method::VirtualAccount, Call::Close, around);
        entry.reference = Some(ask.reference.clone());
        entry.original_reference = Some(ask.original_reference.clone());
        entry.merchant_id = Some(ask.merchant_id.clone());
        entry.order_id = original.and_then(|o| o.order_id.clone());
        entry.amount = original.map(|o| o.amount);
        entry.currency = original.map(|o| o.currency);
        let is_found = original.is_some_and(|o| {
            o.call == Call::Issue
                && matches!(o.standing, Standing::Approved(_))
                && o.merchant_id.as_ref() == Some(&ask.merchant_id)
                && act != Act::NotFound
        });
        if act == Act::Nothing {
            return Ok(self.conclude(entry));
        }
        if (mode == Mode::D || self.is_pending(&ask.reference))
            && let Some(done) = self.again(&entry)
        {
            return Ok(done);
        }
        let accounts: Vec<&VirtualAccount> =
            self.virtual_accounts.of(&ask.original_reference).map(|(_, account)| account).collect();
        let has_money = accounts.iter().any(|account| account.balance() > 0);
        let verdict = match (act, is_found, has_money) {
            (Act::Decline(code, reason), ..) => Err((code, reason)),
            (_, false, _) => Err((Code::DO_NOT_HONOR, Some(Reason::NoOriginal))),
            (_, true, true) => Err((Code::NOT_PERMITTED, Some(Reason::NotEmpty))),
            (_, true, false) => Ok(accounts.iter().any(|account| account.awaits())),
        };
        match verdict {
            Ok(true) => {
                entry.result = Outcome::Pending;
                // No inquiry settles it: the deposit on its way does.
                entry.pending = Some(Pending { inquiries: u32::MAX, code: Code::APPROVED });
            }
            Ok(false) => {
                entry.result = Outcome::Approved;
                entry.response_code = Some(Code::APPROVED);
            }
            Err((code, reason)) => {
                entry.result = Outcome::Declined;
                entry.response_code = Some(code);
                entry.reason = reason;
            }
        }
        Ok(self.conclude(entry))
    }

    /// Closes the accounts, or has them wait. A repeated answer carries no terms and changes nothing that was not so.
    pub(in crate::company) fn apply_close(&mut self, entry: &Entry) {
        let (Some(reference), Some(original)) = (&entry.reference, &entry.original_reference) else { return };
        let numbers = self.virtual_accounts.of_reference.get(original).cloned().unwrap_or_default();
        for number in numbers {
            let Some(account) = self.virtual_accounts.accounts.get_mut(&number) else { continue };
            if entry.result == Outcome::Approved {
                account.state = AccountState::Closed;
            } else if entry.result == Outcome::Pending && entry.pending.is_some() {
                account.state = AccountState::Closing;
                account.closing.push(reference.clone());
            }
        }
    }

    /// After a deposit's way has ended: what becomes of the closures that waited for it.
    pub(super) fn closures_decided(&mut self, number: &Id, entry: &Entry) {
        let Some(account) = self.virtual_accounts.accounts.get(number) else { return };
        let reference = account.reference.clone();
        let accounts: Vec<&VirtualAccount> = self.virtual_accounts.of(&reference).map(|(_, account)| account).collect();
        let has_money = accounts.iter().any(|account| account.balance() > 0);
        if !has_money && accounts.iter().any(|account| account.awaits()) {
            return;
        }
        let state = if has_money { AccountState::Open } else { AccountState::Closed };
        let numbers = self.virtual_accounts.of_reference.get(&reference).cloned().unwrap_or_default();
        for number in numbers {
            let Some(account) = self.virtual_accounts.accounts.get_mut(&number) else { continue };
            if account.state != AccountState::Closing {
                continue;
            }
            account.state = state;
            for closure in std::mem::take(&mut account.closing) {
                let Some(closure) = self.transactions.get_mut(&closure) else { continue };
                closure.at = entry.at;
                closure.standing = if has_money {
                    Standing::Declined(Code::NOT_PERMITTED, Some(Reason::NotEmpty))
                } else {
                    Standing::Approved(None)
                };
            }
        }
    }
}
