//! A card, an account, a phone or a membership becomes a token.

use std::time::Duration;

use super::{Act, Answer, Around, Company, Done, Entry, HolderFacts, Id, Instrument, Known, Method, Outcome, Refusal};
use super::{Call, Code, Register, Subscribe, Timestamp, Token, Verify};

/// How long the code by SMS is good.
const CODE_LIFE: Duration = Duration::from_secs(180);
/// How often it may be typed wrong.
const TRIES_MAX: u32 = 5;

/// A phone that a code was sent to.
#[derive(Debug)]
pub(super) struct Verification {
    pub(super) merchant_id: Id,
    pub(super) holder: HolderFacts,
    sent_at: Timestamp,
    wrong: u32,
    is_used: bool,
}

impl Company {
    pub(super) fn verify(&mut self, method: Method, ask: &Verify, act: Act, around: Around) -> Done {
        let mut entry = self.draft(method, Call::Verify, around);
        entry.merchant_id = Some(ask.merchant_id.clone());
        let verdict = act.judge(ask.holder.clone());
        let Some(holder) = self.judged(&mut entry, verdict) else { return self.without_token(entry) };
        entry.reference = Some(ask.verification.clone());
        entry.holder = Some(holder);
        self.apply(&entry);
        let expires_at = entry.at.plus_ms(u64::try_from(CODE_LIFE.as_millis()).unwrap_or(u64::MAX));
        let token = Token::Verification { verification_id: ask.verification.clone(), expires_at };
        Done { answer: Answer::Token(Box::new(token)), entries: vec![entry] }
    }

    pub(super) fn register(&mut self, method: Method, ask: &Register, act: Act, around: Around) -> Done {
        let mut entry = self.draft(method, Call::Register, around);
        entry.merchant_id = Some(ask.merchant_id.clone());
        let verdict = act.judge(ask.known.clone());
        self.registered(entry, &ask.token, verdict)
    }

    pub(super) fn subscribe(&mut self, method: Method, ask: &Subscribe, act: Act, around: Around) -> Done {
        let now = around.now;
        let mut entry = self.draft(method, Call::Register, around);
        entry.merchant_id = Some(ask.merchant_id.clone());
        let verification = self.verifications.get(&ask.verification);
        // A verification that isn't ours could be anything: it is not written down.
        entry.original_reference = verification.map(|_| ask.verification.clone());
        let known = match verification.filter(|v| v.merchant_id == ask.merchant_id && !v.is_used) {
            None => Err(Code::INVALID_NUMBER),
            Some(v) if v.wrong >= TRIES_MAX => Err(Code::TOO_MANY_TRIES),
            Some(v) if now.since(v.sent_at) > CODE_LIFE => Err(Code::EXPIRED),
            Some(_) if !ask.is_right => Err(Code::WRONG_PASSWORD),
            Some(v) => Ok(Known::Holder(v.holder.clone())),
        };
        let verdict = act.judge(known);
        self.registered(entry, &ask.token, verdict)
    }

    /// What is left of a member's points.
    pub(super) fn balance(&mut self, method: Method, token: &Id, act: Act, around: Around) -> Done {
        let mut entry = self.draft(method, Call::Balance, around);
        let now = entry.at;
        let found = self.instruments.get(token).filter(|instrument| instrument.method == method);
        entry.token = found.map(|_| token.clone());
        entry.merchant_id = found.map(|instrument| instrument.merchant_id.clone());
        let verdict = act.judge(found.map(|instrument| instrument.known.clone()).ok_or(Code::INVALID_NUMBER));
        let Some(known) = self.judged(&mut entry, verdict) else { return self.without_token(entry) };
        entry.result = Outcome::Approved;
        let answer = Answer::Token(Box::new(self.token(token.clone(), &known, method, now)));
        self.apply(&entry);
        Done { answer, entries: vec![entry] }
    }

    fn registered(&mut self, mut entry: Entry, token: &Id, verdict: Option<Result<Known, Code>>) -> Done {
        let Some(known) = self.judged(&mut entry, verdict) else { return self.without_token(entry) };
        let answer = Answer::Token(Box::new(self.token(token.clone(), &known, entry.method, entry.at)));
        entry.token = Some(token.clone());
        match known {
            Known::Card(card) => entry.card = Some(card),
            Known::Holder(holder) => entry.holder = Some(holder),
        }
        self.apply(&entry);
        Done { answer, entries: vec![entry] }
    }

    /// Writes the verdict down, and goes on when it is good.
    fn judged<T>(&self, entry: &mut Entry, verdict: Option<Result<T, Code>>) -> Option<T> {
        match verdict? {
            Err(code) => {
                entry.result = Outcome::Declined;
                entry.response_code = Some(code);
                None
            }
            Ok(known) => {
                entry.result = Outcome::Registered;
                entry.response_code = Some(Code::APPROVED);
                Some(known)
            }
        }
    }

    fn without_token(&mut self, entry: Entry) -> Done {
        self.apply(&entry);
        let refusal = Refusal::of(entry.response_code.unwrap_or(Code::MALFUNCTION));
        Done { answer: Answer::NoToken(refusal), entries: vec![entry] }
    }

    fn token(&self, token: Id, known: &Known, method: Method, now: Timestamp) -> Token {
        let holder = match known {
            Known::Card(card) => return Token::card(token, card),
            Known::Holder(holder) => holder,
        };
        let (provider, last4) = (holder.provider.to_string(), holder.last4.clone());
        match method {
            Method::Carrier => Token::Phone {
                token,
                carrier: provider,
                last4,
                monthly_limit: holder.limit.unwrap_or(0),
                used_this_month: self.usage.used_this_month(holder, now),
            },
            Method::Points => Token::Member { token, last4, balance: self.usage.balance(holder).unwrap_or(0) },
            Method::Card | Method::Transfer | Method::VirtualAccount => {
                Token::Account { token, bank_code: provider, last4 }
            }
        }
    }

    pub(super) fn apply_verification(&mut self, entry: &Entry) {
        if let (Some(id), Some(merchant_id), Some(holder)) = (&entry.reference, &entry.merchant_id, &entry.holder) {
            let (merchant_id, holder) = (merchant_id.clone(), holder.clone());
            let verification = Verification { merchant_id, holder, sent_at: entry.at, wrong: 0, is_used: false };
            self.verifications.insert(id.clone(), verification);
        }
    }

    pub(super) fn apply_registration(&mut self, entry: &Entry) {
        let known = match (&entry.card, &entry.holder) {
            (Some(card), _) => Some(Known::Card(card.clone())),
            (None, Some(holder)) => Some(Known::Holder(holder.clone())),
            (None, None) => None,
        };
        if let Some(verification) = entry.original_reference.as_ref().and_then(|id| self.verifications.get_mut(id)) {
            verification.is_used |= known.is_some();
            verification.wrong += u32::from(entry.response_code == Some(Code::WRONG_PASSWORD));
        }
        if let (Some(token), Some(merchant_id), Some(known)) = (&entry.token, &entry.merchant_id, known) {
            let merchant_id = merchant_id.clone();
            let instrument = Instrument { method: entry.method, merchant_id, known, asked: 0, charged: 0 };
            self.instruments.insert(token.clone(), instrument);
        }
    }
}
