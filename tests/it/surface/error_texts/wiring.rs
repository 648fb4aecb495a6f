//! Texts of further descriptors and of arguments that name one.

use nix::sys::resource::Resource;

use super::helper;
use super::texts::Texts;
use crate::prelude::*;

fn null() -> File {
    File::open("/dev/null").expect("it opens")
}

#[test]
fn a_number_that_cannot_be_given_is_named() {
    isolated(|| {
        let mut texts = Texts::new();
        texts.check("fd-twice", cmd!("a").map_fd(null(), 7).fd_out(7, Redirect::piped()).run());
        texts.check(
            "fd-twice-in-a-stage",
            (cmd!("a") | cmd!("b").fd_in(7, Redirect::bytes("xyz")).map_fd(null(), 7)).run(),
        );
        texts.check("fd-is-stdin", cmd!("a").map_fd(null(), 0).run());
        texts.check("fd-is-stdout", cmd!("a").fd_out(1, Redirect::piped()).run());
        texts.check("fd-is-stderr", cmd!("a").fd_out(2, Redirect::file("/var/log/a")).run());
        texts.check("fd-negative", cmd!("a").fd_in(-1, Redirect::piped()).run());
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("the limit can be read");
        setrlimit(Resource::RLIMIT_NOFILE, 64, hard).expect("it can be lowered");
        texts.check("fd-beyond-the-limit", (cmd!("a") | cmd!("b").map_fd(null(), 64)).run());
        texts.check("fd-greatest", cmd!("a").map_fd(null(), i32::MAX).run());
        setrlimit(Resource::RLIMIT_NOFILE, 32, hard).expect("it can be lowered");
        texts.check("argument-beyond-the-limit", cmd!("a").arg_reader(cmd!("b")).run());
        setrlimit(Resource::RLIMIT_NOFILE, soft, hard).expect("it was so before");
        texts.check("fd-inherited", cmd!("a").fd_out(3, Redirect::inherit()).run());
        let tee = Redirect::tee([Redirect::capture(), Redirect::inherit()]);
        texts.check("fd-inherited-in-a-tee", cmd!("a").fd_out(3, tee).run());
        texts.finish();
    });
}

#[test]
fn a_descriptor_that_cannot_be_given_is_named_with_its_role() {
    isolated(|| {
        let mut texts = Texts::new();
        let closed = pipewright::fd::dup_above(null(), 300).expect("a copy");
        assert_eq!(closed.as_raw_fd(), 300);
        nix::unistd::close(300).expect("it was open");
        let cmd = cmd!("a").map_fd(closed, 9);
        // Its drop would close what is not open.
        std::mem::forget(cmd.clone());
        texts.check("fd-closed", (cmd!("b") | cmd).run());
        let root =
            || -> OwnedFd { pipewright::fd::dup_above(File::open("/").expect("it opens"), 300).expect("a copy") };
        texts.check("directory-as-stdin", cmd!("a").stdin(root()).run());
        texts.check("directory-as-stderr", (cmd!("a") | cmd!("b").stderr(Redirect::fd(root()))).run());
        texts.check("fd-file-missing", helper("cat").fd_in(5, Redirect::file(texts.path("missing"))).run());
        texts.finish();
    });
}

#[test]
fn a_further_descriptor_that_was_used_is_named() {
    isolated(|| {
        let mut texts = Texts::new();
        let again = |cmd: Cmd| {
            cmd.run().expect("the first start");
            cmd.run()
        };
        let exit = || helper("exit").arg("0");
        texts.check("mapped-again", again(exit().map_fd(null(), 9)));
        texts.check("argument-again", again(exit().arg_fd(null())));
        texts.check("further-reader-again", again(exit().fd_in(9, Redirect::from_reader(std::io::empty()))));
        texts.check("further-writer-again", again(exit().fd_out(9, Redirect::to_writer(std::io::sink()))));
        texts.finish();
    });
}

#[test]
fn a_pipeline_in_an_argument_that_goes_wrong_is_named() {
    isolated(|| {
        let mut texts = Texts::new();
        let second = Duration::from_secs(1);
        texts.check("argument-with-timeout", cmd!("a").arg_reader(cmd!("b").timeout(second)).run());
        texts.check(
            "argument-with-limit",
            cmd!("a").arg_writer((cmd!("b") | cmd!("c")).stdout_limit(Limit::Head(1))).run(),
        );
        texts.check("argument-with-stdout", cmd!("a").arg_reader(cmd!("b").stdout(Redirect::null())).run());
        texts.check("argument-with-stdin", cmd!("a").arg_writer(cmd!("b").stdin(Redirect::null())).run());
        let missing = cmd!("no-such-program", "--help");
        texts.check(
            "missing-program-of-an-argument",
            (helper("cat").stdin(Redirect::null()).arg_reader(missing) | helper("cat")).run(),
        );
        let failing = helper("fail-with").args(["3", "no data"]);
        texts.check("status-in-an-argument", helper("cat-paths").arg_reader(failing | helper("cat")).output());
        texts.check::<()>("exec-with-argument", Err(cmd!("a").arg_reader(cmd!("b")).exec()));
        texts.finish();
    });
}

#[test]
fn a_further_stream_that_goes_wrong_is_named() {
    isolated(|| {
        let mut texts = Texts::new();
        let say = || helper("say").args(["3", "0123456789"]);
        texts.check(
            "limit-of-a-further-stream",
            say().fd_out(3, Redirect::piped()).fd_limit(3, Limit::Fail(4)).output(),
        );
        let refuse = |_: &[u8]| -> Result<(), std::io::Error> { Err(std::io::Error::other("the disk is full")) };
        texts.check("callback-error-of-a-further-stream", say().fd_out(3, Redirect::each_line(refuse)).run());
        texts.check("undeclared-descriptor", helper("cat-paths").arg("/dev/fd/9").output());
        texts.finish();
    });
}
