//! The child's environment and working directory, for a command and for every stage of a pipeline.

/// The methods are the same on both builders; `$each` applies a change to the environment of each command.
macro_rules! env_methods {
    ($builder:ident, $what:literal, $each:ident) => {
        impl $builder {
            #[doc = concat!("Sets a variable in the environment of ", $what, ".")]
            ///
            /// The environment is inherited at each start, with the builder's changes in the order of the calls. No value set
            /// here is in any command line that the library shows, but for PATH and PWD; a value of four bytes or more is hidden also where
            /// a stderr that an error shows repeats it. [`secret_env`](Self::secret_env) hides any.
            ///
            /// A `=` in the name, an empty name or a NUL byte is an [`InvalidInput`](crate::ErrorKind::InvalidInput)
            /// error at the start.
            ///
            /// ```
            /// use pipewright::Cmd;
            /// assert_eq!(Cmd::sh("echo $WHO").env("WHO", "me").read()?, "me");
            /// # Ok::<(), pipewright::Error>(())
            /// ```
            pub fn env(mut self, key: impl AsRef<std::ffi::OsStr>, value: impl AsRef<std::ffi::OsStr>) -> $builder {
                let (key, value) = (key.as_ref(), value.as_ref());
                self.$each(|part| {
                    part.changes.push(crate::spawn::EnvChange::Set(key.to_owned(), value.to_owned()));
                });
                self
            }

            /// Sets several variables.
            ///
            /// In their order, as [`env`](Self::env) for each.
            ///
            /// ```
            /// use pipewright::Cmd;
            /// assert_eq!(Cmd::sh("echo $A$B").envs([("A", "1"), ("B", "2")]).read()?, "12");
            /// # Ok::<(), pipewright::Error>(())
            /// ```
            pub fn envs<K: AsRef<std::ffi::OsStr>, V: AsRef<std::ffi::OsStr>>(
                self,
                variables: impl IntoIterator<Item = (K, V)>,
            ) -> $builder {
                variables.into_iter().fold(self, |builder, (key, value)| builder.env(key, value))
            }

            /// As [`env`](Self::env), for a value that no text of this library may hold: also where the child printed it to its
            /// stderr, whatever its length, and under whatever name.
            ///
            /// ```
            /// use pipewright::cmd;
            /// let cmd = cmd!("login").secret_env("TOKEN", "hunter2");
            /// assert_eq!(cmd.to_string(), "TOKEN=\"${TOKEN:?}\" login");
            /// # Ok::<(), pipewright::Error>(())
            /// ```
            pub fn secret_env(
                mut self,
                key: impl AsRef<std::ffi::OsStr>,
                value: impl AsRef<std::ffi::OsStr>,
            ) -> $builder {
                let (key, value) = (key.as_ref(), value.as_ref());
                self.$each(|part| {
                    part.changes.push(crate::spawn::EnvChange::SetSecret(key.to_owned(), value.to_owned()));
                });
                self
            }

            /// Takes a variable out.
            ///
            /// One that is not there is no error. A later [`env`](Self::env) sets it again.
            ///
            /// ```
            /// use pipewright::Cmd;
            /// assert_eq!(Cmd::sh("echo ${A-unset}").env("A", "1").env_remove("A").read()?, "unset");
            /// # Ok::<(), pipewright::Error>(())
            /// ```
            pub fn env_remove(mut self, key: impl AsRef<std::ffi::OsStr>) -> $builder {
                let key = key.as_ref();
                self.$each(|part| part.changes.push(crate::spawn::EnvChange::Remove(key.to_owned())));
                self
            }

            /// Starts from an empty environment; what is set afterwards is all there is.
            ///
            /// Without PATH, programs are looked for in `/bin:/usr/bin`.
            ///
            /// ```
            /// use pipewright::cmd;
            /// assert_eq!(cmd!("/usr/bin/env").env_clear().env("A", "1").read()?, "A=1");
            /// # Ok::<(), pipewright::Error>(())
            /// ```
            pub fn env_clear(mut self) -> $builder {
                self.$each(|part| {
                    part.changes.clear();
                    part.changes.push(crate::spawn::EnvChange::Clear);
                });
                self
            }

            /// Keeps only these variables of what there is so far.
            ///
            /// What is inherited and what the builder has set by then; later calls add to it. A name that is not there
            /// is no error.
            ///
            /// ```
            /// use pipewright::cmd;
            /// let cmd = cmd!("/usr/bin/env").env("A", "1").env("B", "2").env_only(["B"]);
            /// assert_eq!(cmd.read()?, "B=2");
            /// # Ok::<(), pipewright::Error>(())
            /// ```
            pub fn env_only<S: AsRef<std::ffi::OsStr>>(mut self, names: impl IntoIterator<Item = S>) -> $builder {
                let names: Vec<_> = names.into_iter().map(|name| name.as_ref().to_owned()).collect();
                self.$each(|part| part.changes.push(crate::spawn::EnvChange::Only(names.clone())));
                self
            }

            #[doc = concat!("The working directory of ", $what, ".")]
            ///
            /// A relative program path is meant from there, as in `cd dir && ./program`; PWD is left alone. A directory that does
            /// not exist is an error that names it.
            ///
            /// [`CurrentDir`](crate::ErrorKind::CurrentDir) is that error, at the start (`chdir(2)`). Paths of
            /// redirections are relative to *this* process's directory.
            ///
            /// ```
            /// use pipewright::cmd;
            /// assert_eq!(cmd!("pwd").current_dir("/").read()?, "/");
            /// # Ok::<(), pipewright::Error>(())
            /// ```
            pub fn current_dir(mut self, dir: impl AsRef<std::path::Path>) -> $builder {
                let dir = dir.as_ref();
                self.$each(|part| part.cwd = Some(dir.to_owned()));
                self
            }
        }
    };
}
pub(crate) use env_methods;

use super::Cmd;
use crate::spec::EnvPart;

impl Cmd {
    fn each_env(&mut self, change: impl Fn(&mut EnvPart)) {
        change(&mut self.command_mut().environment.own);
    }
}

env_methods!(Cmd, "the child", each_env);
