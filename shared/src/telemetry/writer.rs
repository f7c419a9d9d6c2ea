//! Where log lines go: to standard error, masked.

use std::io::{self, Write};

use tracing_subscriber::fmt::MakeWriter;

use super::mask::mask;

/// Masks every line on its way to another writer.
#[derive(Debug, Clone, Copy, Default)]
pub struct Masking<M>(pub M);

/// One line on its way. `tracing-subscriber` writes each event in one piece, so nothing is split in two.
pub struct MaskingLine<W>(W);

impl<'a, M: MakeWriter<'a>> MakeWriter<'a> for Masking<M> {
    type Writer = MaskingLine<M::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        MaskingLine(self.0.make_writer())
    }
}

impl<W: Write> Write for MaskingLine<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        self.0.write_all(mask(&text).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(line)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_event_reaches_the_page_masked_and_still_json() {
        let page = Page::default();
        let writer = page.clone();
        let subscriber = tracing_subscriber::fmt().json().with_writer(Masking(move || writer.clone())).finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::error!(card = 4_242_424_242_424_242_u64, "refused \"Basic dGVzdF9zazo=\" for 4242 4242 4242 4242");
        });
        let text = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["fields"]["card"], "424242******4242");
        assert_eq!(line["fields"]["message"], "refused \"Basic [masked]\" for 424242******4242");
    }
}
