//! What a command and a pipeline can be told besides program, arguments and stages.

// rustdoc shows the blocks of `Cmd` in the order of these lines. rustfmt keeps it because of the blank lines.
mod streams;

mod env;

mod status;

mod run;

mod descriptors;

mod attributes;

pub use attributes::Resource;
pub(crate) use env::env_methods;
pub(crate) use run::settings_methods;

/// Methods that `Cmd` and other builders have: on `Cmd` with their documentation, on the others with a link to it.
macro_rules! methods {
    (Cmd; $($(#[doc $($title:tt)*])* impl { $($methods:tt)* })*) => {$(
        $(#[doc $($title)*])*
        impl Cmd { $($methods)* }
    )*};
    ($builder:ident; $($(#[doc $($title:tt)*])* impl {$(
        $(#[doc $($doc:tt)*])*
        $(#[cfg $($cfg:tt)*])?
        $vis:vis fn $name:ident $(<$($generic:tt $(: $bound:path)?),+>)? ($($parameters:tt)*) -> $result:ty $body:block
    )*})*) => {$(
        $(#[doc $($title)*])*
        impl $builder {$(
            #[doc = concat!("As on [`Cmd`](crate::Cmd::", stringify!($name), ").")]
            $(#[cfg $($cfg)*])?
            $vis fn $name $(<$($generic $(: $bound)?),+>)? ($($parameters)*) -> $result $body
        )*}
    )*};
}
pub(crate) use methods;
