//! Workers, a store and an acquirer in miniature, with a merchant who wants money back or a capture now and then, and everything
//! that can go wrong between them: answers lost, late,
//! wrong or refused; effects that an inquiry does not see yet; workers that crash, freeze and thaw. However it went, when
//! nothing is owed any more the payment says the truth, no surplus charge is left, and what was to go back went back once.

mod acquirer;
mod store;

use proptest::prelude::*;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use time::{Duration, OffsetDateTime};

use self::acquirer::{Acquirer, Asked};
use self::store::{Store, moves_money};
use super::attempt::{Answer, ApproveAnswer, Because, Call, ChangeAnswer, Manners, NetCancelAnswer};
use super::cancel::{Cancel, CancelEnd, CancelKind};
use super::course::{Claimed, Decision, Doubt, Step};
use super::event::PaymentEvent;
use super::failure::FailureReason;
use super::fixtures::START;
use super::id::Reference;
use super::operation::{OperationKind, OperationStatus};
use super::payment::{MoneyState, PaymentStatus};

/// Faults end so long after the beginning.
const FAULTS_FOR: Duration = Duration::minutes(5);
/// By then nothing may be owed any more.
const HORIZON: Duration = Duration::hours(8);
const TIMEOUT: Duration = Duration::seconds(10);
const LEASE: Duration = Duration::seconds(5);

/// What a run may do to itself.
#[derive(Debug, Clone, Copy)]
struct Rules {
    dedupes: bool,
    settle_window: Duration,
    /// Workers may freeze between looking at their lease and sending: nobody can charge at most once then, but every
    /// surplus must be found.
    zombies: bool,
    /// How often the merchant wants something of a payment that is paid.
    wishes: usize,
}

/// What a merchant may want, or an acquirer may do, when a payment is paid.
#[derive(Debug, Clone, Copy)]
enum Wish {
    /// So much back.
    Cancel(i64),
    /// Its capture.
    Capture,
    /// The acquirer captures without being asked.
    CaptureByItself,
}

/// One claim being carried through.
struct Talk {
    claimed: Claimed,
    operation: usize,
    /// From when on another worker may take over what this one holds.
    lost_at: Option<OffsetDateTime>,
    call: Pending,
}

/// A call under way.
struct Pending {
    call: Call,
    reference: Reference,
    because: Option<Because>,
    attempt: usize,
    /// Whether it is asked because the acquirer refused this change as already made.
    doubt: Option<Doubt>,
    asked: Option<Asked>,
    /// When it was sent.
    begins: OffsetDateTime,
    done_at: OffsetDateTime,
    lost: bool,
}

struct World {
    dice: StdRng,
    now: OffsetDateTime,
    rules: Rules,
    acquirer: Acquirer,
    store: Store,
    talks: Vec<Talk>,
    /// What will be wished for, the next one last.
    wishes: Vec<(OffsetDateTime, Wish)>,
    /// What happened, for whoever must understand a failure.
    journal: Vec<String>,
    /// The most un-reversed charges there ever were at once.
    most_charged: usize,
}

impl World {
    fn new(seed: u64, rules: Rules) -> Self {
        let mut dice = StdRng::seed_from_u64(seed);
        let mut wishes: Vec<_> = (0..rules.wishes)
            .map(|_| {
                let at = START + Duration::milliseconds(dice.random_range(0..480_000));
                let wish = match dice.random_range(0..10) {
                    0..=6 => Wish::Cancel(dice.random_range(1..=8_000)),
                    7..=8 => Wish::Capture,
                    _ => Wish::CaptureByItself,
                };
                (at, wish)
            })
            .collect();
        wishes.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        Self {
            dice,
            wishes,
            now: START,
            rules,
            acquirer: Acquirer::new(rules.dedupes),
            store: Store::new(),
            talks: Vec::new(),
            journal: Vec::new(),
            most_charged: 0,
        }
    }

    fn note(&mut self, fence: i64, what: impl std::fmt::Debug) {
        let seconds = (self.now - START).as_seconds_f64();
        self.journal.push(format!("{seconds:>8.2} s  claim {fence}: {what:?}"));
    }

    fn fault(&mut self, percent: u32) -> bool {
        self.now < START + FAULTS_FOR && self.dice.random_range(0..100) < percent
    }

