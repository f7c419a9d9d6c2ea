//! 가상계좌: a number for the payer to pay into.
//!
//! The bank opens an account for a payment ([`super::operation::OperationKind::IssueAccount`]) and takes whatever anybody
//! pays into it until it is told to close it. So what is in it is asked after, again and again ([`next_look`]), and at once
//! when the bank calls back; and every deposit that is found is recorded, one event each ([`PaymentState::finding`]):
//!
//! 1. All that was asked, in time, into an account that waits for it: taken, the payment is `DONE`.
//! 2. Anything else (less, more, late, a second one, of a payment that is over): owed back to whoever paid, by a
//!    `return_deposit` that is queued in the same commit.
//! 3. Taken back by the payer's bank (입금 오류): what was taken is not; a `DONE` payment waits for its deposit again.
//!
//! Past its due time a payment stays `WAITING_FOR_DEPOSIT`, `expired`, and its account is closed. Closing ends only when
//! the bank says that it is closed and empty.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::attempt::{AnswerWord, ApprovalFacts, ChangeRefusal, Fault, InquiryAnswer, RefusedBecause, Resolution};
use super::bank::Bank;
use super::cancel::{Cancel, CancelEnd, CancelKind};
use super::course::{Claimed, Decision, Delays, Next, Step, decide};
use super::event::{EventClass, PaymentEvent};
use super::failure::{Failure, FailureCode, FailureReason};
use super::id::{OperationId, Reference};
use super::instrument::Instrument;
use super::money::Money;
use super::operation::{CLAIMED_EARLY_BY, Connector, LetterKind, OperationKind, OperationResult, OperationStatus};
use super::payment::{Approval, MoneyState, PaymentState, Stage, Work};
use crate::words::words;

/// The least that is paid into an account, in won.
pub const AMOUNT_MIN: i64 = 200;
/// How long a payer has unless the merchant says otherwise, in hours.
pub const VALID_HOURS: i64 = 168;
/// How long a payer can have at most, in hours: 90 days.
pub const VALID_HOURS_MAX: i64 = 2_160;
/// Deposits of one payment at most: its standing is written whole with every version. What comes beyond them a person returns.
pub const DEPOSITS_MAX: usize = 100;

/// How long after a change an account is first looked at.
const FIRST_LOOK: Duration = Duration::seconds(15);
/// How long it is not looked at, at most, while a deposit may come in time.
const LOOK_MAX: Duration = Duration::hours(6);
/// The same, when that time is over.
const LATE_LOOK_MAX: Duration = Duration::hours(24);
/// An account that can't be closed, because the payment's money is in it, is looked at for so long after its due time.
const LOOKED_AT_FOR: Duration = Duration::days(30);

/// A virtual account as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VirtualAccount {
    /// The bank it is at.
    pub bank: Bank,
    /// Who is to pay into it: the name that the payer's bank shows.
    pub customer_name: String,
    /// Until when.
    #[serde(with = "time::serde::rfc3339")]
    pub due_at: OffsetDateTime,
}

/// A virtual account that the bank opened. Its number is made for this payment, shown to the payer, and no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// Our name for it at the bank.
    pub reference: Reference,
    /// What the payer pays into.
    pub number: String,
    /// What the payer is to pay, in minor units.
    pub amount: i64,
    /// Until when.
    #[serde(with = "time::serde::rfc3339")]
    pub due_at: OffsetDateTime,
    /// The operation that had it opened.
    pub operation: OperationId,
    /// Whether it was found unpaid after its due time.
    #[serde(default)]
    pub expired: bool,
    /// Whether the bank said that it is closed and empty.
    #[serde(default)]
    pub closed: bool,
}

/// Where money goes back to, as far as it may be kept: the number itself rests sealed, apart from this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Payee {
    /// The bank.
    pub bank: Bank,
    /// The last four digits.
    pub last4: String,
    /// Whose account it is.
    pub holder: String,
}

impl Payee {
    /// `****1234`: the only form in which such a number is ever shown.
    #[must_use]
    pub fn masked(&self) -> String {
        format!("****{}", self.last4)
    }
}

/// Something that was paid in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deposit {
    /// The bank's name for it.
    pub key: String,
    /// The account it was paid into.
    pub reference: Reference,
    /// In minor units.
    pub amount: i64,
    /// The name in the transfer.
    pub depositor_name: String,
    /// When it arrived, by the bank's clock.
    #[serde(with = "time::serde::rfc3339")]
    pub deposited_at: OffsetDateTime,
    /// What became of it.
    pub standing: DepositStanding,
    /// Why it can't be taken, if it can't.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<NotTaken>,
    /// The operation that returns it, until it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work: Option<Work>,
}

