-- What each program may do. They log in as whoever `DATABASE_URL` names and then act in one of these roles, so that a program
-- that is taken over, or wrong, still can't do another's work. `naru migrate` and `naru seed-demo` act as who logs in.
--
-- Nobody may delete a payment, an operation, an attempt or an event, and nobody may change an event.

do $$
declare
    -- To act in a role one must be a member; since Postgres 16 a member need not be allowed to.
    may_act constant text := case when current_setting('server_version_num')::integer < 160000 then 'MEMBER' else 'SET' end;
    program text;
begin
    foreach program in array array['naru_api', 'naru_worker'] loop
        if not exists (select from pg_roles where rolname = program) then
            begin
                execute format('create role %I nologin', program);
            exception
                -- Roles belong to the whole server: another database's migration was faster.
                when duplicate_object or unique_violation then null;
            end;
        end if;
        if not pg_has_role(current_user, program, may_act) then
            execute format('grant %I to %I', program, current_user);
        end if;
    end loop;
end
$$;

-- Everybody reads, `_sqlx_migrations` included; but keys concern the API only.
grant select on all tables in schema public to naru_api, naru_worker;
revoke select on api_keys, merchant_origins from naru_worker;

-- Accepts, joins and re-arms. It never writes what an acquirer said, and what became of it only where an operator says so
-- (`migrations/0006_cancels.sql`).
grant insert on payments, payment_events, operations, idempotency_keys to naru_api;
grant update on payments, operations, dead_letters to naru_api;

-- Carries out and keeps house.
grant insert on payment_events, operations, attempts, workers, dead_letters, cases to naru_worker;
grant update on payments, operations, attempts, workers, dead_letters to naru_worker;
-- It forgets old keys and has none to write; but the statement that moves a payment on, which also ends one whose time is over,
-- has a place for one.
grant insert, delete on idempotency_keys to naru_worker;
