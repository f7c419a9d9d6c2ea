//! What a look at an account brings to light.

use super::super::super::cancel::NotCancelable;
use super::super::super::fixtures::won;
use super::super::super::payment::PaymentStatus;
use super::*;

#[test]
fn looks_come_less_and_less_often_and_one_at_the_due_time() {
    let seconds = |now, looks| (next_look(now, due(), looks) - now).whole_seconds();
    let table: Vec<i64> = (0..13).map(|looks| seconds(START, looks)).collect();
    assert_eq!(table, [15, 30, 60, 120, 240, 480, 960, 1_920, 3_840, 7_680, 15_360, 21_600, 21_600]);
    assert_eq!(seconds(due() - Duration::seconds(7), 9), 7, "at its due time");
    assert_eq!(seconds(due(), 13), 86_400, "and then once a day");
    assert_eq!(seconds(due(), i32::MAX), 86_400);
}

/// A bank account in miniature.
#[derive(Debug, Default)]
pub(super) struct Till {
    pub(super) deposits: Vec<FoundDeposit>,
    pub(super) paid_out: i64,
    pub(super) is_closed: bool,
}

impl Till {
    pub(super) fn found(&self) -> AccountFacts {
        AccountFacts {
            number: "X0000000000001".into(),
            money: Some(won(ASKED)),
            is_closed: self.is_closed,
            balance: self.balance(),
            deposits: self.deposits.clone(),
        }
    }

    pub(super) fn balance(&self) -> i64 {
        self.deposits.iter().filter(|found| !found.is_taken_back).map(|found| found.amount).sum::<i64>() - self.paid_out
    }
}

/// A state with an account that waits, and what the bank says of it.
fn waiting() -> PaymentState {
    after(&issuing(), AccountEvent::Issued { account: account() })
}

fn found(key: String, amount: i64) -> FoundDeposit {
    FoundDeposit { key, amount, depositor_name: "홍길동".into(), at: START, is_taken_back: false }
}

fn facts(deposits: Vec<FoundDeposit>, paid_out: i64) -> AccountFacts {
    let till = Till { deposits, paid_out, is_closed: false };
    till.found()
}

/// All that a look finds is recorded, and its returns are carried out when `returns`.
fn looked(mut state: PaymentState, facts: &AccountFacts, returns: bool) -> PaymentState {
    let mut facts = facts.clone();
    let mut recorded = std::collections::HashSet::new();
    for number in 1_000_u128..2_000 {
        // What is not listed any more is known from the list that is only ever added to.
        let is_listed = |key: &str| state.deposits.iter().any(|known| known.key == key);
        facts.deposits.retain(|found| !recorded.contains(&found.key) || is_listed(&found.key));
        let Some(finding) = state.finding(&reference(), &facts, id(number), START) else { return state };
        if let AccountEvent::Deposited { deposit, .. } = &finding.event {
            recorded.insert(deposit.key.clone());
        }
        state = after(&state, finding.event);
        if returns && state.returned_by(id(number)).is_some() {
            state = after(&state, AccountEvent::Returned { operation: id(number) });
        }
        if state.closing.is_some() {
            return state;
        }
    }
    panic!("a look that finds no end");
}

#[test]
fn the_deposit_that_pays_is_taken_however_many_came_before_it() {
    let mut all: Vec<FoundDeposit> = (0..250).map(|number| found(format!("s{number}"), 1)).collect();
    all.push(found("d1".into(), ASKED));
    // They went back: the oldest of them are not listed any more.
    let paid = looked(waiting(), &facts(all.clone(), 250), true);
    assert_eq!((paid.status(), paid.deposits.len(), paid.deposits_gone), (PaymentStatus::Done, DEPOSITS_MAX, 151));
    assert!(!paid.overflows(&reference(), &facts(all[151..].to_vec(), 250)));
    // Nobody says where to: some are not recorded yet, which somebody is told. The one that pays has its place.
    let all = facts(all, 0);
    let paid = looked(waiting(), &all, false);
    assert_eq!((paid.status(), paid.owed_deposits().count()), (PaymentStatus::Done, DEPOSITS_MAX - 1));
    assert!(paid.overflows(&reference(), &all));
}

