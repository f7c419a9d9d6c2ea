//! A payment's whole life beside a reference model of it: so small that it is plainly right, and of nothing that the product uses.
//! Whatever anybody does to a payment, in whatever order, both take it or both refuse it, and say the same of status and money.

use std::cell::RefCell;
use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::test_runner::{TestError, TestRunner};

use super::cancel::CancelKind;
use super::event::PaymentEvent;
use super::failure::{Failure, FailureCode};
use super::fixtures::{START, approved, cancel, card, id, later, own};
use super::operation::{OperationKind, OperationStatus as S};
use super::payment::{PaymentState, Work};
use super::virtual_account::tests::{account, deposited, issuing};
use super::virtual_account::{AccountEvent, DepositStanding};

const TOTAL: i64 = 15_000;
/// The capture's number, and the closing's; cancels have 100 and more, reversals 200, returns 300.
const CAPTURE: u128 = 10;
const CLOSING: u128 = 11;

/// What somebody does. A number chooses among what there is.
#[derive(Debug, Clone, Copy)]
enum Deed {
    Scan,
    Authenticate,
    GoBack,
    RunOut,
    Confirm,
    Own(Fares),
    Approve,
    Fail { reversed: bool },
    Late,
    ReversalUnknown(usize),
    Reversed { which: usize, reversed: bool },
    AskBack(i64),
    Cancel(usize, Fares),
    GiveBack { which: usize, refund: bool },
    RefuseBack(usize),
    AskCapture,
    Capture(Fares),
    Captured,
    FoundCaptured,
    RefuseCapture,
    Open,
    PayIn { is_all: bool },
    TakeBack(usize),
    Return(usize, Fares),
    Returned(usize),
    NothingToReturn(usize),
    Overdue,
    AskClose,
    Close(Fares),
    Closed { is_empty: bool },
}

/// How work fares that does not end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fares {
    Again,
    Unknown,
    Dies,
    Revived,
}