words! {
    /// What became of a deposit.
    DepositStanding {
        /// It pays the payment.
        Taken = "taken",
        /// It is owed to whoever paid it in.
        Owed = "owed",
        /// It went back.
        Returned = "returned",
        /// The payer's bank took it back (입금 오류).
        TakenBack = "taken_back",
    }
}

words! {
    /// Why a payment can't take a deposit.
    NotTaken {
        /// Less than was asked. Parts are not added up.
        Short = "short",
        /// More than was asked.
        Over = "over",
        /// It came after the due time.
        Late = "late",
        /// The payment is paid already.
        Second = "second",
        /// The payment is over, or never came to be.
        Unwanted = "unwanted",
    }
}

/// What can happen to an account and what is paid into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountEvent {
    /// The bank opened it.
    Issued {
        /// As the bank tells it.
        account: Account,
    },
    /// A deposit was found.
    Deposited {
        /// With what becomes of it.
        deposit: Deposit,
        /// When we recorded it.
        at: OffsetDateTime,
    },
    /// A deposit that was recorded is not there any more.
    TakenBack {
        /// Which.
        key: String,
    },
    /// Where deposits go back to was said.
    PayeeGiven {
        /// Where to.
        payee: Payee,
    },
    /// A deposit went back.
    Returned {
        /// The return.
        operation: OperationId,
    },
    /// There is nothing to return: the payer's bank was faster.
    NothingToReturn {
        /// The return.
        operation: OperationId,
    },
    /// It was found unpaid after its due time.
    Overdue,
    /// It is to be closed.
    CloseQueued {
        /// The closing.
        work: Work,
    },
    /// The bank says that it is closed and empty.
    Closed {
        /// The closing; nothing when it was found so.
        operation: Option<OperationId>,
        /// Whether it is the payment's own account.
        own: bool,
    },
    /// There is money in it: it will be asked again when that went back.
    NotClosed {
        /// The closing.
        operation: OperationId,
    },
}

impl AccountEvent {
    /// Its type, as the event log and streams name it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Issued { .. } => "payment.waiting_for_deposit",
            Self::Deposited { deposit, .. } => match deposit.standing {
                DepositStanding::Taken => "payment.done",
                DepositStanding::Owed | DepositStanding::Returned | DepositStanding::TakenBack => "deposit.not_taken",
            },
            Self::TakenBack { .. } => "deposit.taken_back",
            Self::PayeeGiven { .. } => "deposit.refund_account_given",
            Self::Returned { .. } => "deposit.returned",
            Self::NothingToReturn { .. } => "deposit.nothing_to_return",
            Self::Overdue => "payment.overdue",
            Self::CloseQueued { .. } => "account.close_queued",
            Self::Closed { .. } => "account.closed",
            Self::NotClosed { .. } => "account.not_closed",
        }
    }

    /// Who it is for.
    #[must_use]
    pub const fn class(&self) -> EventClass {
        match self {
            Self::Issued { .. }
            | Self::Deposited { .. }
            | Self::TakenBack { .. }
            | Self::Returned { .. }
            | Self::Overdue => EventClass::State,
            Self::PayeeGiven { .. }
            | Self::NothingToReturn { .. }
            | Self::CloseQueued { .. }
            | Self::Closed { .. }
            | Self::NotClosed { .. } => EventClass::Progress,
        }
    }
}

/// An account as the bank tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountFacts {
    /// Its number.
    pub number: String,
    /// What the payer was asked to pay, if it is an amount of a currency we know.
    pub money: Option<Money>,
    /// Whether it takes no deposits any more, and never will.
    pub is_closed: bool,
    /// What is in it, in minor units.
    pub balance: i64,
    /// What was paid into it, the oldest first.
    pub deposits: Vec<FoundDeposit>,
}

/// A deposit as the bank tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundDeposit {
    /// The bank's name for it.
    pub key: String,
    /// In minor units.
    pub amount: i64,
    /// The name in the transfer.
    pub depositor_name: String,
    /// When it arrived, by the bank's clock.
    pub at: OffsetDateTime,
    /// Whether the payer's bank took it back.
    pub is_taken_back: bool,
}

