-- How often something was tried of late. The key is a keyed hash of whom it concerns: an account, an address, a payer.
create table rate_limits (
    scope        text        not null,
    key          bytea       not null,
    -- The window that is counted in, and when it ends.
    window_start timestamptz not null default now(),
    until        timestamptz not null,
    count        integer     not null,
    -- Windows in a row in which the limit was exceeded: each makes the next wait longer.
    strikes      integer     not null default 0,
    primary key (scope, key),
    constraint rate_limits_scope check (scope ~ '^[a-z_]{1,40}$'),
    constraint rate_limits_key check (length(key) = 32),
    constraint rate_limits_window check (until > window_start),
    constraint rate_limits_count check (count >= 0 and strikes >= 0)
);

create index rate_limits_by_age on rate_limits (until);

grant select, insert, update, delete on rate_limits to naru_api;
grant select, delete on rate_limits to naru_worker;
