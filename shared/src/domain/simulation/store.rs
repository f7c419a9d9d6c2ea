//! What Postgres does for the real ones: fences, open attempts, evidence. `store/` says the same in SQL.

use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::super::attempt::{
    Answer, AnswerWord, Because, Call, Earlier, Manners, OpenAttempt, RefusedBecause, Resolution,
};
use super::super::course::{Claimed, Decision, Next};
use super::super::event::PaymentEvent;
use super::super::evidence::{Verdict, judge};
use super::super::fixtures::{self, reversal};
use super::super::id::{AttemptId, OperationId, Reference};
use super::super::operation::{CRASH_BUDGET, Operation, OperationKind, OperationResult, OperationStatus};
use super::super::payment::{MoneyState, Payment, Work};

struct Row {
    operation: Operation,
    claimed_at: OffsetDateTime,
    owner_dies: Option<OffsetDateTime>,
}

struct Attempt {
    id: AttemptId,
    operation: usize,
    call: Call,
    reference: Reference,
    fence: i64,
    sent_at: OffsetDateTime,
    because: Option<Because>,
    answer: Option<AnswerWord>,
    doubted: Option<RefusedBecause>,
    answered_at: Option<OffsetDateTime>,
    resolution: Option<Resolution>,
}

pub(super) struct Store {
    pub(super) payment: Payment,
    rows: Vec<Row>,
    attempts: Vec<Attempt>,
    /// Answers that said otherwise than the books when they were given.
    pub(super) false_answers: Vec<MoneyState>,
    /// How often a person was asked to look.
    pub(super) cases: usize,
}

impl Store {
    pub(super) fn new() -> Self {
        let payment = fixtures::payment();
        let operation = fixtures::approval_of(&payment);
        let row = Row { operation, claimed_at: payment.created_at, owner_dies: None };
        Self { payment, rows: vec![row], attempts: Vec::new(), false_answers: Vec::new(), cases: 0 }
    }

    /// Accepts more work on the payment, if its standing takes it.
    pub(super) fn accept(
        &mut self,
        kind: OperationKind,
        wish: impl FnOnce(Work) -> PaymentEvent,
        amount: i64,
        now: OffsetDateTime,
    ) -> bool {
        let number = i32::try_from(self.rows.len()).unwrap() + 1;
        let id = OperationId(Uuid::from_u128(100 + u128::try_from(self.rows.len()).unwrap()));
        let Ok(next) = self.payment.state.on(&wish(Work::queued(id, kind))) else { return false };
        self.payment.state = next;
        self.payment.version += 1;
        let operation = Operation {
            id,
            number,
            kind,
            amount: fixtures::won(amount),
            due_at: now,
            deadline_at: now + kind.within(),
            created_at: now,
            ..fixtures::approval_of(&self.payment)
        };
        self.rows.push(Row { operation, claimed_at: now, owner_dies: None });
        true
    }

    /// The operation that may be claimed next, and when. Nothing waits for a net-cancel, which waits for its approval only.
    pub(super) fn next_claim(&self) -> Option<(OffsetDateTime, usize)> {
        let waits_for = |row: &Row, earlier: &Row| {
            let of_both = (row.operation.kind, earlier.operation.kind);
            let waits = match of_both {
                (_, OperationKind::NetCancel) => false,
                (OperationKind::NetCancel, kind) => kind == OperationKind::Approve,
                (_, _) => true,
            };
            waits && earlier.operation.status.is_unsettled()
        };
        let at = |row: &Row| {
            if row.operation.status != OperationStatus::Processing {
                return row.operation.due_at;
            }
            let old = row.claimed_at + Duration::seconds(60);
            row.owner_dies.map_or(old, |dies| old.min(dies.max(row.claimed_at)))
        };
        let open = self.rows.iter().enumerate().filter(|(_, row)| row.operation.status.is_unsettled());
        let may = open.filter(|(place, row)| !self.rows[..*place].iter().any(|earlier| waits_for(row, earlier)));
        may.map(|(place, row)| (at(row), place)).min()
    }

