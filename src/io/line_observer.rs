//! A stream's lines for those who watch a run, beside whatever else becomes of it.

use std::convert::Infallible;

use super::lines::LineSplitter;

/// Cuts what comes into lines, and keeps them until they are told.
#[derive(Default)]
pub(crate) struct Ear {
    splitter: LineSplitter,
    heard: Vec<Vec<u8>>,
}

impl Ear {
    /// One that comes when so much was there already, whose lines are told at once.
    pub(crate) fn after(so_far: &[u8], mut each: impl FnMut(&[u8])) -> Ear {
        let mut ear = Ear::default();
        let Ok(()) = ear.splitter.push(so_far, |line| {
            each(line);
            Ok::<(), Infallible>(())
        });
        ear
    }

    pub(crate) fn hear(&mut self, chunk: &[u8]) {
        let heard = &mut self.heard;
        let Ok(()) = self.splitter.push(chunk, |line| {
            heard.push(line.to_vec());
            Ok::<(), Infallible>(())
        });
    }

    /// The stream has ended: what has no newline is a line, too.
    pub(crate) fn finish(&mut self) {
        let heard = &mut self.heard;
        let Ok(()) = self.splitter.finish(|line| {
            heard.push(line.to_vec());
            Ok::<(), Infallible>(())
        });
    }

    pub(crate) fn heard(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.heard)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_began_before_is_heard_whole() {
        let mut told = Vec::new();
        let mut ear = Ear::after(b"one\ntw", |line| told.push(line.to_vec()));
        ear.hear(b"o\nthree");
        assert_eq!((told, ear.heard()), (vec![b"one".to_vec()], vec![b"two".to_vec()]));
        ear.finish();
        assert_eq!(ear.heard(), [b"three"]);
        assert!(ear.heard().is_empty());
    }
}
