-- Accounts that payers pay into, what was found in them, and where money goes back to.

alter table payments
    drop constraint payments_status,
    drop constraint payments_source,
    drop constraint payments_money_fits,
    add constraint payments_status check (status in ('READY', 'IN_PROGRESS', 'WAITING_FOR_DEPOSIT', 'DONE',
        'PARTIAL_CANCELED', 'CANCELED', 'ABORTED', 'EXPIRED')),
    add constraint payments_source check (source in ('checkout', 'key_in', 'virtual_account')),
    -- Deposits are found whatever the status: what a payment can't take is held until it went back.
    add constraint payments_money_fits check (case status
        when 'DONE' then money_state in ('MOVED', 'UNKNOWN')
        -- Of a deposit that was taken back after a part of it went back nothing is held.
        when 'PARTIAL_CANCELED' then money_state in ('MOVED', 'UNKNOWN') or state ? 'deposits'
        when 'CANCELED' then money_state in ('REVERSED', 'UNKNOWN') or state ? 'account'
        else money_state <> 'MOVED' or state ? 'deposits' end),
    add constraint payments_waiting_has_account check (status <> 'WAITING_FOR_DEPOSIT' or state ? 'account');

alter table operations
    drop constraint operations_kind,
    drop constraint operations_connector,
    drop constraint operations_target,
    add constraint operations_kind check (kind in
        ('approve', 'cancel', 'capture', 'net_cancel', 'issue_account', 'close_account', 'return_deposit')),
    add constraint operations_connector check (connector in ('card', 'transfer', 'mobile', 'points', 'virtual_account')),
    add constraint operations_target check
        ((kind in ('net_cancel', 'close_account', 'return_deposit')) = (target_reference is not null));

-- Looks at its account that refusals of a change asked for, since somebody sent it to work: after some a person has to look.
alter table operations add column look_count integer not null default 0;

-- What payers wait for, as admission counts it every second.
create index operations_awaited on operations (nudge_at)
    where nudge_at is not null and kind in ('approve', 'issue_account') and status in ('queued', 'processing', 'waiting');

alter table attempts
    -- Under which the account rests that a pay-out goes to: what was sent keeps it, whatever is said later.
    add column payee uuid,
    drop constraint attempts_call,
    drop constraint attempts_only_money_resolves,
    add constraint attempts_call check (call in
        ('approve', 'capture', 'cancel', 'refund', 'inquire', 'net_cancel', 'issue', 'close', 'return')),
    add constraint attempts_only_money_resolves check (call not in ('inquire', 'net_cancel') or resolution is null);

drop index attempts_open;
create index attempts_open on attempts (operation_id) where call not in ('inquire', 'net_cancel') and resolution is null;

-- Everything ever found in an account, and everything that ever vanished from one. Rows are only ever added, in the statement
-- that writes the event they are of.
create table deposits (
    -- The bank's name for it.
    transaction_key text        not null,
    -- `deposited`, or `taken_back`: 입금 오류.
    fact            text        not null,
    payment_id      uuid        not null,
    version         bigint      not null,
    -- Our name for the account.
    reference       text        not null,
    amount          bigint      not null,
    -- When, by the bank's clock, as its merchant's shows it.
    happened_at     timestamptz not null,
    found_at        timestamptz not null default now(),
    -- How it came to be known: when its bank had called back, if it had; when the bank was asked, and how long its answer took.
    called_back_at  timestamptz,
    looked_at       timestamptz not null default now(),
    latency_ms      integer,
    primary key (transaction_key, fact),
    constraint deposits_of_event foreign key (payment_id, version) references payment_events (payment_id, version),
    constraint deposits_fact check (fact in ('deposited', 'taken_back')),
    constraint deposits_amount check (amount > 0)
);

create index deposits_by_payment on deposits (payment_id);

-- Accounts that are looked at, by our name for each, until they are closed and empty. Not truth: when to ask the bank next.
create table account_looks (
    reference  text        primary key,
    payment_id uuid        not null references payments (id),
    look_at    timestamptz not null,
    -- How often it was looked at since something changed.
    looks      integer     not null default 0,
    -- Whether a bank has called back and nobody looked since: it goes before all others.
    is_called  boolean     not null default false,
    -- When its bank called back, until something was found for it.
    called_back_at timestamptz,
    -- How often in a row the bank said nothing that can be used, and since when.
    failures      integer     not null default 0,
    failing_since timestamptz
);

create index account_looks_next on account_looks (look_at);
create index account_looks_by_payment on account_looks (payment_id);

-- Callbacks of banks that were taken, so that each is taken once. Kept for longer than one is good for.
create table bank_callbacks (
    event_id    text        primary key,
    reference   text        not null,
    received_at timestamptz not null default now(),
    constraint bank_callbacks_event_id check (char_length(event_id) between 1 and 200)
);

create index bank_callbacks_by_age on bank_callbacks (received_at);

-- Where money goes back to: sealed, a row each time that somebody says it, never changed, and forgotten when nothing can go to it
-- any more. Without the master secret nobody can read it.
create table sealed_payees (
    -- What a payment's standing, or one of its cancels, calls it; sealed in with it.
    id         uuid        primary key,
    payment_id uuid        not null,
    sealed     bytea       not null,
    created_at timestamptz not null default now(),
    constraint sealed_payees_length check (length(sealed) between 29 and 1024)
);

create index sealed_payees_by_age on sealed_payees (created_at);

alter table postings
    drop constraint postings_kind,
    drop constraint postings_accounts,
    add constraint postings_kind check (kind in
        ('PAYMENT', 'CANCEL', 'REFUND', 'CAPTURE', 'DEPOSIT', 'RETURN', 'DEPOSIT_ERROR')),
    add constraint postings_accounts check (debit in ('authorized', 'receivable', 'payable', 'returnable')
        and credit in ('authorized', 'receivable', 'payable', 'returnable') and debit <> credit);

-- What is paid in is no operation of anybody's: its transaction has an id of its own, the merchant's `transactionKey`.
alter table postings drop constraint postings_operation_id_fkey;

alter table cases
    drop constraint cases_kind,
    add constraint cases_kind check (kind in
        ('amount_mismatch', 'net_cancel_refused', 'books_disagree', 'late_change', 'account_unread'));

grant select on deposits to naru_api, naru_worker;
-- That a deposit went back is said by an operator, too; that it went twice is a case.
grant insert on cases to naru_api;
grant insert on deposits to naru_worker;
grant select, insert, update on account_looks to naru_api;
grant select, insert, update, delete on account_looks to naru_worker;
grant select, insert on bank_callbacks to naru_api;
grant select, delete on bank_callbacks to naru_worker;
grant select, insert on sealed_payees to naru_api;
grant select, delete on sealed_payees to naru_worker;