/// Where work is that has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Is {
    AtWork,
    Unknown,
    Dead,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Back {
    Asked(Is),
    Gone,
    Refused,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum In {
    Pays,
    Owed,
    Returned,
    TakenBack,
}

/// The model: a few words and lists.
#[derive(Debug)]
struct Life {
    status: &'static str,
    by_account: bool,
    is_scanned: bool,
    own: Option<Is>,
    reversals: Vec<u128>,
    backs: Vec<(i64, Back)>,
    capture: Option<Is>,
    is_captured: bool,
    ever_reversed: bool,
    is_overdue: bool,
    deposits: Vec<(In, Option<Is>)>,
    closing: Option<Is>,
    next_reversal: u128,
}

impl Life {
    fn new(status: &'static str, by_account: bool) -> Self {
        Self {
            status,
            by_account,
            is_scanned: false,
            own: (status == "IN_PROGRESS").then_some(Is::AtWork),
            reversals: Vec::new(),
            backs: Vec::new(),
            capture: None,
            is_captured: false,
            ever_reversed: false,
            is_overdue: false,
            deposits: Vec::new(),
            closing: None,
            next_reversal: 200,
        }
    }

    fn at_work(work: Option<Is>) -> bool {
        matches!(work, Some(Is::AtWork | Is::Unknown))
    }

    /// Whether anybody is at work on it.
    fn is_busy(&self) -> bool {
        self.has_work_in_line() || !self.reversals.is_empty()
    }

    /// Whether anybody is at work on what other work waits for: nothing waits for the reversal of another approval.
    fn has_work_in_line(&self) -> bool {
        let asked = |(_, back): &(i64, Back)| matches!(back, Back::Asked(Is::AtWork | Is::Unknown));
        [self.own, self.capture, self.closing].into_iter().any(Self::at_work)
            || self.backs.iter().any(asked)
            || self.deposits.iter().any(|(_, work)| Self::at_work(*work))
    }

    fn sum(&self, of: impl Fn(Back) -> bool) -> i64 {
        self.backs.iter().filter(|(_, back)| of(*back)).map(|(amount, _)| amount).sum()
    }

    fn gone(&self) -> i64 {
        self.sum(|back| back == Back::Gone)
    }

    fn held(&self) -> i64 {
        self.sum(|back| matches!(back, Back::Asked(_)))
    }

    fn is_paid(&self) -> bool {
        matches!(self.status, "DONE" | "PARTIAL_CANCELED")
    }

    /// Where the money is: unknown while somebody may be moving the last of it.
    fn money(&self) -> &'static str {
        if Self::at_work(self.own) || !self.reversals.is_empty() {
            return "UNKNOWN";
        }
        let owed = || self.deposits.iter().filter(|(lies, _)| *lies == In::Owed);
        let goes_back = owed().count() > 0 && owed().all(|(_, work)| Self::at_work(*work));
        let is_held = owed().count() > 0 && !goes_back;
        let going = self.sum(|back| matches!(back, Back::Asked(Is::AtWork | Is::Unknown)));
        if self.is_paid() {
            return if is_held || TOTAL - self.gone() > going { "MOVED" } else { "UNKNOWN" };
        }
        if is_held {
            return "MOVED";
        }
        let may_move = goes_back || (going > 0 && self.by_account);
        let went_back = self.ever_reversed || self.gone() == TOTAL && !self.by_account || !self.deposits.is_empty();
        match (may_move, went_back) {
            (true, _) => "UNKNOWN",
            (false, true) => "REVERSED",
            (false, false) => "NOT_MOVED",
        }
    }

    /// How open work fares; whether that can be.
    fn fares(work: &mut Option<Is>, fares: Fares, in_line: bool) -> bool {
        let can = work.is_some() && (fares != Fares::Revived || !in_line);
        if can {
            *work = Some(fares.to());
        }
        can
    }

    /// Does it, if it can be done.
    fn takes(&mut self, deed: Deed) -> bool {
        let (busy, in_line) = (self.is_busy(), self.has_work_in_line());
        let before_paying = matches!(self.status, "READY" | "IN_PROGRESS");
        let in_course = self.status == "IN_PROGRESS" && Self::at_work(self.own);
        match deed {
            Deed::Scan => {
                let can = self.status == "READY" && !self.is_scanned;
                self.is_scanned |= can;
                can
            }
            Deed::Authenticate => self.goes(self.status == "READY", "IN_PROGRESS"),
            Deed::GoBack => self.ends(before_paying && !busy, "ABORTED"),
            Deed::RunOut => self.ends(before_paying && !busy, "EXPIRED"),
            Deed::Confirm => {
                let can = self.status == "IN_PROGRESS" && self.own.is_none();
                self.own = if can { Some(Is::AtWork) } else { self.own };
                can
            }
            // What may have moved money is never given up.
            Deed::Own(Fares::Dies) if self.own == Some(Is::Unknown) => false,
            Deed::Own(Fares::Revived) => {
                self.status == "IN_PROGRESS" && Self::fares(&mut self.own, Fares::Revived, busy)
            }
            Deed::Own(fares) => in_course && Self::fares(&mut self.own, fares, in_line),
            Deed::Approve => self.ends(in_course, "DONE"),
            Deed::Open => self.ends(in_course, "WAITING_FOR_DEPOSIT"),
            Deed::Fail { reversed } => {
                self.ever_reversed |= in_course && reversed;
                self.ends(in_course, "ABORTED")
            }
            Deed::Late => {
                let can = self.status != "READY";
                self.reversals.extend(can.then_some(self.next_reversal));
                can
            }
            Deed::ReversalUnknown(which) => which < self.reversals.len(),
            Deed::Reversed { which, reversed } => {
                let can = which < self.reversals.len();
                if can {
                    let _ = self.reversals.remove(which);
                    self.ever_reversed |= reversed;
                }
                can
            }
            Deed::AskBack(amount) => {
                let left = TOTAL - self.gone() - self.held();
                let waits = self.status == "WAITING_FOR_DEPOSIT";
                // Of what was not paid yet nothing can go back in part.
                let fits = (1..=left).contains(&amount) && (!waits || self.held() > 0 || amount == TOTAL);
                let can = (self.is_paid() || waits) && fits;
                self.backs.extend(can.then_some((amount, Back::Asked(Is::AtWork))));
                can
            }
            Deed::Cancel(which, fares) => match self.backs.get_mut(which) {
                Some((_, back @ Back::Asked(_))) if fares != Fares::Revived || !in_line => {
                    *back = Back::Asked(fares.to());
                    true
                }
                Some(_) | None => false,
            },
            Deed::GiveBack { which, .. } => {
                let gone = self.gone();
                let is_all = |amount: i64| gone + amount == TOTAL;
                let paid = self.is_paid();
                let Some((amount, back @ Back::Asked(_))) = self.backs.get_mut(which) else { return false };
                if !paid && !is_all(*amount) {
                    return false;
                }
                self.status = if is_all(*amount) { "CANCELED" } else { "PARTIAL_CANCELED" };
                *back = Back::Gone;
                true
            }
            Deed::RefuseBack(which) => match self.backs.get_mut(which) {
                Some((_, back @ Back::Asked(_))) => {
                    *back = Back::Refused;
                    true
                }
                Some(_) | None => false,
            },
            Deed::AskCapture => {
                let can = self.is_paid() && !self.by_account && self.capture.is_none() && !self.is_captured;
                self.capture = if can { Some(Is::AtWork) } else { self.capture };
                can
            }
            Deed::Capture(fares) => Self::fares(&mut self.capture, fares, in_line),
            Deed::Captured => {
                let can = self.capture.take().is_some();
                self.is_captured |= can;
                can
            }
            Deed::FoundCaptured => {
                let was_paid = self.is_paid() || self.status == "CANCELED";
                let can = was_paid && !self.by_account && !self.is_captured;
                self.is_captured |= can;
                can
            }
            Deed::RefuseCapture => self.capture.take().is_some(),
            Deed::PayIn { is_all } => {
                let can = if is_all { self.status == "WAITING_FOR_DEPOSIT" } else { self.own.is_none() };
                if can {
                    self.deposits.push(if is_all { (In::Pays, None) } else { (In::Owed, Some(Is::AtWork)) });
                    self.status = if is_all { "DONE" } else { self.status };
                }
                can
            }
            Deed::TakeBack(which) => {
                let unpaid = if self.status == "DONE" { "WAITING_FOR_DEPOSIT" } else { self.status };
                let Some((lies @ (In::Pays | In::Owed | In::Returned), _)) = self.deposits.get_mut(which) else {
                    return false;
                };
                self.status = if *lies == In::Pays { unpaid } else { self.status };
                *lies = In::TakenBack;
                true
            }
            Deed::Return(which, fares) => {
                self.deposits.get_mut(which).is_some_and(|(_, work)| Self::fares(work, fares, in_line))
            }
            // What is heard of after it was taken back had gone before.
            Deed::Returned(which) => {
                self.returned(which, In::Owed, In::Returned) || self.returned(which, In::TakenBack, In::TakenBack)
            }
            Deed::NothingToReturn(which) => self.returned(which, In::TakenBack, In::TakenBack),
            Deed::Overdue => {
                let can = self.status == "WAITING_FOR_DEPOSIT" && !self.is_overdue;
                self.is_overdue |= can;
                can
            }
            Deed::AskClose => {
                let can = self.closing.is_none() && self.own.is_none();
                self.closing = if can { Some(Is::AtWork) } else { self.closing };
                can
            }
            Deed::Close(fares) => Self::fares(&mut self.closing, fares, in_line),
            Deed::Closed { .. } => self.closing.take().is_some(),
        }
    }

    fn goes(&mut self, can: bool, status: &'static str) -> bool {
        self.status = if can { status } else { self.status };
        can
    }

    /// Its own course ends.
    fn ends(&mut self, can: bool, status: &'static str) -> bool {
        self.own = if can { None } else { self.own };
        self.goes(can, status)
    }

    fn returned(&mut self, which: usize, from: In, to: In) -> bool {
        match self.deposits.get_mut(which) {
            Some((lies, work)) if *lies == from && work.is_some() => {
                (*lies, *work) = (to, None);
                true
            }
            Some(_) | None => false,
        }
    }

    /// Whether nobody could do that, so that there is nothing to compare: what is read from a bank's books is of its accounts, and
    /// what was paid into one is taken back only while all of it is there.
    fn is_nonsense(&self, deed: Deed) -> bool {
        let of_card = matches!(deed, Deed::Approve | Deed::Late);
        let of_account =
            matches!(deed, Deed::Open | Deed::PayIn { .. } | Deed::Overdue | Deed::AskClose | Deed::TakeBack(_));
        let was_paid_since = self.is_overdue && self.deposits.iter().any(|(lies, _)| *lies != In::Owed);
        // Somebody's account to give the money back to; or the account was closed by a cancel and is there no more.
        (if self.by_account { of_card } else { of_account })
            || (matches!(deed, Deed::TakeBack(_)) && self.gone() > 0)
            // Nor is it refunded after that.
            || (matches!(deed, Deed::GiveBack { refund: true, .. }) && self.status == "WAITING_FOR_DEPOSIT")
            || (matches!(deed, Deed::Overdue) && was_paid_since)
    }
}

