-- People who pay: their accounts, where they are signed in, the cards they keep, and what they paid for.
--
-- A payer belongs to one world: `test` or `live`. The same e-mail address may have an account in each; nothing of one is
-- reachable from the other.

create table payers (
    id               uuid        primary key,
    mode             text        not null,
    -- In lower case: one mailbox, one account.
    email            text        not null,
    -- Argon2id with its parameters and salt, as a PHC string.
    password_hash    text        not null,
    -- Raised by every other password, and not by the same one kept anew.
    password_version integer     not null default 1,
    -- How many cards are kept, raised and lowered by the statements that keep and forget one.
    card_count       integer     not null default 0,
    -- The card that is offered first.
    default_card     uuid,
    created_at       timestamptz not null default now(),
    constraint payers_email_unique unique (mode, email),
    constraint payers_mode check (mode in ('test', 'live')),
    constraint payers_email check (email = lower(email) and char_length(email) between 3 and 254),
    constraint payers_password_hash check (password_hash like '$argon2id$%'),
    constraint payers_card_count check (card_count between 0 and 20)
);

-- Where a payer is signed in. The browser has a random token, we its SHA-256. A row that is gone is a session that has
-- ended, at once and everywhere: nothing caches it.
create table payer_sessions (
    token_hash       bytea       primary key,
    payer_id         uuid        not null references payers (id),
    -- Of the password that was compared. Of any other it is no session, whatever was written in which order.
    password_version integer     not null,
    created_at       timestamptz not null default now(),
    -- When it was last used, to the minute.
    seen_at          timestamptz not null default now(),
    constraint payer_sessions_token_hash check (length(token_hash) = 32)
);

create index payer_sessions_by_payer on payer_sessions (payer_id, created_at desc);
create index payer_sessions_by_age on payer_sessions (seen_at);

-- Cards as we may keep them: what the card company gave in exchange, first six and last four digits, and a keyed hash of
-- the number. The same card of another payer is another row: nobody can find out whether somebody else has it.
create table stored_cards (
    id            uuid        primary key,
    payer_id      uuid        not null references payers (id),
    -- Of the card company, good for us and whoever we take payments for.
    token         text        not null,
    bin           text        not null,
    last4         text        not null,
    -- HMAC-SHA-256 of the number, hex. Never shown.
    fingerprint   text        not null,
    issuer_code   text        not null,
    acquirer_code text        not null,
    card_type     text        not null,
    owner_type    text        not null,
    -- What its payer calls it.
    nickname      text,
    created_at    timestamptz not null default now(),
    constraint stored_cards_once unique (payer_id, fingerprint),
    constraint stored_cards_of_payer unique (payer_id, id),
    constraint stored_cards_token check (char_length(token) between 1 and 200),
    constraint stored_cards_bin check (bin ~ '^[0-9]{6}$'),
    constraint stored_cards_last4 check (last4 ~ '^[0-9]{4}$'),
    constraint stored_cards_fingerprint check (fingerprint ~ '^[0-9a-f]{64}$'),
    constraint stored_cards_codes check (char_length(issuer_code) = 2 and char_length(acquirer_code) = 2),
    constraint stored_cards_card_type check (card_type in ('신용', '체크', '기프트', '미확인')),
    constraint stored_cards_owner_type check (owner_type in ('개인', '법인', '미확인')),
    constraint stored_cards_nickname check (char_length(nickname) between 1 and 40)
);

-- The card offered first is one of the payer's own.
alter table payers add constraint payers_default_card
    foreign key (id, default_card) references stored_cards (payer_id, id) on delete set null (default_card);

-- Who authenticated a payment with a stored card. Beside the payment and not in it: events and answers to merchants have
-- no place for it.
create table payment_payers (
    payment_id       uuid        primary key references payments (id),
    payer_id         uuid        not null references payers (id),
    authenticated_at timestamptz not null default now()
);

-- Payments' ids sort by when they were made.
create index payment_payers_by_payer on payment_payers (payer_id, payment_id desc);

-- How often something was tried of late. The key is a keyed hash of whom it concerns: an account, an address, a payer.
create table rate_limits (
    scope        text        not null,
    key          bytea       not null,
    -- The window that is counted in, and when it ends.
    window_start timestamptz not null default now(),
    until        timestamptz not null,
    count        integer     not null,
    -- Of these, tries that nobody has judged yet; and when the last of them began. Those of an instance that died are nobody's.
    undecided    integer     not null default 0,
    reserved_at  timestamptz not null default now(),
    -- Windows in a row in which the limit was exceeded: each makes the next wait longer.
    strikes      integer     not null default 0,
    primary key (scope, key),
    constraint rate_limits_scope check (scope ~ '^[a-z_]{1,40}$'),
    constraint rate_limits_key check (length(key) = 32),
    constraint rate_limits_window check (until > window_start),
    constraint rate_limits_count check (count >= undecided and undecided >= 0 and strikes >= 0)
);

create index rate_limits_by_age on rate_limits (until);

-- The card company knows us by this name. A merchant of that name would own every stored card.
alter table merchants add constraint merchants_mid_not_ours check (mid <> 'naru');

-- Payers concern the API only; what is too old, the worker forgets.
grant select, insert, update on payers, payer_sessions, stored_cards, rate_limits to naru_api;
grant delete on payer_sessions, stored_cards, rate_limits to naru_api;
grant select, insert on payment_payers to naru_api;
grant select, delete on payer_sessions, rate_limits to naru_worker;
