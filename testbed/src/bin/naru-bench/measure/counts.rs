//! What a payment costs, counted rather than timed.

use naru_servers::Failure;
use reqwest::Client;
use serde::Serialize;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

use crate::Outcome;
use crate::http::answer;

/// Counts since the servers started.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Counts {
    /// Transactions that wrote: each is one flush of the log, or a share of one.
    pub(crate) commits: f64,
    /// Statements: each is one round trip to Postgres.
    pub(crate) statements: f64,
    /// Messages that Naru's programs published, with a confirm.
    pub(crate) publishes: f64,
    /// Payments accepted by one commit, on average.
    pub(crate) accept_batch: f64,
    /// Claims in one statement, on average.
    pub(crate) claim_batch: f64,
    /// Outcomes in one commit, on average.
    pub(crate) commit_batch: f64,
}

/// Reads counts.
#[derive(Clone)]
pub(crate) struct Counter {
    admin: PgPool,
    http: Client,
    metrics: [String; 2],
}

/// What one statement of Naru's cost.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Statement {
    /// Its beginning.
    pub(crate) text: String,
    pub(crate) calls: f64,
    /// Milliseconds in the executor, all calls together. Parsing, planning and the network are not in it.
    pub(crate) millis: f64,
    pub(crate) rows: f64,
}

/// As the sources tell them.
#[derive(Clone, Copy, Default)]
pub(crate) struct Reading {
    commits: f64,
    statements: f64,
    publishes: f64,
    /// Sum and number of accepts, of claims, of outcomes.
    accepts: (f64, f64),
    claims: (f64, f64),
    outcomes: (f64, f64),
}

impl Counter {
    pub(crate) fn new(admin: &str, http: Client, metrics: [String; 2]) -> Outcome<Self> {
        let admin = PgPoolOptions::new().max_connections(1).connect_lazy(admin);
        Ok(Self { admin: admin.map_err(|cause| Failure::new("reach Postgres", cause))?, http, metrics })
    }

    /// Whether statements are counted from now on. It costs a few percent, so it is on only where they are.
    pub(crate) async fn statements(&self, on: bool) -> Outcome {
        let failed = |cause| Failure::new("count statements", cause);
        let track = if on { "all" } else { "none" };
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!("alter system set pg_stat_statements.track = '{track}'")))
            .execute(&self.admin)
            .await
            .map_err(failed)?;
        sqlx::raw_sql("select pg_reload_conf()").execute(&self.admin).await.map_err(failed)?;
        Ok(())
    }

    /// Refreshes the planner's statistics of Naru's database.
    pub(crate) async fn analyze(&self) -> Outcome {
        let done = sqlx::raw_sql("analyze").execute(&self.admin).await;
        done.map(|_| ()).map_err(|cause| Failure::new("analyze", cause))
    }

    /// Naru's statements since the last time, the costliest first.
    pub(crate) async fn costliest(&self, limit: i64) -> Outcome<Vec<Statement>> {
        let failed = |cause| Failure::new("read statements", cause);
        let rows = sqlx::query_as(
            "select left(regexp_replace(query, '\\s+', ' ', 'g'), 300), calls::float8, total_exec_time, rows::float8
            from pg_stat_statements s join pg_roles r on r.oid = s.userid join pg_database d on d.oid = s.dbid
            where r.rolname like 'naru%' and d.datname = 'naru' and s.toplevel order by total_exec_time desc limit $1",
        );
        let rows: Vec<(String, f64, f64, f64)> = rows.bind(limit).fetch_all(&self.admin).await.map_err(failed)?;
        sqlx::raw_sql("select pg_stat_statements_reset()").execute(&self.admin).await.map_err(failed)?;
        Ok(rows.into_iter().map(|(text, calls, millis, rows)| Statement { text, calls, millis, rows }).collect())
    }

    /// All counts now.
    pub(crate) async fn read(&self) -> Outcome<Reading> {
        let failed = |cause| Failure::new("read counts", cause);
        // The next transaction id counts transactions that wrote, at once; pg_stat_database is late by up to ten seconds.
        let commits: i64 = sqlx::query_scalar("select pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
            .fetch_one(&self.admin)
            .await
            .map_err(failed)?;
        let statements: i64 = sqlx::query_scalar(
            "select coalesce(sum(calls), 0)::bigint from pg_stat_statements s join pg_roles r on r.oid = s.userid
            where r.rolname like 'naru%' and s.toplevel",
        )
        .fetch_one(&self.admin)
        .await
        .map_err(failed)?;
        let mut reading = Reading { commits: commits as f64, statements: statements as f64, ..Reading::default() };
        for url in &self.metrics {
            let text = answer("read metrics", self.http.get(url), 200).await?;
            reading.add_metrics(&String::from_utf8_lossy(&text));
        }
        Ok(reading)
    }
}

impl Reading {
    fn add_metrics(&mut self, text: &str) {
        for line in text.lines() {
            let Some((series, value)) = line.rsplit_once(' ') else { continue };
            let name = series.split('{').next().unwrap_or(series);
            let Ok(value) = value.parse::<f64>() else { continue };
            match name {
                "naru_broker_published_total" => self.publishes += value,
                "naru_api_accept_batch_sum" => self.accepts.0 += value,
                "naru_api_accept_batch_count" => self.accepts.1 += value,
                "naru_worker_claim_batch_sum" => self.claims.0 += value,
                "naru_worker_claim_batch_count" => self.claims.1 += value,
                "naru_worker_commit_batch_sum" => self.outcomes.0 += value,
                "naru_worker_commit_batch_count" => self.outcomes.1 += value,
                _ => {}
            }
        }
    }

    /// Counts per payment between two readings, without what an idle system counts in the same time.
    pub(crate) fn per_payment(&self, before: &Self, idle: &Counts, seconds: f64, payments: f64) -> Counts {
        let mean = |(sum, count): (f64, f64), (sum_before, count_before): (f64, f64)| {
            if count > count_before { (sum - sum_before) / (count - count_before) } else { 0.0 }
        };
        let each = |now: f64, then: f64, idle: f64| ((now - then - idle * seconds) / payments).max(0.0);
        Counts {
            commits: each(self.commits, before.commits, idle.commits),
            statements: each(self.statements, before.statements, idle.statements),
            publishes: each(self.publishes, before.publishes, idle.publishes),
            accept_batch: mean(self.accepts, before.accepts),
            claim_batch: mean(self.claims, before.claims),
            commit_batch: mean(self.outcomes, before.outcomes),
        }
    }
}
