//! A web server that shows what a command writes, errors included, while the command runs. A client that leaves ends the
//! command. `cargo run --example http_handler [COMMAND]` is its own client, and leaves after four lines.

use std::env;
use std::error::Error;
use std::io::{self, BufRead, BufReader, Write};
use std::thread;

use pipewright::Cmd;
use tiny_http::{Request, Server};

const ENDLESS: &str = "i=0; while i=$((i + 1)); do echo step $i; echo warning $i >&2; done";

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let command = Cmd::sh(env::args().nth(1).unwrap_or(ENDLESS.into()));
    let server = Server::http("127.0.0.1:0")?;
    let url = format!("http://{}/", server.server_addr());
    let handler = thread::spawn(move || stream(server.recv()?, &command));

    let body = ureq::get(url).call()?.into_body();
    for line in BufReader::new(body.into_reader()).lines().take(4) {
        println!("{}", line?);
    }
    // The response is dropped by now, which closes the connection.
    match handler.join().expect("the handler does not panic") {
        Ok(()) => println!("(the command has ended)"),
        Err(error) => println!("(the command was ended: {error})"),
    }
    Ok(())
}

/// Answers with the command's output. When the client has gone, a write fails, and `lines`, dropped on the way out, ends the
/// command. So that is seen when the command says something.
fn stream(request: Request, command: &Cmd) -> Result<(), Box<dyn Error + Send + Sync>> {
    let lines = command.clone().stderr_to_stdout().lines()?;
    // `Request::respond` would keep the lines until there are many.
    let mut to = request.into_writer();
    write!(to, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n")?;
    for line in lines {
        // A bad exit is the last item, and for the client to know.
        let line = line.unwrap_or_else(|error| error.to_string());
        send_chunk(&mut to, &format!("{line}\n"))?;
    }
    send_chunk(&mut to, "")?; // the end
    Ok(())
}

fn send_chunk(to: &mut impl Write, text: &str) -> io::Result<()> {
    write!(to, "{:x}\r\n{text}\r\n", text.len())?;
    to.flush()
}
