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

/// Values by name, in a file that only we can read.
pub struct Settings {
    path: PathBuf,
    values: BTreeMap<String, String>,
}

impl Settings {
    /// Reads what is there; nothing is there the first time.
    #[must_use]
    pub fn load(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap_or_default();
        let values = text.lines().filter_map(|line| line.split_once('='));
        Self {
            path: path.to_owned(),
            values: values.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        }
    }

    /// The ports of these names: the earlier ones while all of them are free, else new ones.
    ///
    /// # Errors
    /// When no free ports are found.
    pub fn ports<const N: usize>(&mut self, names: [&str; N]) -> Result<[u16; N], Failure> {
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

    /// The password of this name, made up the first time: 128 random bits in hexadecimal digits.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn password(&mut self, name: &str) -> Result<String, Failure> {
        self.secret(name, PASSWORD_BYTES)
    }

    /// The secret of this name, made up the first time: so many random bytes in hexadecimal digits.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn secret(&mut self, name: &str, bytes: usize) -> Result<String, Failure> {
        if let Some(secret) = self.values.get(name) {
            return Ok(secret.clone());
        }
        let secret = random_hex(bytes)?;
        self.values.insert(name.to_owned(), secret.clone());
        Ok(secret)
    }

    /// Writes them down.
    ///
    /// # Errors
    /// When its folder does not exist or the disk is full.
    pub fn save(&self) -> Result<(), Failure> {
        let text: String = self.values.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        write_private(&self.path, &text)
    }
}
