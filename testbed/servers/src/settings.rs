//! What a server must find again next time: its ports and passwords, one `name=value` a line.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::Failure;
use crate::folder::write_private;
use crate::ports::{free_ports, is_free};
use crate::secret::random_hex;

/// Password length in bytes of randomness.
const PASSWORD_BYTES: usize = 16;

/// The values of one server.
pub struct Settings {
    path: PathBuf,
    values: BTreeMap<String, String>,
}

impl Settings {
    /// Reads what is there; nothing is there the first time.
    pub(crate) fn load(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap_or_default();
        let values = text.lines().filter_map(|line| line.split_once('='));
        Self { path: path.to_owned(), values: values.map(|(name, value)| (name.to_owned(), value.to_owned())).collect() }
    }

    /// The ports of these names: the earlier ones while all of them are free, else new ones.
    pub(crate) fn ports<const N: usize>(&mut self, names: [&str; N]) -> Result<[u16; N], Failure> {
        let earlier = names.map(|name| self.values.get(name).and_then(|port| port.parse().ok()).unwrap_or(0));
        if earlier.iter().all(|port| *port != 0 && is_free(*port)) {
            return Ok(earlier);
        }
        let mut chosen = [0; N];
        for ((name, chosen), port) in names.iter().zip(&mut chosen).zip(free_ports(N)?) {
            *chosen = port;
            self.values.insert((*name).to_owned(), port.to_string());
        }
        Ok(chosen)
    }

    /// The password of this name, made up the first time.
    pub(crate) fn password(&mut self, name: &str) -> Result<String, Failure> {
        if let Some(password) = self.values.get(name) {
            return Ok(password.clone());
        }
        let password = random_hex(PASSWORD_BYTES)?;
        self.values.insert(name.to_owned(), password.clone());
        Ok(password)
    }

    pub(crate) fn save(&self) -> Result<(), Failure> {
        let text: String = self.values.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        write_private(&self.path, &text)
    }
}
