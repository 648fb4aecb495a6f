//! A source without the secrets that are in it.

use std::error::Error as StdError;
use std::fmt;

use crate::text::redact::Secrets;

/// What stands for a source that shows a secret, itself or further down its chain.
pub(super) struct Redacted {
    text: String,
    source: Option<Box<Redacted>>,
}

impl Redacted {
    /// `None` for a source that shows none.
    pub(super) fn of(source: &(dyn StdError + 'static), secrets: &Secrets, cut: bool) -> Option<Redacted> {
        if secrets.is_empty() {
            return None;
        }
        let chain = || std::iter::successors(Some(source), |&error| error.source());
        let shows = |error: &dyn StdError| {
            let texts = [format!("{error}"), format!("{error:#}"), format!("{error:?}"), format!("{error:#?}")];
            texts.iter().any(|text| secrets.redact_callers(text, cut) != *text)
        };
        if !chain().any(shows) {
            return None;
        }
        let texts: Vec<String> = chain().map(|error| secrets.redact_callers(&error.to_string(), cut)).collect();
        texts.into_iter().rev().fold(None, |source, text| Some(Redacted { text, source: source.map(Box::new) }))
    }
}

impl fmt::Display for Redacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Redacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redacted({:?})", self.text)
    }
}

impl StdError for Redacted {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
