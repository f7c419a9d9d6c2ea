//! Paying money of a virtual account to somebody's bank account: a deposit returned, or a payment refunded.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{DepositState, PayOutLine};
use crate::company::change::code_of;
use crate::company::holder::{Means, account};
use crate::company::{
    Act, Amount, ApprovalNumber, Around, Call, Code, Company, Currency, Details, Done, Effect, Entry,
};
use crate::company::{HolderFacts, Id, Method, Misuse, Mode, Name, Outcome, Reason, Standing, Unreadable};

/// What a pay-out is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// A deposit that should not have been made goes back.
    ReturnDeposit,
    /// A payment is refunded, whole or in part.
    Refund,
}

/// A pay-out as it was typed: the number of the account is gone after [`PresentedPayOut::read`]. Never printed or kept.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PresentedPayOut {
    reference: Id,
    original_reference: Id,
    merchant_id: Id,
    order_id: Id,
    amount: Amount,
    currency: Currency,
    purpose: Purpose,
    transaction_key: Option<Id>,
    bank_code: String,
    account_number: String,
    // Asked for, and not kept: which holders are wrong is said by the number.
    #[serde(rename = "holderName")]
    _holder_name: Name,
}

/// A pay-out.
#[derive(Clone, Debug)]
pub struct PayOut {
    /// The gateway's name for this attempt.
    pub reference: Id,
    /// The reference the virtual account was issued under.
    pub original_reference: Id,
    /// The merchant.
    pub merchant_id: Id,
    /// The merchant's order.
    pub order_id: Id,
    /// How much, in minor units.
    pub amount: Amount,
    /// Of what.
    pub currency: Currency,
    /// What it is for.
    pub purpose: Purpose,
    /// The deposit that is returned.
    pub transaction_key: Option<Id>,
    /// To whom, or why not.
    pub to: Result<HolderFacts, Code>,
}

impl PresentedPayOut {
    /// The digits, for the table of behaviours only.
    pub fn number(&self) -> &str {
        &self.account_number
    }

    /// Checks what was typed, and forgets the number.
    pub fn read(self, means: Means) -> Result<PayOut, Unreadable> {
        if self.purpose == Purpose::ReturnDeposit && self.transaction_key.is_none() {
            return Err(Unreadable::new("transactionKey", "the deposit that is returned"));
        }
        let to = account("bankCode", &self.bank_code, "accountNumber", &self.account_number, means)?;
        Ok(PayOut {
            reference: self.reference,
            original_reference: self.original_reference,
            merchant_id: self.merchant_id,
            order_id: self.order_id,
            amount: self.amount,
            currency: self.currency,
            purpose: self.purpose,
            transaction_key: self.transaction_key,
            to,
        })
    }
}

impl PayOut {
    /// The receiver's fault, by its name.
    pub fn behaviour(&self) -> Cow<'static, str> {
        self.to.as_ref().map_or(Cow::Borrowed(""), |to| to.behaviour.clone())
    }
}

impl Company {
    pub(in crate::company) fn pay_out(&mut self, ask: &PayOut, act: Act, around: Around) -> Result<Done, Misuse> {
        if self.transactions.get(&ask.reference).is_some_and(|known| !is_same(known, ask)) {
            return Err(Misuse::ReferenceReused);
        }
        let mode = around.mode;
        let source = self.source(ask);
        let mut entry = self.draft(Method::VirtualAccount, Call::PayOut, around);
        entry.reference = Some(ask.reference.clone());
        entry.original_reference = Some(ask.original_reference.clone());
        entry.merchant_id = Some(ask.merchant_id.clone());
        entry.order_id = Some(ask.order_id.clone());
        entry.amount = Some(ask.amount);
        entry.currency = Some(ask.currency);
        entry.details = Some(Details::PayOut(PayOutLine {
            from: source.clone().unwrap_or_else(|_| Id::plain("none")),
            purpose: ask.purpose,
            transaction_key: ask.transaction_key.clone(),
            to: ask.to.clone().ok(),
        }));
        if act == Act::Nothing {
            return Ok(self.conclude(entry));
        }
        if (mode == Mode::D || self.is_pending(&ask.reference))
            && let Some(done) = self.again(&entry)
        {
            return Ok(done);
        }
        let verdict = match (act, &ask.to) {
            (Act::Decline(code, reason), _) => Err((code, reason)),
            (_, Err(code)) => Err((*code, None)),
            (_, Ok(_)) => source.map_err(|reason| (code_of(reason), Some(reason))),
        };
        match (verdict, act) {
            (Ok(_), Act::Pend(pending)) => {
                entry.result = Outcome::Pending;
                entry.pending = Some(pending);
            }
            (Ok(_), act) => {
                entry.effect = Effect::PaidOut;
                entry.result = Outcome::Approved;
                entry.response_code = Some(Code::APPROVED);
                entry.approval_number = Some(ApprovalNumber::of_line(entry.seq));
                entry.pending = if let Act::FailLater(pending) = act { Some(pending) } else { None };
            }
            (Err((code, reason)), _) => {
                entry.result = Outcome::Declined;
                entry.response_code = Some(code);
                entry.reason = reason;
            }
        }
        Ok(self.conclude(entry))
    }

    /// The virtual account that the money can come from.
    fn source(&self, ask: &PayOut) -> Result<Id, Reason> {
        let original = self.transactions.get(&ask.original_reference).filter(|o| {
            o.call == Call::Issue
                && matches!(o.standing, Standing::Approved(_))
                && o.currency == ask.currency
                && o.merchant_id.as_ref() == Some(&ask.merchant_id)
                && o.order_id.as_ref() == Some(&ask.order_id)
        });
        if original.is_none() {
            return Err(Reason::NoOriginal);
        }
        let amount = ask.amount.get();
        let mut accounts = self.virtual_accounts.of(&ask.original_reference);
        let Some(key) = &ask.transaction_key else {
            let rich = accounts.find(|(_, account)| account.left() >= amount);
            return rich.map(|(number, _)| number.clone()).ok_or(Reason::InsufficientBalance);
        };
        let Some((number, account, deposit)) =
            accounts.find_map(|(number, account)| Some((number, account, account.deposit(key)?)))
        else {
            return Err(Reason::NoSuchDeposit);
        };
        match deposit.state {
            DepositState::OnItsWay | DepositState::Vanished => Err(Reason::NoSuchDeposit),
            DepositState::TakenBack => Err(Reason::AlreadyCancelled),
            DepositState::Arrived if deposit.returned + amount > deposit.amount.get() || account.left() < amount => {
                Err(Reason::InsufficientBalance)
            }
            DepositState::Arrived => Ok(number.clone()),
        }
    }

    /// Takes over a pay-out.
    pub(in crate::company) fn apply_pay_out(&mut self, entry: &Entry) {
        if let Some(Details::PayOut(line)) = &entry.details {
            self.virtual_account_suffered(entry, line, false);
        }
    }
}

fn is_same(known: &crate::company::Transaction, ask: &PayOut) -> bool {
    known.call == Call::PayOut
        && known.original.as_ref() == Some(&ask.original_reference)
        && known.amount == ask.amount
        && known.currency == ask.currency
        && known.merchant_id.as_ref() == Some(&ask.merchant_id)
}