impl Fares {
    const fn to(self) -> Is {
        match self {
            Self::Again | Self::Revived => Is::AtWork,
            Self::Unknown => Is::Unknown,
            Self::Dies => Is::Dead,
        }
    }

    fn event(self, number: u128, kind: OperationKind) -> PaymentEvent {
        let work = |status| Work { kind, status, ..later(number, kind, status) };
        match self {
            Self::Again => PaymentEvent::RetryScheduled { work: work(S::Waiting), reversed: false },
            Self::Unknown => PaymentEvent::OutcomeUnknown { work: work(S::Unknown) },
            Self::Dies => PaymentEvent::WorkDied { work: work(S::Dead), disputed: false },
            Self::Revived => PaymentEvent::WorkRearmed { work: work(S::Queued) },
        }
    }
}

/// The same deed, as the product is told of it.
fn event(deed: Deed, life: &Life) -> PaymentEvent {
    let number = |base: u128, which: usize| base + u128::try_from(which).unwrap();
    let own_kind = if life.by_account { OperationKind::IssueAccount } else { OperationKind::Approve };
    let failure = || Failure::declined(FailureCode::RefundRejected, "05");
    let reversal = |which: usize| life.reversals.get(which).copied().unwrap_or(299);
    let key = |which: usize| format!("d{which}");
    let account_event = |event| PaymentEvent::Account(event);
    match deed {
        Deed::Scan => PaymentEvent::Scanned { at: START },
        Deed::Authenticate => PaymentEvent::Authenticated { instrument: card() },
        Deed::GoBack => PaymentEvent::PayerCanceled,
        Deed::RunOut => PaymentEvent::Expired,
        Deed::Confirm => PaymentEvent::ApprovalQueued { work: Work { kind: own_kind, ..own(S::Queued) } },
        Deed::Own(fares) => fares.event(7, own_kind),
        Deed::Approve => approved(),
        Deed::Fail { reversed } => PaymentEvent::ApprovalFailed { failure: failure(), reversed },
        Deed::Late => {
            PaymentEvent::LateApproval { work: later(life.next_reversal, OperationKind::NetCancel, S::Queued) }
        }
        Deed::ReversalUnknown(which) => {
            PaymentEvent::OutcomeUnknown { work: later(reversal(which), OperationKind::NetCancel, S::Unknown) }
        }
        Deed::Reversed { which, reversed } => {
            PaymentEvent::ReversalFinished { operation: id(reversal(which)), reversed }
        }
        Deed::AskBack(amount) => PaymentEvent::CancelQueued { cancel: cancel(number(100, life.backs.len()), amount) },
        Deed::Cancel(which, fares) => fares.event(number(100, which), OperationKind::Cancel),
        Deed::GiveBack { which, refund } => {
            let kind = if refund { CancelKind::Refund } else { CancelKind::Cancel };
            PaymentEvent::CancelDone { operation: id(number(100, which)), kind, at: START }
        }
        Deed::RefuseBack(which) => PaymentEvent::CancelFailed { operation: id(number(100, which)), failure: failure() },
        Deed::AskCapture => PaymentEvent::CaptureQueued { work: later(CAPTURE, OperationKind::Capture, S::Queued) },
        Deed::Capture(fares) => fares.event(CAPTURE, OperationKind::Capture),
        Deed::Captured if life.is_captured => PaymentEvent::CaptureDone { operation: id(CAPTURE) },
        Deed::Captured => PaymentEvent::Captured { operation: Some(id(CAPTURE)), at: START },
        Deed::FoundCaptured => PaymentEvent::Captured { operation: None, at: START },
        Deed::RefuseCapture => PaymentEvent::CaptureFailed { operation: id(CAPTURE), failure: failure(), at: START },
        Deed::Open => account_event(AccountEvent::Issued { account: account() }),
        Deed::PayIn { is_all } => {
            let (amount, standing) =
                if is_all { (TOTAL, DepositStanding::Taken) } else { (5_000, DepositStanding::Owed) };
            let which = life.deposits.len();
            let mut found = deposited(&key(which), amount, standing);
            if let AccountEvent::Deposited { deposit, .. } = &mut found {
                let work = || later(number(300, which), OperationKind::ReturnDeposit, S::Queued);
                deposit.work = (!is_all).then(work);
            }
            account_event(found)
        }
        Deed::TakeBack(which) => account_event(AccountEvent::TakenBack { key: key(which) }),
        Deed::Return(which, fares) => fares.event(number(300, which), OperationKind::ReturnDeposit),
        Deed::Returned(which) => account_event(AccountEvent::Returned { operation: id(number(300, which)) }),
        Deed::NothingToReturn(which) => {
            account_event(AccountEvent::NothingToReturn { operation: id(number(300, which)) })
        }
        Deed::Overdue => account_event(AccountEvent::Overdue),
        Deed::AskClose => {
            account_event(AccountEvent::CloseQueued { work: later(CLOSING, OperationKind::CloseAccount, S::Queued) })
        }
        Deed::Close(fares) => fares.event(CLOSING, OperationKind::CloseAccount),
        Deed::Closed { is_empty: true } => {
            account_event(AccountEvent::Closed { operation: Some(id(CLOSING)), own: life.is_opened() })
        }
        Deed::Closed { is_empty: false } => account_event(AccountEvent::NotClosed { operation: id(CLOSING) }),
    }
}

