//! Passwords nobody has to think of.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Read as _;

use crate::Failure;

/// `bytes` random bytes of the kernel as lower-case hexadecimal digits: safe in SQL, URLs and shells.
///
/// # Errors
/// When `/dev/urandom` cannot be read.
pub fn random_hex(bytes: usize) -> Result<String, Failure> {
    let random = random_bytes(bytes)?;
    Ok(random.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

pub(crate) fn random_bytes(count: usize) -> Result<Vec<u8>, Failure> {
    let mut random = vec![0; count];
    File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut random))
        .map_err(|cause| Failure::new("read /dev/urandom", cause))?;
    Ok(random)
}