/// What came of asking for an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IssueAnswer {
    /// Here it is.
    Issued(AccountFacts),
    /// No.
    Declined(Failure),
    /// Not yet.
    Pending,
    /// Nothing was done; come back.
    Busy(Fault),
    /// No byte left us.
    NotSent(Fault),
    /// Bytes left; nothing believable came back.
    Unknown(Fault),
}

impl IssueAnswer {
    /// As it is written to the attempt.
    #[must_use]
    pub const fn word(&self) -> AnswerWord {
        match self {
            Self::Issued(_) => AnswerWord::Approved,
            Self::Declined(_) => AnswerWord::Declined,
            Self::Pending => AnswerWord::Pending,
            Self::Busy(_) => AnswerWord::Busy,
            Self::NotSent(_) => AnswerWord::NotSent,
            Self::Unknown(_) => AnswerWord::Unknown,
        }
    }

    /// The bank's code, or the fault that we met.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Declined(failure) => failure.acquirer_code.as_deref(),
            Self::Busy(fault) | Self::NotSent(fault) | Self::Unknown(fault) => Some(fault),
            Self::Issued(_) | Self::Pending => None,
        }
    }
}

/// What a look at an account brought to light, one thing at a time, and the work that is owed for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What happened.
    pub event: AccountEvent,
    /// The work owed from now on: its kind, how much, and the deposit or account it is about.
    pub owes: Option<(OperationKind, i64, Reference)>,
}

/// When an account is looked at again, after it was looked at so often since its last change: each time after twice as
/// long, and just after its due time.
#[must_use]
pub fn next_look(now: OffsetDateTime, due_at: OffsetDateTime, looks: i32) -> OffsetDateTime {
    let longest = if now < due_at { LOOK_MAX } else { LATE_LOOK_MAX };
    let doublings = u32::try_from(looks.clamp(0, 16)).unwrap_or(16);
    let next = now + (FIRST_LOOK * 2_i32.pow(doublings)).min(longest);
    // Not due before it is due.
    if now < due_at { next.min(due_at) } else { next }
}

impl PaymentState {
    /// A payment whose account is being opened.
    #[must_use]
    pub fn issuing(instrument: Instrument, payee: Option<Payee>, work: Work) -> Self {
        Self { payee, ..Self::key_in(instrument, work) }
    }

    /// Whether a cancel needs an account to give the money back to: there is money of the payer's in a virtual account.
    #[must_use]
    pub fn needs_payee(&self) -> bool {
        self.account.is_some() && (self.approval().is_some() || self.owed_deposits().next().is_some())
    }

    /// The deposits that are owed back.
    pub fn owed_deposits(&self) -> impl Iterator<Item = &Deposit> {
        self.deposits.iter().filter(|deposit| deposit.standing == DepositStanding::Owed)
    }

    /// The deposit that pays it.
    #[must_use]
    pub fn taken_deposit(&self) -> Option<&Deposit> {
        self.deposits.iter().find(|deposit| deposit.standing == DepositStanding::Taken)
    }

    /// The deposit that this operation returns.
    #[must_use]
    pub fn returned_by(&self, operation: OperationId) -> Option<&Deposit> {
        self.deposits.iter().find(|deposit| deposit.work.as_ref().is_some_and(|work| work.id == operation))
    }

    /// Whether an account needs no more looking at: closed with nothing owed, or long over.
    #[must_use]
    pub fn is_done_with(&self, reference: &Reference, found: &AccountFacts, now: OffsetDateTime) -> bool {
        let of_it = |deposit: &&Deposit| deposit.reference == *reference;
        let owed = self.owed_deposits().any(|deposit| of_it(&deposit));
        let is_over = self.account.as_ref().is_some_and(|account| now >= account.due_at + LOOKED_AT_FOR);
        !owed && (found.is_closed || (is_over && self.approval().is_some()))
    }

