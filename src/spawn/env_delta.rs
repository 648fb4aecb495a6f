//! A command's changes to the environment, summed up.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

/// One change to the inherited environment. Changes apply in the order of the calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EnvChange {
    Set(OsString, OsString),
    /// `Set` with a value that no rendered text may hold.
    SetSecret(OsString, OsString),
    Remove(OsString),
    Clear,
    Only(Vec<OsString>),
}

/// What all changes come to: which variables are inherited, and the last word on each variable that is named.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct EnvDelta<'a> {
    /// `None`: all are inherited.
    pub(crate) kept: Option<Vec<&'a OsStr>>,
    /// `None`: removed. None of these is among `kept`.
    pub(crate) variables: BTreeMap<&'a OsStr, Option<EnvValue<'a>>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EnvValue<'a> {
    pub(crate) text: &'a OsStr,
    pub(crate) secret: bool,
}

impl<'a> EnvDelta<'a> {
    pub(crate) fn of(changes: impl IntoIterator<Item = &'a EnvChange>) -> Self {
        let mut delta = EnvDelta::default();
        for change in changes {
            match change {
                EnvChange::Set(key, text) => delta.set(key, Some(EnvValue { text, secret: false })),
                EnvChange::SetSecret(key, text) => delta.set(key, Some(EnvValue { text, secret: true })),
                EnvChange::Remove(key) => delta.set(key, None),
                EnvChange::Clear => delta = EnvDelta { kept: Some(Vec::new()), variables: BTreeMap::new() },
                EnvChange::Only(names) => delta.only(names),
            }
        }
        delta
    }

    /// The changed environment.
    pub(crate) fn apply(&self, mut variables: BTreeMap<OsString, OsString>) -> BTreeMap<OsString, OsString> {
        if let Some(kept) = &self.kept {
            variables.retain(|key, _| kept.contains(&key.as_os_str()));
        }
        for (key, value) in &self.variables {
            match value {
                Some(value) => variables.insert((*key).to_owned(), value.text.to_owned()),
                None => variables.remove(*key),
            };
        }
        variables
    }

    fn set(&mut self, key: &'a OsStr, value: Option<EnvValue<'a>>) {
        if let Some(kept) = &mut self.kept {
            kept.retain(|name| *name != key);
        }
        self.variables.insert(key, value);
    }

    fn only(&mut self, names: &'a [OsString]) {
        let names = || names.iter().map(OsString::as_os_str);
        let is_kept = |name: &&OsStr| match &self.kept {
            None => !self.variables.contains_key(name),
            Some(kept) => kept.contains(name),
        };
        self.kept = Some(names().filter(is_kept).collect());
        self.variables.retain(|key, value| value.is_some() && names().any(|name| name == *key));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The environment after the changes, one by one.
    fn applied(mut variables: BTreeMap<OsString, OsString>, changes: &[EnvChange]) -> BTreeMap<OsString, OsString> {
        for change in changes {
            match change {
                EnvChange::Set(key, value) | EnvChange::SetSecret(key, value) => {
                    variables.insert(key.clone(), value.clone());
                }
                EnvChange::Remove(key) => drop(variables.remove(key)),
                EnvChange::Clear => variables.clear(),
                EnvChange::Only(names) => variables.retain(|key, _| names.contains(key)),
            }
        }
        variables
    }

    fn name() -> impl Strategy<Value = OsString> {
        (0..4u8).prop_map(|number| format!("K{number}").into())
    }

    fn change() -> impl Strategy<Value = EnvChange> {
        prop_oneof![
            4 => (name(), name()).prop_map(|(key, value)| EnvChange::Set(key, value)),
            1 => (name(), name()).prop_map(|(key, value)| EnvChange::SetSecret(key, value)),
            3 => name().prop_map(EnvChange::Remove),
            1 => Just(EnvChange::Clear),
            2 => prop::collection::vec(name(), 0..4).prop_map(EnvChange::Only),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_sum_of_changes_is_what_they_do_one_by_one(
            host in prop::collection::btree_map(name(), Just(OsString::from("host")), 0..4),
            changes in prop::collection::vec(change(), 0..8),
        ) {
            let delta = EnvDelta::of(&changes);
            prop_assert_eq!(delta.apply(host.clone()), applied(host, &changes));
            if let Some(kept) = &delta.kept {
                prop_assert!(kept.iter().all(|name| !delta.variables.contains_key(name)));
            }
        }
    }
}
