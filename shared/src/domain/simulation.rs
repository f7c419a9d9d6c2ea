//! Workers, a store and an acquirer in miniature, with everything that can go wrong between them: answers lost, late,
//! wrong or refused; effects that an inquiry does not see yet; workers that crash, freeze and thaw. However it went, when
//! nothing is owed any more the payment says the truth and no surplus charge is left.

mod acquirer;
mod store;

use proptest::prelude::*;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use time::{Duration, OffsetDateTime};

use self::acquirer::{Acquirer, Asked};
use self::store::Store;
use super::attempt::{Answer, ApproveAnswer, Because, Call, Manners, NetCancelAnswer};
use super::course::{Claimed, Decision, Step};
use super::fixtures::START;
use super::id::Reference;
use super::operation::OperationKind;
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
    asked: Option<Asked>,
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
    /// What happened, for whoever must understand a failure.
    journal: Vec<String>,
    /// The most un-reversed charges there ever were at once.
    most_charged: usize,
}

impl World {
    fn new(seed: u64, rules: Rules) -> Self {
        Self {
            dice: StdRng::seed_from_u64(seed),
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
            let Some((at, place)) = talk.into_iter().chain(claim).min_by_key(|(at, _)| *at) else { return };
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
        let (call, reference, because, written) = match step {
            Step::Decide(decision) => return self.decide(&claimed, operation, &decision, answered),
            Step::Approve { reference, written } => (Call::Approve, reference, None, written),
            Step::Inquire { reference } => (Call::Inquire, reference, None, false),
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
        let sends = holds || call != Call::Approve;
        let unsent = self.fault(8);
        let asked = (sends && !unsent).then(|| {
            let faulty = self.now < START + FAULTS_FOR;
            let longest = if faulty { TIMEOUT } else { Duration::seconds(1) };
            let acts_at = begins + self.within(longest);
            let lag = if faulty { self.within(self.rules.settle_window) } else { Duration::ZERO };
            let condemned_amount = self.fault(4);
            let kind = self.dice.random_range(0..100);
            let kind = if faulty { kind } else { kind.min(79) };
            self.acquirer.ask(call, &reference, acts_at, lag, condemned_amount, kind)
        });
        let lost = self.fault(25);
        let done_at = match asked {
            Some(asked) if !lost => self.acquirer.acts_at(asked),
            Some(_) => begins + self.within(TIMEOUT),
            None => begins,
        };
        if !freezes && self.fault(6) {
            // It crashed with the call under way.
            self.store.owner_dies(operation, fence, Some(self.now + LEASE));
            return;
        }
        let call = Pending { call, reference, because, attempt, asked, done_at, lost };
        self.talks.push(Talk { claimed, operation, lost_at, call });
    }

    /// A call has come to its end.
    fn hear(&mut self, talk: Talk) {
        let Talk { claimed, operation, lost_at, call } = talk;
        let Pending { call, reference, because, attempt, asked, lost, done_at: _ } = call;
        let unsent_is_busy = asked.is_none() && self.dice.random_bool(0.5);
        let answer = match asked {
            Some(asked) if !lost => self.acquirer.answer(asked),
            Some(_) => unknown(call),
            None if call == Call::Approve && unsent_is_busy => Answer::Approve(ApproveAnswer::Busy("M1".into())),
            None if call == Call::Approve => Answer::Approve(ApproveAnswer::NotSent("connect".into())),
            None => unknown(call),
        };
        self.note(claimed.operation.fence, ("heard", &reference, &answer));
        let now = self.now;
        let mut delays = |tries| delay(&mut self.dice, tries);
        let step = match (&answer, claimed.operation.kind) {
            (Answer::Approve(answer), _) => claimed.after_approve(&reference, answer, now, &mut delays),
            (Answer::Inquire(answer), _) => claimed.after_inquiry(&reference, answer, now, &mut delays),
            (Answer::NetCancel(answer), OperationKind::Approve) => {
                claimed.after_net_cancel(&reference, because.unwrap(), answer, now, &mut delays)
            }
            (Answer::NetCancel(answer), OperationKind::NetCancel) => {
                claimed.after_reversal(&reference, answer, now, &mut delays)
            }
        };
        let with_decision = call == Call::Approve && matches!(step, Step::Decide(_));
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
            PaymentStatus::Done => {
                prop_assert_eq!(&charged, &vec![self.store.payment.total.amount()], "paid once, in full");
                MoneyState::Moved
            }
            PaymentStatus::Ready | PaymentStatus::InProgress | PaymentStatus::Aborted | PaymentStatus::Expired => {
                prop_assert!(charged.is_empty(), "nobody wants these: {:?}", charged);
                if self.acquirer.ever_charged() { MoneyState::Reversed } else { MoneyState::NotMoved }
            }
        };
        prop_assert_eq!(state.money_state, money);
        prop_assert!(self.store.false_answers.is_empty(), "answered {:?}", self.store.false_answers);
        if let (Some(told), false) = (self.store.answer_of(0), self.rules.zombies) {
            // Nobody sent anything after it was given: what it said for certain is true to this day.
            prop_assert!(told == MoneyState::Unknown || told == state.money_state, "answered {:?}", told);
        }
        prop_assert!(self.rules.zombies || self.most_charged <= 1, "charged {} times at once", self.most_charged);
        Ok(())
    }
}

fn unknown(call: Call) -> Answer {
    match call {
        Call::Approve => Answer::Approve(ApproveAnswer::Unknown("timeout".into())),
        Call::Inquire => Answer::Inquire(super::attempt::InquiryAnswer::NoAnswer("timeout".into())),
        Call::NetCancel => Answer::NetCancel(NetCancelAnswer::NoAnswer("timeout".into())),
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
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn an_acquirer_that_dedupes_charges_once(seed in any::<u64>(), window in 0..30_i64, zombies in any::<bool>()) {
        play(seed, Rules { dedupes: true, settle_window: Duration::seconds(window), zombies })?;
    }

    #[test]
    fn an_acquirer_that_does_not_charges_once_all_the_same(seed in any::<u64>(), window in 0..30_i64) {
        play(seed, Rules { dedupes: false, settle_window: Duration::seconds(window), zombies: false })?;
    }

    #[test]
    fn what_a_worker_charged_that_froze_too_long_is_found_and_reversed(seed in any::<u64>(), window in 0..30_i64) {
        play(seed, Rules { dedupes: false, settle_window: Duration::seconds(window), zombies: true })?;
    }
}
