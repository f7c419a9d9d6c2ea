-- Who may call Naru.
--
-- A merchant has two worlds that never meet: `test` (the sandbox) and `live` (money). Every row below a
-- merchant names its mode, and every query filters by it.

create table merchants (
    id         uuid        primary key,
    -- The merchant id that merchants see (`mId` on the wire).
    mid        text        not null constraint merchants_mid_unique unique,
    name       text        not null,
    created_at timestamptz not null default now(),
    constraint merchants_mid_shape check (mid ~ '^[A-Za-z0-9_-]{2,40}$')
);

-- Pages from which a client key may be used, and to which payers may be sent back. Exact origins
-- (`https://shop.example:8443`), never patterns.
create table merchant_origins (
    merchant_id uuid not null references merchants (id),
    mode        text not null,
    origin      text not null,
    primary key (merchant_id, mode, origin),
    constraint merchant_origins_mode check (mode in ('test', 'live')),
    constraint merchant_origins_origin check (origin ~ '^https?://[^/?#@]+$')
);

-- A key is shown once, when it is issued; what stays is its keyed hash (HMAC-SHA-256 under a key that is
-- derived from NARU_MASTER_SECRET and is never in the database), so that a copy of this table opens nothing.
create table api_keys (
    id          uuid        primary key,
    merchant_id uuid        not null references merchants (id),
    mode        text        not null,
    kind        text        not null,
    hash        bytea       not null constraint api_keys_hash_unique unique,
    -- Its prefix and first four characters, so that a person can tell two keys apart.
    hint        text        not null,
    created_at  timestamptz not null default now(),
    -- Set when a key is rolled with an overlap: both keys work until then.
    expires_at  timestamptz,
    revoked_at  timestamptz,
    constraint api_keys_mode check (mode in ('test', 'live')),
    constraint api_keys_kind check (kind in ('secret', 'client')),
    constraint api_keys_hash_length check (length(hash) = 32)
);

create index api_keys_by_merchant on api_keys (merchant_id, mode);
