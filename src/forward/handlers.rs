//! Installs the handlers and starts the thread; removes both again.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::thread::{self, JoinHandle};

use signal_hook::iterator::Handle;
use signal_hook::iterator::exfiltrator::WithRawSiginfo;

use super::serve::serve;
use super::state::{Signals, ends, keeps_running};
use crate::run::signal_registry;
use crate::sys::fds;
use crate::sys::self_signal::{self, Action};

const SIGNALS: [i32; 6] = [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM, libc::SIGTSTP, libc::SIGCONT];

pub(super) struct Handlers {
    working: Option<Working>,
    /// The handlers of signal-hook that were replaced by the default action. It installs its handler for a signal only once, so that the
    /// next `install` has to put them back.
    aside: Vec<Action>,
}

struct Working {
    handle: Handle,
    thread: JoinHandle<Signals>,
    /// The signals' actions before the installation, except those that were ignored.
    before: Vec<Action>,
}

impl Handlers {
    pub(super) const NONE: Handlers = Handlers { working: None, aside: Vec::new() };

    pub(super) fn install(&mut self) -> io::Result<()> {
        let before: Vec<Action> = SIGNALS.map(Action::of).into_iter().filter(|action| !action.is_ignore()).collect();
        let (read, write) = UnixStream::pair()?;
        let (read, write) = (clear_of_stdio(read)?, clear_of_stdio(write)?);
        let bell = clear_of_stdio(write.try_clone()?)?;
        bell.set_nonblocking(true)?;
        let signals = before.iter().map(Action::signal);
        let delivery = match Signals::with_pipe(read, write, WithRawSiginfo, signals) {
            Ok(delivery) => delivery,
            Err(error) => {
                self.put_back(&before);
                return Err(error);
            }
        };
        let handle = delivery.handle();
        for hooked in self.aside.drain(..) {
            if Action::of(hooked.signal()).is_default()
                && before.iter().any(|action| action.signal() == hooked.signal())
            {
                hooked.put_back();
            }
        }
        signal_registry::set_bell(Some(bell));
        match thread::Builder::new().name("pipewright-signals".into()).spawn(move || serve(delivery)) {
            Ok(thread) => {
                self.working = Some(Working { handle, thread, before });
                Ok(())
            }
            Err(error) => {
                signal_registry::set_bell(None);
                self.put_back(&before);
                Err(error)
            }
        }
    }

    pub(super) fn remove(&mut self) {
        let Some(Working { handle, thread, before }) = self.working.take() else { return };
        handle.close();
        // After a panic of the thread, which has no code that panics, the signals that it read are lost.
        let delivery = thread.join();
        self.put_back(&before);
        // A signal that came before the handlers were removed has not had its effect yet.
        let late = delivery.into_iter().flat_map(|mut delivery| delivery.pending()).map(|info| info.si_signo);
        match late.filter(|&signal| ends(signal)).last() {
            Some(signal) if !keeps_running() => self_signal::die_of(signal),
            _ => {}
        }
    }

    /// Puts the default actions back. A handler that other code has installed since stays.
    fn put_back(&mut self, before: &[Action]) {
        for action in before.iter().filter(|action| action.is_default()) {
            let now = Action::of(action.signal());
            if !now.is_default() {
                action.put_back();
                self.aside.push(now);
            }
        }
    }
}

fn clear_of_stdio(stream: UnixStream) -> io::Result<UnixStream> {
    fds::clear_of_stdio(OwnedFd::from(stream)).map(UnixStream::from)
}
