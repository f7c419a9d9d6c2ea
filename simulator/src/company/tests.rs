//! The books without the program around them: what needs a clock of its own, and what must hold for any history.

use super::virtual_account::{AccountState, Arrival, Callback, Close, Issue, PayOut, Purpose};
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

fn ask(method: Method, request: Request) -> Ask {
    Ask { method, request }
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
    let known = Ok(Known::Card(card));
    ask(Method::Card, Request::Register(Register { token: token.clone(), merchant_id: id("shop"), known }))
}

/// An account, a phone or a membership of the same holder under a token.
fn holder(method: Method, token: &Id, balance: Option<i64>, limit: Option<i64>) -> Ask {
    let facts = HolderFacts {
        provider: Cow::Borrowed("88"),
        holder: id("holder"),
        last4: id("0000"),
        balance,
        limit,
        behaviour: Cow::Borrowed("approve"),
    };
    let known = Ok(Known::Holder(facts));
    ask(method, Request::Register(Register { token: token.clone(), merchant_id: id("shop"), known }))
}

fn approval(reference: Id, order_id: Id, units: i64) -> Ask {
    approval_by(Method::Card, reference, order_id, units)
}

fn approval_by(method: Method, reference: Id, order_id: Id, units: i64) -> Ask {
    let (merchant_id, token) = (id("shop"), id("tok"));
    let approve = Approve {
        reference,
        merchant_id,
        order_id,
        token,
        amount: won(units),
        currency: krw(),
        installment_months: 0,
        interest_payer: None,
    };
    ask(method, Request::Approve(approve))
}

fn change(method: Method, call: Call, reference: Id, original_reference: Id, order_id: Id, units: i64) -> Ask {
    let (merchant_id, amount, currency) = (id("shop"), won(units), krw());
    let change = Change { reference, original_reference, merchant_id, order_id, amount, currency };
    ask(method, Request::Change(call, change))
}

fn net_cancel(reference: Id, original_reference: Id, units: i64) -> Ask {
    net_cancel_by(Method::Card, reference, original_reference, units)
}

fn net_cancel_by(method: Method, reference: Id, original_reference: Id, units: i64) -> Ask {
    let (merchant_id, amount, currency) = (id("shop"), won(units), krw());
    let net_cancel = NetCancel { reference, original_reference, merchant_id, amount, currency };
    ask(method, Request::NetCancel(net_cancel))
}

