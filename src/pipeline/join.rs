//! The methods that append stages.

use std::io::Write;
use std::ops::BitOr;

use super::Pipeline;
use crate::cmd::Cmd;
use crate::io::callback::BoxError;
use crate::options::methods;
use crate::redirect::LineResult;
use crate::spec::Link;
use crate::spec::closure::{StageReader, StageWriter};
use crate::stage::Stage;

macro_rules! pipe_methods {
    ($builder:ident) => {
        methods! {
            $builder;
            /// # Pipelines
            ///
            /// `a | b` is the same as `a.pipe(b)`.
            impl {
                /// Feeds stdout to `next`, like `|`.
                ///
                /// A setting of a whole run on either side is a [`Conflict`](crate::ErrorKind::Conflict) error of the verb.
                ///
                /// ```
                /// use pipewright::cmd;
                /// let spaced = cmd!("echo", "a").pipe(cmd!("sed", "s/$/ b/"));
                /// let upper = spaced.pipe(cmd!("tr", "a-z", "A-Z"));
                /// assert_eq!(upper.read()?, "A B");
                /// # Ok::<(), pipewright::Error>(())
                /// ```
                #[doc(alias = "|")]
                #[doc(alias = "then")]
                pub fn pipe(self, next: impl Into<Pipeline>) -> Pipeline {
                    Pipeline::from(self).join(Link::Stdout, next.into())
                }

                /// Feeds stderr to `next`, and leaves stdout where it goes.
                ///
                /// ```
                /// use pipewright::{cmd, Cmd};
                /// let noise = Cmd::sh("echo out >/dev/null; echo err >&2");
                /// let upper = noise.pipe_stderr(cmd!("tr", "a-z", "A-Z"));
                /// assert_eq!(upper.read()?, "ERR");
                /// # Ok::<(), pipewright::Error>(())
                /// ```
                #[doc(alias = "2|")]
                pub fn pipe_stderr(self, next: impl Into<Pipeline>) -> Pipeline {
                    Pipeline::from(self).join(Link::Stderr, next.into())
                }

                /// Feeds stdout and stderr to `next`, in the order in which they are written, like `|&` of some shells.
                ///
                /// ```
                /// use pipewright::{cmd, Cmd};
                /// let both = Cmd::sh("echo out; echo err >&2");
                /// let upper = both.pipe_both(cmd!("tr", "a-z", "A-Z"));
                /// assert_eq!(upper.read()?, "OUT\nERR");
                /// # Ok::<(), pipewright::Error>(())
                /// ```
                #[doc(alias = "|&")]
                pub fn pipe_both(self, next: impl Into<Pipeline>) -> Pipeline {
                    Pipeline::from(self).join(Link::Both, next.into())
                }
            }

            /// # Rust code as a stage
            ///
            /// [`Stage`] says how a closure's end is the run's. [`scoped`](Pipeline::scoped) has closures that borrow.
            impl {
                /// Feeds stdout to a closure, which reads it and writes what the next stage reads.
                ///
                /// The closure runs on a thread of its own, once for each run, possibly for several runs at the same time. `?` turns any
                /// error into the closure's, which fails the run.
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
                #[doc(alias = "closure")]
                pub fn pipe_fn(
                    self,
                    work: impl Fn(&mut StageReader, &mut StageWriter) -> Result<(), BoxError> + Send + Sync + 'static,
                ) -> Pipeline {
                    self.pipe(Stage::from_fn(work))
                }

                /// Feeds stdout to a closure for one run, which may consume what it holds; otherwise like [`pipe_fn`](Self::pipe_fn).
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
        methods! {
            $builder;
            /// # Ready-made stages
            impl {
                /// Feeds stdout to [`Stage::tap`], which shows the bytes that pass to a callback.
                ///
                /// ```
                /// use pipewright::cmd;
                /// let count = |chunk: &[u8]| eprintln!("{} bytes", chunk.len());
                /// assert_eq!(cmd!("echo", "abc").tap(count).read()?, "abc");
                /// # Ok::<(), pipewright::Error>(())
                /// ```
                #[doc(alias = "inspect")]
                pub fn tap<R: LineResult>(self, callback: impl FnMut(&[u8]) -> R + Send + 'static) -> Pipeline {
                    self.pipe(Stage::tap(callback))
                }

                /// Feeds stdout to [`Stage::map_lines`], which replaces each line by what a callback returns.
                ///
                /// ```
                /// use pipewright::cmd;
                /// let marked = cmd!("echo", "abc").map_lines(|line| format!("<{line}>"));
                /// assert_eq!(marked.read()?, "<abc>");
                /// # Ok::<(), pipewright::Error>(())
                /// ```
                pub fn map_lines<L: AsRef<[u8]>>(self, callback: impl FnMut(&str) -> L + Send + 'static) -> Pipeline {
                    self.pipe(Stage::map_lines(callback))
                }

                /// Feeds stdout to [`Stage::filter_lines`], which passes on the lines for which a callback returns true.
                ///
                /// ```
                /// use pipewright::cmd;
                /// let lines = cmd!("printf", r"a\nb\n");
                /// assert_eq!(lines.filter_lines(|line| line != "a").read()?, "b");
                /// # Ok::<(), pipewright::Error>(())
                /// ```
                #[doc(alias = "grep")]
                pub fn filter_lines(self, callback: impl FnMut(&str) -> bool + Send + 'static) -> Pipeline {
                    self.pipe(Stage::filter_lines(callback))
                }

                /// Feeds stdout to [`Stage::tee_to`], which also writes what passes to a writer. For one run.
                ///
                /// ```
                /// use pipewright::{cmd, pipe};
                /// let (copy, writer) = pipe::kernel()?;
                /// let kept = cmd!("echo", "abc").tee_to(writer);
                /// assert_eq!((kept | cmd!("wc", "-c")).read()?.trim(), "4");
                /// assert_eq!(std::io::read_to_string(copy)?, "abc\n");
                /// # Ok::<(), Box<dyn std::error::Error>>(())
                /// ```
                #[doc(alias = "tee")]
                pub fn tee_to(self, writer: impl Write + Send + 'static) -> Pipeline {
                    self.pipe(Stage::tee_to(writer))
                }
            }
        }
    };
}
ready_made_methods!(Cmd);
ready_made_methods!(Pipeline);