    fn within(&mut self, longest: Duration) -> Duration {
        Duration::milliseconds(self.dice.random_range(0..=i64::try_from(longest.whole_milliseconds()).unwrap()))
    }

    /// Until nothing is owed: whatever comes next in time happens next.
    fn run(&mut self) {
        while self.now < START + HORIZON {
            let talk = self.talks.iter().enumerate().min_by_key(|(_, talk)| talk.call.done_at);
            let talk = talk.map(|(place, talk)| (talk.call.done_at, Some(place)));
            let claim = self.store.next_claim().map(|(at, _)| (at, None));
            let next = talk.into_iter().chain(claim).min_by_key(|(at, _)| *at);
            if let Some((at, wish)) = self.wishes.last().copied()
                && next.is_none_or(|(next, _)| at <= next)
            {
                self.wishes.pop();
                self.now = self.now.max(at);
                self.acquirer.advance(self.now);
                self.wish(wish);
                continue;
            }
            let Some((at, place)) = next else { return };
            self.now = self.now.max(at);
            self.acquirer.advance(self.now);
            self.most_charged = self.most_charged.max(self.acquirer.charged().len());
            match place {
                Some(place) => {
                    let talk = self.talks.swap_remove(place);
                    self.hear(talk);
                }
                None => self.claim(),
            }
        }
    }

    /// What the API does for a merchant: it looks at the payment, and accepts what that allows.
    fn wish(&mut self, wish: Wish) {
        let now = self.now;
        let tax_free = self.store.payment.tax_free;
        let accepted = match wish {
            Wish::CaptureByItself => {
                self.acquirer.captures_by_itself();
                self.acquirer.captured
            }
            Wish::Capture => {
                let amount = self.store.payment.state.balance(self.store.payment.total.amount()).max(1);
                self.store.accept(OperationKind::Capture, |work| PaymentEvent::CaptureQueued { work }, amount, now)
            }
            Wish::Cancel(amount) => match self.store.payment.state.cancelable(tax_free, Some(amount), None) {
                Err(_) => false,
                Ok((amount, tax_free)) => {
                    let cancel = |work| Cancel {
                        work,
                        amount,
                        tax_free,
                        reason: "changed my mind".into(),
                        payee: None,
                        requested_at: now,
                        end: None,
                    };
                    let wish = |work| PaymentEvent::CancelQueued { cancel: cancel(work) };
                    assert!(self.store.accept(OperationKind::Cancel, wish, amount, now), "what can be is accepted");
                    true
                }
            },
        };
        self.note(0, (wish, accepted));
    }

    fn claim(&mut self) {
        let Some((_, operation)) = self.store.next_claim() else { return };
        let manners = Manners {
            dedupes_by_reference: self.rules.dedupes,
            settle_window: self.rules.settle_window,
            total_timeout: TIMEOUT,
        };
        let claimed = self.store.claim(operation, self.now, manners);
        let fence = claimed.operation.fence;
        let lost_at = self.fault(25).then(|| self.now + self.within(LEASE));
        self.store.owner_dies(operation, fence, lost_at);
        if self.fault(10) {
            // It crashed before it said a word.
            self.store.owner_dies(operation, fence, Some(self.now + LEASE));
            return;
        }
        let step = claimed.first_step(self.now, &mut |tries| delay(&mut self.dice, tries));
        self.take(step, claimed, operation, lost_at, None);
    }

