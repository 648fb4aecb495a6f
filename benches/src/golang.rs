//! The contender in Go: a program of its own, built by the system's compiler if there is one.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The rows of `go/main.go`.
pub fn can(row: &str) -> bool {
    const ROWS: &[&str] = &[
        "spawn", "capture", "three", "many-fds", "pipeline", "bulk", "both", "feed", "merged", "lines", "relay", "tee",
        "delay", "thousand",
    ];
    ROWS.contains(&row) || ["mem-", "one-", "buf-"].iter().any(|family| row.starts_with(family))
}

/// The program, built anew; else why there is none.
pub fn build() -> Result<PathBuf, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?.with_file_name("bench-go");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("go");
    let mut command = Command::new("go");
    command.args(["build", "-o"]).arg(&program).arg(".").current_dir(source);
    let built = command.stdin(Stdio::null()).output().map_err(|_| "no `go` in PATH".to_owned())?;
    if built.status.success() { Ok(program) } else { Err(String::from_utf8_lossy(&built.stderr).trim().to_owned()) }
}

/// What the compiler says of itself.
pub fn version() -> Option<String> {
    let output = Command::new("go").arg("version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.split(' ').nth(2).map(|word| word.trim_start_matches("go").to_owned())
}