    /// The next thing that `found`, which is what the bank says of the account of `reference`, brings to light; nothing when
    /// all of it is known. `fresh` names the work that it owes.
    #[must_use]
    pub fn finding(
        &self,
        reference: &Reference,
        found: &AccountFacts,
        fresh: OperationId,
        now: OffsetDateTime,
    ) -> Option<Finding> {
        match self.stage {
            // What is in an account that nobody was told of yet is found when it is.
            Stage::Ready => return None,
            Stage::InProgress { .. } if self.operation.is_some() => return None,
            Stage::InProgress { .. }
            | Stage::WaitingForDeposit { .. }
            | Stage::Done { .. }
            | Stage::PartialCanceled { .. }
            | Stage::Canceled { .. }
            | Stage::Aborted { .. }
            | Stage::Expired { .. } => {}
        }
        let simple = |event| Some(Finding { event, owes: None });
        for deposit in &found.deposits {
            match self.deposits.iter().find(|known| known.key == deposit.key) {
                None if self.deposits.len() < DEPOSITS_MAX => {
                    return Some(self.deposited(reference, deposit, fresh, now));
                }
                Some(known) if deposit.is_taken_back && known.standing != DepositStanding::TakenBack => {
                    // What went back before can't be taken back, whoever says so.
                    if known.standing != DepositStanding::Returned {
                        return simple(AccountEvent::TakenBack { key: deposit.key.clone() });
                    }
                }
                None | Some(_) => {}
            }
        }
        let own = self.account.as_ref().filter(|account| account.reference == *reference);
        let waits = matches!(self.stage, Stage::WaitingForDeposit { .. });
        if let Some(account) = own
            && waits
            && !account.expired
            && now >= account.due_at
        {
            return simple(AccountEvent::Overdue);
        }
        if found.is_closed {
            let known = own.is_none_or(|account| account.closed);
            return if known { None } else { simple(AccountEvent::Closed { operation: None, own: true }) };
        }
        let wanted = own.is_some_and(|account| {
            self.approval().is_some_and(|_| !matches!(self.stage, Stage::Canceled { .. }))
                || (waits && !account.expired)
        });
        let is_open = |cancel: &Cancel| cancel.end.is_none();
        let busy = self.closing.is_some() || self.cancels.iter().any(is_open);
        if wanted || busy || found.balance > 0 || self.owed_deposits().next().is_some() {
            return None;
        }
        let amount = self.account.as_ref().map(|account| account.amount).or(found.money.map(Money::amount));
        let event = AccountEvent::CloseQueued { work: queued(fresh, OperationKind::CloseAccount) };
        Some(Finding { event, owes: Some((OperationKind::CloseAccount, amount?, reference.clone())) })
    }

    fn deposited(
        &self,
        reference: &Reference,
        found: &FoundDeposit,
        fresh: OperationId,
        now: OffsetDateTime,
    ) -> Finding {
        let (standing, because) = match self.takes(reference, found) {
            _ if found.is_taken_back => (DepositStanding::TakenBack, None),
            Ok(()) => (DepositStanding::Taken, None),
            Err(because) => (DepositStanding::Owed, Some(because)),
        };
        let owed = standing == DepositStanding::Owed;
        let deposit = Deposit {
            key: found.key.clone(),
            reference: reference.clone(),
            amount: found.amount,
            depositor_name: found.depositor_name.clone(),
            deposited_at: found.at,
            standing,
            because,
            work: owed.then(|| queued(fresh, OperationKind::ReturnDeposit)),
        };
        let owes = owed.then(|| (OperationKind::ReturnDeposit, found.amount, Reference(found.key.clone())));
        Finding { event: AccountEvent::Deposited { deposit, at: now }, owes }
    }

    /// Whether it can take a deposit.
    fn takes(&self, reference: &Reference, found: &FoundDeposit) -> Result<(), NotTaken> {
        let Some(account) = self.account.as_ref().filter(|account| account.reference == *reference) else {
            return Err(NotTaken::Unwanted);
        };
        match self.stage {
            Stage::WaitingForDeposit { .. } if found.amount < account.amount => Err(NotTaken::Short),
            Stage::WaitingForDeposit { .. } if found.amount > account.amount => Err(NotTaken::Over),
            Stage::WaitingForDeposit { .. } if found.at > account.due_at => Err(NotTaken::Late),
            Stage::WaitingForDeposit { .. } => Ok(()),
            Stage::Done { .. } | Stage::PartialCanceled { .. } => Err(NotTaken::Second),
            Stage::Ready
            | Stage::InProgress { .. }
            | Stage::Canceled { .. }
            | Stage::Aborted { .. }
            | Stage::Expired { .. } => Err(NotTaken::Unwanted),
        }
    }