    /// Takes the next step of a conversation.
    fn take(
        &mut self,
        step: Step,
        claimed: Claimed,
        operation: usize,
        lost_at: Option<OffsetDateTime>,
        answered: Option<(usize, Answer)>,
    ) {
        self.note(claimed.operation.fence, (operation, &step, lost_at.map(|at| at - START)));
        let mut doubt = None;
        let (call, reference, because, written) = match step {
            Step::Decide(decision) => return self.decide(&claimed, operation, &decision, answered),
            Step::Approve { reference, written } => (Call::Approve, reference, None, written),
            Step::Issue { .. } => unreachable!("no account is asked for"),
            Step::Inquire { reference } => (Call::Inquire, reference, None, false),
            Step::Verify(about) => {
                let reference = about.reference.clone();
                doubt = Some(about);
                (Call::Inquire, reference, None, false)
            }
            Step::Change { call, again } => (call, again.unwrap_or_else(|| self.store.next_reference()), None, false),
            Step::NetCancel { reference, because } => (Call::NetCancel, reference, Some(because), false),
        };
        let fence = claimed.operation.fence;
        let attempt = if written {
            self.store.place_of(claimed.fresh.as_ref().map(|fresh| fresh.id))
        } else {
            match self.store.begin(operation, fence, call, &reference, because, self.now) {
                Some(attempt) => attempt,
                None => return, // The claim was lost.
            }
        };
        let written_at = self.store.sent_at(attempt);
        let sendable = |at: OffsetDateTime| claimed.unsendable(at - written_at, at).is_none();
        let (mut begins, mut lost_at) = (self.now, lost_at);
        let mut holds = sendable(begins) && lost_at.is_none_or(|lost_at| begins < lost_at);
        let freezes = self.fault(10);
        if freezes {
            // Its lease runs out meanwhile. Does it freeze before it looks at that, or after?
            let dies = self.now + LEASE;
            lost_at = Some(lost_at.map_or(dies, |lost_at| lost_at.min(dies)));
            self.store.owner_dies(operation, fence, lost_at);
            begins += self.within(Duration::seconds(40));
            let may = sendable(begins) && lost_at.is_none_or(|lost_at| begins < lost_at);
            holds = (self.rules.zombies && holds) || may;
        }
        let sends = holds || !moves_money(call);
        let unsent = self.fault(8);
        let asked = (sends && !unsent).then(|| {
            let faulty = self.now < START + FAULTS_FOR;
            let longest = if faulty { TIMEOUT } else { Duration::seconds(1) };
            let acts_at = begins + self.within(longest);
            let lag = if faulty { self.within(self.rules.settle_window) } else { Duration::ZERO };
            let condemned_amount = self.fault(4);
            let kind = self.dice.random_range(0..100);
            let kind = if faulty { kind } else { kind.min(79) };
            let approval = claimed.payment.state.approval().map(|approval| approval.reference.clone());
            let change = approval.zip(claimed.amount().map(|money| money.amount()));
            self.acquirer.ask(call, &reference, change, (acts_at, lag), condemned_amount, kind)
        });
        // What it answers takes its time, too: what was true when it looked may not be any more.
        let travels = self.within(if self.now < START + FAULTS_FOR { TIMEOUT } else { Duration::SECOND });
        let arrives_at = asked.map(|asked| self.acquirer.acts_at(asked) + travels);
        let lost = self.fault(25) || arrives_at.is_some_and(|arrives_at| arrives_at > begins + TIMEOUT);
        let done_at = match arrives_at {
            Some(arrives_at) if !lost => arrives_at,
            Some(_) => begins + self.within(TIMEOUT),
            None => begins,
        };
        if !freezes && self.fault(6) {
            // It crashed with the call under way.
            self.store.owner_dies(operation, fence, Some(self.now + LEASE));
            return;
        }
        let call = Pending { call, reference, because, attempt, doubt, asked, begins, done_at, lost };
        self.talks.push(Talk { claimed, operation, lost_at, call });
    }

