//! What holds for every service, whoever's program it runs.

use std::collections::BTreeSet;

use crate::compose::{compose, root, seconds, service, services, text};

#[test]
fn what_is_waited_for_exists_and_can_become_true() {
    for waiting in services() {
        let Some(depends_on) = waiting.get("depends_on") else { continue };
        for (name, how) in depends_on.as_mapping().unwrap() {
            let awaited = service(&text(name));
            let restart = text(awaited.get("restart").unwrap());
            match text(&how["condition"]).as_str() {
                "service_healthy" => assert!(awaited.health_check().is_some(), "{}", awaited.name),
                "service_completed_successfully" => {
                    assert!(restart.starts_with("on-failure"), "{} never ends", awaited.name)
                }
                "service_started" => {}
                other => panic!("{}: {other}", waiting.name),
            }
        }
    }
}

#[test]
fn only_the_proxy_is_reached_from_outside_and_by_default_only_from_this_machine() {
    for service in services() {
        let ports = service.list("ports");
        assert!(ports.is_empty() || service.name == "proxy", "{} publishes {ports:?}", service.name);
        for port in ports {
            let public = port == "${NARU_PUBLIC_ADDRESS:-127.0.0.1}:8080:8080";
            assert!(public || port.starts_with("127.0.0.1:"), "{port}");
        }
        let networks = service.list("networks");
        assert!(networks.contains(&"inside".to_owned()), "{}", service.name);
        assert!(networks.len() == 1 || service.name == "proxy", "{} is on {networks:?}", service.name);
    }
    assert_eq!(compose()["networks"]["inside"]["internal"].as_bool(), Some(true));
}

#[test]
fn every_volume_is_declared_and_every_file_exists() {
    let compose = compose();
    let declared: BTreeSet<String> = compose["volumes"].as_mapping().unwrap().keys().map(text).collect();
    let mut used = BTreeSet::new();
    for service in services() {
        for volume in service.list("volumes") {
            let mut parts = volume.split(':');
            let source = parts.next().unwrap();
            assert!(parts.next().unwrap().starts_with('/'), "{volume}");
            if source.starts_with("./") {
                assert!(root().join(source).is_file(), "{}: {source} is missing", service.name);
                assert_eq!(parts.next(), Some("ro"), "{volume} is written to");
            } else {
                used.insert(source.to_owned());
            }
        }
    }
    assert_eq!(used, declared);
}

#[test]
fn nobody_is_root_or_can_become_it_and_nobody_writes_outside_a_volume() {
    for service in services() {
        let name = &service.name;
        assert_eq!(service.get("read_only").and_then(serde_yaml_ng::Value::as_bool), Some(true), "{name}");
        assert_eq!(service.list("cap_drop"), ["ALL"], "{name}");
        assert_eq!(service.list("security_opt"), ["no-new-privileges:true"], "{name}");
        // Our own images name their user themselves.
        let user = service.get("user").map(text);
        assert!(
            service.program().is_some() || user.as_deref().is_some_and(|user| user != "root" && user != "0"),
            "{name}"
        );
    }
    assert!(crate::compose::read("deploy/containers/naru.Dockerfile").contains("\nUSER naru\n"));
}

#[test]
fn every_service_is_bounded_and_comes_back() {
    for service in services() {
        let name = &service.name;
        let limits = &service.get("deploy").unwrap()["resources"]["limits"];
        for limit in ["cpus", "memory", "pids"] {
            assert!(limits.get(limit).is_some(), "{name} has no limit of {limit}");
        }
        assert_eq!(text(&service.get("logging").unwrap()["driver"]), "local", "{name} fills the disk with logs");
        let restart = text(service.get("restart").unwrap());
        match service.name.as_str() {
            "migrate" => assert!(restart.starts_with("on-failure")),
            _ => {
                assert_eq!(restart, "unless-stopped", "{name}");
                assert!(seconds(&text(service.get("stop_grace_period").unwrap())) >= 10, "{name}");
                assert!(service.health_check().is_some(), "{name}");
            }
        }
    }
    for name in ["api", "worker"] {
        assert_eq!(text(&service(name).get("deploy").unwrap()["replicas"]), "2", "{name}");
    }
}