fn inquiry(method: Method, reference: Id) -> Ask {
    ask(method, Request::Inquire(reference))
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

/// 2026-01-31T23:59:59+09:00, in milliseconds.
const END_OF_JANUARY: i64 = 1_769_871_599_000;

#[test]
fn a_phone_is_charged_up_to_its_limit_each_month_and_cancels_only_within_it() {
    let mut company = Company::default();
    let at = |ms| at(END_OF_JANUARY + ms, Mode::D);
    company.handle(&holder(Method::Carrier, &id("tok"), None, Some(1_000)), Act::Normally, at(0)).unwrap();
    let approve = |company: &mut Company, reference: &str, units, ms| {
        let asked = approval_by(Method::Carrier, id(reference), id("o"), units);
        company.handle(&asked, Act::Normally, at(ms)).unwrap()
    };
    let cancel = |company: &mut Company, reference: &str, original: &str, units, ms| {
        let asked = change(Method::Carrier, Call::Cancel, id(reference), id(original), id("o"), units);
        let done = company.handle(&asked, Act::Normally, at(ms)).unwrap();
        (done.entries[0].result, done.entries[0].reason)
    };
    assert_eq!(result(&approve(&mut company, "r1", 600, 0)), Outcome::Approved);
    let over = approve(&mut company, "r2", 401, 0);
    assert_eq!(
        (over.entries[0].response_code, over.entries[0].reason),
        (Some(Code::OVER_LIMIT), Some(Reason::MonthlyLimit))
    );
    assert_eq!(result(&approve(&mut company, "r3", 400, 0)), Outcome::Approved);
    assert_eq!(cancel(&mut company, "c1", "r1", 599, 0), (Outcome::Declined, Some(Reason::PartialNotAllowed)));
    assert_eq!(cancel(&mut company, "c2", "r1", 600, 999), (Outcome::Approved, None));
    // What was cancelled in time may be charged again.
    assert_eq!(result(&approve(&mut company, "r4", 600, 999)), Outcome::Approved);
    assert_eq!(cancel(&mut company, "c3", "r4", 600, 1_000), (Outcome::Declined, Some(Reason::PastMonth)));
    // February begins with the whole limit.
    assert_eq!(result(&approve(&mut company, "r5", 1_000, 1_000)), Outcome::Approved);
}

#[test]
fn an_account_is_drawn_on_up_to_its_limit_each_day() {
    let mut company = Company::default();
    let at = |ms| at(END_OF_JANUARY + ms, Mode::D);
    company.handle(&holder(Method::Transfer, &id("tok"), None, Some(1_000)), Act::Normally, at(0)).unwrap();
    for (reference, ms, reason) in [("r1", 0, None), ("r2", 999, Some(Reason::DailyLimit)), ("r3", 1_000, None)] {
        let done = company.handle(&approval_by(Method::Transfer, id(reference), id("o"), 600), Act::Normally, at(ms));
        assert_eq!(done.unwrap().entries[0].reason, reason, "{reference}");
    }
}

#[test]
fn a_code_by_sms_is_good_for_three_minutes_and_five_tries() {
    let facts = HolderFacts {
        provider: Cow::Borrowed("SKT"),
        holder: id("holder"),
        last4: id("0000"),
        balance: None,
        limit: None,
        behaviour: Cow::Borrowed("approve"),
    };
    let typed = |company: &mut Company, is_right, ms| {
        let (token, merchant_id, verification) = (id("tok"), id("shop"), id("ver"));
        let subscribe = Subscribe { token, merchant_id, verification, is_right };
        let asked = ask(Method::Carrier, Request::Subscribe(subscribe));
        company.handle(&asked, Act::Normally, at(ms, Mode::D)).unwrap().entries[0].response_code
    };
    let verify = Verify { verification: id("ver"), merchant_id: id("shop"), holder: Ok(facts) };
    let verify = ask(Method::Carrier, Request::Verify(verify));
    let sent = || {
        let mut company = Company::default();
        company.handle(&verify, Act::Normally, at(0, Mode::D)).unwrap();
        company
    };
    assert_eq!(typed(&mut sent(), true, 180_000), Some(Code::APPROVED));
    assert_eq!(typed(&mut sent(), true, 180_001), Some(Code::EXPIRED));
    let mut company = sent();
    for _ in 0..4 {
        assert_eq!(typed(&mut company, false, 1), Some(Code::WRONG_PASSWORD));
    }
    assert_eq!(typed(&mut company, true, 2), Some(Code::APPROVED));
    assert_eq!(typed(&mut company, true, 3), Some(Code::INVALID_NUMBER), "a code is used once");
    let mut company = sent();
    for _ in 0..5 {
        assert_eq!(typed(&mut company, false, 1), Some(Code::WRONG_PASSWORD));
    }
    assert_eq!(typed(&mut company, true, 2), Some(Code::TOO_MANY_TRIES));
}

fn issue(reference: Id, order_id: Id, number: &str) -> Ask {
    let issue = Issue {
        reference,
        merchant_id: id("shop"),
        order_id,
        bank_code: id("88"),
        amount: won(1_000),
        currency: krw(),
        customer_name: Name::try_from("홍길동".to_owned()).unwrap(),
        due_at: Timestamp::from_millis(60_000),
        callback_url: Some(Address::try_from("http://127.0.0.1:1/".to_owned()).unwrap()),
        account_number: Some(id(number)),
        behaviour: Cow::Borrowed("approve"),
    };
    ask(Method::VirtualAccount, Request::Issue(Box::new(issue)))
}

fn arrival(key: &str, number: &str, units: i64, is_on_its_way: bool) -> Arrival {
    Arrival {
        key: id(key),
        account_number: id(number),
        amount: Some(won(units)),
        depositor_name: None,
        callback: Callback::Send,
        is_on_its_way,
    }
}

#[test]
fn a_deposit_is_taken_back_within_two_minutes() {
    for (ms, expected) in [(120_000, Outcome::Approved), (120_001, Outcome::Declined)] {
        let mut company = Company::default();
        company.handle(&issue(id("i"), id("o"), "X1"), Act::Normally, at(0, Mode::D)).unwrap();
        company.deposit(&arrival("d", "X1", 1_000, false), at(0, Mode::D)).unwrap();
        let done = company.take_back(&id("d"), Callback::Send, false, at(ms, Mode::D)).unwrap();
        assert_eq!(result(&done), expected, "after {ms} ms");
    }
}

/// Any history: no charge ever gives back more than it took, nobody uses more than he has, a closed virtual account is
/// empty, mode D never charges a reference twice, the journal's sums are the books' sums, and the books read back from the
/// journal (through JSON) are the books that wrote it.
#[test]
fn any_history_keeps_the_books_sound_and_is_read_back_as_it_was() {
    let mut seen = Vec::new();
    for seed in 1..=20 {
        for mode in [Mode::D, Mode::N] {
            for method in [Method::Card, Method::Transfer, Method::Carrier, Method::Points, Method::VirtualAccount] {
                let (company, entries) = history(seed, mode, method);
                check(&company, &entries, mode, method);
                seen.extend(entries.iter().map(|entry| (method, entry.request, entry.effect, entry.result)));
            }
        }
    }
    // The histories are worth nothing when what is rare never happens in them.
    use Outcome::{Approved, Declined, Pending as Waits, Reversed};
    for rare in [
        (Method::Card, Call::Inquire, Effect::Refunded, Approved),
        (Method::Card, Call::Inquire, Effect::Restored, Declined),
        (Method::Card, Call::Capture, Effect::Captured, Approved),
        (Method::Transfer, Call::Inquire, Effect::Voided, Approved),
        (Method::Carrier, Call::NetCancel, Effect::Reversed, Reversed),
        (Method::Points, Call::Inquire, Effect::Restored, Declined),
        (Method::Points, Call::Inquire, Effect::Charged, Approved),
        (Method::VirtualAccount, Call::Close, Effect::None, Approved),
        (Method::VirtualAccount, Call::Close, Effect::None, Declined),
        (Method::VirtualAccount, Call::Close, Effect::None, Waits),
        (Method::VirtualAccount, Call::Inquire, Effect::None, Waits),
        (Method::VirtualAccount, Call::Inquire, Effect::PaidOut, Approved),
        (Method::VirtualAccount, Call::Inquire, Effect::Restored, Declined),
        (Method::VirtualAccount, Call::TakeBack, Effect::TakenBack, Approved),
        (Method::VirtualAccount, Call::TakeBack, Effect::None, Declined),
        (Method::VirtualAccount, Call::Deposit, Effect::Deposited, Approved),
        (Method::VirtualAccount, Call::Deposit, Effect::None, Declined),
    ] {
        assert!(seen.contains(&rare), "{rare:?} never happened");
    }
}

fn check(company: &Company, entries: &[Entry], mode: Mode, method: Method) {
    let mut again = Company::default();
    for entry in entries {
        let line = serde_json::to_string(entry).unwrap();
        let read: Entry = serde_json::from_str(&line).unwrap();
        assert_eq!(&read, entry);
        again.replay(&read);
    }
    assert_eq!(again.seq, company.seq);
    assert_eq!(again.transactions.len(), company.transactions.len());
    let mut net_of_books = 0;
    for (reference, transaction) in &company.transactions {
        let same = &again.transactions[reference];
        assert_eq!(
            (same.standing, &same.charges, same.at, same.turns),
            (transaction.standing, &transaction.charges, transaction.at, transaction.turns)
        );
        for charge in &transaction.charges {
            assert!(charge.standing() >= 0 && charge.left() >= 0 && charge.held >= 0, "{charge:?}");
            assert!(method != Method::Card || charge.refunded - charge.restored <= charge.captured, "{charge:?}");
        }
        assert!(mode == Mode::N || transaction.charges.len() <= 1);
        let (effects, same) = (company.effects_of(reference.as_str()), again.effects_of(reference.as_str()));
        let effects = serde_json::to_value(effects).unwrap();
        assert_eq!(effects, serde_json::to_value(same).unwrap());
        net_of_books += effects["net"].as_i64().unwrap();
        if transaction.standing == Standing::Reversed {
            assert_eq!(effects["net"], 0, "what was reversed holds nothing");
        }
    }
    for (number, account) in &company.virtual_accounts.accounts {
        let same = &again.virtual_accounts.accounts[number];
        assert_eq!(format!("{account:?}"), format!("{same:?}"));
        assert!(account.balance() >= 0 && account.left() >= 0, "{account:?}");
        assert!(account.state != AccountState::Closed || account.balance() == 0, "{account:?}");
    }
    let owed = |company: &Company| company.owed_callbacks().into_iter().map(|n| n.event_id).collect::<Vec<_>>();
    assert_eq!(owed(&again), owed(company));
    let token = company.instruments.get("tok").and_then(|instrument| instrument.known.holder());
    // What is paid into a virtual account comes from anybody.
    if let Some(facts) = token.filter(|_| method != Method::VirtualAccount) {
        let left = company.usage.balance(facts);
        assert_eq!(left, again.usage.balance(facts));
        assert!(left.is_none_or(|left| left >= 0), "{left:?}");
        assert_eq!(
            left.map(|left| facts.balance.unwrap() - left),
            Some(net_of_books),
            "the book is the sum of charges"
        );
    }
    let net_of_journal: i64 =
        entries.iter().map(|entry| entry.effect.sign() * entry.amount.map_or(0, Amount::get)).sum();
    assert_eq!(net_of_books, net_of_journal);
}

fn history(seed: u64, mode: Mode, method: Method) -> (Company, Vec<Entry>) {
    let mut company = Company::default();
    let registered = match method {
        Method::Card => registration(&id("tok")),
        Method::Transfer | Method::VirtualAccount | Method::Carrier | Method::Points => {
            holder(method, &id("tok"), Some(3_000), None)
        }
    };
    let mut entries = company.handle(&registered, Act::Normally, at(0, mode)).unwrap().entries;
    let mut random = seed;
    let mut pick = |n: u64| {
        // Knuth's MMIX generator: enough to shuffle requests, and the same ones each time.
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % n
    };
    for step in 0..300 {
        let now = || at(step * 1_000, mode);
        let original = id(format!("r{}", pick(8)));
        let reference = id(format!("x{}", pick(60)));
        let key = id(format!("d{}", pick(30)));
        let asked_about = reference.clone();
        let (order_id, units) = (id("o"), i64::try_from(pick(4) + 1).unwrap() * 250);
        let act = match pick(14) {
            0 => Act::Nothing,
            1 => Act::Decline(Code::DO_NOT_HONOR, None),
            2 | 3 => Act::Pend(Pending {
                inquiries: 1,
                code: [Code::APPROVED, Code::DO_NOT_HONOR][usize::from(seed.is_multiple_of(2))],
            }),
            4 => Act::ChargeMore(10),
            5 => Act::Refuse,
            6 => Act::NotFound,
            7 => Act::FailLater(Pending { inquiries: 0, code: Code::DO_NOT_HONOR }),
            8 => Act::ChargeAndCapture,
            _ => Act::Normally,
        };
        let choice = pick(10);
        if method == Method::VirtualAccount && choice < 5 {
            // One number for each request, as the counter gives them.
            let number = company.account_of_reference(&original).unwrap_or_else(|| id("X0"));
            let moved = match choice {
                0 | 1 => {
                    let coming = arrival(&format!("d{step}"), number.as_str(), units, choice == 1);
                    company.deposit(&coming, now())
                }
                2 | 3 => company.deposit_ends(&company.key_like(key.as_str()), choice == 2, now()),
                _ => company.take_back(&company.key_like(key.as_str()), Callback::Send, false, now()),
            };
            if let Some(done) = moved {
                let notice = company.callback_of(&done.entries);
                entries.extend(done.entries);
                if let Some(notice) = notice.filter(|_| step % 3 == 0) {
                    entries.extend(company.notified(&notice, true, now()));
                }
            }
            continue;
        }
        let asked = match (method, choice) {
            (Method::VirtualAccount, 5 | 6) => issue(original, order_id, &format!("X{step}")),
            (Method::VirtualAccount, 7) => {
                let (original_reference, merchant_id) = (original, id("shop"));
                ask(method, Request::Close(Close { reference, original_reference, merchant_id }))
            }
            (Method::VirtualAccount, 8) => {
                let key = company.key_like(key.as_str());
                ask(method, Request::PayOut(Box::new(pay_out(reference, original, units, Some(key)))))
            }
            (Method::VirtualAccount, _) => {
                ask(method, Request::PayOut(Box::new(pay_out(reference, original, units, None))))
            }
            (_, 0 | 1) => approval_by(method, original, order_id, 1_000),
            (_, 2) => net_cancel_by(method, reference, original, 1_000),
            (_, 3 | 4) => inquiry(method, if choice == 3 { original } else { reference }),
            (_, nth) => {
                let call = [Call::Capture, Call::Cancel, Call::Cancel, Call::Refund, Call::Refund]
                    [usize::try_from(nth - 5).unwrap()];
                change(
                    method,
                    call,
                    reference,
                    original,
                    order_id,
                    if method == Method::Carrier { 1_000 } else { units },
                )
            }
        };
        company.arrived(&asked);
        // A refused request (a reference used for something else) leaves no trace.
        if let Ok(done) = company.handle(&asked, act, now()) {
            entries.extend(done.entries);
        }
        for _ in 0..pick(4) {
            let about = inquiry(method, asked_about.clone());
            company.arrived(&about);
            entries.extend(company.handle(&about, Act::Normally, now()).unwrap().entries);
        }
    }
    (company, entries)
}

impl Company {
    /// Some deposit's key, the same for the same text, or a text that is none.
    fn key_like(&self, text: &str) -> Id {
        let mut keys: Vec<&Id> =
            self.virtual_accounts.accounts.values().flat_map(|account| &account.deposits).map(|d| &d.key).collect();
        keys.sort();
        let nth: usize = text.get(1..).unwrap().parse().unwrap();
        keys.get(keys.len().saturating_sub(nth % 5 + 1)).map_or_else(|| id(text), |key| (*key).clone())
    }
}

fn pay_out(reference: Id, original_reference: Id, units: i64, transaction_key: Option<Id>) -> PayOut {
    let to = HolderFacts {
        provider: Cow::Borrowed("88"),
        holder: id("receiver"),
        last4: id("0000"),
        balance: None,
        limit: None,
        behaviour: Cow::Borrowed("approve"),
    };
    let purpose = if transaction_key.is_some() { Purpose::ReturnDeposit } else { Purpose::Refund };
    let (merchant_id, order_id, amount, currency) = (id("shop"), id("o"), won(units), krw());
    let to = Ok(to);
    PayOut { reference, original_reference, merchant_id, order_id, amount, currency, purpose, transaction_key, to }
}

/// A line as it was written when there were only cards.
#[test]
fn a_journal_of_cards_only_is_read() {
    let line = r#"{"seq":1,"at":"2026-01-31T09:00:00.000+09:00","request":"approve","reference":"r1","originalReference":null,
        "merchantId":"shop","orderId":"o","token":"tok_1","amount":15000,"currency":"KRW","effect":"charged",
        "result":"approved","responseCode":"00","approvalNumber":"56048840"}"#;
    let entry: Entry = serde_json::from_str(line).unwrap();
    let mut company = Company::default();
    company.replay(&entry);
    let effects = serde_json::to_value(company.effects_of("r1")).unwrap();
    assert_eq!((&effects["method"], &effects["net"]), (&"card".into(), &15_000.into()));
    assert!(!serde_json::to_string(&entry).unwrap().contains("method"), "cards' lines are as they were");
}
