//! What our programs are told, and where they are asked how they are.

use std::collections::{BTreeMap, BTreeSet};

use naru_shared::config::{ApiConfig, CliConfig, WorkerConfig};
use naru_shared::domain::operation::Connector;
use naru_shared::telemetry::{Readiness, health_routes};

use crate::compose::{Program, Service, placeholders, read, seconds, service, services, simulator_config, text};

fn ours() -> Vec<(Service, Program)> {
    services().into_iter().filter_map(|service| service.program().map(|program| (service, program))).collect()
}

#[test]
fn every_program_runs() {
    let run: Vec<Program> = ours().into_iter().map(|(_, program)| program).collect();
    for program in Program::ALL {
        assert!(run.contains(&program), "{program:?}");
    }
}

#[test]
fn every_variable_is_read_and_every_required_one_is_set() {
    for (service, program) in ours() {
        let name = &service.name;
        let known: BTreeMap<_, _> =
            program.variables().into_iter().map(|variable| (variable.name.clone(), variable)).collect();
        let set = service.environment();
        for variable in set.keys() {
            assert!(known.contains_key(variable), "{name}: {program:?} does not read {variable}");
        }
        for variable in known.values().filter(|variable| variable.required) {
            assert!(set.contains_key(&variable.name), "{name}: {} is required", variable.name);
        }
        for variable in known.values().filter(|variable| variable.secret) {
            let Some(value) = set.get(&variable.name) else { continue };
            let asked = placeholders(value);
            let stops = asked.iter().any(|placeholder| placeholder.rest.starts_with(":?"));
            assert!(stops, "{name}: {} must come from .env and stop compose when it is missing", variable.name);
        }
    }
}

#[test]
fn the_values_are_such_as_the_programs_accept() {
    for (service, program) in ours() {
        let env = service.environment_at_start();
        let lookup = |name: &str| env.get(name).cloned();
        let error = match program {
            Program::Api => ApiConfig::from_env(&lookup).err().map(|error| error.to_string()),
            Program::Worker => WorkerConfig::from_env(&lookup).err().map(|error| error.to_string()),
            Program::Simulator => simulator_config(&env).err().map(|error| error.to_string()),
            Program::Cli => CliConfig::from_env(&lookup).err().map(|error| error.to_string()),
        };
        assert!(error.is_none(), "{}: {}", service.name, error.unwrap());
    }
}

#[test]
fn nothing_is_substituted_that_may_be_missing_and_secrets_sh_makes_all_that_must_not() {
    let compose = read("docker-compose.yml");
    let mut must = BTreeSet::new();
    for placeholder in placeholders(&compose) {
        match placeholder.rest.as_str() {
            rest if rest.starts_with(":?") => drop(must.insert(placeholder.name)),
            rest => assert!(rest.starts_with(":-"), "{placeholder:?} would silently be empty"),
        }
    }
    let script = read("deploy/secrets.sh");
    let made: BTreeSet<String> =
        script.lines().filter_map(|line| line.strip_prefix("add ")?.split(' ').next()).map(str::to_owned).collect();
    assert_eq!(made, must);
}

/// What the programs believe of the acquirers must be how they behave: a wrong `true` charges twice.
#[test]
fn whether_the_acquirers_dedupe_is_told_to_both_sides() {
    let asked = |service: &str, variable: &str| {
        let value = crate::compose::service(service).environment().remove(variable);
        let value = value.unwrap_or_else(|| panic!("{service} is not told {variable}"));
        placeholders(&value).into_iter().map(|asked| asked.name).collect::<Vec<_>>()
    };
    assert_eq!(asked("simulator", "NARU_SIMULATOR_MODE"), ["NARU_SIMULATOR_MODE"], "chosen in .env");
    let simulator = service("simulator").environment_at_start();
    let dedupes = simulator["NARU_SIMULATOR_MODE"] == "D";
    for name in ["api", "worker"] {
        for connector in Connector::ALL {
            let variable = format!("NARU_{}_ACQUIRER_DEDUPES", connector.as_str().to_uppercase());
            assert_eq!(
                asked(name, &variable),
                ["NARU_CARD_ACQUIRER_DEDUPES"],
                "{name}: the same, for it is one simulator"
            );
            let told = service(name).environment_at_start();
            assert_eq!(told[&variable], dedupes.to_string(), "{name}, beside the simulator's mode");
        }
    }
    let readme = read("deploy/README.md");
    for (mode, dedupes) in [("D", "true"), ("N", "false")] {
        assert!(readme.contains(&format!("| `{mode}` | `{dedupes}` |")), "mode {mode} needs {dedupes}");
    }
}

