//! The proxy lets events through at once, and streams stay.

use naru_shared::config::ApiConfig;

use crate::compose::{Program, read, seconds, service, services};

/// Every value of a directive, whatever block it is in.
fn values(directive: &str) -> Vec<String> {
    let config = read("deploy/proxy/nginx.conf");
    let lines = config.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.strip_prefix(directive)?.strip_prefix(' ')?.strip_suffix(';'))
        .map(|value| value.trim().to_owned())
        .collect()
}

#[test]
fn events_are_neither_buffered_nor_compressed() {
    for (directive, value) in
        [("proxy_buffering", "off"), ("proxy_cache", "off"), ("gzip", "off"), ("proxy_http_version", "1.1")]
    {
        assert_eq!(values(directive), [value], "{directive}");
    }
}

/// A request may wait 60 s (`Prefer: wait=60`); a stream is silent for 15 s between heartbeats.
#[test]
fn streams_and_waiting_requests_are_not_cut() {
    for directive in ["proxy_read_timeout", "send_timeout"] {
        assert!(values(directive).iter().all(|time| seconds(time) > 60), "{directive}");
    }
    let stop = seconds(&values("worker_shutdown_timeout")[0]);
    let grace = seconds(&crate::compose::text(service("proxy").get("stop_grace_period").unwrap()));
    assert!(stop < grace);
}

/// Otherwise a POST goes out on a connection that the API is closing, and nobody knows whether it arrived.
#[test]
fn idle_connections_are_closed_here_first() {
    let source = read("api/src/limits/serve.rs");
    let declared = source.split_once("HEADER_TIME_MAX: Duration = Duration::from_secs(").unwrap().1;
    let api: u64 = declared.split_once(')').unwrap().0.parse().unwrap();
    assert!(values("keepalive_timeout").iter().all(|time| seconds(time) < api));
}

#[test]
fn who_asked_is_passed_on_and_cannot_be_made_up() {
    let headers = values("proxy_set_header");
    for header in
        ["X-Forwarded-For $remote_addr", "X-Forwarded-Host $http_host", "X-Forwarded-Proto $scheme", "Forwarded \"\""]
    {
        assert!(headers.contains(&header.to_owned()), "{header}");
    }
}

#[test]
fn what_is_published_is_listened_on_and_leads_to_a_listener() {
    let listens = values("listen");
    let published: Vec<String> =
        service("proxy").list("ports").iter().map(|port| port.rsplit(':').next().unwrap().to_owned()).collect();
    assert_eq!(published, listens);

    let api = service("api");
    assert_eq!(api.program(), Some(Program::Api));
    let env = api.environment_at_start();
    let config = ApiConfig::from_env(&|name| env.get(name).cloned()).unwrap();
    let servers: Vec<String> =
        values("server").iter().map(|value| value.split(' ').next().unwrap().to_owned()).collect();
    let expected = [
        format!("api:{}", config.listen.public.port()),
        format!("api:{}", config.listen.operators.port()),
        "rabbitmq:15672".to_owned(),
    ];
    assert_eq!(servers, expected);
    assert!(services().iter().any(|service| service.name == "rabbitmq" && service.image().1.ends_with("-management")));
    let health = service("proxy").health_check().unwrap();
    assert_eq!(health.last().unwrap(), &format!("http://127.0.0.1:{}/livez", listens[0]));
}

/// A container that is replaced has another address.
#[test]
fn names_are_asked_for_again() {
    assert!(values("server").iter().all(|server| server.split(' ').any(|word| word == "resolve")));
    assert!(values("resolver")[0].starts_with("127.0.0.11 "));
}

#[test]
fn a_request_is_never_sent_twice_and_no_answer_is_not_a_refusal() {
    assert!(values("proxy_next_upstream").iter().all(|when| !when.contains("non_idempotent")));
    let answer = values("return").remove(0);
    let body = answer.split_once('\'').unwrap().1.split_once("\\n'").unwrap().0;
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["moneyState"], "UNKNOWN");
    assert_eq!(body["retryable"], false);
    assert!(read("api/src/problem/code.rs").contains(&format!("{:?}", body["code"].as_str().unwrap())));
}
