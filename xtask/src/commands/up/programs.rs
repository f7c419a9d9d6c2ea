//! Our own programs: the sandbox's card company, the API, and a worker.

use std::process::Command;
use std::time::Duration;

use naru_servers::{Failure, Ledger, Settings};

use crate::env_file::Environment;
use crate::process::{Program, built};
use crate::progress::Step;
use crate::{http, root};

/// How long a program may take until it is ready.
const READY_LIMIT: Duration = Duration::from_secs(60);

/// In the order in which they are stopped: no new payments first, nobody to answer them last.
pub(super) struct Programs {
    api: Program,
    worker: Program,
    simulator: Program,
}

impl Programs {
    /// Starts all three and returns when all are ready; names their addresses and processes in `environment`.
    pub(super) fn start(
        environment: &mut Environment,
        settings: &mut Settings,
        ledger: &Ledger,
    ) -> Result<Self, Failure> {
        let step = Step::begin("starting simulator, api and worker");
        let names = ["api_port", "ops_port", "api_internal_port", "worker_internal_port", "simulator_port"];
        let [api_port, ops_port, api_internal_port, worker_internal_port, simulator_port] = settings.ports(names)?;
        let listen = |port: u16| format!("127.0.0.1:{port}");
        let url = |port: u16| format!("http://127.0.0.1:{port}");
        environment.set("NARU_API_URL", url(api_port));
        environment.set("NARU_OPS_URL", url(ops_port));
        environment.set("NARU_SIMULATOR_URL", url(simulator_port));
        environment.set("NARU_METRICS_URL_API", format!("{}/metrics", url(api_internal_port)));
        environment.set("NARU_METRICS_URL_WORKER", format!("{}/metrics", url(worker_internal_port)));
        // The simulator is all of them.
        for acquirer in ["CARD", "TRANSFER", "MOBILE", "POINTS", "VIRTUAL_ACCOUNT"] {
            environment.set(&format!("NARU_{acquirer}_ACQUIRER_URL"), url(simulator_port));
        }

        let journal = root::stack().join("simulator.journal").display().to_string();
        let start = |name: &'static str, own: &[(&str, String)]| {
            let mut command = Command::new(built(&format!("naru-{name}"))?);
            environment.give_to(&mut command);
            // A person reads these logs, unless the caller wants them otherwise.
            if std::env::var_os("NARU_LOG_FORMAT").is_none() {
                command.env("NARU_LOG_FORMAT", "text");
            }
            command.envs(own.iter().map(|(name, value)| (name, value)));
            Program::start(name, &command, root::stack().join(format!("{name}.log")), ledger)
        };
        let mut simulator = start(
            "simulator",
            &[("NARU_SIMULATOR_LISTEN", listen(simulator_port)), ("NARU_SIMULATOR_JOURNAL", journal)],
        )?;
        let mut api = start(
            "api",
            &[
                ("NARU_API_LISTEN", listen(api_port)),
                ("NARU_PUBLIC_URL", url(api_port)),
                // Plain HTTP, and no further than this machine.
                ("NARU_INSECURE_COOKIES", "true".to_owned()),
                // What the simulator signs with unless it is told otherwise.
                ("NARU_DEPOSIT_CALLBACK_SECRET", "sandbox-callback-secret".to_owned()),
                ("NARU_OPS_LISTEN", listen(ops_port)),
                ("NARU_INTERNAL_LISTEN", listen(api_internal_port)),
            ],
        )?;
        let mut worker = start(
            "worker",
            &[
                ("NARU_INTERNAL_LISTEN", listen(worker_internal_port)),
                ("NARU_DEPOSIT_CALLBACK_URL", format!("{}/callbacks/virtual-account", url(api_port))),
            ],
        )?;

        simulator.wait_ready(READY_LIMIT, || http::is_ok(simulator_port, "/livez"))?;
        api.wait_ready(READY_LIMIT, || http::is_ok(api_internal_port, "/readyz") && http::is_ok(api_port, "/livez"))?;
        worker.wait_ready(READY_LIMIT, || http::is_ok(worker_internal_port, "/readyz"))?;
        for (name, program) in [("API", &api), ("WORKER", &worker), ("SIMULATOR", &simulator)] {
            environment.set(&format!("NARU_PID_{name}"), program.pid().to_string());
        }
        step.done();
        Ok(Self { api, worker, simulator })
    }

    /// Fails, with its last log lines, when one has ended.
    pub(super) fn check(&mut self) -> Result<(), Failure> {
        self.api.check()?;
        self.worker.check()?;
        self.simulator.check()
    }
}