    /// What an account's event changes; nothing when it can't be.
    pub(super) fn hold_account(&mut self, event: &PaymentEvent) -> Option<()> {
        use AccountEvent as A;
        use PaymentEvent as E;
        let event = match event {
            E::RetryScheduled { work, .. }
            | E::OutcomeUnknown { work }
            | E::WorkDied { work }
            | E::WorkRearmed { work } => {
                *self.account_work(work.id)? = work.clone();
                return Some(());
            }
            E::Account(event) => event,
            E::Authenticated { .. }
            | E::PayerCanceled
            | E::Expired
            | E::ApprovalQueued { .. }
            | E::Approved { .. }
            | E::ApprovalFailed { .. }
            | E::LateApproval { .. }
            | E::ReversalFinished { .. }
            | E::CancelQueued { .. }
            | E::CancelDone { .. }
            | E::CancelFailed { .. }
            | E::CaptureQueued { .. }
            | E::Captured { .. }
            | E::CaptureFailed { .. } => return None,
        };
        match event {
            A::Issued { account } => {
                let Stage::InProgress { instrument } = &self.stage else { return None };
                if !self.operation.as_ref().is_some_and(|work| work.status.is_unsettled()) || self.account.is_some() {
                    return None;
                }
                self.stage = Stage::WaitingForDeposit { instrument: instrument.clone() };
                self.operation = None;
                self.account = Some(account.clone());
            }
            A::Deposited { deposit, at } => {
                let is_known = self.deposits.iter().any(|known| known.key == deposit.key);
                let is_early = matches!(self.stage, Stage::Ready) || self.operation.is_some();
                if is_known || is_early || self.deposits.len() >= DEPOSITS_MAX {
                    return None;
                }
                match deposit.standing {
                    DepositStanding::Taken => self.pay(deposit, *at)?,
                    DepositStanding::Owed if deposit.work.is_some() => {}
                    DepositStanding::TakenBack => {}
                    DepositStanding::Owed | DepositStanding::Returned => return None,
                }
                self.deposits.push(deposit.clone());
            }
            A::TakenBack { key } => {
                let deposit = self.deposits.iter_mut().find(|deposit| deposit.key == *key)?;
                match deposit.standing {
                    DepositStanding::Taken => {
                        deposit.standing = DepositStanding::TakenBack;
                        // Once something of it went back, nothing makes it unpaid: the books are for a person.
                        if let Stage::Done { instrument, .. } = &self.stage {
                            self.stage = Stage::WaitingForDeposit { instrument: instrument.clone() };
                        }
                    }
                    DepositStanding::Owed => deposit.standing = DepositStanding::TakenBack,
                    DepositStanding::Returned | DepositStanding::TakenBack => return None,
                }
            }
            A::PayeeGiven { payee } => {
                self.account.as_ref()?;
                self.payee = Some(payee.clone());
            }
            A::Returned { operation } => {
                let deposit = self.returning(*operation)?;
                if deposit.standing != DepositStanding::Owed {
                    return None;
                }
                deposit.standing = DepositStanding::Returned;
                deposit.work = None;
            }
            A::NothingToReturn { operation } => {
                let deposit = self.returning(*operation)?;
                if deposit.standing != DepositStanding::TakenBack {
                    return None;
                }
                deposit.work = None;
            }
            A::Overdue => {
                if !matches!(self.stage, Stage::WaitingForDeposit { .. }) {
                    return None;
                }
                let account = self.account.as_mut().filter(|account| !account.expired)?;
                account.expired = true;
            }
            A::CloseQueued { work } => {
                if self.closing.is_some() || self.operation.is_some() || matches!(self.stage, Stage::Ready) {
                    return None;
                }
                self.closing = Some(work.clone());
            }
            A::Closed { operation, own } => {
                if let Some(operation) = operation {
                    self.closing.take_if(|work| work.id == *operation)?;
                }
                if *own {
                    self.account.as_mut()?.closed = true;
                } else {
                    (*operation)?;
                }
            }
            A::NotClosed { operation } => {
                self.closing.take_if(|work| work.id == *operation)?;
            }
        }
        Some(())
    }

    fn pay(&mut self, deposit: &Deposit, at: OffsetDateTime) -> Option<()> {
        let Stage::WaitingForDeposit { instrument } = &self.stage else { return None };
        let account = self.account.as_ref()?;
        if account.reference != deposit.reference || account.amount != deposit.amount {
            return None;
        }
        let approval = Approval {
            // Banks give none.
            number: "00000000".into(),
            approved_at: at,
            operation: account.operation,
            reference: account.reference.clone(),
            amount: account.amount,
        };
        self.stage = Stage::Done { instrument: instrument.clone(), approval };
        Some(())
    }

    fn returning(&mut self, operation: OperationId) -> Option<&mut Deposit> {
        self.deposits.iter_mut().find(|deposit| deposit.work.as_ref().is_some_and(|work| work.id == operation))
    }

