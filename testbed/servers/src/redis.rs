//! Redis that remembers nothing: it carries wake-ups only.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::folder::Folder;
use crate::server::{Kind, Server};
use crate::settings::Settings;
use crate::{Failure, programs};

/// How long one question whether it is ready may take.
const PROBE_LIMIT: Duration = Duration::from_secs(1);

/// A private Redis without persistence.
pub type Redis = Server<RedisKind>;

/// What is particular to Redis.
pub struct RedisKind {
    program: PathBuf,
    port: u16,
    password: String,
}

impl Kind for RedisKind {
    const NAME: &'static str = "redis";
    const USER: &'static str = "redis";
    const STOP_SIGNAL: &'static str = "TERM";
    const START_LIMIT: Duration = Duration::from_secs(20);
    const STOP_LIMIT: Duration = Duration::from_secs(5);

    fn open(settings: &mut Settings) -> Result<Self, Failure> {
        let [port] = settings.ports(["port"])?;
        Ok(Self { program: programs::redis_server()?, port, password: settings.password("password")? })
    }

    fn prepare(&self, folder: &Folder) -> Result<(), Failure> {
        let configuration = format!(
            "bind 127.0.0.1\nport {}\nrequirepass {}\nsave \"\"\nappendonly no\nmaxclients 10000\ndaemonize no\n",
            self.port, self.password
        );
        folder.write("redis.conf", &configuration).map(|_| ())
    }

    fn commands(&self, folder: &Folder) -> Vec<Command> {
        let mut command = Command::new(&self.program);
        command.arg(folder.settings().with_file_name("redis.conf"));
        vec![command]
    }

    fn is_ready(&self) -> bool {
        let ask = || -> std::io::Result<bool> {
            let mut stream =
                TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)), PROBE_LIMIT)?;
            stream.set_read_timeout(Some(PROBE_LIMIT))?;
            stream.write_all(format!("AUTH {}\r\nPING\r\n", self.password).as_bytes())?;
            let mut answer = [0; 12];
            stream.read_exact(&mut answer)?;
            Ok(&answer == b"+OK\r\n+PONG\r\n")
        };
        ask().unwrap_or(false)
    }

    fn url(&self) -> String {
        format!("redis://default:{}@127.0.0.1:{}/0", self.password, self.port)
    }
}
