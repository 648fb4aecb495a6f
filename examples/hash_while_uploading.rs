//! Uploads a file and hashes it on the way: one pass, in constant memory whatever its size.
//! `cargo run --example hash_while_uploading [FILE]` uploads itself unless told otherwise, to a server of its own.

use std::env;
use std::error::Error;
use std::sync::{Arc, Mutex};
use std::thread;

use pipewright::{Pipeline, Redirect, Stage};
use sha2::{Digest, Sha256};
use tiny_http::{Response, Server};
use ureq::SendBody;

const ITSELF: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/hash_while_uploading.rs");

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let file = env::args_os().nth(1).unwrap_or(ITSELF.into());
    let server = Server::http("127.0.0.1:0")?;
    let url = format!("http://{}/file", server.server_addr());
    let serving = thread::spawn(move || receive(&server));

    let sent = Arc::new(Mutex::new(Sha256::new()));
    let hasher = Arc::clone(&sent);
    let tap = Stage::tap(move |chunk| hasher.lock().expect("no panic").update(chunk));
    let mut body = Pipeline::from(tap).stdin(Redirect::file(file)).reader()?;
    let mut response = ureq::put(url).send(SendBody::from_reader(&mut body))?;

    println!("sent      {}", hex(&sent.lock().expect("no panic").clone().finalize()));
    println!("received  {}", response.body_mut().read_to_string()?);
    serving.join().expect("it does not panic")
}

/// The other side answers with what it has seen.
fn receive(server: &Server) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut request = server.recv()?;
    let (mut hasher, mut buffer) = (Sha256::new(), vec![0; 64 * 1024]);
    loop {
        match request.as_reader().read(&mut buffer)? {
            0 => return Ok(request.respond(Response::from_string(hex(&hasher.finalize())))?),
            read => hasher.update(&buffer[..read]),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
