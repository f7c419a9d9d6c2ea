//! RabbitMQ that shares nothing with a broker of the machine: own node, cookie, port mapper, ports and files.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::folder::Folder;
use crate::server::{Kind, Server};
use crate::settings::Settings;
use crate::{Failure, programs};

/// How long one question whether it is ready may take.
const PROBE_LIMIT: Duration = Duration::from_secs(1);
/// What every Naru broker has in common; a private one adds its ports and its user.
const COMMON_CONFIGURATION: &str = include_str!("../../../rabbitmq/rabbitmq.conf");
/// Cluster traffic stays on loopback.
const ERLANG_ARGUMENTS: &str = "-kernel inet_dist_use_interface {127,0,0,1}";

/// A private RabbitMQ with the virtual host `naru` and an administrator `naru`; there is no `guest`.
pub type RabbitMq = Server<RabbitMqKind>;

/// What is particular to RabbitMQ.
pub struct RabbitMqKind {
    program: PathBuf,
    epmd: PathBuf,
    amqp_port: u16,
    management_port: u16,
    epmd_port: u16,
    distribution_port: u16,
    password: String,
}

impl RabbitMq {
    /// The management plugin's HTTP API, user and password included: `http://naru:…@127.0.0.1:PORT`.
    #[must_use]
    pub fn management_url(&self) -> String {
        format!("http://naru:{}@127.0.0.1:{}", self.kind.password, self.kind.management_port)
    }
}

impl Kind for RabbitMqKind {
    const NAME: &'static str = "rabbitmq";
    const USER: &'static str = "rabbitmq";
    const STOP_SIGNAL: &'static str = "TERM";
    const START_LIMIT: Duration = Duration::from_secs(120);
    const STOP_LIMIT: Duration = Duration::from_secs(30);

    fn open(settings: &mut Settings) -> Result<Self, Failure> {
        let names = ["amqp_port", "management_port", "epmd_port", "distribution_port"];
        let [amqp_port, management_port, epmd_port, distribution_port] = settings.ports(names)?;
        Ok(Self {
            program: programs::rabbitmq_server()?,
            epmd: programs::epmd()?,
            amqp_port,
            management_port,
            epmd_port,
            distribution_port,
            password: settings.password("password")?,
        })
    }

    fn prepare(&self, folder: &Folder) -> Result<(), Failure> {
        let own = format!(
            "\n# This private broker.\n\
             listeners.tcp.1 = 127.0.0.1:{}\n\
             management.tcp.ip = 127.0.0.1\n\
             management.tcp.port = {}\n\
             default_vhost = naru\n\
             default_user = naru\n\
             default_pass = {}\n\
             default_user_tags.administrator = true\n\
             log.console = true\n\
             log.console.use_colors = off\n\
             log.file = false\n",
            self.amqp_port, self.management_port, self.password
        );
        folder.write("rabbitmq.conf", &format!("{COMMON_CONFIGURATION}{own}"))?;
        folder.write("enabled_plugins", "[rabbitmq_management].\n").map(|_| ())
    }

    fn commands(&self, folder: &Folder) -> Vec<Command> {
        let home = folder.home();
        let file = |name: &str| folder.settings().with_file_name(name);

        // Erlang would start a port mapper by itself, which nobody would own.
        let mut epmd = Command::new(&self.epmd);
        epmd.args(["-address", "127.0.0.1", "-port"]).arg(self.epmd_port.to_string());

        let mut broker = Command::new(&self.program);
        // Makes the script become the broker instead of staying its parent, so that the process id is the broker's.
        broker.arg("-noinput").env("RABBITMQ_ALLOW_INPUT", "1");
        broker.env("RABBITMQ_NODENAME", "naru@localhost");
        broker.env("ERL_EPMD_ADDRESS", "127.0.0.1").env("ERL_EPMD_PORT", self.epmd_port.to_string());
        broker.env("RABBITMQ_DIST_PORT", self.distribution_port.to_string());
        broker.env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", ERLANG_ARGUMENTS);
        broker.env("RABBITMQ_CONFIG_FILE", file("rabbitmq.conf"));
        broker.env("RABBITMQ_ENABLED_PLUGINS_FILE", file("enabled_plugins"));
        // Not the machine's: these would be read from /etc/rabbitmq.
        broker.env("RABBITMQ_CONF_ENV_FILE", Path::new("/dev/null"));
        broker.env("RABBITMQ_ADVANCED_CONFIG_FILE", home.join("no-advanced.config"));
        for (variable, place) in [
            ("RABBITMQ_MNESIA_BASE", "mnesia"),
            ("RABBITMQ_LOG_BASE", "log"),
            ("RABBITMQ_FEATURE_FLAGS_FILE", "feature_flags"),
            ("RABBITMQ_GENERATED_CONFIG_DIR", "generated"),
            ("RABBITMQ_PLUGINS_EXPAND_DIR", "plugins"),
        ] {
            broker.env(variable, home.join(place));
        }
        vec![epmd, broker]
    }

    /// Answers a protocol header with `Connection.Start` (a method frame, type 1), and HTTP with anything.
    fn is_ready(&self) -> bool {
        let amqp = first_byte(self.amqp_port, b"AMQP\x00\x00\x09\x01");
        let amqp_is_up = amqp.is_ok_and(|byte| byte == 1);
        amqp_is_up && first_byte(self.management_port, b"GET / HTTP/1.0\r\n\r\n").is_ok_and(|byte| byte == b'H')
    }

    fn url(&self) -> String {
        format!("amqp://naru:{}@127.0.0.1:{}/naru", self.password, self.amqp_port)
    }
}

fn first_byte(port: u16, request: &[u8]) -> std::io::Result<u8> {
    let mut stream = TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), PROBE_LIMIT)?;
    stream.set_read_timeout(Some(PROBE_LIMIT))?;
    stream.write_all(request)?;
    let mut answer = [0];
    stream.read_exact(&mut answer)?;
    Ok(answer[0])
}
