//! Each server is started, stopped, killed, frozen, restarted and wiped for real.
#![expect(clippy::expect_used, reason = "a test says what it expected")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use naru_servers::{Postgres, ProcessId, RabbitMq, Redis, TemporaryServers};

/// A folder of this test's own, empty.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    folder
}

/// Runs a statement as the application's role and returns what `psql` prints.
fn sql(postgres: &Postgres, statement: &str) -> Result<String, String> {
    let psql = postgres.programs().join("psql");
    let run = Command::new(psql).args([&postgres.url(), "-Atqc", statement]).output().expect("psql starts");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).trim().to_owned();
    if run.status.success() { Ok(text(run.stdout)) } else { Err(text(run.stderr)) }
}

#[test]
fn postgres_keeps_what_was_committed_through_every_end() {
    let postgres = Postgres::start_in(&folder("postgres-lives")).expect("it starts");
    let url = postgres.url();
    sql(&postgres, "CREATE TABLE kept (n int)").expect("the role may create tables");
    sql(&postgres, "CREATE DATABASE another").expect("the role may create databases");
    assert_eq!(sql(&postgres, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"), Ok("f".to_owned()));
    for (setting, value) in [("fsync", "on"), ("synchronous_commit", "on"), ("max_connections", "300")] {
        assert_eq!(sql(&postgres, &format!("SHOW {setting}")), Ok(value.to_owned()));
    }

    sql(&postgres, "INSERT INTO kept VALUES (1)").expect("it inserts");
    postgres.restart().expect("it restarts");
    sql(&postgres, "INSERT INTO kept VALUES (2)").expect("it inserts");
    postgres.kill9().expect("it dies");
    assert_eq!(postgres.pid(), None);
    assert!(sql(&postgres, "SELECT 1").is_err());
    postgres.start().expect("it recovers");
    assert_eq!(sql(&postgres, "SELECT count(*) FROM kept"), Ok("2".to_owned()));

    postgres.pause().expect("it freezes");
    assert!(!postgres.is_ready());
    postgres.resume().expect("it thaws");
    assert!(postgres.is_ready());

    postgres.wipe().expect("it forgets");
    assert_eq!(postgres.url(), url, "clients need not be told of a wipe");
    assert!(sql(&postgres, "SELECT 1 FROM kept").expect_err("the table is gone").contains("kept"));
}

#[test]
fn postgres_frozen_can_still_be_stopped() {
    let postgres = Postgres::start_in(&folder("postgres-frozen")).expect("it starts");
    postgres.pause().expect("it freezes");
    postgres.stop().expect("it stops");
    assert_eq!(postgres.pid(), None);
}

#[test]
fn postgres_starts_although_its_last_run_is_an_unburied_zombie() {
    let folder = folder("postgres-zombie");
    let killed = Postgres::start_in(&folder).expect("it starts");
    // We are still its parent and never ask how it ended.
    std::mem::forget(killed);
    let next = Postgres::start_in(&folder).expect("it starts");
    assert_eq!(sql(&next, "SELECT 1"), Ok("1".to_owned()));
}

#[test]
fn redis_comes_back_empty_on_the_same_port() {
    let redis = Redis::start_in(&folder("redis-lives")).expect("it starts");
    let url = redis.url();
    let cli = |arguments: &[&str]| {
        let run = Command::new("redis-cli")
            .args(["--no-auth-warning", "-u", &url])
            .args(arguments)
            .output()
            .expect("redis-cli starts");
        String::from_utf8_lossy(&run.stdout).trim().to_owned()
    };
    assert_eq!(cli(&["SET", "k", "v"]), "OK");
    let before = redis.pid().expect("it runs");
    redis.kill9().expect("it dies");
    assert!(!redis.is_ready());
    redis.start().expect("it starts again");
    assert_ne!(redis.pid(), Some(before));
    assert_eq!(cli(&["GET", "k"]), "");

    redis.pause().expect("it freezes");
    assert!(!redis.is_ready());
    redis.resume().expect("it thaws");
    assert!(redis.is_ready());
    redis.restart().expect("it restarts");
    redis.stop().expect("it stops");
    assert!(redis.pause().is_err(), "there is nothing to freeze");
    redis.stop().expect("stopping twice is stopping");
}

#[test]
fn rabbitmq_survives_a_crash_and_forgets_when_wiped() {
    let rabbitmq = RabbitMq::start_in(&folder("rabbitmq-lives")).expect("it starts");
    let management = |path: &str, arguments: &[&str]| {
        let url = format!("{}/api/{path}", rabbitmq.management_url());
        let run = Command::new("curl").args(["-sS", "--fail", &url]).args(arguments).output().expect("curl starts");
        run.status.success().then(|| String::from_utf8_lossy(&run.stdout).into_owned())
    };
    assert!(management("whoami", &[]).expect("it answers").contains("administrator"));
    assert!(!management("users", &[]).expect("it answers").contains("guest"));
    let queue = "queues/naru/kept";
    let declare = [
        "-X",
        "PUT",
        "-H",
        "content-type: application/json",
        "-d",
        r#"{"durable":true,"arguments":{"x-queue-type":"quorum"}}"#,
    ];
    management(queue, &declare).expect("it declares a quorum queue");

    rabbitmq.kill9().expect("it dies");
    assert!(!rabbitmq.is_ready());
    rabbitmq.start().expect("it recovers");
    management(queue, &[]).expect("the queue is still there");

    rabbitmq.pause().expect("it freezes");
    assert!(!rabbitmq.is_ready());
    rabbitmq.resume().expect("it thaws");
    rabbitmq.restart().expect("it restarts");
    management(queue, &[]).expect("the queue is still there");

    rabbitmq.wipe().expect("it forgets");
    assert_eq!(management(queue, &[]), None);
    rabbitmq.stop().expect("it stops");
}

#[test]
fn what_a_killed_run_left_is_ended_by_the_next() {
    let folder = folder("leftovers");
    let killed = Redis::start_in(&folder).expect("it starts");
    let left = ProcessId::find(killed.pid().expect("it runs")).expect("it runs");
    // As after `kill -9`: nobody stops it.
    std::mem::forget(killed);
    let next = Redis::start_in(&folder).expect("it starts");
    assert!(left.wait_gone(Duration::ZERO));
    assert!(next.is_ready());
}

#[test]
fn a_note_that_names_a_stranger_harms_nobody() {
    let folder = folder("stranger");
    let redis = Redis::start_in(&folder).expect("it starts");
    let mut stranger = Command::new("sleep").arg("60").spawn().expect("sleep starts");
    let line = std::fs::read_to_string(format!("/proc/{}/stat", stranger.id())).expect("it runs");
    // Its number, but another start time: the number was given to somebody else meanwhile.
    let mut fields: Vec<&str> = line.split(' ').collect();
    fields[21] = "1";
    let ledger = redis.home().join("processes");
    redis.stop().expect("it stops");
    std::fs::write(ledger, fields.join(" ")).expect("the note is written");
    redis.start().expect("it starts");
    drop(redis);
    drop(Redis::start_in(&folder).expect("it starts"));
    assert!(stranger.try_wait().expect("it is our child").is_none(), "the stranger still runs");
    stranger.kill().expect("it ends");
    stranger.wait().expect("it is our child");
}

#[test]
fn a_start_that_fails_says_why() {
    let folder = folder("broken");
    let redis = Redis::start_in(&folder).expect("it starts");
    redis.stop().expect("it stops");
    // Somebody else took its port.
    let port = redis.url().rsplit_once(':').expect("a port").1.trim_end_matches("/0").to_owned();
    let _thief = std::net::TcpListener::bind(format!("127.0.0.1:{port}")).expect("it is free");
    let failure = redis.start().expect_err("it cannot start").to_string();
    for part in ["could not start redis", "Address already in use", "what to do"] {
        assert!(failure.contains(part), "{part:?} is not in: {failure}");
    }
}

#[test]
fn temporary_servers_leave_nothing() {
    let parent = folder("temporary");
    let servers = TemporaryServers::start(&parent).expect("they start");
    assert_eq!(sql(&servers.postgres, "SELECT 1"), Ok("1".to_owned()));
    assert!(servers.rabbitmq.is_ready() && servers.redis.is_ready());
    let folder = servers.folder().to_owned();
    let broker = ProcessId::find(servers.rabbitmq.pid().expect("it runs")).expect("it runs");
    drop(servers);
    assert!(!folder.exists());
    assert!(!broker.is_alive());
}
