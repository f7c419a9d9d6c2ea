//! The broker of the containers has our topology and two users, and no other.

use std::collections::BTreeSet;

use naru_shared::broker::Topology;
use serde_json::Value;

use crate::compose::{read, service, text};

#[test]
fn the_definitions_are_the_ones_the_programs_declare() {
    let rabbitmq = service("rabbitmq");
    assert!(rabbitmq.list("volumes").contains(&"./rabbitmq/definitions.json:/etc/naru/definitions.json:ro".to_owned()));
    let topology: Topology = serde_json::from_str(&read("rabbitmq/definitions.json")).unwrap();
    let names = |topology: &Topology| -> BTreeSet<String> {
        topology
            .queues
            .iter()
            .map(|q| q.name.clone())
            .chain(topology.exchanges.iter().map(|e| e.name.clone()))
            .collect()
    };
    assert_eq!(names(&topology), names(Topology::embedded()));
    let vhosts: BTreeSet<&str> = topology.queues.iter().map(|queue| queue.vhost.as_str()).collect();
    assert_eq!(vhosts, BTreeSet::from(["/"]));
    for program in ["api", "worker"] {
        assert!(service(program).environment()["AMQP_URL"].ends_with("/%2f"), "{program} uses another vhost");
    }
}

#[test]
fn the_broker_imports_what_start_sh_writes() {
    let folder = "/run/naru/definitions";
    assert!(read("deploy/rabbitmq/container.conf").contains(&format!("load_definitions = {folder}\n")));
    assert!(read("deploy/rabbitmq/start.sh").contains(folder));
    let rabbitmq = service("rabbitmq");
    assert!(rabbitmq.list("tmpfs").contains(&"/run/naru".to_owned()), "passwords must not reach a disk");
    assert!(rabbitmq.get("hostname").map(text).is_some(), "a broker is its name: with another it starts empty");
    for variable in rabbitmq.environment().keys() {
        assert!(read("deploy/rabbitmq/start.sh").contains(&format!("${variable}")), "{variable} is not used");
    }
}

#[test]
fn the_programs_may_use_the_topology_and_the_operator_may_look() {
    let script = read("deploy/rabbitmq/start.sh");
    let written = script.split_once("<<END\n").unwrap().1.split_once("\nEND\n").unwrap().0;
    // As the shell would write it.
    let users: Value = serde_json::from_str(&written.replace("\\\\", "\\")).unwrap();
    let permissions = users["permissions"].as_array().unwrap();
    for right in ["configure", "write", "read"] {
        assert_eq!(permissions[0][right], r"^(naru\.|work\.|dead$)", "{right}");
        assert_eq!(permissions[1][right], "^$", "{right}");
    }
    assert_eq!(users["users"][1]["tags"][0], "monitoring");
    let topology = Topology::embedded();
    let names = topology.queues.iter().map(|q| &q.name).chain(topology.exchanges.iter().map(|e| &e.name));
    for name in names {
        assert!(name.starts_with("naru.") || name.starts_with("work.") || name == "dead", "{name} is out of reach");
    }
}
