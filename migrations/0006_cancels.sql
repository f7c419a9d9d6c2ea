-- Giving money back, capture, and the ledger.

-- A cancel reserves what it will take in the statement that accepts it: however many there are at once, together they
-- never take more than was paid.
alter table payments
    add column canceled_amount bigint not null default 0,
    add column reserved_amount bigint not null default 0,
    -- When upkeep has the sales slip bought, unless the merchant asks sooner; null once somebody has, or nothing is to be.
    add column capture_at timestamptz,
    drop constraint payments_status,
    drop constraint payments_state_agrees,
    drop constraint payments_done_means_moved,
    drop constraint payments_moved_means_done,
    add constraint payments_status check (status in
        ('READY', 'IN_PROGRESS', 'DONE', 'PARTIAL_CANCELED', 'CANCELED', 'ABORTED', 'EXPIRED')),
    add constraint payments_state_agrees check (
        state ->> 'status' = status and state ->> 'moneyState' = money_state
        and coalesce((state ->> 'canceled')::bigint, 0) = canceled_amount
        and coalesce((state ->> 'reserved')::bigint, 0) = reserved_amount),
    add constraint payments_balance check (
        canceled_amount >= 0 and reserved_amount >= 0 and canceled_amount + reserved_amount <= total_amount),
    add constraint payments_canceled_means_so check (
        (status = 'CANCELED') = (canceled_amount = total_amount)
        and (status = 'PARTIAL_CANCELED') = (canceled_amount between 1 and total_amount - 1)),
    add constraint payments_money_fits check (case status
        when 'DONE' then money_state in ('MOVED', 'UNKNOWN')
        when 'PARTIAL_CANCELED' then money_state in ('MOVED', 'UNKNOWN')
        when 'CANCELED' then money_state in ('REVERSED', 'UNKNOWN')
        else money_state <> 'MOVED' end),
    add constraint payments_capture check (capture_at is null or status in ('DONE', 'PARTIAL_CANCELED'));

create index payments_to_capture on payments (capture_at) where capture_at is not null;

alter table operations
    -- Why the letter is owed, in a word that groups well.
    add column letter_reason text,
    -- Since when it is not known what became of it; null while it is.
    add column unknown_since timestamptz,
    -- Whether a person sent it back to work after it was given up.
    add column rearmed boolean not null default false,
    drop constraint operations_kind,
    add constraint operations_kind check (kind in ('approve', 'cancel', 'capture', 'net_cancel')),
    add constraint operations_letter_reason check ((letter is null) = (letter_reason is null));

alter table attempts
    drop constraint attempts_call,
    drop constraint attempts_only_money_resolves,
    add constraint attempts_call check (call in ('approve', 'capture', 'cancel', 'refund', 'inquire', 'net_cancel')),
    add constraint attempts_only_money_resolves check
        (call in ('approve', 'capture', 'cancel', 'refund') or resolution is null);

drop index attempts_open;
create index attempts_open on attempts (operation_id)
    where call in ('approve', 'capture', 'cancel', 'refund') and resolution is null;

alter table cases
    drop constraint cases_kind,
    add constraint cases_kind check (kind in ('amount_mismatch', 'net_cancel_refused', 'books_disagree', 'late_change'));

-- What an operator said of a change that was given up: that it was done (`settled`), or is not going to be (`released`). It was
-- booked, in the same commit, as the acquirer's word would have been, once. Of an operation that had an account opened: that its
-- cases are dealt with (`settled`), each time that they were. Rows are only ever added.
create table operator_words (
    operation_id    uuid        not null references operations (id),
    word            text        not null,
    -- Who says so, in their own words, and why: the operators' API knows one token.
    operator        text        not null,
    reason          text        not null,
    -- Under which transaction the acquirer did it, if it did: no transaction stands for two operations.
    transaction_key text        constraint operator_words_transaction unique,
    -- The version of the payment that says so.
    version         bigint      not null,
    trace_id        text        not null,
    said_at         timestamptz not null default now(),
    primary key (operation_id, said_at),
    constraint operator_words_word check (word in ('settled', 'released')),
    constraint operator_words_operator check (char_length(operator) between 1 and 100),
    constraint operator_words_reason check (char_length(reason) between 1 and 500),
    constraint operator_words_key check (char_length(transaction_key) between 1 and 200),
    constraint operator_words_released_has_no_key check (word = 'settled' or transaction_key is null)
);

-- Double entry: each row takes an amount from one account and gives it to another, so that no row, and no sum of rows, can
-- be out of balance. An account is one merchant's in one mode with one connector in one currency. Rows are only ever
-- added, each in the statement that writes the event it is of.
create table postings (
    payment_id   uuid        not null,
    version      bigint      not null,
    operation_id uuid        not null references operations (id),
    merchant_id  uuid        not null references merchants (id),
    mode         text        not null,
    connector    text        not null,
    kind         text        not null,
    debit        text        not null,
    credit       text        not null,
    currency     text        not null,
    amount       bigint      not null,
    posted_at    timestamptz not null default now(),
    primary key (payment_id, version),
    constraint postings_of_event foreign key (payment_id, version) references payment_events (payment_id, version),
    constraint postings_kind check (kind in ('PAYMENT', 'CANCEL', 'REFUND', 'CAPTURE')),
    constraint postings_accounts check (debit in ('authorized', 'receivable', 'payable')
        and credit in ('authorized', 'receivable', 'payable') and debit <> credit),
    constraint postings_amount check (amount > 0)
);

-- One transaction of a kind per operation, however often it is recorded.
create unique index postings_once on postings (operation_id, kind);
create index postings_by_merchant on postings (merchant_id, mode, posted_at, operation_id);

-- What every account holds. The sum over all of a currency is nothing.
create view account_balances as
select merchant_id, mode, connector, currency, account, sum(amount)::bigint as balance
from (
    select merchant_id, mode, connector, currency, debit as account, amount from postings
    union all
    select merchant_id, mode, connector, currency, credit, -amount from postings
) as sides
group by merchant_id, mode, connector, currency, account;

grant select on postings, account_balances to naru_api, naru_worker;
grant insert on postings to naru_worker;
-- The API books what an operator says of a change that was given up.
grant select on operator_words to naru_api, naru_worker;
grant insert on operator_words, postings to naru_api;
-- A case about books that disagree is closed when its operation has ended.
grant update (closed_at) on cases to naru_api, naru_worker;
-- An operator says what became of what the acquirer did for another amount.
grant update (resolution) on attempts to naru_api;
