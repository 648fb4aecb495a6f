//! Captures, one promise at a time.

use super::*;
use crate::harness::isolated;

#[test]
fn a_closure_borrows_and_returns() {
    isolated(|| {
        let words = vec!["a", "b"];
        let mut count = 0;
        let said = capture_stdout(|| {
            words.iter().for_each(|word| println!("{word}"));
            count += words.len();
            &words
        });
        assert_eq!((said.value, said.text()), (&words, "a\nb\n".into()));
        assert_eq!(count, 2);
    });
}
