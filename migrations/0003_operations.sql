-- Work owed on a payment, who is doing it, and what was said to and heard from an acquirer.
--
-- An operation row is its own outbox: it is committed first, then a message that names it is published; the
-- message may be lost, for `nudge_at` says when the sweeper sends another.

-- The lease belongs to the worker, not to the row: one update a second, five seconds ahead.
create table workers (
    id          uuid        primary key,
    name        text        not null,
    started_at  timestamptz not null default now(),
    alive_until timestamptz not null
);

create table operations (
    id            uuid        primary key,
    payment_id    uuid        not null references payments (id),
    -- Operations of a payment are done one at a time, in this order.
    number        integer     not null,
    kind          text        not null,
    connector     text        not null,
    amount        bigint      not null,
    -- For a net-cancel: the reference to be reversed.
    target_reference text,

    status        text        not null default 'queued',
    -- Raised by every claim. Only the holder of the newest fence may decide.
    fence         bigint      not null default 0,
    owner         uuid        references workers (id),
    claimed_at    timestamptz,
    -- Claims in a row that recorded nothing: the row's own crash budget.
    claim_count   integer     not null default 0,
    -- Tries that used up an attempt (busy answers and an open breaker do not).
    attempt_count integer     not null default 0,
    -- Tries at finding out, which never end.
    inquiry_count integer     not null default 0,
    -- When it may be claimed next.
    due_at        timestamptz not null default now(),
    -- When the sweeper sends a hint if nobody has come; null once nothing is owed.
    nudge_at      timestamptz default now() + interval '5 seconds',
    nudge_count   integer     not null default 0,
    -- Past this nothing new is sent.
    deadline_at   timestamptz not null,

    -- How it ended, as the domain writes it, and the version of the payment that says so: the answer to an
    -- idempotent replay is rendered from these two for ever.
    result        jsonb,
    result_version bigint,
    -- The letter owed for it, if one is: the archiver writes it, or the sweeper when the message was lost.
    letter        text,
    -- The fence of the decision that owes it: with the operation, what makes it one letter.
    letter_fence  bigint,

    trace_parent  text        not null,
    created_at    timestamptz not null default now(),
    settled_at    timestamptz,

    constraint operations_number_unique unique (payment_id, number),
    constraint operations_kind check (kind in ('approve', 'net_cancel')),
    constraint operations_status check (status in
        ('queued', 'processing', 'waiting', 'unknown', 'succeeded', 'failed', 'dead')),
    constraint operations_connector check (connector in ('card')),
    constraint operations_amount check (amount > 0),
    constraint operations_target check ((kind = 'net_cancel') = (target_reference is not null)),
    constraint operations_processing_has_owner check
        ((status = 'processing') = (owner is not null and claimed_at is not null)),
    constraint operations_settled_has_result check
        ((status in ('succeeded', 'failed')) =
         (settled_at is not null and result is not null and result_version is not null)),
    constraint operations_owes_a_nudge check
        ((status in ('queued', 'processing', 'waiting', 'unknown')) = (nudge_at is not null)),
    constraint operations_letter check (letter in ('information', 'replayable', 'needs_person')),
    constraint operations_letter_fence check ((letter is null) = (letter_fence is null))
);

create index operations_to_nudge on operations (nudge_at) where nudge_at is not null;
create index operations_by_owner on operations (owner) where owner is not null;
create index operations_unsettled on operations (payment_id, number)
    where status in ('queued', 'processing', 'waiting', 'unknown');
create index operations_owing_a_letter on operations (id) where letter is not null;

-- One call to an acquirer. Written before a byte leaves; what was heard is added to it whoever heard it and
-- however late (the fence guards decisions, never evidence).
create table attempts (
    id           uuid        primary key,
    operation_id uuid        not null references operations (id),
    -- What was asked of the acquirer.
    call         text        not null,
    -- Our name for it at the acquirer. Sent again only to an acquirer that dedupes by it.
    reference    text        not null,
    fence        bigint      not null,
    worker       uuid        not null references workers (id),
    sent_at      timestamptz not null default now(),
    answered_at  timestamptz,
    -- What was heard, in one word; null while nothing was.
    answer       text,
    -- The acquirer's own code, or the fault that we met.
    code         text,
    latency_ms   integer,
    -- Why a net-cancel is asked for. A reference that has one is never wanted again, whatever is heard of it.
    because      text,
    -- What became of the money it may have moved; null while that is open. Set by its answer or by a later inquiry.
    -- `reversing`: it was done with, and then an answer came late; a net-cancel operation is owed for it.
    resolution   text,

    constraint attempts_call check (call in ('approve', 'inquire', 'net_cancel')),
    constraint attempts_answer check (answer in
        ('approved', 'declined', 'pending', 'reversed', 'not_found', 'refused', 'busy', 'not_sent', 'unknown')),
    constraint attempts_because check (because in ('too_late', 'wrong_amount', 'not_found', 'asked')),
    constraint attempts_net_cancel_has_because check ((call = 'net_cancel') = (because is not null)),
    constraint attempts_resolution check (resolution in
        ('approved', 'declined', 'reversed', 'not_moved', 'reversing')),
    constraint attempts_only_money_resolves check (call = 'approve' or resolution is null),
    constraint attempts_answered check ((answer is null) = (answered_at is null))
);

create index attempts_by_operation on attempts (operation_id, sent_at);
create index attempts_by_reference on attempts (reference);
create index attempts_open on attempts (operation_id) where call = 'approve' and resolution is null;

-- `Idempotency-Key` of a POST. It points at what it started and holds no answer: the answer is rendered from
-- the operation's result at the payment version it produced.
create table idempotency_keys (
    merchant_id  uuid        not null references merchants (id),
    mode         text        not null,
    -- Method and path, for a key belongs to one call.
    route        text        not null,
    key          text        not null,
    fingerprint  bytea       not null,
    -- Hash of each top-level member, so that a reuse with another body can name what differs.
    members      jsonb       not null,
    payment_id   uuid        not null references payments (id),
    -- The answer of a call that queues work is how that work ends; of one that doesn't, the payment at the version
    -- that the call made.
    operation_id uuid        references operations (id),
    version      bigint,
    created_at   timestamptz not null default now(),
    constraint idempotency_keys_unique primary key (merchant_id, mode, route, key),
    constraint idempotency_keys_answer check ((operation_id is null) = (version is not null)),
    constraint idempotency_keys_length check (char_length(key) between 1 and 300),
    constraint idempotency_keys_fingerprint check (length(fingerprint) = 32)
);

create index idempotency_keys_by_age on idempotency_keys (created_at);