    pub(super) fn claim(&mut self, place: usize, now: OffsetDateTime, manners: Manners) -> Claimed {
        let row = &mut self.rows[place];
        row.claimed_at = now;
        if row.operation.fence == 0 && row.operation.kind.is_change() {
            row.operation.deadline_at = row.operation.deadline_at.max(now + row.operation.kind.within());
        }
        row.operation.status = OperationStatus::Processing;
        row.operation.fence += 1;
        row.operation.claim_count += 1;
        let operation = row.operation.clone();
        let condemned = |reference: &Reference| {
            let mut all = self.attempts.iter().filter(|a| a.reference == *reference);
            all.find_map(|a| a.because)
        };
        let open: Vec<OpenAttempt> = self
            .attempts
            .iter()
            .filter(|a| a.operation == place && moves_money(a.call) && a.resolution.is_none())
            .map(|a| OpenAttempt {
                id: a.id,
                call: a.call,
                doubted: a.doubted,
                reference: a.reference.clone(),
                sent_at: a.sent_at,
                condemned: condemned(&a.reference),
            })
            .collect();
        let mut earlier: Vec<Earlier> = Vec::new();
        for a in self.attempts.iter().filter(|a| a.operation == place && operation.kind.is_change()) {
            let never_left = matches!(a.answer, Some(AnswerWord::Busy | AnswerWord::NotSent));
            let is_known = earlier.iter().any(|known| known.reference == a.reference);
            let is_over = matches!(a.resolution, Some(Resolution::NotMoved | Resolution::Declined));
            if moves_money(a.call) && is_over && !never_left && !is_known {
                earlier.push(Earlier { call: a.call, reference: a.reference.clone() });
            }
        }
        let sends = operation.kind == OperationKind::Approve
            && open.is_empty()
            && operation.deadline_at > now
            && operation.claim_count <= CRASH_BUDGET;
        let fresh = sends.then(|| {
            let id = self.next_id();
            let reference = Reference::of(id);
            self.write(place, id, Call::Approve, reference.clone(), None, now);
            OpenAttempt { id, call: Call::Approve, doubted: None, reference, sent_at: now, condemned: None }
        });
        Claimed { operation, payment: self.payment.clone(), open, earlier, fresh, manners }
    }

    /// The others notice that the holder of a claim is gone when its lease has run out.
    pub(super) fn owner_dies(&mut self, place: usize, fence: i64, at: Option<OffsetDateTime>) {
        if self.holds(place, fence) {
            let row = &mut self.rows[place];
            row.owner_dies = at.map(|at| at.max(row.claimed_at + Duration::seconds(1)));
        }
    }

    /// The reference of the next call that is written down, if it is a new one.
    pub(super) fn next_reference(&self) -> Reference {
        Reference::of(self.next_id())
    }

    fn next_id(&self) -> AttemptId {
        AttemptId(Uuid::from_u128(1_000 + u128::try_from(self.attempts.len()).unwrap()))
    }

    fn write(
        &mut self,
        operation: usize,
        id: AttemptId,
        call: Call,
        reference: Reference,
        because: Option<Because>,
        sent_at: OffsetDateTime,
    ) -> usize {
        self.attempts.push(Attempt {
            id,
            operation,
            call,
            reference,
            fence: self.rows[operation].operation.fence,
            sent_at,
            because,
            answer: None,
            doubted: None,
            answered_at: None,
            resolution: None,
        });
        self.attempts.len() - 1
    }

    pub(super) fn place_of(&self, id: Option<AttemptId>) -> usize {
        self.attempts.iter().position(|a| Some(a.id) == id).unwrap()
    }

    pub(super) fn sent_at(&self, attempt: usize) -> OffsetDateTime {
        self.attempts[attempt].sent_at
    }