    /// A call has come to its end.
    fn hear(&mut self, talk: Talk) {
        let Talk { claimed, operation, lost_at, call } = talk;
        let Pending { call, reference, because, attempt, doubt, asked, begins, lost, done_at: _ } = call;
        let unsent_is_busy = asked.is_none() && self.dice.random_bool(0.5);
        let answer = match asked {
            Some(asked) if !lost => self.acquirer.answer(asked),
            Some(_) => unknown(call),
            None if call == Call::Approve && unsent_is_busy => Answer::Approve(ApproveAnswer::Busy("M1".into())),
            None if call == Call::Approve => Answer::Approve(ApproveAnswer::NotSent("connect".into())),
            None if moves_money(call) && unsent_is_busy => Answer::Change(call, ChangeAnswer::Busy("M1".into())),
            None if moves_money(call) => Answer::Change(call, ChangeAnswer::NotSent("connect".into())),
            None => unknown(call),
        };
        self.note(claimed.operation.fence, ("heard", &reference, &answer));
        let now = self.now;
        let mut delays = |tries| delay(&mut self.dice, tries);
        let step = match (&answer, claimed.operation.kind) {
            (Answer::Change(call, answer), _) => claimed.after_change(*call, &reference, answer, now, &mut delays),
            (Answer::Inquire(answer), OperationKind::Cancel | OperationKind::Capture) => match &doubt {
                Some(doubt) => claimed.after_doubt(doubt, answer, begins, now, &mut delays),
                None => claimed.after_change_inquiry(&reference, answer, begins, now, &mut delays),
            },
            (_, OperationKind::Cancel | OperationKind::Capture) => unreachable!("nothing undoes a change"),
            (_, OperationKind::IssueAccount | OperationKind::CloseAccount | OperationKind::ReturnDeposit)
            | (Answer::Issue(_), _) => unreachable!("no account is asked for"),
            (Answer::Approve(answer), _) => claimed.after_approve(&reference, answer, now, &mut delays),
            (Answer::Inquire(answer), _) => claimed.after_inquiry(&reference, answer, begins, now, &mut delays),
            (Answer::NetCancel(answer), OperationKind::Approve) => {
                claimed.after_net_cancel(&reference, because.unwrap(), answer, begins, now, &mut delays)
            }
            (Answer::NetCancel(answer), OperationKind::NetCancel) => {
                claimed.after_reversal(&reference, answer, begins, now, &mut delays)
            }
        };
        let with_decision = moves_money(call) && matches!(step, Step::Decide(_));
        if !with_decision {
            self.store.keep(attempt, &answer, now);
        }
        self.take(step, claimed, operation, lost_at, with_decision.then_some((attempt, answer)));
    }

    fn decide(&mut self, claimed: &Claimed, operation: usize, decision: &Decision, answered: Option<(usize, Answer)>) {
        self.store.record(operation, claimed.operation.fence, decision, answered, self.now);
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let state = &self.store.payment.state;
        let charged = self.acquirer.charged();
        prop_assert!(!state.has_unsettled_work(), "work is still owed: {:?}", state);
        prop_assert!(self.store.nothing_is_open(), "an attempt is still open");
        let money = match state.status() {
            status @ (PaymentStatus::Done | PaymentStatus::PartialCanceled | PaymentStatus::Canceled) => {
                prop_assert_eq!(&charged, &vec![self.store.payment.total.amount()], "paid once, in full");
                self.check_changes()?;
                if status == PaymentStatus::Canceled { MoneyState::Reversed } else { MoneyState::Moved }
            }
            PaymentStatus::WaitingForDeposit => unreachable!("no account is asked for"),
            PaymentStatus::Ready | PaymentStatus::InProgress | PaymentStatus::Aborted | PaymentStatus::Expired => {
                prop_assert!(charged.is_empty(), "nobody wants these: {:?}", charged);
                if self.acquirer.ever_charged() { MoneyState::Reversed } else { MoneyState::NotMoved }
            }
        };
        prop_assert_eq!(state.money_state, money);
        prop_assert!(self.store.false_answers.is_empty(), "answered {:?}", self.store.false_answers);
        if let (Some(told), false) = (self.store.answer_of(0), self.rules.zombies || self.rules.wishes > 0) {
            // Nobody sent anything after it was given: what it said for certain is true to this day.
            prop_assert!(told == MoneyState::Unknown || told == state.money_state, "answered {:?}", told);
        }
        prop_assert!(self.rules.zombies || self.most_charged <= 1, "charged {} times at once", self.most_charged);
        Ok(())
    }
}

