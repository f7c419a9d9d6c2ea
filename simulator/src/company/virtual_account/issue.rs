//! Opening a virtual account.

use std::borrow::Cow;

use serde::Deserialize;

use super::{AccountState, IssueLine, VirtualAccount};
use crate::company::{Act, Address, Amount, Around, Call, Code, Company, Currency, Details, Done, Entry, Id, Method};
use crate::company::{Misuse, Mode, Name, Outcome, Timestamp, is_bank};

/// A virtual account, asked for.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Issue {
    /// The gateway's name for this attempt.
    pub reference: Id,
    /// The merchant.
    pub merchant_id: Id,
    /// The merchant's order.
    pub order_id: Id,
    /// The bank it shall be at.
    pub bank_code: Id,
    /// What the payer is asked to pay. The bank takes any other amount, too.
    pub amount: Amount,
    /// Of what.
    pub currency: Currency,
    /// Who is to pay.
    pub customer_name: Name,
    /// Until when.
    pub due_at: Timestamp,
    /// Where to announce deposits.
    pub callback_url: Option<Address>,
    /// The number to give, chosen by the caller.
    #[serde(skip)]
    pub account_number: Option<Id>,
    /// The customer's fault, by its name.
    #[serde(skip)]
    pub behaviour: Cow<'static, str>,
}

impl Company {
    pub(in crate::company) fn issue(&mut self, ask: &Issue, act: Act, around: Around) -> Result<Done, Misuse> {
        let is_same = |known: &crate::company::Transaction| {
            known.call == Call::Issue
                && known.amount == ask.amount
                && known.currency == ask.currency
                && known.merchant_id.as_ref() == Some(&ask.merchant_id)
        };
        if self.transactions.get(&ask.reference).is_some_and(|known| !is_same(known)) {
            return Err(Misuse::ReferenceReused);
        }
        let mode = around.mode;
        let mut entry = self.draft(Method::VirtualAccount, Call::Issue, around);
        entry.reference = Some(ask.reference.clone());
        entry.merchant_id = Some(ask.merchant_id.clone());
        entry.order_id = Some(ask.order_id.clone());
        entry.amount = Some(ask.amount);
        entry.currency = Some(ask.currency);
        if act == Act::Nothing {
            return Ok(self.conclude(entry));
        }
        if mode == Mode::D
            && let Some(done) = self.again(&entry)
        {
            return Ok(done);
        }
        let number = ask.account_number.as_ref().filter(|number| !self.virtual_accounts.accounts.contains_key(*number));
        let verdict = match (act, number) {
            (Act::Decline(code, reason), _) => Err((code, reason)),
            _ if !is_bank(ask.bank_code.as_str()) => Err((Code::NO_SUCH_BANK, None)),
            // Two accounts of one number would be one too many.
            (_, None) => Err((Code::MALFUNCTION, None)),
            (_, Some(number)) => Ok(number.clone()),
        };
        match verdict {
            Ok(account_number) => {
                entry.result = Outcome::Approved;
                entry.response_code = Some(Code::APPROVED);
                entry.details = Some(Details::Issue(IssueLine {
                    account_number,
                    bank_code: ask.bank_code.clone(),
                    customer_name: ask.customer_name.clone(),
                    due_at: ask.due_at,
                    callback_url: ask.callback_url.clone(),
                    behaviour: ask.behaviour.clone(),
                }));
            }
            Err((code, reason)) => {
                entry.result = Outcome::Declined;
                entry.response_code = Some(code);
                entry.reason = reason;
            }
        }
        Ok(self.conclude(entry))
    }

    /// Opens the account that an entry is about.
    pub(in crate::company) fn apply_issue(&mut self, entry: &Entry) {
        let (Some(Details::Issue(terms)), Some(reference)) = (&entry.details, &entry.reference) else { return };
        let (Some(merchant_id), Some(order_id)) = (&entry.merchant_id, &entry.order_id) else { return };
        let (Some(asked), Some(currency)) = (entry.amount, entry.currency) else { return };
        let number = terms.account_number.clone();
        let account = VirtualAccount {
            reference: reference.clone(),
            merchant_id: merchant_id.clone(),
            order_id: order_id.clone(),
            terms: terms.clone(),
            asked,
            currency,
            state: AccountState::Open,
            closing: Vec::new(),
            deposits: Vec::new(),
            paid_out: 0,
            held: 0,
        };
        self.virtual_accounts.of_reference.entry(reference.clone()).or_default().push(number.clone());
        self.virtual_accounts.accounts.insert(number, account);
    }
}