    fn holds(&self, place: usize, fence: i64) -> bool {
        let operation = &self.rows[place].operation;
        operation.fence == fence && operation.status == OperationStatus::Processing
    }

    pub(super) fn begin(
        &mut self,
        place: usize,
        fence: i64,
        call: Call,
        reference: &Reference,
        because: Option<Because>,
        now: OffsetDateTime,
    ) -> Option<usize> {
        if !self.holds(place, fence) {
            return None;
        }
        let id = self.next_id();
        Some(self.write(place, id, call, reference.clone(), because, now))
    }

    fn answer(&mut self, attempt: usize, answer: &Answer, now: OffsetDateTime) {
        self.attempts[attempt].answer = Some(answer.word());
        let why = answer.code().and_then(RefusedBecause::parse).filter(|why| why.is_doubtful());
        self.attempts[attempt].doubted = why.filter(|_| answer.word() == AnswerWord::Declined);
        self.attempts[attempt].answered_at = Some(now);
    }

    /// Whether somebody has taken over before this was heard: then its bytes may have left late, too.
    fn was_heard_late(&self, a: &Attempt) -> bool {
        self.attempts.iter().any(|n| {
            n.operation == a.operation && n.fence > a.fence && a.answered_at.is_some_and(|heard| n.sent_at < heard)
        })
    }

    pub(super) fn keep(&mut self, attempt: usize, answer: &Answer, now: OffsetDateTime) {
        self.answer(attempt, answer, now);
        let (call, reference) = (self.attempts[attempt].call, self.attempts[attempt].reference.clone());
        self.weigh(&reference, call, answer.word(), now);
    }

    pub(super) fn record(
        &mut self,
        place: usize,
        fence: i64,
        decision: &Decision,
        answered: Option<(usize, Answer)>,
        now: OffsetDateTime,
    ) {
        let own = answered.as_ref().map(|(attempt, _)| *attempt);
        if let Some((attempt, answer)) = &answered {
            self.answer(*attempt, answer, now);
        }
        if !self.holds(place, fence) {
            if let Some((attempt, answer)) = answered {
                self.keep(attempt, &answer, now);
            } else if let Some((reference, Resolution::Approved)) = &decision.resolved {
                self.weigh(reference, Call::Inquire, AnswerWord::Approved, now);
            }
            return;
        }
        let row = &mut self.rows[place];
        row.owner_dies = None;
        let operation = &mut row.operation;
        operation.status = decision.next.status();
        operation.claim_count = 0;
        operation.due_at = decision.next.due_at().unwrap_or(operation.due_at);
        operation.letter = decision.letter.or(operation.letter);
        match decision.next {
            Next::Waiting { spent, .. } => operation.attempt_count += i32::from(spent),
            Next::Unknown { .. } => operation.inquiry_count += 1,
            Next::Settled(_) | Next::Dead => {}
        }
        operation.unknown_since =
            matches!(decision.next, Next::Unknown { .. }).then(|| operation.unknown_since.unwrap_or(now));
        let kind = operation.kind;
        if let Some((reference, resolution)) = &decision.resolved {
            self.resolve(reference, *resolution);
        }
        if let Some(reference) = &decision.refused {
            self.resolve(reference, Resolution::Declined);
        }
        let contradicts = |a: &Attempt, reference: &Reference| {
            a.reference == *reference
                && match (a.call, a.answer) {
                    (Call::NetCancel, _) => false,
                    (_, Some(AnswerWord::Approved)) => true,
                    (Call::Inquire, _) => false,
                    (_, Some(AnswerWord::Unknown | AnswerWord::Pending)) => self.was_heard_late(a),
                    (_, _) => false,
                }
        };
        let denied = decision.denies().filter(|_| kind != OperationKind::NetCancel);
        let contradicted = denied.filter(|reference| {
            self.attempts.iter().enumerate().any(|(place, a)| Some(place) != own && contradicts(a, reference))
        });
        if let Some(reference) = contradicted {
            self.weigh(reference, Call::Approve, AnswerWord::Approved, now);
        }
        if let Some(event) = &decision.event {
            self.happen(event);
        }
        self.rows[place].operation.result = decision.result_after(&self.payment.state);
        self.check_answer(place);
    }

