//! pipewright beside its peers, the standard library, Go and the kernel: see the README beside this.

mod check;
mod cli;
mod figures;
mod golang;
mod machine;
mod measure;
mod peers;
mod prepare;
mod rows;
mod sample;
mod table;
mod task;
mod trace;

use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::main() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
