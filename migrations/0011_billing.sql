-- 빌링키: cards that a merchant may charge again without their payers being there.

create table billing_keys (
    id               uuid        primary key,
    -- What the merchant calls it. Random; worth nothing without the merchant's secret key.
    billing_key      text        not null constraint billing_keys_billing_key_unique unique,
    merchant_id      uuid        not null references merchants (id),
    mode             text        not null,
    -- The merchant's name for whose card it is. A charge has to say the same.
    customer_key     text        not null,
    -- Of the card company, good for this merchant; forgotten once the key is deleted.
    token            text,
    bin              text        not null,
    last4            text        not null,
    -- HMAC-SHA-256 of the number, hex. Never shown.
    fingerprint      text        not null,
    issuer_code      text        not null,
    acquirer_code    text        not null,
    card_type        text        not null,
    owner_type       text        not null,
    -- By the merchant's clock.
    authenticated_at timestamptz not null default now(),
    deleted_at       timestamptz,
    constraint billing_keys_mode check (mode in ('test', 'live')),
    constraint billing_keys_customer_key check (customer_key ~ '^[A-Za-z0-9_=.@-]+$' and char_length(customer_key) between 2 and 300),
    constraint billing_keys_token check (char_length(token) between 1 and 200),
    constraint billing_keys_deleted_means_forgotten check ((deleted_at is null) = (token is not null)),
    constraint billing_keys_bin check (bin ~ '^[0-9]{6}$'),
    constraint billing_keys_last4 check (last4 ~ '^[0-9]{4}$'),
    constraint billing_keys_fingerprint check (fingerprint ~ '^[0-9a-f]{64}$'),
    constraint billing_keys_codes check (char_length(issuer_code) = 2 and char_length(acquirer_code) = 2),
    constraint billing_keys_card_type check (card_type in ('신용', '체크', '기프트', '미확인')),
    constraint billing_keys_owner_type check (owner_type in ('개인', '법인', '미확인'))
);

create index billing_keys_by_merchant on billing_keys (merchant_id, mode, customer_key);

-- A merchant's page asks that its customer's card become a billing key; the customer types the card in, and the merchant's
-- server gets the key in exchange for the authKey, once.
create table billing_requests (
    id            uuid        primary key,
    -- What the customer's page calls it. Random, and good for that request only.
    request_id    text        not null constraint billing_requests_request_id_unique unique,
    merchant_id   uuid        not null references merchants (id),
    mode          text        not null,
    customer_key  text        not null,
    success_url   text        not null,
    fail_url      text        not null,
    created_at    timestamptz not null default now(),
    -- Until when the customer may type the card in; after that, until when the authKey is good. By the merchant's clock.
    expires_at    timestamptz not null,
    -- SHA-256 of the authKey, once there is one.
    auth_key_hash bytea       constraint billing_requests_auth_key_hash_unique unique,
    -- What the card company gave in exchange for the card; forgotten once it is a billing key.
    card          jsonb,
    used_at       timestamptz,
    constraint billing_requests_mode check (mode in ('test', 'live')),
    constraint billing_requests_customer_key check (customer_key ~ '^[A-Za-z0-9_=.@-]+$' and char_length(customer_key) between 2 and 300),
    constraint billing_requests_auth_key_hash check (length(auth_key_hash) = 32),
    constraint billing_requests_card check ((card is not null) = (auth_key_hash is not null and used_at is null))
);

create index billing_requests_by_age on billing_requests (created_at);

-- The third door by which a payment comes in.
alter table payments
    drop constraint payments_source,
    add constraint payments_source check (source in ('checkout', 'key_in', 'virtual_account', 'billing'));

-- The answer of a request that issued a billing key is that key.
alter table idempotency_keys
    alter column payment_id drop not null,
    add column billing_key_id uuid references billing_keys (id),
    drop constraint idempotency_keys_answer,
    add constraint idempotency_keys_answer check (case
        when billing_key_id is null then payment_id is not null and (operation_id is null) = (version is not null)
        else payment_id is null and operation_id is null and version is null end);

-- They concern the API only; what is too old, the worker forgets.
grant select, insert, update on billing_keys, billing_requests to naru_api;
grant select (id, created_at), delete on billing_requests to naru_worker;
