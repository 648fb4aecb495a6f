//! The contents of `/proc/PID/stat` and `status`, and what follows from them: no system call here.

/// `PF_FORKNOEXEC` of the kernel's `sched.h`.
const FORKED_WITHOUT_EXEC: u64 = 0x40;

/// The `stat` file of a process, or of a thread of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) pid: i32,
    /// At most 15 bytes.
    pub(crate) name: String,
    state: State,
    pub(crate) parent: i32,
    pub(crate) group: i32,
    pub(crate) session: i32,
    /// Whether it has called exec since its fork: it is no copy of its parent any more.
    pub(crate) is_program: bool,
    /// In ticks since boot, like [`boot_ticks`](crate::sys::sysinfo::boot_ticks).
    pub(crate) start: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    letter: u8,
    threads: u32,
}

impl Stat {
    /// `None` where the line has another form.
    pub(crate) fn parse(line: &[u8]) -> Option<Stat> {
        // The name may hold anything, parentheses and spaces too.
        let open = line.iter().position(|&byte| byte == b'(')?;
        let close = line.iter().rposition(|&byte| byte == b')')?;
        let pid = number(line.get(..open)?)?;
        let name = String::from_utf8_lossy(line.get(open + 1..close)?).into_owned();
        let mut fields = line.get(close + 1..)?.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty());
        // proc(5) counts from 1, the name is its second: these are 3 to 6, 9, 20 and 22.
        let letter = *fields.next()?.first()?;
        let parent = number(fields.next()?)?;
        let group = number(fields.next()?)?;
        let session = number(fields.next()?)?;
        let flags: u64 = number(fields.nth(2)?)?;
        let threads = number(fields.nth(10)?)?;
        let start = number(fields.nth(1)?)?;
        let (state, is_program) = (State { letter, threads }, flags & FORKED_WITHOUT_EXEC == 0);
        Some(Stat { pid, name, state, parent, group, session, is_program, start })
    }

    /// Whether it is a zombie, for which its parent has not waited. A process whose first thread alone has ended goes on.
    pub(crate) fn has_ended(&self) -> bool {
        self.is_over() && self.is_single()
    }

    /// Whether the thread runs no code of its program: stopped by a signal or a tracer, or ended.
    pub(crate) fn is_still(&self) -> bool {
        self.is_over() || matches!(self.state.letter, b'T' | b't')
    }

    /// Whether it is in an uninterruptible sleep, which delays a kill.
    pub(crate) fn is_stuck(&self) -> bool {
        self.state.letter == b'D'
    }

    /// Whether it has one thread; a zombie may show none.
    pub(super) fn is_single(&self) -> bool {
        self.state.threads <= 1
    }

    fn is_over(&self) -> bool {
        matches!(self.state.letter, b'Z' | b'X' | b'x')
    }
}

#[cfg(test)]
impl Stat {
    pub(crate) fn made_up(pid: i32, letter: u8, parent: i32, start: u64) -> Stat {
        let state = State { letter, threads: 1 };
        Stat { pid, name: format!("p{pid}"), state, parent, group: 0, session: 0, is_program: true, start }
    }
}

/// The numbers of a `children` file.
pub(super) fn numbers(text: &[u8]) -> Vec<i32> {
    text.split(u8::is_ascii_whitespace).filter_map(number).collect()
}

/// Whether a `status` file is read in the innermost namespace of its process. `NSpid` has a number for each namespace, from that of the
/// mount inwards. A kernel before 4.1 has no such line.
pub(super) fn is_in_one_namespace(status: &[u8]) -> bool {
    let numbers = status.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(b"NSpid:"));
    numbers.is_none_or(|numbers| self::numbers(numbers).len() == 1)
}

fn number<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    std::str::from_utf8(text.trim_ascii()).ok()?.parse().ok()
}

/// The children of each process of the system.
#[derive(Debug, Default)]
pub(crate) struct Table {
    /// Parent and child, sorted.
    pairs: Vec<(i32, i32)>,
}

impl Table {
    pub(crate) fn new(stats: impl IntoIterator<Item = Stat>) -> Table {
        let mut pairs: Vec<(i32, i32)> = stats.into_iter().map(|stat| (stat.parent, stat.pid)).collect();
        pairs.sort_unstable();
        Table { pairs }
    }

    pub(crate) fn children(&self, of: i32) -> Vec<i32> {
        let from = self.pairs.partition_point(|&(parent, _)| parent < of);
        self.pairs[from..].iter().take_while(|&&(parent, _)| parent == of).map(|&(_, child)| child).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str =
        "71 (a) b (c) S 70 71 70 0 -1 4194624 1 2 3 4 5 6 7 8 20 0 3 0 12345 99 1 18446744073709551615\n";

    #[test]
    fn a_name_may_look_like_fields() {
        let stat = Stat::parse(LINE.as_bytes()).unwrap();
        assert_eq!((stat.pid, stat.name.as_str(), stat.parent), (71, "a) b (c", 70));
        assert_eq!((stat.state, stat.start), (State { letter: b'S', threads: 3 }, 12345));
        assert!(!stat.is_program && Stat::parse(LINE.replace("4194624", "4194560").as_bytes()).unwrap().is_program);
    }

    #[test]
    fn what_is_cut_short_is_no_line() {
        let end = LINE.find("12345").unwrap();
        for cut in 0..end {
            assert_eq!(Stat::parse(&LINE.as_bytes()[..cut]), None, "{cut}");
        }
    }

    #[test]
    fn a_dead_first_thread_is_no_end() {
        let with = |state: &str, threads: &str| {
            let line =
                LINE.replace(" S 70", &format!(" {state} 70")).replace(" 3 0 12345", &format!(" {threads} 0 12345"));
            Stat::parse(line.as_bytes()).unwrap()
        };
        assert!(with("Z", "1").has_ended());
        // The kernel shows a zombie like this.
        assert!(with("Z", "0").has_ended());
        assert!(!with("Z", "2").has_ended());
        assert!(with("X", "1").has_ended());
        assert!(!with("T", "1").has_ended());
        let still = |state: &str| with(state, "1").is_still();
        assert!(["T", "t", "Z", "X"].into_iter().all(still));
        assert!(!["R", "S", "D", "I"].into_iter().any(still));
    }

    #[test]
    fn children_are_numbers_between_spaces() {
        assert_eq!(numbers(b"12 345 6 "), [12, 345, 6]);
        assert_eq!(numbers(b""), [0; 0]);
    }

    #[test]
    fn a_process_that_has_a_number_further_in_is_seen_from_outside() {
        assert!(is_in_one_namespace(b"Name:\tx\nNSpid:\t7\nVmPeak:\t1\n"));
        // The same number in both.
        assert!(!is_in_one_namespace(b"Name:\tx\nNSpid:\t7\t7\n"));
        assert!(is_in_one_namespace(b"Name:\tx\n"));
    }

    #[test]
    fn a_table_has_the_children_of_each() {
        let table = Table::new(
            [(5, 2), (3, 2), (4, 3), (2, 1), (1, 0)].map(|(pid, parent)| Stat::made_up(pid, b'S', parent, 0)),
        );
        assert_eq!(table.children(2), [3, 5]);
        assert_eq!(table.children(3), [4]);
        assert_eq!(table.children(4), [0; 0]);
        assert_eq!(table.children(9), [0; 0]);
    }
}