impl Life {
    /// Whether the payer was ever told an account.
    fn is_opened(&self) -> bool {
        self.by_account && !matches!(self.status, "IN_PROGRESS" | "ABORTED" | "EXPIRED")
    }
}

fn fares() -> impl Strategy<Value = Fares> {
    prop_oneof![
        3 => Just(Fares::Again),
        2 => Just(Fares::Unknown),
        1 => Just(Fares::Dies),
        2 => Just(Fares::Revived),
    ]
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let one = || 0..4_usize;
    let course = prop_oneof![
        1 => Just(Deed::Scan),
        3 => Just(Deed::Authenticate),
        1 => Just(Deed::GoBack),
        1 => Just(Deed::RunOut),
        4 => Just(Deed::Confirm),
        4 => fares().prop_map(Deed::Own),
        6 => Just(Deed::Approve),
        1 => any::<bool>().prop_map(|reversed| Deed::Fail { reversed }),
        1 => Just(Deed::Late),
        1 => one().prop_map(Deed::ReversalUnknown),
        2 => (one(), any::<bool>()).prop_map(|(which, reversed)| Deed::Reversed { which, reversed }),
    ];
    let back = prop_oneof![
        4 => prop_oneof![1..9_000_i64, Just(TOTAL), Just(0), Just(TOTAL + 1)].prop_map(Deed::AskBack),
        3 => (one(), fares()).prop_map(|(which, fares)| Deed::Cancel(which, fares)),
        4 => (one(), any::<bool>()).prop_map(|(which, refund)| Deed::GiveBack { which, refund }),
        2 => one().prop_map(Deed::RefuseBack),
        2 => Just(Deed::AskCapture),
        2 => fares().prop_map(Deed::Capture),
        1 => Just(Deed::Captured),
        1 => Just(Deed::FoundCaptured),
        1 => Just(Deed::RefuseCapture),
    ];
    let account = prop_oneof![
        6 => Just(Deed::Open),
        4 => any::<bool>().prop_map(|is_all| Deed::PayIn { is_all }),
        2 => one().prop_map(Deed::TakeBack),
        2 => (one(), fares()).prop_map(|(which, fares)| Deed::Return(which, fares)),
        2 => one().prop_map(Deed::Returned),
        1 => one().prop_map(Deed::NothingToReturn),
        1 => Just(Deed::Overdue),
        1 => Just(Deed::AskClose),
        1 => fares().prop_map(Deed::Close),
        1 => any::<bool>().prop_map(|is_empty| Deed::Closed { is_empty }),
    ];
    proptest::collection::vec(prop_oneof![3 => course, 3 => back, 3 => account], 0..60)
}

