//! Postgres as in production where it matters (every commit reaches the disk), modest where it does not.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::folder::Folder;
use crate::server::{Kind, Server};
use crate::settings::Settings;
use crate::{Failure, ProcessId, programs};

/// How long one question whether it is ready may take.
const PROBE_LIMIT: Duration = Duration::from_secs(1);

/// `fsync` and `synchronous_commit` stay on: what we measure and test is what a merchant gets. Shared memory lies with the data: what
/// is killed leaves nothing behind elsewhere.
const CONFIGURATION: &str = "\
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 300
fsync = on
synchronous_commit = on
shared_buffers = '128MB'
dynamic_shared_memory_type = 'mmap'
max_wal_size = '1GB'
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] %u@%d '
lc_messages = 'C'
";

/// Passwords go in clear text over loopback only: `scram` would cost every connection of an unoptimised build 30 ms.
const WHO_MAY_CONNECT: &str = "host all all 127.0.0.1/32 password\n";

/// A private Postgres with the role and database `naru`. The role may create databases and is no superuser.
pub type Postgres = Server<PostgresKind>;

/// What is particular to Postgres.
pub struct PostgresKind {
    bin: PathBuf,
    port: u16,
    password: String,
    admin_password: String,
}

impl Postgres {
    /// The same database as its superuser, for what a test must do to the server itself.
    #[must_use]
    pub fn admin_url(&self) -> String {
        format!("postgres://postgres:{}@127.0.0.1:{}/naru", self.kind.admin_password, self.kind.port)
    }

    /// The folder of `psql`, `pg_dump` and the others that match this server.
    #[must_use]
    pub fn programs(&self) -> &Path {
        &self.kind.bin
    }
}

impl Kind for PostgresKind {
    const NAME: &'static str = "postgres";
    const USER: &'static str = "postgres";
    /// "Fast": open transactions are rolled back, clients are told.
    const STOP_SIGNAL: &'static str = "INT";
    const START_LIMIT: Duration = Duration::from_secs(60);
    const STOP_LIMIT: Duration = Duration::from_secs(20);

    fn open(settings: &mut Settings) -> Result<Self, Failure> {
        let [port] = settings.ports(["port"])?;
        Ok(Self {
            bin: programs::postgres_folder()?,
            port,
            password: settings.password("password")?,
            admin_password: settings.password("admin_password")?,
        })
    }

    fn prepare(&self, folder: &Folder) -> Result<(), Failure> {
        folder.write("postgresql.conf", CONFIGURATION)?;
        folder.write("pg_hba.conf", WHO_MAY_CONNECT)?;
        let data = folder.home().join("data");
        if !data.exists() {
            return self.create(folder);
        }
        self.check_version(folder)?;
        remove_lock_of_zombie(&data.join("postmaster.pid"))
    }

    fn commands(&self, folder: &Folder) -> Vec<Command> {
        let settings = folder.settings();
        let mut command = Command::new(self.bin.join("postgres"));
        command.arg("-D").arg(folder.home().join("data")).arg("-p").arg(self.port.to_string());
        for (setting, file) in [("config_file", "postgresql.conf"), ("hba_file", "pg_hba.conf")] {
            command.arg("-c").arg(format!("{setting}={}", settings.with_file_name(file).display()));
        }
        vec![command]
    }

    /// The answer to a start-up packet is a question for the password (`R`) only when connections are accepted.
    fn is_ready(&self) -> bool {
        let ask = || -> std::io::Result<u8> {
            let mut stream =
                TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)), PROBE_LIMIT)?;
            stream.set_read_timeout(Some(PROBE_LIMIT))?;
            let parameters = b"\x00\x03\x00\x00user\0naru\0database\0naru\0\0";
            let length = u32::try_from(parameters.len() + 4).unwrap_or_default();
            stream.write_all(&[&length.to_be_bytes(), parameters.as_slice()].concat())?;
            let mut answer = [0];
            stream.read_exact(&mut answer)?;
            Ok(answer[0])
        };
        ask().is_ok_and(|answer| answer == b'R')
    }

    fn url(&self) -> String {
        format!("postgres://naru:{}@127.0.0.1:{}/naru", self.password, self.port)
    }
}

impl PostgresKind {
    /// Makes the first data beside their place and moves them there when complete.
    fn create(&self, folder: &Folder) -> Result<(), Failure> {
        let half = folder.home().join("data.new");
        if half.exists() {
            fs::remove_dir_all(&half).map_err(|cause| Failure::new(format!("delete {}", half.display()), cause))?;
        }
        let mut initdb = folder.command(&self.bin.join("initdb"));
        initdb.arg("-D").arg(&half).args(["--username=postgres", "--auth=reject"]);
        initdb.args(["--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"]);
        run(initdb, folder, "create Postgres' first data (initdb)", "")?;

        // Without a network or a password: the server on its own, reading commands.
        let mut single = folder.command(&self.bin.join("postgres"));
        single.args(["--single", "-c", "exit_on_error=on", "-D"]).arg(&half).arg("postgres");
        let commands = format!(
            "ALTER ROLE postgres PASSWORD '{}'\n\
             CREATE ROLE naru LOGIN CREATEDB CREATEROLE PASSWORD '{}'\n\
             GRANT pg_monitor, pg_signal_backend TO naru\n\
             CREATE DATABASE naru OWNER naru\n",
            self.admin_password, self.password
        );
        run(single, folder, "create Postgres' role and database", &commands)?;

        let data = folder.home().join("data");
        fs::rename(&half, &data).map_err(|cause| Failure::new(format!("create {}", data.display()), cause))
    }

    fn check_version(&self, folder: &Folder) -> Result<(), Failure> {
        let of_data = fs::read_to_string(folder.home().join("data/PG_VERSION")).unwrap_or_default();
        let of_program = self.bin.parent().and_then(|version| version.file_name()).unwrap_or_default();
        if of_data.trim() == of_program.to_string_lossy() {
            return Ok(());
        }
        let cause = format!("the data are of version {}, the program is {}", of_data.trim(), of_program.display());
        Err(Failure::new("start postgres", cause).advice("forget the data (`--fresh`), or install the earlier version"))
    }
}

/// Postgres takes a zombie for a running server and refuses to start. Any other lock is left for it to judge.
fn remove_lock_of_zombie(lock: &Path) -> Result<(), Failure> {
    let text = fs::read_to_string(lock).unwrap_or_default();
    let owner = text.lines().next().and_then(|pid| pid.trim().parse().ok());
    if owner.is_some_and(ProcessId::is_zombie) {
        return fs::remove_file(lock).map_err(|cause| Failure::new(format!("delete {}", lock.display()), cause));
    }
    Ok(())
}

/// Runs a tool to its end with `input`; its output goes to the server's log.
fn run(mut command: Command, folder: &Folder, step: &str, input: &str) -> Result<(), Failure> {
    let failed = |cause: &dyn std::fmt::Display| {
        Failure::new(step, cause).with_log(&folder.log()).advice("is the disk full? the log above says more")
    };
    let log = folder.open_log()?;
    let log_too = log.try_clone().map_err(|cause| failed(&cause))?;
    let mut child =
        command.stdin(Stdio::piped()).stdout(log).stderr(log_too).spawn().map_err(|cause| failed(&cause))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A tool that reads nothing may be gone already; its exit status tells.
        let _ = stdin.write_all(input.as_bytes());
    }
    let status = child.wait().map_err(|cause| failed(&cause))?;
    if status.success() { Ok(()) } else { Err(failed(&status)) }
}
