//! What streams take besides a `Redirect`.

use crate::prelude::*;

fn read(from: impl Into<Redirect<In>>) -> String {
    cmd!("cat").stdin(from).read().expect("cat copies its input")
}

#[test]
fn stdin_takes_text_bytes_descriptors_and_readers() {
    assert_eq!(read("text"), "text");
    assert_eq!(read(String::from("text")), "text");
    assert_eq!(read(&b"bytes"[..]), "bytes");
    assert_eq!(read(b"bytes"), "bytes");
    assert_eq!(read(b"bytes".to_vec()), "bytes");
    assert_eq!(read(Box::new(&b"reader"[..]) as Box<dyn Read + Send>), "reader");
    assert_eq!(read(File::open("/dev/null").unwrap()), "");

    let (reader, mut writer) = pipe::kernel().unwrap();
    writer.write_all(b"piped").unwrap();
    drop(writer);
    assert_eq!(read(reader), "piped");

    let (ours, mut theirs) = UnixStream::pair().unwrap();
    theirs.write_all(b"socket").unwrap();
    drop(theirs);
    assert_eq!(read(ours), "socket");

    let mut child = Command::new("echo").arg("child").stdout(Stdio::piped()).spawn().unwrap();
    assert_eq!(read(child.stdout.take().unwrap()), "child");
    child.wait().unwrap();
}

#[test]
fn outputs_take_descriptors_and_writers() {
    let echo = |to: Redirect<Out>| cmd!("echo", "text").stdout(to).run().expect("echo writes");
    let (mut reader, writer) = pipe::kernel().unwrap();
    let shared: Arc<OwnedFd> = Arc::new(writer.into());
    echo(Arc::clone(&shared).into());
    echo(shared.try_clone().unwrap().into());
    echo(File::from(shared.try_clone().unwrap()).into());
    echo((Box::new(File::from(shared.try_clone().unwrap())) as Box<dyn Write + Send>).into());
    drop(shared);
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert_eq!(text, "text\n".repeat(4));
}

#[test]
fn a_pipeline_takes_the_same() {
    let sorted = cmd!("cat") | cmd!("sort");
    assert_eq!(sorted.stdin("b\na\n").read().unwrap(), "a\nb");
    assert_eq!(cmd!("cat").fd_in(3, "three").arg("/dev/fd/3").read().unwrap(), "three");
}
