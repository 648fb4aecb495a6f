//! Descriptors that the caller gives to a child.

use std::fmt;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use crate::once::TakeOnce;

/// A descriptor for a child: one that the first start takes, or one that is shared by any number of starts.
///
/// Made from whatever owns a descriptor (an [`OwnedFd`], a [`File`](std::fs::File), an end of a pipe, a socket), which the first start takes: this process's
/// copy is closed before that start returns, and a later start is [`AlreadyUsed`](crate::ErrorKind::AlreadyUsed). Or from an `Arc<OwnedFd>`,
/// which stays open as long as the builder, a clone of it, a [`Job`](crate::Job) it started, or the `Arc` lives.
///
/// ```
/// use pipewright::{Cmd, fd::GivenFd};
/// use std::{fs::File, os::fd::OwnedFd, sync::Arc};
/// let shared: Arc<OwnedFd> = Arc::new(File::open("/dev/null")?.into());
/// let both = Cmd::sh("cat <&5 <&6").map_fd(Arc::clone(&shared), 5).map_fd(GivenFd::from(shared), 6);
/// assert_eq!((both.read()?, both.read()?), (String::new(), String::new()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub enum GivenFd {
    #[doc(hidden)]
    Once(TakeOnce<OwnedFd>),
    #[doc(hidden)]
    Shared(Arc<OwnedFd>),
}

impl From<Arc<OwnedFd>> for GivenFd {
    fn from(fd: Arc<OwnedFd>) -> GivenFd {
        GivenFd::Shared(fd)
    }
}

/// What [`Cmd::map_fd`](crate::Cmd::map_fd) takes: anything that is `Into<OwnedFd>`, an `Arc<OwnedFd>`, or a [`GivenFd`]. `How` is inferred, and tells
/// the three apart. Sealed.
///
/// ```
/// use pipewright::{Cmd, fd::IntoGivenFd};
/// fn with_three<How>(cmd: Cmd, fd: impl IntoGivenFd<How>) -> Cmd {
///     cmd.map_fd(fd, 3)
/// }
/// let cat = with_three(Cmd::sh("cat <&3"), std::fs::File::open("/dev/null")?);
/// assert_eq!(cat.read()?, "");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait IntoGivenFd<How>: sealed::Sealed<How> {}

impl<How, T: sealed::Sealed<How>> IntoGivenFd<How> for T {}

mod sealed {
    use super::{Arc, GivenFd, OwnedFd, TakeOnce};

    pub enum Once {}
    pub enum Shared {}
    pub enum Given {}

    pub trait Sealed<How> {
        fn given(self) -> GivenFd;
    }

    impl<T: Into<OwnedFd>> Sealed<Once> for T {
        fn given(self) -> GivenFd {
            GivenFd::Once(TakeOnce::new(self.into()))
        }
    }

    impl Sealed<Shared> for Arc<OwnedFd> {
        fn given(self) -> GivenFd {
            GivenFd::Shared(self)
        }
    }

    impl Sealed<Given> for GivenFd {
        fn given(self) -> GivenFd {
            self
        }
    }
}

impl fmt::Debug for GivenFd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GivenFd::Once(slot) => write!(f, "{slot:?} descriptor"),
            GivenFd::Shared(_) => f.write_str("shared descriptor"),
        }
    }
}