#[test]
fn what_is_reached_by_name_is_a_service() {
    let names: BTreeSet<String> = services().into_iter().map(|service| service.name).collect();
    for (service, _) in ours() {
        for (variable, value) in service.environment_at_start() {
            let Some((_, address)) = value.split_once("://") else { continue };
            let host = address.rsplit_once('@').map_or(address, |(_, host)| host);
            let host = host.split([':', '/']).next().unwrap();
            assert!(names.contains(host) || host == "127.0.0.1", "{}: {variable} names {host}", service.name);
        }
    }
}

/// The port and path at which a program says whether it is well.
fn asked_at(service: &Service, program: Program) -> Option<(u16, &'static str)> {
    let env = service.environment_at_start();
    let lookup = |name: &str| env.get(name).cloned();
    match program {
        Program::Api => Some((ApiConfig::from_env(&lookup).unwrap().internal.address.port(), "/readyz")),
        Program::Worker => Some((WorkerConfig::from_env(&lookup).unwrap().internal.address.port(), "/readyz")),
        Program::Simulator => Some((simulator_config(&env).unwrap().listen.port(), "/livez")),
        Program::Cli => None,
    }
}

#[test]
fn health_is_asked_where_it_is_answered() {
    for (service, program) in ours() {
        let expected = asked_at(&service, program)
            .map(|(port, path)| ["CMD", "healthy", &port.to_string(), path].map(str::to_owned).to_vec());
        assert_eq!(service.health_check(), expected, "{}", service.name);
    }
    // The two paths are the code's; they would not be if one were renamed.
    let routes = format!("{:?}", health_routes(Readiness::new()));
    assert!(routes.contains("/livez") && routes.contains("/readyz"), "{routes}");
    assert!(read("simulator/src/server/mod.rs").contains("\"/livez\""));
}

#[test]
fn prometheus_scrapes_where_metrics_are_shown() {
    let prometheus = crate::compose::yaml("deploy/prometheus/prometheus.yml");
    for job in prometheus["scrape_configs"].as_sequence().unwrap() {
        let name = text(&job["job_name"]);
        let Some(program) = name.strip_prefix("naru-") else { continue };
        let found = &job["dns_sd_configs"][0];
        let service = service(&text(&found["names"][0]));
        assert_eq!(service.name, program);
        let (port, _) = asked_at(&service, service.program().unwrap()).unwrap();
        assert_eq!(text(&found["port"]), port.to_string(), "{name}");
    }
}

/// Listening on loopback inside a container is listening to nobody.
#[test]
fn what_others_reach_is_bound_to_every_address() {
    for (service, _) in ours() {
        for (name, value) in service.environment_at_start().iter().filter(|(name, _)| name.ends_with("_LISTEN")) {
            assert!(value.starts_with("0.0.0.0:"), "{}: {name}={value}", service.name);
        }
    }
}

/// The duration in `const NAME: Duration = Duration::from_secs(N);`.
fn constant(path: &str, name: &str) -> u64 {
    let source = read(path);
    let declared = source.split_once(&format!("const {name}: Duration = Duration::from_secs(")).expect(name).1;
    declared.split_once(')').unwrap().0.parse().unwrap()
}

#[test]
fn a_program_is_given_longer_to_stop_than_it_drains() {
    let drains = [
        ("api", constant("api/src/limits/serve.rs", "DRAIN_TIME_MAX")),
        ("worker", constant("worker/src/main.rs", "DRAIN")),
    ];
    for (name, drain) in drains {
        let grace = seconds(&text(service(name).get("stop_grace_period").unwrap()));
        assert!(grace >= drain + 5, "{name} drains for {drain} s and then closes its connections, within {grace} s");
    }
}

#[test]
fn postgres_has_a_connection_for_everybody() {
    let command = service("postgres").list("command");
    let limit = command.iter().find_map(|word| word.strip_prefix("max_connections=")).unwrap();
    let wanted: u32 = ours()
        .iter()
        .map(|(service, program)| {
            let env = service.environment_at_start();
            let lookup = |name: &str| env.get(name).cloned();
            let replicas: u32 = service.get("deploy").unwrap().get("replicas").map_or(1, |n| text(n).parse().unwrap());
            let each = match program {
                Program::Api => ApiConfig::from_env(&lookup).unwrap().database.connections_max,
                // And one for its lease.
                Program::Worker => WorkerConfig::from_env(&lookup).unwrap().database.connections_max + 1,
                Program::Cli => CliConfig::from_env(&lookup).unwrap().database.connections_max,
                Program::Simulator => 0,
            };
            replicas * each
        })
        .sum();
    let worker = service("worker").environment_at_start();
    let each = WorkerConfig::from_env(&|name| worker.get(name).cloned()).unwrap().database.connections_max;
    let told = format!("up to {each} connections to Postgres, each worker {}", each + 1);
    assert!(read("deploy/README.md").contains(&told), "{told}");
    // Ten for a person and a backup.
    assert!(wanted + 10 <= limit.parse().unwrap(), "{wanted} connections are wanted of {limit}");
}
