-- The people of a merchant, what they may do, and what they did.
--
-- A person is known by an address within one merchant: the same address at two merchants is two people to us, so that
-- nobody learns from us who works elsewhere.

create table staff (
    id                uuid        primary key,
    merchant_id       uuid        not null references merchants (id),
    -- In lower case.
    email             text        not null,
    name              text        not null,
    role              text        not null,
    -- Argon2id as a PHC string, which names its parameters and its salt. Forgotten when its owner is removed.
    password_hash     text,
    -- Raised by every other password, and by nothing else.
    password_version  integer     not null default 1,
    created_at        timestamptz not null default now(),
    last_signed_in_at timestamptz,
    -- The row stays, because the audit log speaks of it.
    removed_at        timestamptz,
    constraint staff_role check (role in ('owner', 'staff', 'read-only')),
    constraint staff_email check (email = lower(email) and length(email) between 3 and 254),
    constraint staff_name check (length(name) between 1 and 100),
    constraint staff_keeps_password_while_there check ((removed_at is null) = (password_hash is not null))
);

create unique index staff_one_per_address on staff (merchant_id, email) where removed_at is null;
create index staff_by_email on staff (email) where removed_at is null;

-- Who is signed in. What is kept is the SHA-256 of the cookie's 256 random bits. A session ends by being deleted: by
-- signing out, by another password, by removing its person. The limits are in `shared/src/store/staff.rs`.
create table staff_sessions (
    token_hash       bytea       primary key,
    staff_id         uuid        not null references staff (id),
    -- Of the password that was compared. Of any other it is no session, whatever was written in which order.
    password_version integer     not null,
    created_at       timestamptz not null default now(),
    used_at          timestamptz not null default now(),
    -- When its owner last proved their password: what gives the merchant away is done soon after, or not.
    proved_at        timestamptz not null default now(),
    expires_at       timestamptz not null,
    constraint staff_sessions_hash_length check (length(token_hash) = 32),
    constraint staff_sessions_times check (created_at <= used_at and created_at <= proved_at and created_at < expires_at)
);

create index staff_sessions_by_staff on staff_sessions (staff_id, created_at desc);
create index staff_sessions_by_end on staff_sessions (expires_at);

-- Invitations to become staff: a token that works once. Accepted, withdrawn or past, they are deleted; the audit log
-- remembers them.
create table staff_invitations (
    id          uuid        primary key,
    merchant_id uuid        not null references merchants (id),
    email       text        not null,
    role        text        not null,
    token_hash  bytea       not null constraint staff_invitations_hash_unique unique,
    -- Good while this is an owner. Null when an operator's command invited.
    invited_by  uuid        references staff (id),
    created_at  timestamptz not null default now(),
    expires_at  timestamptz not null,
    constraint staff_invitations_role check (role in ('owner', 'staff', 'read-only')),
    constraint staff_invitations_email check (email = lower(email) and length(email) between 3 and 254),
    constraint staff_invitations_hash_length check (length(token_hash) = 32)
);

-- A second invitation of an address takes the place of the first.
create unique index staff_invitations_one_per_address on staff_invitations (merchant_id, email);

-- When a key was used last, to the minute, and from where, to the network (/24 or /48): enough to find the key that nobody
-- uses any more.
alter table api_keys add column last_used_at timestamptz;
alter table api_keys add column last_used_from text;

-- What has ended stays ended, whoever writes: a revoked key is never given back, and an end that was set comes no later.
create function naru_key_stays_ended() returns trigger language plpgsql as $$
begin
    if (old.revoked_at is not null and new.revoked_at is distinct from old.revoked_at)
        or (old.expires_at is not null and (new.expires_at is null or new.expires_at > old.expires_at)) then
        raise exception 'an API key that was ended stays ended' using errcode = 'insufficient_privilege';
    end if;
    return new;
end
$$;

create trigger api_keys_stay_ended before update of revoked_at, expires_at on api_keys for each row execute function naru_key_stays_ended();

-- Who did what, from where, in which request. Every statement that changes something in the backoffice writes its row
-- here itself, so there is no change without one. The hashes are of what the thing was before and is after, without
-- secrets: they show whether a row is as the log left it, and give nothing away.
create table audit_log (
    id          bigint      generated always as identity primary key,
    at          timestamptz not null default now(),
    -- Null when somebody tried to sign in whom we don't know.
    merchant_id uuid        references merchants (id),
    mode        text,
    -- Null when an operator's command did it, or nobody is signed in.
    staff_id    uuid        references staff (id),
    action      text        not null,
    -- What it was done to: an id, or an origin.
    subject     text        not null,
    before_hash bytea,
    after_hash  bytea,
    -- The client's, as far as the proxy in front of us tells.
    address     text,
    -- The trace, which may be the caller's own word, and behind a dash the request, which is always ours.
    trace_id    text        not null,
    constraint audit_log_mode check (mode in ('test', 'live')),
    constraint audit_log_action check (action ~ '^[a-z_]+\.[a-z_]+$'),
    constraint audit_log_hash_lengths check (length(before_hash) = 32 and length(after_hash) = 32)
);

create index audit_log_by_merchant on audit_log (merchant_id, at);
create index audit_log_by_age on audit_log (at);

-- What ended long ago is forgotten by these two, and by nothing else: who may call them can delete nothing that is younger.
create function naru_forget_audit_log(at_most bigint) returns bigint
    language sql security definer set search_path = public, pg_temp as $$
    with gone as (
        delete from audit_log where id in (
            select id from audit_log where at < now() - interval '12 months' order by at limit at_most)
        returning id)
    select count(*) from gone
$$;

create index api_keys_by_end on api_keys (least(revoked_at, expires_at)) where least(revoked_at, expires_at) is not null;

create function naru_forget_ended_keys(at_most bigint) returns bigint
    language sql security definer set search_path = public, pg_temp as $$
    with gone as (
        delete from api_keys where id in (
            select id from api_keys where least(revoked_at, expires_at) < now() - interval '12 months' limit at_most)
        returning id)
    select count(*) from gone
$$;

revoke execute on function naru_forget_audit_log, naru_forget_ended_keys from public;

-- The hash of a thing, for the audit log. The text of `jsonb` has its members in one order only.
create function naru_audit_hash(thing jsonb) returns bytea language sql immutable strict
    as $$ select sha256(convert_to(thing::text, 'UTF8')) $$;

grant select on staff, staff_sessions, staff_invitations to naru_api;
grant insert on staff, staff_sessions, staff_invitations, api_keys, merchant_origins to naru_api;
grant update (name) on merchants to naru_api;
grant update (role, password_hash, password_version, last_signed_in_at, removed_at) on staff to naru_api;
grant update (token_hash, used_at, proved_at) on staff_sessions to naru_api;
grant update on staff_invitations to naru_api;
grant update (expires_at, revoked_at, last_used_at, last_used_from) on api_keys to naru_api;
grant delete on staff_sessions, staff_invitations, merchant_origins to naru_api;
-- The log is written and never read or changed by a program.
grant insert on audit_log to naru_api;
-- The housekeeper forgets what is past.
grant select (token_hash, used_at, expires_at), delete on staff_sessions to naru_worker;
grant select (id, expires_at), delete on staff_invitations to naru_worker;
grant execute on function naru_forget_audit_log, naru_forget_ended_keys to naru_worker;
