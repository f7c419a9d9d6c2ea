//! What the company says when it tells the truth.

use serde::Serialize;

use super::virtual_account::{AccountView, Purpose};
use super::{Amount, ApprovalNumber, Call, CardFacts, Code, Company, Currency, Details, Entry, HolderFacts, Id};
use super::{Instalment, InterestPayer, Known, Method, Outcome, Reason, Standing, Timestamp, Transaction};

/// An answer's body.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// To a registration.
    Token(Box<Token>),
    /// To a registration that was refused: the one answer that is not a 200.
    NoToken(Refusal),
    /// To everything else.
    Decision(Box<Decision>),
}

/// A token, and what may be known of what it stands for.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub enum Token {
    /// A card's.
    Card {
        /// The token.
        token: Id,
        /// Who issued it.
        issuer_code: String,
        /// Who buys its slips.
        acquirer_code: String,
        /// `신용`, `체크` or `기프트`.
        card_type: String,
        /// `개인` or `법인`.
        owner_type: String,
        /// The first six digits.
        bin: Id,
        /// The last four digits.
        last4: Id,
    },
    /// A bank account's.
    Account {
        /// The token.
        token: Id,
        /// Its bank.
        bank_code: String,
        /// The last four digits.
        last4: Id,
    },
    /// A phone's.
    Phone {
        /// The token.
        token: Id,
        /// Its carrier.
        carrier: String,
        /// The last four digits.
        last4: Id,
        /// How much may be charged in a month.
        monthly_limit: i64,
        /// How much was charged in this one.
        used_this_month: i64,
    },
    /// A member's.
    Member {
        /// The token.
        token: Id,
        /// The last four digits.
        last4: Id,
        /// Points left.
        balance: i64,
    },
    /// Not a token yet: a code is on its way to the phone.
    Verification {
        /// What it belongs to.
        verification_id: Id,
        /// Until when it is good.
        expires_at: Timestamp,
    },
}

impl Token {
    /// The answer to a card's registration.
    pub fn card(token: Id, facts: &CardFacts) -> Self {
        Self::Card {
            token,
            issuer_code: facts.issuer_code.to_string(),
            acquirer_code: facts.acquirer_code.to_string(),
            card_type: facts.card_type.to_string(),
            owner_type: facts.owner_type.to_string(),
            bin: facts.bin.clone(),
            last4: facts.last4.clone(),
        }
    }
}

/// A code and what it means.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    /// Field 39.
    pub response_code: Code,
    /// For a person.
    pub message: String,
}

impl Refusal {
    /// A code with its usual words.
    pub fn of(code: Code) -> Self {
        Self { response_code: code, message: code.message().to_owned() }
    }
}

/// What became of a request about money.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// The request's reference (of an inquiry: the one asked about).
    pub reference: Option<Id>,
    /// The reference it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub original_reference: Option<Id>,
    /// Of an inquiry: what the reference was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Call>,
    /// The decision.
    pub result: Outcome,
    /// Field 39.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_code: Option<Code>,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// For a person, when the answer is no.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<&'static str>,
    /// Field 38.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval_number: Option<ApprovalNumber>,
    /// How much.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<i64>,
    /// Of what.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// When it was decided.
    pub processed_at: Timestamp,
    /// Of an inquiry about a charge: whether it was captured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub captured: Option<bool>,
    /// Of an inquiry about a charge: what the payer still pays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remaining_amount: Option<i64>,
    /// What only this method's answers say.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub more: Option<More>,
}

/// What only one method's answers say.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub enum More {
    /// About a card's charge.
    Card {
        /// Who issued the card.
        issuer_code: String,
        /// Who buys the slip.
        acquirer_code: String,
        /// `신용`, `체크` or `기프트`.
        card_type: String,
        /// `개인` or `법인`.
        owner_type: String,
        /// 0 for one payment.
        installment_months: u8,
        /// Who pays the interest; null for one payment.
        interest_payer: Option<InterestPayer>,
        /// Whether it is an instalment without interest for the buyer.
        is_interest_free: bool,
    },
    /// About money drawn from an account.
    Account {
        /// Its bank.
        bank_code: String,
        /// Its last four digits.
        last4: Id,
    },
    /// About a phone's bill.
    Phone {
        /// Its carrier.
        carrier: String,
        /// Its last four digits.
        last4: Id,
        /// How much may be charged in a month.
        monthly_limit: i64,
        /// How much was charged in this one.
        used_this_month: i64,
    },
    /// About points.
    Points {
        /// Points left.
        point_balance: i64,
    },
    /// About a virtual account.
    VirtualAccount(Box<AccountView>),
    /// About a pay-out.
    PayOut {
        /// What it is for.
        purpose: Purpose,
        /// The deposit that is returned.
        transaction_key: Option<Id>,
        /// The receiver's bank.
        bank_code: Option<String>,
        /// The last four digits of the receiver's account.
        last4: Option<Id>,
    },
    /// About a deposit, to whoever made it.
    Deposit {
        /// The bank's name for it.
        transaction_key: Id,
        /// Where it went.
        account_number: Id,
    },
}

