//! A card becomes a token.

use super::{Act, Answer, Around, Card, Company, Done, Entry, Outcome, Refusal, Register, Token};
use super::{Call, Code};

impl Company {
    pub(super) fn register(&mut self, ask: &Register, act: Act, around: Around) -> Done {
        let mut entry = self.draft(Call::Register, around);
        entry.merchant_id = Some(ask.merchant_id.clone());
        let verdict = match act {
            Act::Nothing => None,
            Act::Decline(code) => Some(Err(code)),
            Act::Normally | Act::ApproveUpTo(_) | Act::Pend(_) | Act::ChargeMore(_) | Act::Refuse | Act::NotFound => {
                Some(ask.card.clone())
            }
        };
        let answer = match verdict {
            None => Answer::NoToken(Refusal::of(Code::MALFUNCTION)),
            Some(Err(code)) => {
                entry.result = Outcome::Declined;
                entry.response_code = Some(code);
                Answer::NoToken(Refusal::of(code))
            }
            Some(Ok(facts)) => {
                let answer = Answer::Token(Token::of(ask.token.clone(), &facts));
                entry.result = Outcome::Registered;
                entry.response_code = Some(Code::APPROVED);
                entry.token = Some(ask.token.clone());
                entry.card = Some(facts);
                answer
            }
        };
        self.apply(&entry);
        Done { answer, entries: vec![entry] }
    }

    pub(super) fn apply_registration(&mut self, entry: &Entry) {
        if let (Some(token), Some(merchant_id), Some(facts)) = (&entry.token, &entry.merchant_id, &entry.card) {
            let card = Card { merchant_id: merchant_id.clone(), facts: facts.clone(), asked: 0, charged: 0 };
            self.cards.insert(token.clone(), card);
        }
    }
}
