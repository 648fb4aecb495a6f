//! The child's environment and working directory, for a command and for every stage of a pipeline.

use crate::cmd::Cmd;
use crate::spec::EnvPart;

/// The builder's `each_env` applies a change to the environment of each command.
macro_rules! env_methods {
    ($builder:ident) => {
        $crate::options::methods! {
            $builder;
            /// # Environment and working directory
            ///
            /// A pipeline's methods set them for every present stage. A stage's own changes come after these.
            impl {
                /// Sets a variable in the child's environment.
                ///
                /// The environment is inherited at each start, then changed in the order of the calls. Command lines that the library shows
                /// hide the values, except those of PATH and PWD. A value of four bytes or more is also hidden if a stderr that an error
                /// shows repeats it. [`secret_env`](Self::secret_env) hides any value.
                ///
                /// A `=` in the name, an empty name or a NUL byte is an [`InvalidInput`](crate::ErrorKind::InvalidInput) error of the verb.
                ///
                /// ```
                /// use pipewright::Cmd;
                /// assert_eq!(Cmd::sh("echo $WHO").env("WHO", "me").read()?, "me");
                /// # Ok::<(), pipewright::Error>(())
                /// ```
                #[doc(alias = "setenv")]
                #[doc(alias = "export")]
                pub fn env(mut self, key: impl AsRef<std::ffi::OsStr>, value: impl AsRef<std::ffi::OsStr>) -> Self {
                    let (key, value) = (key.as_ref(), value.as_ref());
                    self.each_env(|part| {
                        part.changes.push(crate::spawn::EnvChange::Set(key.to_owned(), value.to_owned()));
                    });
                    self
                }

                /// Sets several variables in their order, each like [`env`](Self::env).
                ///
                /// ```
                /// use pipewright::Cmd;
                /// let sum = Cmd::sh("echo $A$B").envs([("A", "1"), ("B", "2")]);
                /// assert_eq!(sum.read()?, "12");
                /// # Ok::<(), pipewright::Error>(())
                /// ```
                pub fn envs<K: AsRef<std::ffi::OsStr>, V: AsRef<std::ffi::OsStr>>(
                    self,
                    variables: impl IntoIterator<Item = (K, V)>,
                ) -> Self {
                    variables.into_iter().fold(self, |builder, (key, value)| builder.env(key, value))
                }

                /// Sets a variable like [`env`](Self::env), with a value that no text of this library may show: not even if the child
                /// prints it to its stderr, however short it is and under whatever name.
                ///
                /// ```
                /// use pipewright::cmd;
                /// let cmd = cmd!("login").secret_env("TOKEN", "hunter2");
                /// assert_eq!(cmd.to_string(), "TOKEN=\"${TOKEN:?}\" login");
                /// # Ok::<(), pipewright::Error>(())
                /// ```
                #[doc(alias = "password")]
                pub fn secret_env(
                    mut self,
                    key: impl AsRef<std::ffi::OsStr>,
                    value: impl AsRef<std::ffi::OsStr>,
                ) -> Self {
                    let (key, value) = (key.as_ref(), value.as_ref());
                    self.each_env(|part| {
                        part.changes.push(crate::spawn::EnvChange::SetSecret(key.to_owned(), value.to_owned()));
                    });
                    self
                }

                /// Removes a variable.
                ///
                /// One that does not exist is not an error. A later [`env`](Self::env) sets it again.
                ///
                /// ```
                /// use pipewright::Cmd;
                /// let unset = Cmd::sh("echo ${A-unset}").env("A", "1").env_remove("A");
                /// assert_eq!(unset.read()?, "unset");
                /// # Ok::<(), pipewright::Error>(())
                /// ```
                #[doc(alias = "unsetenv")]
                pub fn env_remove(mut self, key: impl AsRef<std::ffi::OsStr>) -> Self {
                    let key = key.as_ref();
                    self.each_env(|part| part.changes.push(crate::spawn::EnvChange::Remove(key.to_owned())));
                    self
                }

                /// Starts from an empty environment. Only variables that are set after this call exist.
                ///
                /// Without PATH, programs are looked up in `/bin:/usr/bin`.
                ///
                /// ```
                /// use pipewright::cmd;
                /// let clean = cmd!("/usr/bin/env").env_clear().env("A", "1");
                /// assert_eq!(clean.read()?, "A=1");
                /// # Ok::<(), pipewright::Error>(())
                /// ```
                pub fn env_clear(mut self) -> Self {
                    self.each_env(|part| {
                        part.changes.clear();
                        part.changes.push(crate::spawn::EnvChange::Clear);
                    });
                    self
                }

                /// Keeps only these of the variables that exist at this point: those inherited, and those set by earlier calls. Later calls
                /// add to them. A name that does not exist is not an error.
                ///
                /// ```
                /// use pipewright::cmd;
                /// let both = cmd!("/usr/bin/env").env("A", "1").env("B", "2");
                /// assert_eq!(both.env_only(["B"]).read()?, "B=2");
                /// # Ok::<(), pipewright::Error>(())
                /// ```
                pub fn env_only<S: AsRef<std::ffi::OsStr>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
                    let names: Vec<_> = names.into_iter().map(|name| name.as_ref().to_owned()).collect();
                    self.each_env(|part| part.changes.push(crate::spawn::EnvChange::Only(names.clone())));
                    self
                }

                /// Sets the child's working directory.
                ///
                /// A relative program path is looked up from there, like in `cd dir && ./program`. PWD stays as it is. Paths of
                /// redirections are relative to *this* process's directory. A directory that cannot be entered (`chdir(2)`) is a
                /// [`CurrentDir`](crate::ErrorKind::CurrentDir) error of the verb, which names it.
                ///
                /// ```
                /// use pipewright::cmd;
                /// assert_eq!(cmd!("pwd").current_dir("/").read()?, "/");
                /// # Ok::<(), pipewright::Error>(())
                /// ```
                #[doc(alias = "cwd")]
                #[doc(alias = "dir")]
                #[doc(alias = "cd")]
                #[doc(alias = "chdir")]
                pub fn current_dir(mut self, dir: impl AsRef<std::path::Path>) -> Self {
                    let dir = dir.as_ref();
                    self.each_env(|part| part.cwd = Some(dir.to_owned()));
                    self
                }
            }
        }
    };
}
pub(crate) use env_methods;

env_methods!(Cmd);

impl Cmd {
    fn each_env(&mut self, change: impl Fn(&mut EnvPart)) {
        change(&mut self.command_mut().environment.own);
    }
}
