//! Texts of closure stages that went wrong.

use std::sync::mpsc;

use super::helper;
use super::texts::Texts;
use crate::prelude::*;

#[test]
fn a_closure_that_fails_is_named_with_its_reason() {
    isolated(|| {
        let mut texts = Texts::new();
        let copy = || Stage::from_fn(|input, output| Ok(io::copy(input, output).map(drop)?)).label("copy");
        let refuse = || {
            Stage::from_fn(|input, _| {
                let mut text = String::new();
                input.read_to_string(&mut text)?;
                Err(io::Error::new(io::ErrorKind::InvalidData, format!("not a number: {text:?}")))?
            })
        };
        let said = || helper("say").args(["1", "x\n"]);
        texts.check("closure-error", (said() | refuse().label("parse") | helper("cat")).output());
        texts.check("closure-error-alone", Pipeline::from(Stage::from_fn(|_, _| Err("no idea")?)).run());
        texts.check("closure-error-passed-on", (said() | refuse() | copy()).output());
        let panic = Stage::from_fn(|input, _| {
            io::copy(input, &mut io::sink())?;
            panic!("one\ntwo")
        });
        texts.check("closure-panic", (said() | panic | copy()).output());
        texts.finish();
    });
}

#[test]
fn a_closure_that_does_not_return_is_named_as_left_behind() {
    isolated(|| {
        let mut texts = Texts::new();
        let (done, gone) = mpsc::channel::<()>();
        let (hold, held) = mpsc::channel::<()>();
        let stuck = Stage::from_fn_once(move |_, _| {
            let _done = done;
            // Until the test lets go.
            held.recv().unwrap_or_default();
            Ok(())
        });
        let stuck = Pipeline::from(stuck.label("stuck")).timeout(Duration::from_millis(50)).grace(Duration::ZERO);
        texts.check("closure-left-behind", stuck.run());
        drop(hold);
        assert!(gone.recv().is_err());
        texts.finish();
    });
}

#[test]
fn a_closure_in_a_place_it_cannot_take_is_a_conflict() {
    isolated(|| {
        let mut texts = Texts::new();
        let nothing = || Stage::from_fn(|_, _| Ok(()));
        texts.check("closure-with-stderr", nothing().pipe_stderr(helper("cat")).run());
        let once = Pipeline::from(Stage::from_fn_once(|_, _| Ok(())));
        once.run().unwrap();
        texts.check("one-shot-closure-again", once.run());
        texts.finish();
    });
}