    /// The work of a closing or a return.
    fn account_work(&mut self, operation: OperationId) -> Option<&mut Work> {
        let returns = self.deposits.iter_mut().filter_map(|deposit| deposit.work.as_mut());
        self.closing.iter_mut().chain(returns).find(|work| work.id == operation)
    }

    /// Where the money of a payment is that is not paid, or not any more, and has or had a virtual account.
    pub(super) fn deposited_money(&self) -> Option<MoneyState> {
        self.account.as_ref().map(|_| ()).or_else(|| self.deposits.first().map(|_| ()))?;
        let going = |deposit: &Deposit| deposit.work.as_ref().is_some_and(|work| work.status.is_unsettled());
        let mut owed = self.owed_deposits().peekable();
        let has_owed = owed.peek().is_some();
        if has_owed {
            return Some(if owed.all(going) { MoneyState::Unknown } else { MoneyState::Moved });
        }
        let back = |deposit: &Deposit| deposit.standing != DepositStanding::Owed;
        // A cancel that is at work may find a deposit.
        let canceling = self.cancels.iter().any(|cancel| cancel.end.is_none() && cancel.work.status.is_unsettled());
        Some(match (canceling, self.deposits.iter().any(back)) {
            (true, _) => MoneyState::Unknown,
            (false, true) => MoneyState::Reversed,
            (false, false) => MoneyState::NotMoved,
        })
    }
}

/// Work that was just queued.
#[must_use]
pub const fn queued(id: OperationId, kind: OperationKind) -> Work {
    Work { id, kind, status: OperationStatus::Queued, attempt: 0, next_attempt_at: None }
}

pub(super) fn first_step(claimed: &Claimed, now: OffsetDateTime) -> Step {
    if let Some(open) = claimed.open.first() {
        return Step::Inquire { reference: open.reference.clone() };
    }
    if claimed.is_past_deadline(now) {
        return decide(not_issued(claimed));
    }
    Step::Issue { again: None }
}

/// What is decided about a change of an account before anything is sent, if anything is.
pub(super) fn decided_before(claimed: &Claimed) -> Option<Decision> {
    let state = &claimed.payment.state;
    let operation = claimed.operation.id;
    match claimed.operation.kind {
        OperationKind::Cancel if claimed.operation.connector == Connector::VirtualAccount => {
            let cancel = state.cancel(operation)?;
            let whole = state.account.as_ref().is_some_and(|account| account.amount == cancel.amount);
            let waits = matches!(state.stage, Stage::WaitingForDeposit { .. });
            let reason = match waits {
                true if !whole => FailureReason::DepositTakenBack,
                true if state.owed_deposits().next().is_some() => FailureReason::DepositedMeanwhile,
                false if cancel.payee.is_none() => FailureReason::DepositedMeanwhile,
                true | false => return None,
            };
            Some(claimed.change_failed(Failure::ours(FailureCode::RefundRejected, reason)))
        }
        OperationKind::ReturnDeposit => {
            let deposit = state.returned_by(operation)?;
            if deposit.standing == DepositStanding::TakenBack {
                return Some(nothing_to_return(claimed));
            }
            // Somebody must say where to: their saying so sends it back to work.
            state.payee.is_none().then(|| for_a_person(claimed))
        }
        OperationKind::Cancel
        | OperationKind::IssueAccount
        | OperationKind::CloseAccount
        | OperationKind::Approve
        | OperationKind::Capture
        | OperationKind::NetCancel => None,
    }
}

fn nothing_to_return(claimed: &Claimed) -> Decision {
    let failure = Failure::ours(FailureCode::RefundRejected, FailureReason::DepositTakenBack);
    let event = PaymentEvent::Account(AccountEvent::NothingToReturn { operation: claimed.operation.id });
    let result = OperationResult::Failed { failure, money_state: MoneyState::NotMoved };
    Decision { event: Some(event), ..Decision::of(Next::Settled(result)) }
}

/// Given up until somebody says where the money goes.
pub(super) fn for_a_person(claimed: &Claimed) -> Decision {
    Decision { letter: Some(LetterKind::NeedsPerson), ..claimed.change_died() }
}

/// Too late. Nothing more is sent; the letter tells, it can't be replayed: nobody waits for that account any more.
fn not_issued(claimed: &Claimed) -> Decision {
    let failure = Failure::ours(FailureCode::ProviderError, FailureReason::IssueDeadlinePassed);
    Decision { letter: Some(LetterKind::Information), ..claimed.failed(failure, false) }
}

