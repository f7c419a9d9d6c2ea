//! Sums for a person or a test: what happened to the money of a charge.

use serde::Serialize;

use super::virtual_account::DepositState;
use super::{Call, Company, Currency, Id, Method, Standing, Transaction};

/// The money of one approval reference, in minor units.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EffectsOf {
    reference: Id,
    order_id: Option<Id>,
    method: Method,
    currency: Currency,
    standing: &'static str,
    /// How many times the payer was charged.
    charges: usize,
    /// How many of those charges still hold money.
    standing_charges: usize,
    charged: i64,
    captured: i64,
    voided: i64,
    refunded: i64,
    reversed: i64,
    /// What seemed given back and was not.
    restored: i64,
    /// What the payer pays in the end.
    net: i64,
}

impl Company {
    /// The approvals of an order, in the order in which they were first heard of.
    pub fn effects_of_order(&self, order_id: &str) -> Vec<EffectsOf> {
        let references = self.orders.get(order_id).map(Vec::as_slice).unwrap_or_default();
        references.iter().filter_map(|reference| self.effects_of(reference.as_str())).collect()
    }

    /// One approval.
    pub fn effects_of(&self, reference: &str) -> Option<EffectsOf> {
        let (reference, transaction) = self.transactions.get_key_value(reference)?;
        Some(self.summary(reference.clone(), transaction))
    }

    fn summary(&self, reference: Id, transaction: &Transaction) -> EffectsOf {
        let sum = transaction.totals();
        let effects = EffectsOf {
            order_id: transaction.order_id.clone(),
            method: transaction.method,
            currency: transaction.currency,
            standing: match transaction.standing {
                Standing::Untouched => "untouched",
                Standing::Pending(_) => "pending",
                Standing::Declined(..) => "declined",
                Standing::Approved(_) => "approved",
                Standing::Reversed => "reversed",
            },
            charges: transaction.charges.len(),
            standing_charges: transaction.charges.iter().filter(|c| c.standing() > 0).count(),
            charged: sum.charged,
            captured: sum.captured,
            voided: sum.voided,
            refunded: sum.refunded,
            reversed: sum.reversed,
            restored: sum.restored,
            net: sum.standing(),
            reference,
        };
        if transaction.call == Call::Issue { self.of_virtual_accounts(effects) } else { effects }
    }

    /// What was deposited was charged, what was taken back was reversed, and what was paid out was refunded.
    fn of_virtual_accounts(&self, mut effects: EffectsOf) -> EffectsOf {
        for (_, account) in self.virtual_accounts.of(&effects.reference) {
            let arrived = account.deposits.iter().filter(|d| d.state == DepositState::Arrived).count();
            let taken_back = account.deposits.iter().filter(|d| d.state == DepositState::TakenBack).count();
            effects.charges += arrived + taken_back;
            effects.standing_charges += arrived;
            effects.charged += account.deposited() + account.taken_back();
            effects.reversed += account.taken_back();
            effects.refunded += account.paid_out;
            effects.net += account.balance();
        }
        effects
    }
}
