//! What puts stages in a row.

use std::io::Write;
use std::ops::BitOr;

use super::Pipeline;
use crate::cmd::Cmd;
use crate::io::callback::BoxError;
use crate::redirect::LineResult;
use crate::spec::Link;
use crate::spec::closure::{StageReader, StageWriter};
use crate::stage::Stage;

macro_rules! pipe_methods {
    ($builder:ident) => {
        impl $builder {
            /// Feeds stdout to `next`, as `|`.
            ///
            /// A setting of a whole run on either side is a [`Conflict`](crate::ErrorKind::Conflict) error of the verb.
            ///
            /// ```
            /// use pipewright::cmd;
            /// let upper = cmd!("echo", "a").pipe(cmd!("cat")).pipe(cmd!("tr", "a-z", "A-Z"));
            /// assert_eq!(upper.read()?, "A");
            /// # Ok::<(), pipewright::Error>(())
            /// ```
            pub fn pipe(self, next: impl Into<Pipeline>) -> Pipeline {
                Pipeline::from(self).join(Link::Stdout, next.into())
            }

            /// Feeds stderr to `next`, and leaves stdout where it goes.
            ///
            /// ```
            /// use pipewright::{cmd, Cmd};
            /// let noise = Cmd::sh("echo out >/dev/null; echo err >&2").pipe_stderr(cmd!("tr", "a-z", "A-Z"));
            /// assert_eq!(noise.read()?, "ERR");
            /// # Ok::<(), pipewright::Error>(())
            /// ```
            #[doc(alias = "2|")]
            pub fn pipe_stderr(self, next: impl Into<Pipeline>) -> Pipeline {
                Pipeline::from(self).join(Link::Stderr, next.into())
            }

            /// Feeds stdout and stderr to `next`, in the order of the writes, as `|&` of some shells.
            ///
            /// ```
            /// use pipewright::{cmd, Cmd};
            /// let both = Cmd::sh("echo out; echo err >&2").pipe_both(cmd!("tr", "a-z", "A-Z"));
            /// assert_eq!(both.read()?, "OUT\nERR");
            /// # Ok::<(), pipewright::Error>(())
            /// ```
            #[doc(alias = "|&")]
            pub fn pipe_both(self, next: impl Into<Pipeline>) -> Pipeline {
                Pipeline::from(self).join(Link::Both, next.into())
            }

            /// Feeds stdout to a closure, which reads it and writes what the next stage reads; see [`Stage`].
            ///
            /// It runs on a thread of its own, once for each run, and may run several times at once. `?` turns any error into the
            /// closure's, which fails the run.
            ///
            /// ```
            /// use pipewright::cmd;
            /// use std::io::{BufRead, Write};
            /// let shout = cmd!("echo", "quiet").pipe_fn(|input, output| {
            ///     for line in input.lines() {
            ///         writeln!(output, "{}", line?.to_uppercase())?;
            ///     }
            ///     Ok(())
            /// });
            /// assert_eq!(shout.pipe(cmd!("sed", "s/$/!/")).read()?, "QUIET!");
            /// # Ok::<(), pipewright::Error>(())
            /// ```
            pub fn pipe_fn(
                self,
                work: impl Fn(&mut StageReader, &mut StageWriter) -> Result<(), BoxError> + Send + Sync + 'static,
            ) -> Pipeline {
                self.pipe(Stage::from_fn(work))
            }

            /// As [`pipe_fn`](Self::pipe_fn), for one run: the closure may consume what it holds.
            ///
            /// A second run of the pipeline or a clone is [`AlreadyUsed`](crate::ErrorKind::AlreadyUsed).
            ///
            /// ```
            /// use pipewright::cmd;
            /// use std::io::Read;
            /// use std::sync::mpsc;
            /// let (sender, receiver) = mpsc::channel();
            /// let send = cmd!("echo", "abc").pipe_fn_once(move |input, _| {
            ///     let mut text = String::new();
            ///     input.read_to_string(&mut text)?;
            ///     Ok(sender.send(text)?)
            /// });
            /// send.run()?;
            /// assert_eq!(receiver.recv().unwrap(), "abc\n");
            /// # Ok::<(), pipewright::Error>(())
            /// ```
            pub fn pipe_fn_once(
                self,
                work: impl FnOnce(&mut StageReader, &mut StageWriter) -> Result<(), BoxError> + Send + 'static,
            ) -> Pipeline {
                self.pipe(Stage::from_fn_once(work))
            }
        }

        impl<P: Into<Pipeline>> BitOr<P> for $builder {
            type Output = Pipeline;

            fn bitor(self, next: P) -> Pipeline {
                self.pipe(next)
            }
        }
    };
}
pipe_methods!(Cmd);
pipe_methods!(Pipeline);
pipe_methods!(Stage);

macro_rules! ready_made_methods {
    ($builder:ident) => {
        impl $builder {
            /// Feeds stdout to [`Stage::tap`]: shows the bytes that pass to a callback.
            ///
            /// ```
            /// use pipewright::cmd;
            /// let loud = cmd!("echo", "abc").tap(|chunk| eprintln!("{} bytes", chunk.len()));
            /// assert_eq!(loud.read()?, "abc");
            /// # Ok::<(), pipewright::Error>(())
            /// ```
            pub fn tap<R: LineResult>(self, callback: impl FnMut(&[u8]) -> R + Send + 'static) -> Pipeline {
                self.pipe(Stage::tap(callback))
            }

            /// Feeds stdout to [`Stage::map_lines`]: puts each line through a callback.
            ///
            /// ```
            /// use pipewright::cmd;
            /// assert_eq!(cmd!("echo", "abc").map_lines(|line| format!("<{line}>")).read()?, "<abc>");
            /// # Ok::<(), pipewright::Error>(())
            /// ```
            pub fn map_lines<L: AsRef<[u8]>>(self, callback: impl FnMut(&str) -> L + Send + 'static) -> Pipeline {
                self.pipe(Stage::map_lines(callback))
            }

            /// Feeds stdout to [`Stage::filter_lines`]: lets pass the lines for which a callback says so.
            ///
            /// ```
            /// use pipewright::cmd;
            /// assert_eq!(cmd!("printf", r"a\nb\n").filter_lines(|line| line != "a").read()?, "b");
            /// # Ok::<(), pipewright::Error>(())
            /// ```
            pub fn filter_lines(self, callback: impl FnMut(&str) -> bool + Send + 'static) -> Pipeline {
                self.pipe(Stage::filter_lines(callback))
            }

            /// Feeds stdout to [`Stage::tee_to`]: writes what passes to a writer, too. For one run.
            ///
            /// ```
            /// use pipewright::cmd;
            /// let log = std::env::temp_dir().join(format!("pipewright-tee-to-{}", std::process::id()));
            /// let kept = cmd!("echo", "abc").tee_to(std::fs::File::create(&log)?).pipe(cmd!("wc", "-c"));
            /// assert_eq!(kept.read()?.trim(), "4");
            /// assert_eq!(std::fs::read(&log)?, b"abc\n");
            /// # std::fs::remove_file(&log)?;
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            pub fn tee_to(self, writer: impl Write + Send + 'static) -> Pipeline {
                self.pipe(Stage::tee_to(writer))
            }
        }
    };
}
ready_made_methods!(Cmd);
ready_made_methods!(Pipeline);
