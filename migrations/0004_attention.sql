-- What a person may have to look at.

-- The archive of dead letters. Operators work on it, never on the queue.
create table dead_letters (
    id           uuid        primary key,
    -- Null for poison: a message that names no operation of ours. Such letters have no row to replay.
    operation_id uuid        references operations (id),
    fence        bigint,
    kind         text        not null,
    -- Why it died, in words that group well.
    reason       text        not null,
    queue        text,
    -- The message as it came, to the byte.
    body         bytea,
    headers      jsonb       not null default '{}',
    died_at      timestamptz not null default now(),
    -- How often a person sent it back to work, and when it was last done.
    replay_count integer     not null default 0,
    replayed_at  timestamptz,
    resolved_at  timestamptz,
    resolution   text,
    constraint dead_letters_once unique (operation_id, fence),
    constraint dead_letters_kind check (kind in ('information', 'replayable', 'needs_person', 'poison')),
    constraint dead_letters_operation check ((kind = 'poison') = (operation_id is null)),
    constraint dead_letters_fence check ((operation_id is null) = (fence is null)),
    constraint dead_letters_poison_body check (kind <> 'poison' or body is not null)
);

-- Poison has no operation to be unique by: the message's own digest makes archiving it twice harmless.
create unique index dead_letters_poison_once on dead_letters (md5(body), queue) where operation_id is null;
create index dead_letters_open on dead_letters (died_at desc, id desc) where resolved_at is null;

-- Something that can't be explained by the ordinary course of things and that a person should see through:
-- another amount than ours approved, a net-cancel refused.
create table cases (
    id           uuid        primary key,
    payment_id   uuid        not null references payments (id),
    operation_id uuid        not null references operations (id),
    reference    text        not null,
    kind         text        not null,
    detail       jsonb       not null,
    opened_at    timestamptz not null default now(),
    closed_at    timestamptz,
    constraint cases_once unique (reference, kind),
    constraint cases_kind check (kind in ('amount_mismatch', 'net_cancel_refused'))
);

-- Raised by the statement that records a batch when it changed fewer rows than it was given: the statement
-- takes all of itself back, and the batch is recorded item by item. (`UPDATE … FROM` changes a row once,
-- however many source rows match it, and says nothing about the others.)
create function naru_must_agree(expected bigint, variadic changed bigint[]) returns boolean
language plpgsql as $$
begin
    if expected <> all (changed) then
        raise exception using errcode = 'NR001', message = 'the batch changed other rows than it was given';
    end if;
    return true;
end
$$;
