//! Descriptors for a child, by the numbers that they have there.

use std::fmt;
use std::os::fd::{AsRawFd, OwnedFd};

use super::given::{GivenFd, IntoGivenFd};

/// Descriptors for a child, by the numbers that they have there: any number of them, in any order and overlap, for
/// [`Cmd::fd_map`](crate::Cmd::fd_map).
///
/// A descriptor that is given by value is one-shot: clones of the map share it, and the first start takes it. Dropping the map closes
/// what no start took.
///
/// ```
/// use pipewright::{Cmd, fd::FdMap, pipe};
/// let (reader, writer) = pipe::kernel()?;
/// let mut map = FdMap::new();
/// map.insert(writer, 3)?;
/// map.insert(std::fs::File::open("/dev/null")?, 4)?;
/// Cmd::sh("cat <&4 >&3; echo report >&3").fd_map(map).run()?;
/// assert_eq!(std::io::read_to_string(reader)?, "report\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
#[must_use = "a map does nothing until a command has it"]
pub struct FdMap {
    /// Ascending by number.
    entries: Vec<(i32, GivenFd)>,
}

/// Why an [`FdMap`] did not take a descriptor.
///
/// ```
/// use pipewright::fd::{FdMap, FdMapError};
/// let mut map = FdMap::new();
/// map.insert(std::fs::File::open("/dev/null")?, 5)?;
/// let error = map.insert(std::fs::File::open("/dev/null")?, 5).unwrap_err();
/// assert_eq!(error, FdMapError::Taken { number: 5 });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FdMapError {
    /// The child has another descriptor under this number.
    #[error("the child's fd {number} has been given already")]
    Taken {
        /// The number.
        number: i32,
    },
    /// No descriptor has this number.
    #[error("there is no fd {number}: numbers are not negative")]
    Negative {
        /// The number.
        number: i32,
    },
}

impl FdMap {
    /// An empty map.
    ///
    /// ```
    /// assert_eq!(pipewright::fd::FdMap::new().numbers().count(), 0);
    /// ```
    pub fn new() -> FdMap {
        FdMap::default()
    }

    /// Gives the child this descriptor under this number, once or shared; see [`Cmd::map_fd`](crate::Cmd::map_fd).
    ///
    /// # Errors
    /// An [`FdMapError`], and the descriptor is closed. What a command says against a number (0 to 2 are its standard streams, and there is a
    /// limit) is an error of its verb.
    ///
    /// ```
    /// let mut map = pipewright::fd::FdMap::new();
    /// map.insert(std::fs::File::open("/dev/null")?, 5)?;
    /// assert!(map.insert(std::fs::File::open("/dev/null")?, -1).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "insert_shared")]
    pub fn insert<How>(&mut self, fd: impl IntoGivenFd<How>, number: i32) -> Result<(), FdMapError> {
        self.put(fd.given(), number)
    }

    /// [`insert`](FdMap::insert) under the number that the descriptor has here; returns that number.
    ///
    /// # Errors
    /// An [`FdMapError`].
    ///
    /// ```
    /// let mut map = pipewright::fd::FdMap::new();
    /// let number = map.pass(std::fs::File::open("/dev/null")?)?;
    /// assert!(map.numbers().eq([number]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn pass(&mut self, fd: impl Into<OwnedFd>) -> Result<i32, FdMapError> {
        let fd = fd.into();
        let number = fd.as_raw_fd();
        self.insert(fd, number).map(|()| number)
    }

    /// The child's numbers, ascending.
    ///
    /// ```
    /// let mut map = pipewright::fd::FdMap::new();
    /// map.insert(std::fs::File::open("/dev/null")?, 5)?;
    /// assert!(map.numbers().eq([5]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn numbers(&self) -> impl Iterator<Item = i32> {
        self.entries.iter().map(|(number, _)| *number)
    }

    pub(crate) fn into_entries(self) -> impl Iterator<Item = (i32, GivenFd)> {
        self.entries.into_iter()
    }

    fn put(&mut self, fd: GivenFd, number: i32) -> Result<(), FdMapError> {
        if number < 0 {
            return Err(FdMapError::Negative { number });
        }
        match self.entries.binary_search_by_key(&number, |(taken, _)| *taken) {
            Ok(_) => Err(FdMapError::Taken { number }),
            Err(place) => {
                self.entries.insert(place, (number, fd));
                Ok(())
            }
        }
    }
}

impl fmt::Debug for FdMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.numbers()).finish()
    }
}