impl Claimed {
    /// What an answer to [`Step::Issue`] means.
    #[must_use]
    pub fn after_issue(
        &self,
        reference: &Reference,
        answer: &IssueAnswer,
        now: OffsetDateTime,
        delays: Delays<'_>,
    ) -> Step {
        match answer {
            IssueAnswer::Issued(facts) => self.issued(reference, facts, now, delays),
            IssueAnswer::Declined(failure) => {
                decide(self.failed(failure.clone(), false).resolving(reference, Resolution::Declined))
            }
            IssueAnswer::Busy(_) | IssueAnswer::NotSent(_) if self.was_sent(reference) => {
                self.unknown(now, None, delays, None)
            }
            IssueAnswer::Busy(_) => self.change_again(reference, false, now, delays),
            IssueAnswer::NotSent(_) => self.change_again(reference, true, now, delays),
            IssueAnswer::Pending | IssueAnswer::Unknown(_) => self.unknown(now, None, delays, None),
        }
    }

    /// What an answer to [`Step::Inquire`] means for an account that was asked for.
    #[must_use]
    pub fn after_issue_inquiry(
        &self,
        reference: &Reference,
        answer: &IssueInquiry,
        now: OffsetDateTime,
        delays: Delays<'_>,
    ) -> Step {
        match answer {
            IssueInquiry::Issued(facts) => self.issued(reference, facts, now, delays),
            IssueInquiry::Declined(failure) => {
                decide(self.failed(failure.clone(), false).resolving(reference, Resolution::Declined))
            }
            IssueInquiry::NotFound if self.manners.dedupes_by_reference && !self.is_past_deadline(now) => {
                Step::Issue { again: Some(reference.clone()) }
            }
            IssueInquiry::NotFound => match self.believable_at(reference) {
                Some(believable_at) if now < believable_at => self.unknown(now, Some(believable_at), delays, None),
                Some(_) | None => {
                    decide(self.at_once(OperationStatus::Waiting, now).resolving(reference, Resolution::NotMoved))
                }
            },
            IssueInquiry::Pending | IssueInquiry::NoAnswer(_) => self.unknown(now, None, delays, None),
        }
    }

    fn issued(&self, reference: &Reference, facts: &AccountFacts, now: OffsetDateTime, delays: Delays<'_>) -> Step {
        let due_at = self.payment.state.instrument().and_then(|instrument| instrument.due_at());
        let (true, Some(due_at)) = (facts.money == Some(self.operation.amount), due_at) else {
            // An account with other terms than ours: a person finds out; looks at it go on.
            return self.unknown(now, None, delays, Some(LetterKind::NeedsPerson));
        };
        let account = Account {
            reference: reference.clone(),
            number: facts.number.clone(),
            amount: self.operation.amount.amount(),
            due_at,
            operation: self.operation.id,
            expired: false,
            closed: false,
        };
        decide(
            Decision {
                event: Some(PaymentEvent::Account(AccountEvent::Issued { account })),
                ..Decision::of(Next::Settled(OperationResult::Succeeded))
            }
            .resolving(reference, Resolution::Approved),
        )
    }

    /// The same change again when what stands in its way may be gone, after a look at the account.
    pub(super) fn after_a_look(&self, reference: &Reference, now: OffsetDateTime, delays: Delays<'_>) -> Step {
        let due_at = (now + delays(self.operation.attempt_count + 1))
            .min(self.operation.deadline_at.max(now) + CLAIMED_EARLY_BY);
        let work = self.work(OperationStatus::Waiting, Some(due_at), 1);
        decide(
            Decision {
                event: Some(PaymentEvent::RetryScheduled { work, reversed: false }),
                looks: true,
                ..Decision::of(Next::Waiting { due_at, spent: true })
            }
            .resolving(reference, Resolution::Declined),
        )
    }