/// Plays it on both, and returns the steps that both took, as `before event after`.
fn play(door: usize, deeds: Vec<Deed>) -> Result<BTreeSet<String>, TestCaseError> {
    let (mut state, mut life) = match door {
        0 => (PaymentState::ready(), Life::new("READY", false)),
        1 => (PaymentState::key_in(card(), own(S::Queued)), Life::new("IN_PROGRESS", false)),
        _ => (issuing(), Life::new("IN_PROGRESS", true)),
    };
    let mut taken = BTreeSet::new();
    for deed in deeds {
        if life.is_nonsense(deed) {
            continue;
        }
        let event = event(deed, &life);
        let before = life.status;
        let told = state.on(&event);
        let takes = life.takes(deed);
        life.next_reversal += u128::from(takes);
        prop_assert_eq!(told.is_ok(), takes, "{:?}\n{:?}\n{:?}\n{:?}", deed, told, state, life);
        if let Ok(next) = told {
            state = next;
            let _ = taken.insert(format!("{before} {} {}", event.name(), life.status));
        }
        let says = (state.status().as_str(), state.money_state.as_str(), state.canceled, state.reserved);
        prop_assert_eq!(
            says,
            (life.status, life.money(), life.gone(), life.held()),
            "{:?}\n{:?}\n{:?}",
            deed,
            state,
            life
        );
        prop_assert_eq!(state.has_unsettled_work(), life.is_busy(), "{:?}\n{:?}\n{:?}", deed, state, life);
        prop_assert!(life.gone() + life.held() <= TOTAL);
    }
    Ok(taken)
}

#[test]
fn no_order_of_deeds_disagrees_with_the_model() {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(10_000) };
    let mut runner = TestRunner::new(config);
    let taken = RefCell::new(BTreeSet::new());
    let played = runner.run(&(0..3_usize, deeds()), |(door, deeds)| {
        taken.borrow_mut().extend(play(door, deeds)?);
        Ok(())
    });
    match played {
        Ok(()) => {}
        Err(TestError::Fail(why, least)) => panic!("{why}\nby {least:?}"),
        Err(TestError::Abort(why)) => panic!("{why}"),
    }
    let taken = taken.into_inner();
    let statuses: BTreeSet<&str> = taken.iter().filter_map(|step| step.rsplit(' ').next()).collect();
    let all =
        ["ABORTED", "CANCELED", "DONE", "EXPIRED", "IN_PROGRESS", "PARTIAL_CANCELED", "READY", "WAITING_FOR_DEPOSIT"];
    assert_eq!(statuses, BTreeSet::from(all));
    // A run that meets nothing proves nothing.
    assert!(taken.len() > 70, "only {} different steps: {taken:#?}", taken.len());
}