impl World {
    /// What went back at the acquirer is what we say, and what was accepted was carried out, once.
    fn check_changes(&self) -> Result<(), TestCaseError> {
        let state = &self.store.payment.state;
        let by = |wanted: CancelKind| -> i64 {
            let done = state
                .cancels
                .iter()
                .filter(|cancel| matches!(cancel.end, Some(CancelEnd::Done { kind, .. }) if kind == wanted));
            done.map(|cancel| cancel.amount).sum()
        };
        prop_assert_eq!(by(CancelKind::Cancel), self.acquirer.returned(Call::Cancel), "cancelled");
        prop_assert_eq!(by(CancelKind::Refund), self.acquirer.returned(Call::Refund), "refunded");
        prop_assert_eq!(by(CancelKind::Cancel) + by(CancelKind::Refund), state.canceled);
        prop_assert!(state.canceled <= self.store.payment.total.amount(), "more went back than was paid");
        // A row that crashed its workers five times is given up with a letter: what it reserved waits for an operator.
        let given_up = |cancel: &&Cancel| cancel.end.is_none() && cancel.work.status == OperationStatus::Dead;
        let waiting: i64 = state.cancels.iter().filter(given_up).map(|cancel| cancel.amount).sum();
        prop_assert_eq!(state.reserved, waiting, "nothing is reserved for nobody");
        prop_assert!(!state.is_captured() || self.acquirer.captured, "captured at us only");
        for cancel in &state.cancels {
            let why_not = match &cancel.end {
                Some(CancelEnd::Done { .. }) => continue,
                None if given_up(&cancel) => continue,
                Some(CancelEnd::Aborted { failure }) => Some(failure.reason),
                None => None,
            };
            prop_assert_eq!(why_not, Some(FailureReason::AcquirerDeclined), "an accepted cancel was lost");
        }
        prop_assert!(!self.acquirer.ever_disagreed(), "an accepted change was refused for lack of balance");
        let cancels = self.store.changes().filter(|operation| operation.kind == OperationKind::Cancel).count();
        prop_assert_eq!(cancels, state.cancels.len());
        Ok(())
    }
}

fn unknown(call: Call) -> Answer {
    match call {
        Call::Approve => Answer::Approve(ApproveAnswer::Unknown("timeout".into())),
        Call::Inquire => Answer::Inquire(super::attempt::InquiryAnswer::NoAnswer("timeout".into())),
        Call::NetCancel => Answer::NetCancel(NetCancelAnswer::NoAnswer("timeout".into())),
        Call::Capture | Call::Cancel | Call::Refund | Call::Issue | Call::Close | Call::Return => {
            Answer::Change(call, super::attempt::ChangeAnswer::Unknown("timeout".into()))
        }
    }
}

/// Full jitter, as the workers' own schedule.
fn delay(dice: &mut StdRng, tries: i32) -> Duration {
    let longest = (500_i64 << tries.clamp(0, 10)).min(512_000);
    Duration::milliseconds(dice.random_range(50..=longest))
}

fn play(seed: u64, rules: Rules) -> Result<(), TestCaseError> {
    let mut world = World::new(seed, rules);
    world.run();
    world.check().map_err(|failed| match failed {
        TestCaseError::Fail(why) => TestCaseError::fail(format!("{why}\n{}", world.journal.join("\n"))),
        rejected @ TestCaseError::Reject(_) => rejected,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn an_acquirer_that_dedupes_charges_once(seed in any::<u64>(), window in 0..30_i64, zombies in any::<bool>()) {
        play(seed, Rules { dedupes: true, settle_window: Duration::seconds(window), zombies, wishes: 0 })?;
    }

    #[test]
    fn an_acquirer_that_does_not_charges_once_all_the_same(seed in any::<u64>(), window in 0..30_i64) {
        play(seed, Rules { dedupes: false, settle_window: Duration::seconds(window), zombies: false, wishes: 0 })?;
    }

    #[test]
    fn what_a_worker_charged_that_froze_too_long_is_found_and_reversed(seed in any::<u64>(), window in 0..30_i64) {
        play(seed, Rules { dedupes: false, settle_window: Duration::seconds(window), zombies: true, wishes: 0 })?;
    }

    #[test]
    fn what_is_to_go_back_goes_back_once_from_an_acquirer_that_dedupes(
        seed in any::<u64>(), window in 0..30_i64, zombies in any::<bool>(), wishes in 1..12_usize,
    ) {
        play(seed, Rules { dedupes: true, settle_window: Duration::seconds(window), zombies, wishes })?;
    }

    #[test]
    fn what_is_to_go_back_goes_back_once_from_one_that_does_not(
        seed in any::<u64>(), window in 0..30_i64, wishes in 1..12_usize,
    ) {
        play(seed, Rules { dedupes: false, settle_window: Duration::seconds(window), zombies: false, wishes })?;
    }
}
