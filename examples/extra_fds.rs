//! A program that reports its progress on a descriptor of its own: shown while it runs, and kept; its output and its complaints
//! come apart, in the same run. `cargo run --example extra_fds [COMMAND…]`, which writes its progress to fd 3

use std::env;
use std::time::Duration;

use pipewright::{Cmd, Error, Redirect};

/// As `gpg --status-fd 3` and `dpkg --status-fd 3` do. It takes its settings from fd 4.
const WORK: &str = r#"
read -r steps <&4
step=1
while [ "$step" -le "$steps" ]; do
    echo "$((100 * step / steps))%" >&3
    echo "result $step"
    step=$((step + 1))
done
echo "one input was skipped" >&2
"#;

fn main() -> Result<(), Error> {
    let mut args = env::args_os().skip(1);
    let command = match args.next() {
        Some(program) => Cmd::new(program).args(args),
        None => Cmd::sh(WORK),
    };
    // Each line as it comes, and all of them at the end.
    let shown = Redirect::each_line(|line: &[u8]| eprintln!("progress: {}", String::from_utf8_lossy(line)));
    let out = command
        .fd_out(3, Redirect::tee([Redirect::capture(), shown]))
        .fd_in(4, Redirect::here_document("4\n"))
        .timeout(Duration::from_secs(60))
        .output()?;

    let lines = |bytes: &[u8]| String::from_utf8_lossy(bytes).lines().count();
    println!("results: {}", lines(&out.stdout));
    println!("progress reports: {}", out.fd(3).map_or(0, |bytes| lines(bytes)));
    println!("complaints: {}", out.stderr_lossy().trim_end());
    Ok(())
}
