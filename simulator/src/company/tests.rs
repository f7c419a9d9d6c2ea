//! The books without the program around them: what needs a clock of its own, and what must hold for any history.

use super::*;

const MINUTE_MS: i64 = 60_000;

fn id(text: impl Into<String>) -> Id {
    Id::try_from(text.into()).unwrap()
}

fn won(units: i64) -> Amount {
    Amount::try_from(units).unwrap()
}

fn krw() -> Currency {
    Currency::try_from("KRW".to_owned()).unwrap()
}

fn at(ms: i64, mode: Mode) -> Around {
    Around { now: Timestamp::from_millis(ms), mode, lag_ms: 0, fault: None, trace_id: None }
}

fn registration(token: &Id) -> Ask {
    let text = |text: &'static str| Cow::Borrowed(text);
    let card = CardFacts {
        issuer_code: text("61"),
        acquirer_code: text("61"),
        card_type: text("신용"),
        owner_type: text("개인"),
        bin: id("424242"),
        last4: id("4242"),
        behaviour: text("approve"),
    };
    Ask::Register(Register { token: token.clone(), merchant_id: id("shop"), card: Ok(card) })
}

fn approval(reference: Id, order_id: Id, units: i64) -> Ask {
    let (merchant_id, token) = (id("shop"), id("tok"));
    Ask::Approve(Approve {
        reference,
        merchant_id,
        order_id,
        token,
        amount: won(units),
        currency: krw(),
        installment_months: 0,
    })
}

fn net_cancel(reference: Id, original_reference: Id, units: i64) -> Ask {
    Ask::NetCancel(NetCancel {
        reference,
        original_reference,
        merchant_id: id("shop"),
        amount: won(units),
        currency: krw(),
    })
}

fn result(done: &Done) -> Outcome {
    done.entries.last().unwrap().result
}

#[test]
fn a_net_cancel_works_for_one_hour() {
    for (minutes, expected) in [(0, Outcome::Reversed), (60, Outcome::Reversed), (61, Outcome::Refused)] {
        let mut company = Company::default();
        company.handle(&registration(&id("tok")), Act::Normally, at(0, Mode::D)).unwrap();
        company.handle(&approval(id("r"), id("o"), 1_000), Act::Normally, at(0, Mode::D)).unwrap();
        let late = at(minutes * MINUTE_MS, Mode::D);
        let done = company.handle(&net_cancel(id("n"), id("r"), 1_000), Act::Normally, late).unwrap();
        assert_eq!(result(&done), expected, "after {minutes} min");
    }
}

/// Any history: no charge ever gives back more than it took, mode D never charges a reference twice, the journal's sums are
/// the books' sums, and the books read back from the journal (through JSON) are the books that wrote it.
#[test]
fn any_history_keeps_the_books_sound_and_is_read_back_as_it_was() {
    for seed in 1..=40 {
        for mode in [Mode::D, Mode::N] {
            let (company, entries) = history(seed, mode);
            let mut again = Company::default();
            for entry in &entries {
                let line = serde_json::to_string(entry).unwrap();
                let read: Entry = serde_json::from_str(&line).unwrap();
                assert_eq!(&read, entry);
                again.replay(&read);
            }
            assert_eq!(again.seq, company.seq);
            assert_eq!(again.transactions.len(), company.transactions.len());
            let (mut net_of_books, mut net_of_journal) = (0, 0);
            for (reference, transaction) in &company.transactions {
                let same = &again.transactions[reference];
                assert_eq!(
                    (same.standing, &same.charges, same.at),
                    (transaction.standing, &transaction.charges, transaction.at)
                );
                assert!(transaction.charges.iter().all(|c| c.standing() >= 0 && c.refunded <= c.captured));
                assert!(mode == Mode::N || transaction.charges.len() <= 1);
                net_of_books += transaction.totals().standing();
            }
            for entry in &entries {
                let amount = entry.amount.map_or(0, Amount::get);
                net_of_journal += match entry.effect {
                    Effect::Charged => amount,
                    Effect::Voided | Effect::Refunded | Effect::Reversed => -amount,
                    Effect::Captured | Effect::None => 0,
                };
            }
            assert_eq!(net_of_books, net_of_journal);
        }
    }
}

fn history(seed: u64, mode: Mode) -> (Company, Vec<Entry>) {
    let mut company = Company::default();
    let mut entries = company.handle(&registration(&id("tok")), Act::Normally, at(0, mode)).unwrap().entries;
    let mut random = seed;
    let mut pick = |n: u64| {
        // Knuth's MMIX generator: enough to shuffle requests, and the same ones each time.
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % n
    };
    for step in 0..300 {
        let original = id(format!("r{}", pick(8)));
        let reference = id(format!("x{}", pick(60)));
        let (order_id, units) = (id("o"), i64::try_from(pick(4) + 1).unwrap() * 250);
        let ask = match pick(8) {
            0 | 1 => approval(original, order_id, 1_000),
            2 => net_cancel(reference, original, 1_000),
            3 => Ask::Inquire(original),
            nth => {
                let call = [Call::Capture, Call::Cancel, Call::Cancel, Call::Refund][usize::try_from(nth - 4).unwrap()];
                let (original_reference, merchant_id) = (original, id("shop"));
                let (amount, currency) = (won(units), krw());
                Ask::Change(call, Change { reference, original_reference, merchant_id, order_id, amount, currency })
            }
        };
        let act = match pick(12) {
            0 => Act::Nothing,
            1 => Act::Decline(Code::DO_NOT_HONOR),
            2 => Act::Pend(Pending { inquiries: 1, code: Code::APPROVED }),
            3 => Act::ChargeMore(10),
            4 => Act::Refuse,
            5 => Act::NotFound,
            _ => Act::Normally,
        };
        company.arrived(&ask);
        // A refused request (a reference used for something else) leaves no trace.
        if let Ok(done) = company.handle(&ask, act, at(step * 1_000, mode)) {
            entries.extend(done.entries);
        }
    }
    (company, entries)
}