    /// What a refusal of an account's change means.
    pub(super) fn account_refused(
        &self,
        reference: &Reference,
        refusal: &ChangeRefusal,
        now: OffsetDateTime,
        delays: Delays<'_>,
    ) -> Step {
        use RefusedBecause as R;
        let operation = self.operation.id;
        match (self.operation.kind, refusal.why) {
            (OperationKind::CloseAccount, R::NotEmpty) => {
                let failure = Failure::ours(FailureCode::RefundRejected, FailureReason::DepositedMeanwhile);
                let result = OperationResult::Failed { failure, money_state: MoneyState::NotMoved };
                decide(
                    Decision {
                        event: Some(PaymentEvent::Account(AccountEvent::NotClosed { operation })),
                        looks: true,
                        ..Decision::of(Next::Settled(result))
                    }
                    .resolving(reference, Resolution::Declined),
                )
            }
            // There is, or was, a deposit that we have not seen: whoever looks at the account tells the payment.
            (_, R::NotEmpty | R::Disagrees | R::AlreadyCanceled) => self.after_a_look(reference, now, delays),
            (OperationKind::ReturnDeposit, _) => decide(for_a_person(self).resolving(reference, Resolution::Declined)),
            (OperationKind::CloseAccount, _) => decide(
                Decision { letter: Some(LetterKind::NeedsPerson), ..self.change_died() }
                    .resolving(reference, Resolution::Declined),
            ),
            (
                OperationKind::Cancel
                | OperationKind::IssueAccount
                | OperationKind::Approve
                | OperationKind::Capture
                | OperationKind::NetCancel,
                why,
            ) => {
                let code = match why {
                    R::WrongBank => FailureCode::InvalidBank,
                    R::WrongNumber => FailureCode::InvalidRefundAccountNumber,
                    R::WrongHolder => FailureCode::InvalidRefundAccountInfo,
                    R::AlreadyCaptured | R::AlreadyCanceled | R::Disagrees | R::NotEmpty | R::Declined => {
                        FailureCode::RefundRejected
                    }
                };
                let failure = Failure::declined(code, refusal.code.clone());
                decide(self.change_failed(failure).resolving(reference, Resolution::Declined))
            }
        }
    }

    /// The event that a change of an account was made with.
    pub(super) fn account_changed(&self, kind: OperationKind) -> Option<AccountEvent> {
        let operation = self.operation.id;
        let own = |account: &Account| self.operation.target.as_ref() == Some(&account.reference);
        match kind {
            OperationKind::ReturnDeposit => Some(AccountEvent::Returned { operation }),
            OperationKind::CloseAccount => Some(AccountEvent::Closed {
                operation: Some(operation),
                own: self.payment.state.account.as_ref().is_some_and(own),
            }),
            OperationKind::IssueAccount
            | OperationKind::Approve
            | OperationKind::Cancel
            | OperationKind::Capture
            | OperationKind::NetCancel => None,
        }
    }
}

/// What came of asking after an account that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IssueInquiry {
    /// It is there.
    Issued(AccountFacts),
    /// It was refused.
    Declined(Failure),
    /// The bank is still at it.
    Pending,
    /// No such reference.
    NotFound,
    /// Unreachable or malformed: no answer.
    NoAnswer(Fault),
}

impl IssueInquiry {
    /// The same, as inquiries are kept.
    #[must_use]
    pub fn kept(&self) -> InquiryAnswer {
        match self {
            Self::Issued(facts) => InquiryAnswer::Approved(ApprovalFacts { money: facts.money, number: String::new() }),
            Self::Declined(failure) => InquiryAnswer::Declined(failure.clone()),
            Self::Pending => InquiryAnswer::Pending,
            Self::NotFound => InquiryAnswer::NotFound,
            Self::NoAnswer(fault) => InquiryAnswer::NoAnswer(fault.clone()),
        }
    }
}

/// How the refunds of a payment stand, as Toss Payments tells it.
#[must_use]
pub fn refund_status(state: &PaymentState) -> RefundStatus {
    let refunds = |ended: fn(&Cancel) -> bool| state.cancels.iter().filter(move |cancel| ended(cancel)).count();
    let open = refunds(|cancel| cancel.end.is_none());
    let failed = matches!(state.cancels.last().and_then(|cancel| cancel.end.as_ref()), Some(CancelEnd::Aborted { .. }));
    let done = refunds(|cancel| matches!(cancel.end, Some(CancelEnd::Done { kind: CancelKind::Refund, .. })));
    match (open, failed, done) {
        (1.., _, _) => RefundStatus::Pending,
        (0, true, 0) => RefundStatus::Failed,
        (0, true, _) => RefundStatus::PartialFailed,
        (0, false, 0) => RefundStatus::None,
        (0, false, _) => RefundStatus::Completed,
    }
}

words! {
    /// How the refunds of a payment by virtual account stand.
    RefundStatus {
        /// Nothing was asked to go back.
        None = "NONE",
        /// Something is on its way.
        Pending = "PENDING",
        /// The last that was asked for was refused, and nothing went back.
        Failed = "FAILED",
        /// The last that was asked for was refused, but something went back before.
        PartialFailed = "PARTIAL_FAILED",
        /// All that was asked for went back.
        Completed = "COMPLETED",
    }
}

#[cfg(test)]
mod tests;
