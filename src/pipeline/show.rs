//! A pipeline as a line for a shell.

use super::{Link, StageSpec};
use crate::cmd::quote::quote;
use crate::cmd::{Spec, command_line, linked_line};

/// Stages and what links them, as a line for a shell.
pub(crate) fn shell_line<'a>(stages: impl ExactSizeIterator<Item = &'a StageSpec>, links: &[Link]) -> String {
    let alone = stages.len() == 1;
    let mut line = String::new();
    for (index, stage) in stages.enumerate() {
        if index > 0 {
            line.push_str(" | ");
        }
        match stage {
            StageSpec::Command(spec) => line.push_str(&command(spec, links.get(index), alone)),
            StageSpec::Function(function) => line.push_str(&closure(&function.label)),
        }
    }
    line
}

fn command(spec: &Spec, link: Option<&Link>, alone: bool) -> String {
    let line = match link {
        None | Some(Link::Stdout) => command_line(spec),
        Some(Link::Stderr) => linked_line(spec, " 3>&1 >&2 2>&3 3>&-"),
        Some(Link::Both) => linked_line(spec, " 2>&1"),
    };
    // `cd` is for this stage only.
    if spec.current_dir().is_some() && !alone { format!("({line})") } else { line }
}

/// No shell can run it: a paste fails, and says why.
fn closure(label: &str) -> String {
    let why = format!("{label} is Rust code");
    format!("${{closure:?{}}}", quote(why.as_bytes()))
}
