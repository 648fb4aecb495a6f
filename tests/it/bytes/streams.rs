//! Where streams may come from and go to, and what readers of them see.

mod buffer;
mod inherit;
mod into;
mod last_output;
mod limits;
mod lines;
mod one_shot;
mod piped;
mod redirects;
mod tee;

use std::io::Write;
use std::sync::{Arc, Mutex};

/// A writer whose bytes can be looked at.
#[derive(Clone, Default)]
pub(crate) struct Sheet(Arc<Mutex<Vec<u8>>>);

impl Sheet {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.lock().expect("no writer panics").clone()
    }

    /// A line callback that writes each line and a `|`.
    pub(crate) fn lines(&self) -> impl FnMut(&[u8]) + Send + use<> {
        let mut sheet = self.clone();
        move |line: &[u8]| sheet.write_all(&[line, b"|"].concat()).expect("memory takes all")
    }
}

impl Write for Sheet {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no writer panics").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