    /// Whoever asked for it is told how it ended, now and for ever: nothing that the books know may speak against it.
    fn check_answer(&mut self, place: usize) {
        if place > 0 && self.rows[place].operation.kind != OperationKind::Approve {
            return;
        }
        let Some(money_state) = self.answer_of(place) else { return };
        let heard_of = self.attempts.iter().any(|a| a.answer == Some(AnswerWord::Approved));
        let reversing = self
            .rows
            .iter()
            .any(|row| row.operation.kind == OperationKind::NetCancel && row.operation.status.is_unsettled());
        let is_true = match money_state {
            MoneyState::NotMoved => !heard_of && !reversing,
            MoneyState::Reversed => !reversing,
            MoneyState::Unknown => reversing,
            MoneyState::Moved => false,
        };
        if !is_true {
            self.false_answers.push(money_state);
        }
    }

    /// Where the answer of a failed operation says that the money is.
    pub(super) fn answer_of(&self, place: usize) -> Option<MoneyState> {
        match self.rows[place].operation.result {
            Some(OperationResult::Failed { money_state, .. }) => Some(money_state),
            Some(OperationResult::Succeeded) | None => None,
        }
    }

    fn happen(&mut self, event: &PaymentEvent) {
        // A decision that its payment does not take is a mistake in the domain.
        self.payment.state = self.payment.state.on(event).unwrap();
        self.payment.version += 1;
    }

    fn resolve(&mut self, reference: &Reference, resolution: Resolution) {
        let of = |a: &&mut Attempt| a.reference == *reference && moves_money(a.call);
        self.attempts.iter_mut().filter(of).for_each(|a| a.resolution = Some(resolution));
    }

    fn weigh(&mut self, reference: &Reference, call: Call, heard: AnswerWord, now: OffsetDateTime) {
        let asked = self.attempts.iter().find(|a| a.reference == *reference && moves_money(a.call)).unwrap();
        match judge(call, heard, asked.call, asked.resolution) {
            Verdict::Nothing | Verdict::Kept | Verdict::Look => return,
            Verdict::Case => {
                self.cases += 1;
                return;
            }
            Verdict::Reverse => {}
        }
        let number = i32::try_from(self.rows.len()).unwrap() + 1;
        let work = reversal(100 + u128::try_from(self.rows.len()).unwrap(), OperationStatus::Queued);
        let operation = Operation {
            id: OperationId(work.id.0),
            number,
            kind: OperationKind::NetCancel,
            target: Some(reference.clone()),
            due_at: now,
            deadline_at: now,
            created_at: now,
            ..fixtures::approval_of(&self.payment)
        };
        self.rows.push(Row { operation, claimed_at: now, owner_dies: None });
        self.resolve(reference, Resolution::Reversing);
        self.happen(&PaymentEvent::LateApproval { work });
    }

    /// How the cancels and captures stand that were accepted.
    pub(super) fn changes(&self) -> impl Iterator<Item = &Operation> {
        let changes = |operation: &&Operation| matches!(operation.kind, OperationKind::Cancel | OperationKind::Capture);
        self.rows.iter().map(|row| &row.operation).filter(changes)
    }

    pub(super) fn nothing_is_open(&self) -> bool {
        self.attempts
            .iter()
            .all(|a| !moves_money(a.call) || !matches!(a.resolution, None | Some(Resolution::Reversing)))
    }
}

/// Whether its effect outlives the call.
pub(super) const fn moves_money(call: Call) -> bool {
    match call {
        Call::Approve | Call::Capture | Call::Cancel | Call::Refund | Call::Issue | Call::Close | Call::Return => true,
        Call::Inquire | Call::NetCancel => false,
    }
}
