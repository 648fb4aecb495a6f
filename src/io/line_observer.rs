//! The lines of a stream for the observers of a run, beside the stream's sinks.

use std::convert::Infallible;

use super::lines::LineSplitter;

/// Cuts chunks into lines, and keeps them until they are taken.
#[derive(Default)]
pub(crate) struct LineObserver {
    splitter: LineSplitter,
    lines: Vec<Vec<u8>>,
}

impl LineObserver {
    /// An observer that begins after the bytes `so_far`: `each` gets the lines that end in them.
    pub(crate) fn after(so_far: &[u8], mut each: impl FnMut(&[u8])) -> LineObserver {
        let mut observer = LineObserver::default();
        let Ok(()) = observer.splitter.push(so_far, |line| {
            each(line);
            Ok::<(), Infallible>(())
        });
        observer
    }

    pub(crate) fn push(&mut self, chunk: &[u8]) {
        let Ok(()) = self.splitter.push(chunk, keep_in(&mut self.lines));
    }

    /// The stream has ended: the bytes after the last newline are a line, too.
    pub(crate) fn finish(&mut self) {
        let Ok(()) = self.splitter.finish(keep_in(&mut self.lines));
    }

    pub(crate) fn take_lines(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.lines)
    }
}

fn keep_in(lines: &mut Vec<Vec<u8>>) -> impl FnMut(&[u8]) -> Result<(), Infallible> {
    move |line: &[u8]| {
        lines.push(line.to_vec());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_began_before_is_observed_whole() {
        let mut earlier = Vec::new();
        let mut observer = LineObserver::after(b"one\ntw", |line| earlier.push(line.to_vec()));
        observer.push(b"o\nthree");
        assert_eq!((earlier, observer.take_lines()), (vec![b"one".to_vec()], vec![b"two".to_vec()]));
        observer.finish();
        assert_eq!(observer.take_lines(), [b"three"]);
        assert!(observer.take_lines().is_empty());
    }
}
