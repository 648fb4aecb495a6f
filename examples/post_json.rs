//! Posts a JSON document while it is made: serde writes to one end of a pipe, the web client reads the request's body from
//! the other, and neither holds the whole. `cargo run --example post_json [RECORDS]`

use std::env;
use std::error::Error;
use std::io::{BufWriter, Write};
use std::thread;

use pipewright::pipe::{self, MemWriter};
use serde::Serializer;
use serde_json::{Value, json};
use tiny_http::{Response, Server};
use ureq::SendBody;

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let records: u32 = env::args().nth(1).map_or(Ok(1000), |count| count.parse())?;
    let server = Server::http("127.0.0.1:0")?;
    let url = format!("http://{}/records", server.server_addr());
    let serving = thread::spawn(move || answer(&server));

    let (mut reader, mut writer) = pipe::memory();
    thread::spawn(move || {
        if let Err(error) = write_records(records, &mut writer) {
            // Without this, the server would see a document that just ends.
            writer.close_with_error(error);
        }
    });
    let post = ureq::post(url).content_type("application/json");
    let mut response = post.send(SendBody::from_reader(&mut reader))?;
    println!("{}: {}", response.status(), response.body_mut().read_to_string()?);
    serving.join().expect("it does not panic")
}

fn write_records(count: u32, to: &mut MemWriter) -> serde_json::Result<()> {
    // A buffer, because serde writes a few bytes at a time.
    let mut json = serde_json::Serializer::new(BufWriter::new(to));
    json.collect_seq((0..count).map(|id| json!({ "id": id, "name": format!("record {id}") })))?;
    json.into_inner().flush().map_err(serde_json::Error::io)
}

fn answer(server: &Server) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut request = server.recv()?;
    let records: Vec<Value> = serde_json::from_reader(request.as_reader())?;
    let last = records.last().map(|record| &record["name"]);
    request.respond(Response::from_string(json!({ "received": records.len(), "last": last }).to_string()))?;
    Ok(())
}