fn twice(state: &PaymentState, finding: &Finding) -> Option<String> {
    state.went_twice(&PaymentEvent::Account(finding.event.clone())).map(|deposit| deposit.key.clone())
}

#[test]
fn what_is_taken_back_after_it_went_back_is_a_persons() {
    let (_, part) = standings().into_iter().find(|(name, _)| *name == "refunded in part").unwrap();
    let gone = || FoundDeposit { is_taken_back: true, ..found("d1".into(), ASKED) };
    let facts_now = facts(vec![gone()], 5_000);
    let finding = part.finding(&reference(), &facts_now, id(90), START).unwrap();
    assert_eq!(twice(&part, &finding).as_deref(), Some("d1"));
    let lost = after(&part, finding.event);
    assert_eq!((lost.status(), lost.money_state), (PaymentStatus::PartialCanceled, MoneyState::Reversed));
    assert_eq!((lost.refundable(), lost.deposits[0].lost), (0, 5_000));
    assert_eq!(lost.cancelable(0, Some(1_000), None), Err(NotCancelable::TooMuch { refundable: 0 }));
    // Nobody waits for anything any more: its account is closed.
    let next = lost.finding(&reference(), &facts_now, id(91), START).unwrap();
    assert_eq!(next.event.name(), "account.close_queued");

    let returned = looked(waiting(), &facts(vec![found("d2".into(), 5_000)], 0), true);
    let gone = FoundDeposit { is_taken_back: true, ..found("d2".into(), 5_000) };
    let finding = returned.finding(&reference(), &facts(vec![gone.clone()], 5_000), id(92), START).unwrap();
    assert_eq!(twice(&returned, &finding).as_deref(), Some("d2"));
    let twice = after(&returned, finding.event);
    assert!(!twice.disagrees(&reference(), &facts(vec![gone], 5_000)), "it is known by now");
    assert_eq!(twice.deposits[0].lost, 5_000);
}

#[test]
fn what_comes_back_to_the_account_is_noticed() {
    let (_, refunded) = standings().into_iter().find(|(name, _)| *name == "canceled, refunded").unwrap();
    let all = || vec![found("d1".into(), ASKED)];
    assert!(!refunded.disagrees(&reference(), &facts(all(), ASKED)));
    assert!(refunded.disagrees(&reference(), &facts(all(), 0)), "the pay-out has bounced");
    assert!(refunded.disagrees(&reference(), &facts(all(), ASKED - 1)));
    let (_, refunding) = standings().into_iter().find(|(name, _)| *name == "done, refunding").unwrap();
    assert!(!refunding.disagrees(&reference(), &facts(all(), ASKED)), "it is under way");
    let (_, part) = standings().into_iter().find(|(name, _)| *name == "refunded in part").unwrap();
    assert!(!part.disagrees(&reference(), &facts(all(), 5_000)));
    assert!(part.disagrees(&reference(), &facts(all(), 0)));
    let more = vec![found("d1".into(), ASKED), found("d9".into(), 1)];
    assert!(!part.disagrees(&reference(), &facts(more, 0)), "there is something that is not recorded yet");
}

#[test]
fn what_was_found_in_time_is_not_overdue_by_the_time_of_the_answer() {
    let state = waiting();
    let empty = facts(Vec::new(), 0);
    let asked = |at| state.finding(&reference(), &empty, id(90), at).map(|finding| finding.event.name());
    assert_eq!(asked(due() - Duration::milliseconds(1)), None);
    assert_eq!(asked(due()), Some("payment.overdue"));
    // Found all the same, it is not overdue any more.
    let paid = looked(after(&state, AccountEvent::Overdue), &facts(vec![found("d1".into(), ASKED)], 0), true);
    assert_eq!((paid.status(), paid.account.map(|account| account.expired)), (PaymentStatus::Done, Some(false)));
}