impl Decision {
    /// The answer that an entry stands for, decided at `at`.
    pub fn of(entry: &Entry, at: Timestamp) -> Self {
        let refused = entry.result == Outcome::Declined;
        Self {
            reference: entry.reference.clone(),
            original_reference: entry.original_reference.clone(),
            kind: None,
            result: entry.result,
            response_code: entry.response_code,
            reason: entry.reason,
            message: entry.response_code.filter(|_| refused).map(Code::message),
            approval_number: entry.approval_number,
            amount: entry.amount.map(Amount::get),
            currency: entry.currency,
            processed_at: at,
            captured: None,
            remaining_amount: None,
            more: None,
        }
    }
}

impl Company {
    /// The answer that an entry stands for, with all that the books know of its reference.
    pub(super) fn decision(&self, entry: &Entry, at: Timestamp) -> Decision {
        let mut decision = Decision::of(entry, at);
        let about = entry.reference.as_ref().and_then(|reference| self.transactions.get(reference));
        // What was found too early, or by mistake, is not told of.
        let is_told = !matches!(entry.result, Outcome::Nothing | Outcome::NotFound | Outcome::NoOriginal);
        decision.more = about.filter(|_| is_told).and_then(|about| self.more(about, entry.at));
        decision
    }

    fn more(&self, about: &Transaction, now: Timestamp) -> Option<More> {
        let known = || Some(&self.instruments.get(about.token.as_ref()?)?.known);
        let holder = || known().and_then(Known::holder);
        match about.method {
            Method::Card if about.call == Call::Approve => match known()? {
                Known::Card(card) => Some(More::card(card, about.details.as_ref())),
                Known::Holder(_) => None,
            },
            Method::Card => None,
            Method::Transfer => holder()
                .map(|facts| More::Account { bank_code: facts.provider.to_string(), last4: facts.last4.clone() }),
            Method::Carrier => holder().map(|facts| self.phone(facts, now)),
            Method::Points => {
                let point_balance = holder().and_then(|facts| self.usage.balance(facts))?;
                Some(More::Points { point_balance })
            }
            Method::VirtualAccount => match (&about.details, about.call) {
                (Some(Details::PayOut(line)), _) => Some(More::PayOut {
                    purpose: line.purpose,
                    transaction_key: line.transaction_key.clone(),
                    bank_code: line.to.as_ref().map(|to| to.provider.to_string()),
                    last4: line.to.as_ref().map(|to| to.last4.clone()),
                }),
                (_, Call::Issue) if matches!(about.standing, Standing::Approved(_)) => self.newest_account(about),
                _ => None,
            },
        }
    }

    fn phone(&self, facts: &HolderFacts, now: Timestamp) -> More {
        More::Phone {
            carrier: facts.provider.to_string(),
            last4: facts.last4.clone(),
            monthly_limit: facts.limit.unwrap_or(0),
            used_this_month: self.usage.used_this_month(facts, now),
        }
    }

    fn newest_account(&self, about: &Transaction) -> Option<More> {
        let Some(Details::Issue(line)) = &about.details else { return None };
        let (_, account) = self.virtual_accounts.accounts.get_key_value(&line.account_number)?;
        let newest = self.virtual_accounts.of(&account.reference).next_back()?;
        Some(More::VirtualAccount(Box::new(AccountView::of(newest.0, newest.1))))
    }
}

impl More {
    fn card(card: &CardFacts, details: Option<&Details>) -> Self {
        let instalment: Option<Instalment> = match details {
            Some(Details::Instalment(instalment)) => Some(*instalment),
            Some(Details::Issue(_) | Details::Deposit(_) | Details::PayOut(_) | Details::Notice(_)) | None => None,
        };
        let interest_payer = instalment.map(|instalment| instalment.interest_payer);
        Self::Card {
            issuer_code: card.issuer_code.to_string(),
            acquirer_code: card.acquirer_code.to_string(),
            card_type: card.card_type.to_string(),
            owner_type: card.owner_type.to_string(),
            installment_months: instalment.map_or(0, |instalment| instalment.months),
            interest_payer,
            is_interest_free: interest_payer.is_some_and(|payer| payer != InterestPayer::Buyer),
        }
    }
}
