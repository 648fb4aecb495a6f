//! Descriptors of the caller's that have the numbers 0, 1 and 2, sent crosswise.

use pipewright::Direction;

use crate::prelude::*;

/// Three files, open as 0, 1 and 2.
struct Low {
    fds: [Arc<OwnedFd>; 3],
}

impl Low {
    fn open(files: &[PathBuf; 3]) -> Low {
        let open = |path| File::options().read(true).write(true).open(path).expect("it opens");
        let fds = files.each_ref().map(|path| Arc::new(OwnedFd::from(open(path))));
        assert_eq!(fds.each_ref().map(|fd| fd.as_raw_fd()), [0, 1, 2]);
        Low { fds }
    }

    /// One of the three; a pipe of the library's for 3.
    fn redirect<D: Direction>(&self, choice: usize) -> Redirect<D> {
        self.fds.get(choice).map_or_else(Redirect::piped, |fd| Redirect::shared_fd(Arc::clone(fd)))
    }

    fn command(&self, choices: [usize; 3]) -> Cmd {
        let [stdin, stdout, stderr] = choices;
        let cmd = role("hang").stdin(self.redirect(stdin));
        cmd.stdout(self.redirect(stdout)).stderr(self.redirect(stderr))
    }
}

#[test]
fn low_numbers_may_be_sent_in_every_permutation_and_cycle() {
    isolated(|| {
        let made = tempfile::tempdir().expect("a directory");
        let files = ["a", "b", "c"].map(|name| made.path().join(name));
        for file in &files {
            std::fs::write(file, "").expect("it can be written");
        }
        for n in 0..64 {
            let choices = [n % 4, n / 4 % 4, n / 16];
            let swap = n % 3 == 0;
            let child = with_closed(&[0, 1, 2], || {
                let low = Low::open(&files);
                let cmd = low.command(choices);
                let job = if swap { cmd.swap_stdout_stderr() } else { cmd }.spawn().expect("it starts");
                three_fds(job.pids()[0])
            });
            let [stdin, stdout, stderr] = choices;
            let expected = if swap { [stdin, stderr, stdout] } else { choices };
            for (link, choice) in child.iter().zip(expected) {
                match files.get(choice) {
                    Some(file) => assert_eq!(link, &file.display().to_string(), "{choices:?}: {child:?}"),
                    None => assert!(link.starts_with("pipe:"), "{choices:?}: {child:?}"),
                }
            }
            progress();
        }
        assert_no_child();
    });
}
